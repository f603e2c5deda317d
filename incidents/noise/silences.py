"""Silences that people set, a maintenance window or a snooze: which are in force, what one matches now and would have matched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from incidents.intake import matching
from incidents.models import Alert, AlertEvent, Silence

LONGEST = timedelta(days=60)
LOOKED_BACK = timedelta(days=7)
MOST_LOOKED_AT = 10_000  # alerts in a preview
SHOWN = 20
REASON_LENGTH = 300
# Matchers on these fields are compared by the database first.
_COLUMNS = {
    "name": "name",
    "service": "service",
    "environment": "environment",
    "team": "team",
    "source": "source__name",
}


class BadSilence(ValueError):
    """A silence cannot be set as it was asked for; the message says what to change."""


@dataclass(frozen=True)
class Preview:
    """What a silence matches: alerts firing now, and those of the last 7 days, how often they fired, and how many had joined incidents."""

    firing: tuple[Alert, ...]
    firing_count: int
    past: tuple[Alert, ...]
    past_count: int
    past_episodes: int
    in_incidents: int
    worst_severity: int | None
    is_cut: bool  # more alerts had to be looked at than are


@dataclass(frozen=True)
class Wanted:
    """A silence as somebody asks for it."""

    kind: str
    reason: str
    matchers: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime


def in_force(*, now: datetime) -> list[Silence]:
    """Return the silences in force, those that end last first; of two that match, a maintenance window is named first."""
    running = Q(ended_early_at=None) | Q(ended_early_at__gt=now)
    found = Silence.objects.filter(running, starts_at__lte=now, ends_at__gt=now).order_by("kind", "-ends_at")
    return list(found)


def first_match(alert: Alert, silences: Sequence[Silence]) -> Silence | None:
    """Return the first silence that is about the alert."""
    return next((silence for silence in silences if matching.matches(alert, silence.matchers)), None)


def preview(matchers: Mapping[str, str], *, now: datetime) -> Preview:
    """Return what a silence with these matchers matches now and would have matched in the last seven days."""
    recent = _narrowed(
        Alert.objects.select_related("source", "incident").filter(last_received_at__gte=now - LOOKED_BACK), matchers
    )
    firing = _narrowed(Alert.objects.select_related("source", "incident").filter(status=Alert.Status.FIRING), matchers)
    looked_at = list(recent.order_by("-last_received_at")[: MOST_LOOKED_AT + 1])
    past = [alert for alert in looked_at[:MOST_LOOKED_AT] if matching.matches(alert, matchers)]
    now_firing = [
        alert
        for alert in firing.order_by("severity", "-last_received_at")[:MOST_LOOKED_AT]
        if matching.matches(alert, matchers)
    ]
    episodes = AlertEvent.objects.filter(
        alert__in=[alert.pk for alert in past], status=Alert.Status.FIRING, at__gte=now - LOOKED_BACK
    ).count()
    both = {alert.pk: alert for alert in (*past, *now_firing)}.values()
    return Preview(
        firing=tuple(now_firing[:SHOWN]),
        firing_count=len(now_firing),
        past=tuple(past[:SHOWN]),
        past_count=len(past),
        past_episodes=episodes,
        in_incidents=sum(1 for alert in past if alert.incident_id is not None),
        worst_severity=min((alert.severity for alert in both), default=None),
        is_cut=len(looked_at) > MOST_LOOKED_AT,
    )


def _narrowed(alerts: QuerySet[Alert], matchers: Mapping[str, str]) -> QuerySet[Alert]:
    """Let the database compare what it can: whole values of the alert's own fields and labels, and how a value begins."""
    for label, pattern in matchers.items():
        beginning, star, _ = pattern.partition("*")
        column = _COLUMNS.get(label) or f"labels__{label}"
        if label not in _COLUMNS and (not label.isidentifier() or "__" in label):
            continue
        if not star:
            alerts = alerts.filter(**{column: pattern})
        elif beginning and label in _COLUMNS:
            alerts = alerts.filter(**{f"{column}__startswith": beginning})
    return alerts


def set_silence(wanted: Wanted, *, by: User, now: datetime) -> Silence:
    """Set a silence and return it. Alerts that fire already and count keep their incidents. Raises BadSilence."""
    if not wanted.matchers:
        raise BadSilence("Say which alerts: a silence without a matcher would quiet everything.")
    if all(not pattern.strip("*") for pattern in wanted.matchers.values()):
        raise BadSilence("Every matcher fits everything: name at least one value.")
    if not wanted.reason.strip():
        raise BadSilence("Give a reason: whoever is on call will want to know.")
    if wanted.ends_at <= max(wanted.starts_at, now):
        raise BadSilence("It would end before it begins, or has ended already: choose a later end.")
    if wanted.ends_at - max(wanted.starts_at, now) > LONGEST:
        raise BadSilence(f"It would last longer than {LONGEST.days} days: set it anew when that time has come.")
    return Silence.objects.create(
        kind=wanted.kind,
        reason=wanted.reason.strip()[:REASON_LENGTH],
        matchers=dict(wanted.matchers),
        starts_at=wanted.starts_at,
        ends_at=wanted.ends_at,
        created_by=by,
    )


def end(silence: Silence, *, now: datetime) -> None:
    """End a silence now; what it kept quiet and still fires is looked at again at once. Does nothing when it has ended."""
    with transaction.atomic():
        ended = Silence.objects.filter(pk=silence.pk, ended_early_at=None, ends_at__gt=now).update(ended_early_at=now)
        if ended:
            quiet = Alert.objects.filter(quiet__in=(Alert.Quiet.MAINTENANCE, Alert.Quiet.SNOOZED), quiet_until__gt=now)
            quiet.update(quiet_until=now)
