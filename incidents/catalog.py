"""The service catalog: teams with their people and office hours, who owns which service, and who calls whom."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import available_timezones

from django.contrib.auth.models import User
from django.db import transaction

from incidents.lifecycle import NotPossible
from incidents.models import Service, ServiceEdge, Team

TEAM_LENGTH, SERVICE_LENGTH = 100, 200
MOST_SERVICES = 1_000  # of one team
ZONE_QUOTED = 50


@dataclass(frozen=True, slots=True)
class WantedTeam:
    """A team as somebody asks for it: hours as 09:00 in the IANA zone, all its members, all its services by name."""

    name: str
    time_zone: str
    works_from: str
    works_until: str
    members: Collection[User]
    services: Collection[str]


def save_team(team: Team, wanted: WantedTeam, *, now: datetime) -> None:
    """Save a team, new or known, with exactly these members and services; a service nobody knew is made. Raises NotPossible.

    A refused team is filled as far as it could be, so that a form can show it.
    """
    _fill(team, wanted)
    names = {name for given in wanted.services if (name := tidy(given, SERVICE_LENGTH))}
    if len(names) > MOST_SERVICES:
        raise NotPossible(f"{len(names)} services are too many for one team: at most {MOST_SERVICES}.")
    with transaction.atomic():
        team.save()
        team.members.set(wanted.members)
        Service.objects.bulk_create(
            [Service(name=name, first_seen_at=now, last_seen_at=now) for name in sorted(names)], ignore_conflicts=True
        )
        Service.objects.filter(owner=team).exclude(name__in=names).update(owner=None)
        Service.objects.filter(name__in=names).update(owner=team)


def set_call(caller: str, callee: str, *, origin: ServiceEdge.Origin, now: datetime) -> ServiceEdge:
    """Say that one service calls another, that it does not, or that spans decide. Raises NotPossible.

    Services that nobody knew are made when the call is added; what spans decide and never showed cannot be named.
    """
    names = [tidy(name, SERVICE_LENGTH) for name in (caller, callee)]
    if not all(names) or names[0] == names[1]:
        raise NotPossible("Name two different services: who calls, and who is called.")
    if origin != ServiceEdge.Origin.ADDED:
        known = ServiceEdge.objects.select_related("caller", "callee")
        edge = known.filter(caller__name=names[0], callee__name=names[1]).first()
        if edge is None:
            raise NotPossible(f"Nothing says that {names[0]} calls {names[1]}.")
        edge.origin = origin
        edge.save(update_fields=["origin"])
        return edge
    ends = [
        Service.objects.get_or_create(name=n, defaults={"first_seen_at": now, "last_seen_at": now})[0] for n in names
    ]
    edge, _ = ServiceEdge.objects.update_or_create(
        caller=ends[0],
        callee=ends[1],
        defaults={"origin": origin},
        create_defaults={"origin": origin, "last_seen_at": now},
    )
    return edge


def tidy(name: str, longest: int) -> str:
    """Return a name as it is kept: without blanks around it or in a row, cut to `longest` characters."""
    return " ".join(name.split())[:longest]


def _fill(team: Team, wanted: WantedTeam) -> None:
    team.name = tidy(wanted.name, TEAM_LENGTH)
    team.time_zone = wanted.time_zone.strip()
    if not team.name:
        raise NotPossible("Give the team a name.")
    if Team.objects.filter(name=team.name).exclude(pk=team.pk).exists():
        raise NotPossible(f"There is a team called “{team.name}” already.")
    if team.time_zone not in available_timezones():
        raise NotPossible(f"“{team.time_zone[:ZONE_QUOTED]}” is no time zone; write it as Europe/Berlin.")
    try:
        team.works_from = time.fromisoformat(wanted.works_from)
        team.works_until = time.fromisoformat(wanted.works_until)
    except ValueError as error:
        raise NotPossible("Office hours are written as 09:00 and 17:00.") from error
