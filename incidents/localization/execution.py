"""What each operation did, and what it does now: calls made, lines written, errors raised, in the context of the span that did it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from incidents.localization.log_templates import TemplatedLines
from incidents.localization.significance import MIX_SPREAD, Floats, distinct, share_sigmas, strength
from incidents.localization.traces import TraceView
from incidents.telemetry.datamodel import LogRecord

MIN_BEFORE, MIN_AFTER = 3, 3
# Weights of what a change of path looks like. Never seen before, or an error: the strongest sign of broken code. A known path that
# stops half way: nearly as strong. One known path instead of another: more often a change in what users ask for than a fault.
# A path without the errors that the usual one had is an improvement.
NOVEL, FAILING, TRUNCATED, ANOTHER, BETTER = 1.0, 1.0, 0.8, 0.4, 0.0
# This share of an operation's requests that fails is halfway to mattering: one in ten that goes wrong is a bad day already.
NOTICEABLE = 0.1
# Of these many paths that changed most, the weight is worked out; the rest cannot win.
CANDIDATES = 40
# Where most spans of an operation take a path of their own, a new path is the rule.
MAX_DIVERSITY = 0.5


class EventKind(StrEnum):
    """What a span did."""

    CALL = "call"
    LINE = "line"
    ERROR = "error"


@dataclass(frozen=True)
class Event:
    """One thing that a span did: called `text` at `service`, wrote a line of template `text`, or failed."""

    kind: EventKind
    service: str
    text: str
    alarming: bool = False


@dataclass(frozen=True)
class PathChange:
    """A path through an operation that became more common. `before` and `after` are shares of the operation's spans.

    `did` are the events of the path, `omits` those that the usual path has and this one lacks; `novel` when it was never seen before.
    `rows` are the incident's spans that took it. `strength` as in `significance`.
    """

    service: str
    operation: str
    before: float
    after: float
    did: tuple[Event, ...]
    omits: tuple[Event, ...]
    novel: bool
    strength: float
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class _Events:
    """Distinct pairs of span row and event number, sorted by row then event, and what the numbers mean."""

    row: NDArray[np.int64]
    number: NDArray[np.int64]
    names: Sequence[Event]


def path_changes(view: TraceView, *, lines: Sequence[LogRecord], templates: TemplatedLines) -> list[PathChange]:
    """Return the paths that became more common, in share of their operation and in number per request, strongest first.

    A path is the set of things a span did. Both the share and the rate must rise: where only calls of another sort went missing,
    what remains is not to blame. Idea of comparing event patterns of a fault with those before: Yu et al. 2023 (Nezha).
    """
    if not len(view) or not view.after.any():
        return []
    events = _events(view, lines=lines, templates=templates)
    contexts, of_span, common_last = _paths(view, events)
    table = _shares(view, contexts, of_span)
    order = np.argsort(-np.minimum(table.share_sigmas, table.rate_sigmas), kind="stable")
    order = order[np.minimum(table.share_sigmas, table.rate_sigmas)[order] > 1][:CANDIDATES]
    sets = _PathSets(events, table.of_span, common_last)
    changes = [_weigh(view, table, sets, int(place)) for place in order]
    return sorted((change for change in changes if change.strength > 0), key=lambda change: -change.strength)


def _contexts(view: TraceView) -> NDArray[np.int64]:
    """Return a number for each span's operation and the operation that called it: one method may serve several endpoints."""
    above = np.where(view.parent >= 0, view.code[view.parent], -1)
    width = view.codes + 1
    _, number = np.unique(view.code * width + above + 1, return_inverse=True)
    return number


def _events(view: TraceView, *, lines: Sequence[LogRecord], templates: TemplatedLines) -> _Events:
    table = view.table
    child = np.flatnonzero(view.parent >= 0)
    calls = np.stack([view.parent[child], view.code[child]])
    width = view.codes
    written_by = _rows_of_lines(view, lines)
    known = (written_by >= 0) & _owners_known(view, templates, written_by)
    wrote = np.stack([written_by[known], templates.template[known] + width])
    # A call without an answer is held against the service that was called, see `reach`.
    failing = np.flatnonzero(table.is_error & (view.unanswered < 0))
    passed_on = np.zeros(len(view), dtype=np.bool_)
    failed_below = np.flatnonzero(table.is_error & (view.parent >= 0))
    passed_on[view.parent[failed_below]] = True
    origin = failing[~passed_on[failing]]
    failed = np.stack([origin, np.full(len(origin), width + len(templates.texts))])
    row, event = np.concatenate([calls, wrote, failed], axis=1)
    names = width + len(templates.texts) + 1
    pairs = distinct(row * names + event)
    happened = np.bincount(pairs % names, minlength=names) > 0
    number = (np.cumsum(happened) - 1)[pairs % names]
    meanings = [_name(view, templates, width, one) for one in np.flatnonzero(happened).tolist()]
    return _Events(pairs // names, number, meanings)


def _owners_known(view: TraceView, templates: TemplatedLines, written_by: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which lines are of a service that also wrote lines before: where logging only began, nothing can be compared."""
    written_before = (written_by >= 0) & view.before[written_by]
    numbers = np.flatnonzero(np.bincount(templates.template[written_before], minlength=len(templates.texts)))
    known = {templates.owners[number] for number in numbers.tolist()}
    spoken = np.array([owner in known for owner in templates.owners], dtype=np.bool_)
    return spoken[templates.template] if len(templates.texts) else np.zeros(len(written_by), dtype=np.bool_)


def _name(view: TraceView, templates: TemplatedLines, width: int, number: int) -> Event:
    if number < width:
        return Event(EventKind.CALL, *view.name(number))
    if number < width + len(templates.texts):
        place = number - width
        return Event(EventKind.LINE, templates.owners[place], templates.texts[place], templates.alarming[place])
    return Event(EventKind.ERROR, "", "error", alarming=True)


def _rows_of_lines(view: TraceView, lines: Sequence[LogRecord]) -> NDArray[np.int64]:
    """Return the row of the span that wrote each line, shape (lines,); -1 when the line names none that is known."""
    span_ids = np.array([line.span_id for line in lines], dtype=np.int64)
    if not len(span_ids) or not len(view):
        return np.full(len(span_ids), -1, dtype=np.int64)
    order = np.argsort(view.table.span_id, kind="stable")
    place = np.clip(np.searchsorted(view.table.span_id, span_ids, sorter=order), 0, len(view) - 1)
    rows = order[place]
    return np.where((view.table.span_id[rows] == span_ids) & (span_ids != 0), rows, -1)


def _paths(view: TraceView, events: _Events) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the context of each path, the path of each span, and the rows so ordered that those of common paths come last.

    A path is numbered by the sum of its events' fixed random numbers, modulo 2^64. A span that failed is known by how it failed alone.
    The paths of a context that were never seen before count as one, those that fail as another: a fault comes in many variations.
    """
    values = np.random.default_rng(0).integers(1, 2**63, size=len(events.names), dtype=np.uint64)
    alarming = np.array([event.alarming for event in events.names], dtype=np.bool_)
    failed = np.zeros(len(view), dtype=np.bool_)
    failed[events.row[alarming[events.number]]] = True
    telling = ~failed[events.row] | alarming[events.number]
    number = np.zeros(len(view), dtype=np.uint64)
    np.add.at(number, events.row[telling], values[events.number[telling]])
    context = _contexts(view)
    paths, path = np.unique(number, return_inverse=True)
    width = len(paths) + 2
    pairs, of_span, counts = np.unique(context * width + path, return_inverse=True, return_counts=True)
    known = np.bincount(of_span[view.before], minlength=len(pairs)) > 0
    pooled = np.where(known[of_span], path, len(paths) + failed)
    pools, of_pool = np.unique(context * width + pooled, return_inverse=True)
    return pools // width, of_pool, np.argsort(counts[of_span], kind="stable")


@dataclass(frozen=True)
class _Table:
    """One row for each pair of context and path: counts on both sides and how significantly share and rate rose."""

    context: NDArray[np.int64]
    of_span: NDArray[np.int64]
    before: Floats
    after: Floats
    total_before: Floats
    total_after: Floats
    share_sigmas: Floats
    rate_sigmas: Floats
    diversity: Floats

    def sides(self) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """Return counts and totals of their context, before and after."""
        return (self.before, self.total_before), (self.after, self.total_after)


def _shares(view: TraceView, context: NDArray[np.int64], of_span: NDArray[np.int64]) -> _Table:
    told = view.unanswered < 0  # a call without an answer is another's path cut short
    before = np.bincount(of_span[view.before & told], minlength=len(context)).astype(np.float64)
    after = np.bincount(of_span[view.after & told], minlength=len(context)).astype(np.float64)
    operation, place = np.unique(context, return_inverse=True)
    place = place.reshape(-1)
    total_before = np.bincount(place, weights=before, minlength=len(operation))[place].astype(np.float64)
    total_after = np.bincount(place, weights=after, minlength=len(operation))[place].astype(np.float64)
    # Good and Turing: how often a new path would come up anyway is how often a path came up once.
    once = np.bincount(place, weights=before == 1, minlength=len(operation))[place]
    expected = np.where(before == 0, once, before)
    enough = (total_before >= MIN_BEFORE) & (total_after >= MIN_AFTER)
    sigmas = np.full(len(context), -np.inf)
    for novel in (True, False):
        some = enough & ((before == 0) == novel)
        # Another mix of the usual requests takes the usual paths: it excuses a shift between them, not a path never seen.
        spread = 0.0 if novel else MIX_SPREAD
        sigmas[some] = share_sigmas(after[some], total_after[some], expected[some], total_before[some], spread=spread)
    requests_before, requests_after = view.requests
    rate_before = expected * requests_after / requests_before
    rate_sigmas = (after - rate_before) / np.sqrt(after + rate_before * (1 + requests_after / requests_before) + 1)
    return _Table(
        context, of_span, before, after, total_before, total_after, sigmas, rate_sigmas, once / np.maximum(total_before, 1)
    )  # fmt: skip


class _PathSets:
    """Looks up the events of a path by an example span of it."""

    def __init__(self, events: _Events, of_span: NDArray[np.int64], common_last: NDArray[np.int64]) -> None:
        self.example = np.zeros(int(of_span.max()) + 1, dtype=np.int64)
        self.example[of_span[common_last]] = common_last
        self._events = events

    def get(self, place: int) -> frozenset[Event]:
        low, high = np.searchsorted(self._events.row, (self.example[place], self.example[place] + 1))
        return frozenset(self._events.names[number] for number in self._events.number[low:high].tolist())


def _weigh(view: TraceView, table: _Table, sets: _PathSets, place: int) -> PathChange:
    service, operation = view.name(int(view.code[sets.example[place]]))
    same = np.flatnonzero(table.context == table.context[place])
    known = same[table.before[same] > 0]
    shrunk = known[table.after[known] / table.total_after[known] < table.before[known] / table.total_before[known]]
    shrunk = shrunk[np.argsort(-table.before[shrunk], kind="stable")]
    did = sets.get(place)
    others = [sets.get(int(one)) for one in shrunk[:10]]
    usual = others[0] if others else frozenset()
    novel = bool(table.before[place] == 0) and table.diversity[place] < MAX_DIVERSITY
    share_before, share_after = (float(side[place] / total[place]) for side, total in table.sides())
    sigmas = min(float(table.share_sigmas[place]), 2 * float(table.rate_sigmas[place]))
    concerned = share_after - share_before
    if novel:
        # How much of its kind goes this way now: of the spans that did at least what is usual about it.
        seen = did & frozenset[Event]().union(*(sets.get(int(one)) for one in known))
        kind = sum(table.after[one] for one in same if sets.get(int(one)) >= seen)
        concerned = min(1.0, float(table.after[place] / max(kind, 1.0)))
    weight = _weight(did, usual, others, novel=novel)
    size = weight * max(0.0, concerned)
    if any(event.alarming for event in did - usual) and size > 0:
        size *= (1 + NOTICEABLE) / (size + NOTICEABLE)
    rows = np.flatnonzero((table.of_span == place) & view.after)
    return PathChange(
        service,
        operation,
        share_before,
        share_after,
        did=tuple(
            sorted(
                did, key=lambda event: (not event.alarming, event.kind is not EventKind.LINE, event.kind, event.text)
            )
        ),
        omits=tuple(sorted(usual - did, key=lambda event: (event.kind, event.text))),
        novel=novel,
        strength=float(strength(np.array([sigmas]), np.array([size]))[0]),
        rows=rows,
    )


def _weight(
    did: frozenset[Event], usual: frozenset[Event], others: Sequence[frozenset[Event]], *, novel: bool
) -> float:
    if any(event.alarming for event in did - usual):
        return FAILING
    if any(event.alarming for event in usual - did):
        return BETTER
    if novel:
        return NOVEL
    return TRUNCATED if any(did < other for other in others) else ANOTHER
