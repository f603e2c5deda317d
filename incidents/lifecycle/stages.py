"""The steps that people take with an incident: acknowledged, mitigated, resolved, closed, reopened; and what they have to say."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from incidents.lifecycle.timeline import Kind, draft_lessons, tell_watchers, write
from incidents.models import Incident, TimelineEntry

Status = Incident.Status
# Nothing joins an incident that is over; something new opens another.
OVER = frozenset({Status.RESOLVED, Status.CLOSED})
ACTIVE = tuple(status for status in Status if status not in OVER)


class WrongState(Exception):
    """A step does not fit the incident's state. The message says which state it is in, since when, and what to do first."""


@dataclass(frozen=True, slots=True)
class _Move:
    said: str
    after: frozenset[Status]
    sets: str = ""
    clears: tuple[str, ...] = ()


_MOVES = {
    Status.ACKNOWLEDGED: _Move("Acknowledged", frozenset({Status.OPEN}), "acknowledged_at"),
    Status.MITIGATED: _Move("Mitigated", frozenset({Status.OPEN, Status.ACKNOWLEDGED}), "mitigated_at"),
    Status.RESOLVED: _Move("Resolved", frozenset(ACTIVE), "resolved_at"),
    Status.CLOSED: _Move("Closed", frozenset({Status.RESOLVED}), "closed_at"),
    Status.OPEN: _Move(
        "Reopened",
        frozenset({Status.MITIGATED, Status.RESOLVED, Status.CLOSED}),
        clears=("mitigated_at", "resolved_at", "closed_at"),
    ),
}
_SAID = {move.said: status for status, move in _MOVES.items()}


def acknowledge(incident: Incident, *, by: str, now: datetime) -> Incident:
    """Record that somebody has taken the incident on. Does nothing when somebody already has."""
    return _move(incident, to=Status.ACKNOWLEDGED, by=by, now=now)


def mitigate(incident: Incident, *, by: str, now: datetime) -> Incident:
    """Record that users are no longer harmed, though the cause may remain. Does nothing when that was recorded."""
    return _move(incident, to=Status.MITIGATED, by=by, now=now)


def resolve(incident: Incident, *, by: str, now: datetime) -> Incident:
    """Record that the incident is over. Does nothing when that was recorded."""
    return _move(incident, to=Status.RESOLVED, by=by, now=now)


def close(incident: Incident, *, by: str, now: datetime) -> Incident:
    """Record that a resolved incident needs nothing more: what is to be learned from it is written down. Does nothing when it was."""
    return _move(incident, to=Status.CLOSED, by=by, now=now)


def reopen(incident: Incident, *, by: str, now: datetime) -> Incident:
    """Record that a mitigated, resolved or closed incident goes on. Does nothing when it is open; a merged one is brought back by undoing."""
    incident.refresh_from_db()
    if incident.merged_into_id:
        raise WrongState(
            f"{incident.reference} is merged into INC-{incident.merged_into_id}. Undo the merge there to bring it back."
        )
    return _move(incident, to=Status.OPEN, by=by, now=now)


def add_note(incident: Incident, *, text: str, by: str, now: datetime) -> TimelineEntry:
    """Write what a person has to say into the timeline. Raises ValueError when there is nothing in it."""
    if not text.strip():
        raise ValueError("The note is empty: write what you saw or did.")
    return write(incident, kind=Kind.PERSON, at=now, text=text.strip(), actor=by, now=now)


def status_after(entries: Iterable[TimelineEntry]) -> Status:
    """Return the status that an incident had after the entries, which are in the order in which they became known."""
    status = Status.OPEN
    for entry in entries:
        said = entry.text.partition(" by ")[0]
        if entry.kind == Kind.PERSON and entry.text == f"{said} by {entry.actor}":
            status = _SAID.get(said, status)
    return status


def _move(incident: Incident, *, to: Status, by: str, now: datetime) -> Incident:
    """Change the status if the row is still where the move starts: of two people at once one moves it, and the other sees it moved."""
    move = _MOVES[to]
    changes: dict[str, datetime | str | None] = {"status": to, **dict.fromkeys(move.clears)}
    if move.sets:
        changes[move.sets] = now
    with transaction.atomic():
        moved = Incident.objects.filter(pk=incident.pk, status__in=list(move.after)).update(**changes)
        if moved:
            entry = write(incident, kind=Kind.PERSON, at=now, text=f"{move.said} by {by}", actor=by, now=now)
            tell_watchers(incident, entry)
            if to == Status.RESOLVED:
                draft_lessons(incident)
    incident.refresh_from_db()
    if incident.status != to:
        raise WrongState(
            f"{incident.reference} is {incident.get_status_display().lower()}, so it cannot become {to.label.lower()}. "
            f"{_first(incident, to)}"
        )
    return incident


def _first(incident: Incident, to: Status) -> str:
    if to == Status.CLOSED:
        return "Resolve it first."
    return "Reopen it first." if incident.status in OVER else "Reload the page to see its state."
