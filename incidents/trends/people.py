"""What incidents cost people: hours in a part of an incident, and how much of that was out of their team's hours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Value
from django.db.models.functions import Coalesce
from numpy.typing import NDArray

from incidents.models import IncidentRole, Team
from incidents.models.incident import IncidentQuerySet
from incidents.trends.offsets import DAY, local_seconds, zone_named
from incidents.trends.population import Choice, Epoch, raw_rows, timed
from incidents.trends.recent import Recent, rows_of

MOST_ROLES = 200_000
SHOWN = 25

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """When a team works, Monday to Friday, in seconds of its local day. `until` before `since` means over midnight."""

    zone: ZoneInfo
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Person:
    """One person's load. `out_of_hours` covers only incidents of a team, whose hours are known; so does `known_hours`."""

    name: str
    incidents: int
    hours: float
    known_hours: float
    out_of_hours: float


@dataclass(frozen=True, slots=True)
class Load:
    """Everybody's load, the most loaded first, and the sums over all."""

    people: tuple[Person, ...]
    everybody: int
    hours: float
    known_hours: float
    out_of_hours: float
    unknown_zones: tuple[str, ...]


_recent: Recent[Load] = Recent(most=64)


def load(visible: IncidentQuerySet, choice: Choice, *, now: datetime) -> Load:
    """Return people-hours: from taking a role until giving it up, at most until the incident was resolved, or `now`.

    Somebody with two roles at once counts once. Office hours are the incident's team's, in its zone; Saturdays and Sundays are out of
    hours. Incidents without a team count towards hours, but neither as in nor as out of hours. A team whose zone is not known to
    the time-zone data is counted in UTC and named.
    """
    found = timed(visible, choice)
    return _recent.get(rows_of(found), lambda: _load(found, now=now), now=now)


def _load(incidents: IncidentQuerySet, *, now: datetime) -> Load:
    # By subquery: a list of ids would be sent there and back.
    roles = IncidentRole.objects.filter(incident__in=incidents.order_by().values("pk"))
    rows = raw_rows(
        roles.order_by("user_id", "incident_id", "since_at").values_list(
            "user__username",
            "incident_id",
            "incident__team_id",
            Epoch("since_at"),
            Epoch(Coalesce("until_at", "incident__resolved_at", "incident__closed_at", Value(now))),
        )[:MOST_ROLES]
    )
    return _load_of(_joined(rows), _office_hours())


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Somebody's unbroken time in an incident, in epoch seconds."""

    name: str
    incident: int
    team: int
    since: float
    until: float


def _joined(rows: Sequence[tuple[str, int, int | None, float, float]]) -> list[_Stretch]:
    """Join overlapping roles of a person in an incident; rows come ordered by person, incident and beginning."""
    found: list[_Stretch] = []
    for name, incident, team, since, until in rows:
        last = found[-1] if found else None
        if last and last.name == name and last.incident == incident and since <= last.until:
            found[-1] = _Stretch(name, incident, last.team, last.since, max(last.until, until))
        else:
            found.append(_Stretch(name, incident, team or 0, since, max(since, until)))
    return found


def _load_of(stretches: Sequence[_Stretch], offices: Mapping[int, tuple[OfficeHours, str]]) -> Load:
    since = np.array([stretch.since for stretch in stretches], dtype=np.float64)
    until = np.array([stretch.until for stretch in stretches], dtype=np.float64)
    team = np.array([stretch.team for stretch in stretches], dtype=np.int64)
    seconds = until - since
    outside = np.full(len(stretches), np.nan)
    for key, (office, _) in offices.items():
        mine = team == key
        outside[mine] = seconds[mine] - seconds_in_office(since[mine], until[mine], office=office)
    hours: dict[str, list[int]] = defaultdict(list)
    for place, stretch in enumerate(stretches):
        hours[stretch.name].append(place)
    people = sorted(
        (_person(name, np.array(places), stretches, seconds, outside) for name, places in hours.items()),
        key=lambda person: (-person.out_of_hours, -person.hours, person.name),
    )
    return Load(
        people=tuple(people[:SHOWN]),
        everybody=len(people),
        hours=float(seconds.sum()) / 3600,
        known_hours=float(seconds[~np.isnan(outside)].sum()) / 3600,
        out_of_hours=float(np.nansum(outside)) / 3600,
        unknown_zones=tuple(sorted({problem for _, problem in offices.values() if problem})),
    )


def _person(
    name: str, places: NDArray[np.int_], stretches: Sequence[_Stretch], seconds: Numbers, outside: Numbers
) -> Person:
    known = ~np.isnan(outside[places])
    return Person(
        name=name,
        incidents=len({stretches[place].incident for place in places}),
        hours=float(seconds[places].sum()) / 3600,
        known_hours=float(seconds[places][known].sum()) / 3600,
        out_of_hours=float(outside[places][known].sum()) / 3600,
    )


def _office_hours() -> dict[int, tuple[OfficeHours, str]]:
    found = {}
    for team in Team.objects.all():
        zone = zone_named(team.time_zone)
        problem = "" if zone else f"{team.name}: {team.time_zone}"
        edges = (team.works_from, team.works_until)
        since, until = (edge.hour * 3600.0 + edge.minute * 60 + edge.second for edge in edges)
        found[team.pk] = OfficeHours(zone or ZoneInfo("UTC"), since, until), problem
    return found


def seconds_in_office(since: Numbers, until: Numbers, *, office: OfficeHours) -> Numbers:
    """Return how much of each stretch (epoch seconds, shape (n,)) lies in office hours. Over a change of clocks the local clock counts."""
    return _office_until(local_seconds(until, zone=office.zone), office) - _office_until(
        local_seconds(since, zone=office.zone), office
    )


def _office_until(local: Numbers, office: OfficeHours) -> Numbers:
    """Return the office seconds from a Monday long ago until each local second: whole weeks, whole days, and the part of the last day."""
    days = np.floor(local / DAY)
    into_day = local - days * DAY
    weekday = (days + 3) % 7  # 1970 began on a Thursday
    weeks = (days + 3 - weekday) / 7
    if office.until > office.since:
        a_day = office.until - office.since
        today = np.clip(into_day - office.since, 0.0, a_day)
    else:
        a_day = office.until + DAY - office.since
        today = np.minimum(into_day, office.until) + np.maximum(into_day - office.since, 0.0)
    whole = (weeks * 5 + np.minimum(weekday, 5)) * a_day
    return np.asarray(whole + np.where(weekday < 5, today, 0.0))
