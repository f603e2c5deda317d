"""What an incident's page shows of the work on it: who does what, what is to be done, its alerts and how they came together."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Count, Q

from incidents import lifecycle
from incidents.models import (
    Alert,
    ConfirmedCause,
    GroupingDecision,
    Incident,
    IncidentRole,
    IncidentTask,
    Lesson,
    StatusUpdate,
)
from runbooks.models import Revision

ALERTS_SHOWN, DECISIONS_SHOWN, TASKS_SHOWN, UPDATES_SHOWN, DRAFTS_SHOWN = 8, 8, 40, 3, 5
Role = IncidentRole.Role
# What went wrong first: that is what nobody writes down otherwise.
_OUTCOMES = tuple(
    (kind.value, str(kind.label))
    for kind in (Lesson.Kind.WORSE, Lesson.Kind.NO_HELP, Lesson.Kind.FIXED, Lesson.Kind.RULED_OUT)
)


@dataclass(frozen=True, slots=True)
class ShownPart:
    """One part in the incident and who has it, "" when nobody."""

    role: str
    label: str
    holder: str
    since_at: datetime | None
    is_mine: bool


@dataclass(frozen=True, slots=True)
class ShownDecision:
    """How something came into the incident; `can_undo` says whether it can be taken back with a button."""

    pk: int
    subject: str
    sentence: str
    at: datetime
    by: str
    score: str
    undone: str
    can_undo: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """One text that was drafted from the incident; `state` is draft, approved or retired."""

    kind: str
    slug: str
    title: str
    state: str


@dataclass(frozen=True, slots=True)
class Response:
    """Plain values for `copilot/incident/response.html`."""

    parts: tuple[ShownPart, ...]
    responders: tuple[str, ...]
    i_respond: bool
    is_watched: bool
    tasks: tuple[IncidentTask, ...]
    follow_ups: tuple[IncidentTask, ...]
    updates: tuple[StatusUpdate, ...]
    alerts: tuple[Alert, ...]
    alerts_firing: int
    alerts_total: int
    decisions: tuple[ShownDecision, ...]
    decisions_total: int
    merged: tuple[Incident, ...]
    confirmed: ConfirmedCause | None
    stated: str
    lessons: tuple[Lesson, ...]
    outcomes: tuple[tuple[str, str], ...]
    is_over: bool
    drafts: tuple[Draft, ...]


def response_of(incident: Incident, *, user: User | AnonymousUser) -> Response:
    """Return the work on an incident as one person sees it."""
    roles = list(incident.roles.filter(until_at=None).select_related("user"))
    tasks = list(incident.tasks.select_related("assignee")[:TASKS_SHOWN])
    decisions = GroupingDecision.objects.filter(incident=incident, is_shadow=False)
    firing = Count("pk", filter=Q(status=Alert.Status.FIRING))
    counts = incident.alerts.aggregate(firing=firing, total=Count("pk"))
    shown = decisions.select_related("alert").order_by("-decided_at", "-pk")[:DECISIONS_SHOWN]
    responders = [role for role in roles if role.role == Role.RESPONDER]
    confirmed = ConfirmedCause.objects.filter(incident=incident).first()
    return Response(
        parts=tuple(_part(role, roles, user) for role in (Role.COMMANDER, Role.COMMUNICATIONS, Role.SCRIBE)),
        responders=tuple(role.user.get_username() for role in responders),
        i_respond=any(role.user_id == user.pk for role in responders),
        is_watched=user.is_authenticated and incident.watches.filter(user=user).exists(),
        tasks=tuple(task for task in tasks if not task.is_follow_up),
        follow_ups=tuple(task for task in tasks if task.is_follow_up),
        updates=tuple(incident.status_updates.exclude(published_at=None)[:UPDATES_SHOWN]),
        alerts=tuple(incident.alerts.order_by("status", "severity", "-last_received_at")[:ALERTS_SHOWN]),
        alerts_firing=counts["firing"],
        alerts_total=counts["total"],
        decisions=tuple(_decision(decision) for decision in shown),
        decisions_total=decisions.count(),
        merged=tuple(incident.merged.all()[:20]),
        confirmed=confirmed,
        stated=f"{confirmed.stated_confidence:.0%}" if confirmed and confirmed.stated_confidence is not None else "",
        lessons=tuple(incident.lessons.all()),
        outcomes=_OUTCOMES,
        is_over=incident.status in lifecycle.OVER,
        drafts=_drafts(incident),
    )


def _drafts(incident: Incident) -> tuple[Draft, ...]:
    found = (
        Revision.objects.filter(
            Q(source=incident.reference) | Q(document__slug__startswith=f"{incident.reference.lower()}-")
        )
        .select_related("document")
        .order_by("document__kind")
    )
    return tuple(
        Draft(one.document.get_kind_display(), one.document.slug, one.title, one.state) for one in found[:DRAFTS_SHOWN]
    )


def decisions_of(incident: Incident, *, most: int = 500) -> tuple[ShownDecision, ...]:
    """Return all decisions of an incident, newest first."""
    found = GroupingDecision.objects.filter(incident=incident, is_shadow=False).select_related("alert")
    return tuple(_decision(decision) for decision in found.order_by("-decided_at", "-pk")[:most])


def _part(role: IncidentRole.Role, roles: list[IncidentRole], user: User | AnonymousUser) -> ShownPart:
    held = next((one for one in roles if one.role == role), None)
    return ShownPart(
        role=role.value,
        label=role.label,
        holder=held.user.get_username() if held else "",
        since_at=held.since_at if held else None,
        is_mine=held is not None and held.user_id == user.pk,
    )


def _decision(decision: GroupingDecision) -> ShownDecision:
    return ShownDecision(
        pk=decision.pk,
        subject=decision.subject,
        sentence=decision.sentence,
        at=decision.decided_at,
        by=decision.decided_by,
        score="" if decision.score is None else f"{decision.score:.2f}",
        undone=f"undone by {decision.undone_by}" if decision.undone_at else "",
        can_undo=lifecycle.can_undo(decision),
    )
