"""What an alert's state is, given the events told of it in any order: the state is that of the events sorted by the sender's time.

An event is a state at a moment. At the same moment resolved stands above firing, because an alert cannot end before it began.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

FIRING, RESOLVED = "firing", "resolved"


@dataclass(frozen=True)
class Event:
    """The alert was in this state at this moment; `begins` when the sender says that it began to fire just then."""

    at: datetime
    status: str
    begins: bool = False

    @property
    def order(self) -> tuple[datetime, bool]:
        """Sorts events."""
        return self.at, self.status == RESOLVED


@dataclass(frozen=True)
class State:
    """An alert after its events: `episodes` counts how often it began to fire, `last` is the newest event's moment."""

    status: str
    starts_at: datetime
    ends_at: datetime | None
    last: datetime
    episodes: int

    @property
    def order(self) -> tuple[datetime, bool]:
        """Compares with an event's."""
        return self.last, self.status == RESOLVED


def fold(events: Iterable[Event], *, start: State | None = None) -> State:
    """Return the state after the events, sorted here, from `start`, which is not newer than any of them. Raises ValueError for none."""
    state = start
    for event in sorted(events, key=lambda event: event.order):
        state = _after(state, event)
    if state is None:
        raise ValueError("An alert without events has no state.")
    return state


def is_in_order(events: Iterable[Event], *, state: State) -> bool:
    """Whether none of the events is older than the state, so that folding can go on from it."""
    return all(event.order >= state.order for event in events)


def _after(state: State | None, event: Event) -> State:
    at = event.at
    if state is None:
        is_firing = event.status == FIRING
        return State(event.status, at, None if is_firing else at, at, 1 if is_firing else 0)
    if event.status == RESOLVED:
        return replace(state, status=RESOLVED, ends_at=at if state.status == FIRING else state.ends_at, last=at)
    goes_on = state.status == FIRING and (not event.begins or at == state.starts_at)
    if goes_on:
        return replace(state, last=at)
    return State(FIRING, at, None, at, state.episodes + 1)
