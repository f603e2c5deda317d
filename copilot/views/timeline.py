"""An incident's timeline, and what was known at any minute of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q
from django.utils.dateparse import parse_datetime

from incidents import lifecycle
from incidents.models import Incident, IncidentRole, Investigation, TimelineEntry

MINUTE = timedelta(minutes=1)
MOST_SHOWN = 500
_SEVERITY = re.compile(r"Severity (?:raised from )?([1-4]) (?:to|→) ([1-4])\b")


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry. `actor` is "" where the text names them; `learned` says when it became known, "" when at once."""

    at: datetime
    kind: str
    kind_word: str
    text: str
    actor: str
    learned: str
    is_later: bool  # not known yet at the minute that is shown


@dataclass(frozen=True, slots=True)
class Then:
    """How an incident stood at a moment of its past, by what was known then. `status` is None before it was opened."""

    at: datetime
    status: Incident.Status | None
    severity: int
    sentence: str


@dataclass(frozen=True, slots=True)
class ShownTimeline:
    """The entries, and the slider above them. `then` is None while it stands at now; `minutes` is how far it reaches, `minute` where it is."""

    moments: tuple[Moment, ...]
    then: Then | None
    first: datetime
    minutes: int
    minute: int
    left_out: int

    @property
    def query(self) -> str:
        """Return what an address of this page ends with to show the same minute, "" for now."""
        return f"?at={self.then.at:%Y-%m-%dT%H:%M:%SZ}" if self.then else ""


def timeline_of(incident: Incident, *, query: Mapping[str, str] | None = None) -> ShownTimeline:
    """Return the incident's entries, and those of incidents merged into it, in the order in which they happened.

    `query` may hold `at` (ISO time) or `minute` (since the first entry): what became known later is then marked.
    """
    entries = list(
        TimelineEntry.objects.filter(Q(incident=incident) | Q(incident__merged_into=incident)).order_by(
            "happened_at", "pk"
        )
    )
    first = _floor(min([entry.happened_at for entry in entries], default=incident.started_at))
    last = max([entry.known_at for entry in entries], default=incident.opened_at)
    minutes = max(1, -(-(last - first) // MINUTE))
    at = _chosen(query or {}, first=first, minutes=minutes)
    shown = entries[-MOST_SHOWN:]
    return ShownTimeline(
        moments=tuple(_moment(entry, at=at) for entry in shown),
        then=_then(incident, entries, at=at) if at else None,
        first=first,
        minutes=minutes,
        minute=minutes if at is None else (at - first) // MINUTE,
        left_out=len(entries) - len(shown),
    )


def _chosen(query: Mapping[str, str], *, first: datetime, minutes: int) -> datetime | None:
    """Return the minute that was asked for, None for now and for what is no time; the last minute is now."""
    if query.get("minute", "").isdigit():
        minute = int(query["minute"][:9])
    else:
        try:
            at = parse_datetime(query.get("at", "").replace(" ", "+"))
        except ValueError:
            return None
        if at is None:
            return None
        minute = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - first) // MINUTE
    return first + minute * MINUTE if 0 <= minute < minutes else None


def _moment(entry: TimelineEntry, *, at: datetime | None) -> Moment:
    late = (entry.known_at - entry.happened_at).total_seconds() >= 1
    return Moment(
        at=entry.happened_at,
        kind=entry.kind,
        kind_word=entry.get_kind_display(),
        text=entry.text,
        actor="" if entry.actor in entry.text else entry.actor,
        learned=f"known at {entry.known_at:%H:%M:%S}" if late else "",
        is_later=at is not None and entry.known_at > at,
    )


def _then(incident: Incident, entries: Sequence[TimelineEntry], *, at: datetime) -> Then:
    severity = _severity(incident, entries, at=at)
    if at < incident.opened_at:
        known = sum(entry.known_at <= at for entry in entries)
        sentence = f"At {at:%H:%M} UTC nobody knew yet: it opened at {incident.opened_at:%H:%M:%S}, and {known} of {len(entries)} entries were known."
        return Then(at, None, severity, sentence)
    known_then = sorted((entry for entry in entries if entry.known_at <= at), key=lambda entry: entry.known_at)
    mine = [entry for entry in known_then if entry.incident_id == incident.pk]
    commander = (
        IncidentRole.objects.filter(incident=incident, role=IncidentRole.Role.COMMANDER, since_at__lte=at)
        .filter(Q(until_at=None) | Q(until_at__gt=at))
        .select_related("user")
        .first()
    )
    status = lifecycle.status_after(mine)
    alerts = incident.alerts.filter(first_received_at__lte=at).count()
    who = f"{commander.user.get_username()} in command" if commander else "nobody in command"
    parts = [
        f"{status.label.lower()}, severity {severity}, {who}",
        f"{len(known_then)} of {len(entries)} entries were known",
    ]
    if alerts:
        parts.append(f"{alerts} alert{'' if alerts == 1 else 's'} had come in")
    parts.append(_brief(incident, at=at))
    return Then(at, status, severity, f"At {at:%H:%M} UTC: {'; '.join(parts)}.")


def _severity(incident: Incident, entries: Sequence[TimelineEntry], *, at: datetime) -> int:
    changes = [
        (entry.known_at, int(found[1]), int(found[2]))
        for entry in entries
        if entry.incident_id == incident.pk and (found := _SEVERITY.match(entry.text))
    ]
    before = [after for known_at, _, after in sorted(changes) if known_at <= at]
    later = [was for known_at, was, _ in sorted(changes) if known_at > at]
    return before[-1] if before else later[0] if later else incident.severity


def _brief(incident: Incident, *, at: datetime) -> str:
    ready = incident.timeline.filter(
        kind=TimelineEntry.Kind.COPILOT, text__startswith="Brief ready", known_at__lte=at
    ).order_by("-known_at")
    newest = ready.first()
    if newest is not None:
        return newest.text[0].lower() + newest.text[1:]
    return (
        "no brief was ready" if Investigation.objects.filter(incident=incident).exists() else "it was not investigated"
    )


def _floor(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
