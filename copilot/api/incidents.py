"""Incidents: listed, read, moved through their life, worked on."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from copilot import events
from copilot.api.access import READ, RESPOND, incident_of, person
from copilot.api.paging import Paging, answer, page
from copilot.api.problems import Problem
from copilot.api.replies import require_match
from copilot.api.shapes import REFUSALS, IncidentChange, IncidentShape, MergeBody, PageShape, ProblemShape, SplitBody
from incidents import lifecycle
from incidents.models import Incident, Team

router = Router(tags=["incidents"])
Verb = Literal["acknowledge", "mitigate", "resolve", "close", "reopen"]
_VERBS: dict[str, Callable[..., Incident]] = {
    "acknowledge": lifecycle.acknowledge,
    "mitigate": lifecycle.mitigate,
    "resolve": lifecycle.resolve,
    "close": lifecycle.close,
    "reopen": lifecycle.reopen,
}


class IncidentFilter(Schema):
    """Which incidents; several of one kind are separated by commas."""

    status: str = Field("", max_length=100, description="open, acknowledged, mitigated, resolved, closed")
    severity: str = Field("", max_length=20, description="1 to 4")
    service: str = Field("", max_length=200)
    team: str = Field("", max_length=100)
    tag: str = Field("", max_length=50)
    cause: str = Field("", max_length=20)
    source: str = Field("", max_length=100)
    q: str = Field("", max_length=200, description="words of the title, or a reference such as INC-12")
    opened_from: datetime | None = None
    opened_until: datetime | None = None
    demo: bool | None = Field(None, description="true: only made-up ones; false: none of them")

    def matching(self, found: QuerySet[Incident]) -> QuerySet[Incident]:
        """Return those of `found` that are meant. Raises Problem (400) for a severity that is no number."""
        wanted: dict[str, Any] = {
            "status__in": _parts(self.status),
            "severity__in": _numbers(self.severity),
            "services__contains": _parts(self.service),
            "team__name": self.team,
            "tags__contains": _parts(self.tag),
            "cause": self.cause,
            "source": self.source,
            "opened_at__gte": self.opened_from,
            "opened_at__lte": self.opened_until,
        }
        found = found.filter(**{name: value for name, value in wanted.items() if value})
        if self.demo is not None:
            found = found.filter(is_demo=self.demo)
        if self.q:
            number = self.q.strip().upper().removeprefix("INC-")
            named = Q(pk=int(number)) if number.isdecimal() and len(number) < 19 else Q()
            found = found.filter(Q(title__icontains=self.q) | named)
        return found


@router.get("/incidents", auth=READ, response={200: PageShape[IncidentShape], REFUSALS: ProblemShape})
def list_incidents(request: HttpRequest, which: Query[IncidentFilter], paging: Query[Paging]) -> Any:
    """List incidents, the newest first."""
    found = which.matching(Incident.objects.visible_to(person(request)).select_related("team"))
    return answer(page(request, found, paging, newest_by="opened_at"), shown)


@router.get("/incidents/{int:number}", auth=READ, response={200: IncidentShape, REFUSALS: ProblemShape})
def get_incident(request: HttpRequest, number: int) -> Any:
    """Read one incident."""
    return shown(incident_of(request, number))


@router.patch("/incidents/{int:number}", auth=RESPOND, response={200: IncidentShape, REFUSALS: ProblemShape})
def change_incident(request: HttpRequest, number: int, change: IncidentChange) -> Any:
    """Change what is said of an incident, all of it or nothing; with If-Match only if nobody else has."""

    def act(incident: Incident, by: str, now: datetime) -> None:
        who: Any = {"by": by, "now": now}
        if change.title is not None:
            lifecycle.set_title(incident, title=change.title, **who)
        if change.severity is not None:
            lifecycle.set_severity(incident, severity=change.severity, reason=change.severity_reason, **who)
        if change.services is not None:
            lifecycle.set_services(incident, services=change.services, **who)
        if change.tags is not None:
            lifecycle.set_tags(incident, tags=change.tags, **who)
        if change.cause is not None:
            lifecycle.set_cause(incident, cause=change.cause, text=change.cause_text, **who)
        if change.team is not None:
            lifecycle.set_team(incident, team=_team(change.team), **who)
        if change.is_restricted is not None:
            lifecycle.restrict(incident, restricted=change.is_restricted, **who)

    return changed(request, number, act)


@router.post("/incidents/{int:number}/merge", auth=RESPOND, response={200: IncidentShape, REFUSALS: ProblemShape})
def merge_incident(request: HttpRequest, number: int, body: MergeBody) -> Any:
    """Make it part of another incident; undo the decision to take it back."""
    into = incident_of(request, body.into)
    return changed(request, number, lambda incident, by, now: lifecycle.merge(incident, into=into, by=by, now=now))


@router.post("/incidents/{int:number}/split", auth=RESPOND, response={200: IncidentShape, REFUSALS: ProblemShape})
def split_incident(request: HttpRequest, number: int, body: SplitBody) -> Any:
    """Take alerts or services out into an incident of its own, and return that."""
    incident = incident_of(request, number)
    require_match(request, lambda: shown(incident))
    by = person(request).get_username()
    with transaction.atomic():
        other = lifecycle.split(incident, by=by, now=timezone.now(), alerts=body.alerts, services=body.services)
        for pk in (incident.pk, other.pk):
            events.publish(incident_id=pk, kind="incident.changed", payload={})
    return shown(other)


@router.post("/incidents/{int:number}/{verb}", auth=RESPOND, response={200: IncidentShape, REFUSALS: ProblemShape})
def move_incident(request: HttpRequest, number: int, verb: Verb) -> Any:
    """Acknowledge, mitigate, resolve, close or reopen it."""
    return changed(request, number, lambda incident, by, now: _VERBS[verb](incident, by=by, now=now))


def changed(request: HttpRequest, number: int, act: Callable[[Incident, str, datetime], object]) -> IncidentShape:
    """Do something to an incident in one transaction, if If-Match allows, tell open pages, and return it as it is then."""
    incident_of(request, number)  # 404 before any lock
    with transaction.atomic():
        incident = Incident.objects.select_for_update(of=("self",)).select_related("team").get(pk=number)
        require_match(request, lambda: shown(incident))
        act(incident, person(request).get_username(), timezone.now())
        events.publish(incident_id=number, kind="incident.changed", payload={})
    return shown(Incident.objects.select_related("team").get(pk=number))


def user_named(username: str) -> User:
    """Return the active person of that name. Raises Problem (422)."""
    found = User.objects.filter(username=username, is_active=True).first()
    if found is None:
        raise Problem(422, f"There is no active person {username!r}.")
    return found


def shown(incident: Incident) -> IncidentShape:
    """Return the incident as the API gives it."""
    return IncidentShape(
        number=incident.pk,
        reference=incident.reference,
        title=incident.title,
        status=incident.status,
        severity=incident.severity,
        services=incident.services,
        team=incident.team.name if incident.team else None,
        cause=incident.cause,
        cause_text=incident.cause_text,
        tags=incident.tags,
        source=incident.source,
        started_at=incident.started_at,
        opened_at=incident.opened_at,
        acknowledged_at=incident.acknowledged_at,
        mitigated_at=incident.mitigated_at,
        resolved_at=incident.resolved_at,
        closed_at=incident.closed_at,
        is_restricted=incident.is_restricted,
        is_demo=incident.is_demo,
        merged_into=incident.merged_into_id,
    )


def _team(name: str) -> Team | None:
    if not name:
        return None
    found = Team.objects.filter(name=name).first()
    if found is None:
        raise Problem(422, f"There is no team {name!r}.")
    return found


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str) -> list[int]:
    parts = _parts(text)
    if wrong := [part for part in parts if part not in {"1", "2", "3", "4"}]:
        raise Problem(400, f"severity={wrong[0]}: give numbers from 1 to 4, separated by commas.")
    return [int(part) for part in parts]
