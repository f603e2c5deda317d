"""Spans of the incident and of the time before it in one table, and where each span's own time went."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from incidents.localization.significance import Floats
from incidents.telemetry.datamodel import SpanTable

# More would only make the same medians slower: whole traces are kept or left out, by their id.
MAX_SPANS = 400_000
# A parent with very many calls has no reactive siblings worth the quadratic comparison.
MAX_SIBLINGS = 50
# Spans of one operation in a baseline that are enough to know what it usually does.
ENOUGH_IN_BASELINE = 5
CALLING = (3, 4)  # OTLP's kinds CLIENT and PRODUCER
SERVING = (2, 5)  # OTLP's kinds SERVER and CONSUMER
# A share that leaves room for spans lost on the way.
NEARLY_ALWAYS = 0.9


@dataclass(frozen=True)
class TraceView:
    """All spans known, shape (n,) each: `after` marks those of the incident, `before` those that it is compared with.

    `recent` marks those just before the incident, compared with or not: they tell how far a healthy system drifts from its baseline.
    """

    table: SpanTable
    before: NDArray[np.bool_]
    recent: NDArray[np.bool_]
    after: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def parent(self) -> NDArray[np.int64]:
        """Row of the parent; -1 for a root."""
        return self.table.parent_row

    @cached_property
    def code(self) -> NDArray[np.int64]:
        """One number below `codes` for each service, operation and role (calling or not); `name` turns it back.

        The role matters: an endpoint and the call that it passes on often have the same name.
        """
        return _code(self.table)

    @property
    def codes(self) -> int:
        return 2 * len(self.table.services) * len(self.table.operations)

    def name(self, code: int) -> tuple[str, str]:
        """Return the service and the operation of a code."""
        service, operation = divmod(int(code) // 2, len(self.table.operations))
        return self.table.services[service], self.table.operations[operation]

    @cached_property
    def is_root(self) -> NDArray[np.bool_]:
        return np.asarray(self.table.parent_id == 0)

    @cached_property
    def crosses(self) -> NDArray[np.bool_]:
        """True where the parent belongs to another service: the span is an arrival."""
        known = self.parent >= 0
        return np.asarray(known & (self.table.service != self.table.service[self.parent]))

    @cached_property
    def calls_out(self) -> NDArray[np.bool_]:
        """True where a child belongs to another service: the span is a call."""
        calls = np.zeros(len(self), dtype=np.bool_)
        calls[self.parent[self.crosses]] = True
        return calls

    @cached_property
    def serves(self) -> NDArray[np.bool_]:
        """True for a span that handles a request, even where its calls have no spans of their own: its time is not only waiting."""
        return np.isin(self.table.kind, SERVING)

    @cached_property
    def unanswered(self) -> NDArray[np.int64]:
        """Number of the service that each call went to and that left no span, -1 for every other span.

        A call is one whose operation nearly always reached one and the same service before. Without this, a service that is down
        would be invisible, and its callers would be blamed for the time they waited and the errors they got.
        """
        table, width = self.table, len(self.table.services)
        answered = np.zeros(len(self), dtype=np.bool_)
        answered[self.parent[self.crosses & self.before]] = True
        arrivals = np.flatnonzero(self.crosses & self.before)
        size = self.codes
        tried = np.bincount(self.code[self.before], minlength=size)
        reached = np.bincount(self.code[answered], minlength=size)
        pairs, counts = np.unique(
            self.code[self.parent[arrivals]] * width + table.service[arrivals], return_counts=True
        )
        total = np.zeros(size)
        np.add.at(total, pairs // width, counts)
        usual = counts >= NEARLY_ALWAYS * total[pairs // width]
        callee = np.full(size, -1, dtype=np.int64)
        callee[pairs[usual] // width] = pairs[usual] % width
        callee[(tried < ENOUGH_IN_BASELINE) | (reached < NEARLY_ALWAYS * tried)] = -1
        has_child = np.zeros(len(self), dtype=np.bool_)
        has_child[self.parent[self.parent >= 0]] = True
        return np.where(has_child, -1, callee[self.code])

    @cached_property
    def self_ns(self) -> Floats:
        """Each span's exclusive time in nanoseconds: its duration less the time in which a child, or a call it awaits, was running."""
        return _exclusive(self)

    @cached_property
    def hop_ns(self) -> Floats:
        """For arrivals, nanoseconds between the caller's span and the callee's: network, queues, connection pools. NaN elsewhere."""
        gap = (self.table.duration_ns[self.parent] - self.table.duration_ns).astype(np.float64)
        return np.where(self.crosses, np.maximum(gap, 0.0), np.nan)

    @cached_property
    def requests(self) -> tuple[int, int]:
        """How many requests entered the system before and during the incident, at least 1 each."""
        entered = self.is_root if self.is_root.any() else self.parent < 0
        return max(1, int((entered & self.before).sum())), max(1, int((entered & self.after).sum()))

    def descends_to(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return, shape (n,), which spans have one of the rows below them in their trace."""
        above = np.zeros(len(self) + 1, dtype=np.bool_)  # the last place stands for the roots' parents, which are none
        above[-1] = True
        current = self.parent[rows]
        while len(current := current[~above[current]]):
            above[current] = True
            current = self.parent[current]
        return above[:-1]


def join(*, baseline: SpanTable | None, reference: SpanTable, incident: SpanTable) -> TraceView:
    """Return the spans as one table with shared vocabularies; a span that occurs in several is kept once, where it occurs first.

    The baseline is known to be free of faults, the minutes before an incident are not: the reference is compared with only where
    the baseline knows too little of an operation.
    """
    origin = [
        (table, place)
        for place, table in enumerate((baseline, reference, incident))
        if table is not None and len(table)
    ]
    if not origin:
        nothing = np.empty(0, dtype=np.bool_)
        return TraceView(incident, nothing, nothing, nothing)
    tables = [table for table, _ in origin]
    services: dict[str, int] = {}
    operations: dict[str, int] = {}
    traces: dict[bytes, int] = {}
    joined = SpanTable(
        trace=np.concatenate([_renumber(table.trace_ids, traces)[table.trace] for table in tables]),
        service=np.concatenate([_renumber(table.services, services)[table.service] for table in tables]),
        operation=np.concatenate([_renumber(table.operations, operations)[table.operation] for table in tables]),
        services=list(services),
        operations=list(operations),
        trace_ids=list(traces),
        span_id=np.concatenate([table.span_id for table in tables]),
        parent_id=np.concatenate([table.parent_id for table in tables]),
        kind=np.concatenate([table.kind for table in tables]),
        start_ns=np.concatenate([table.start_ns for table in tables]),
        duration_ns=np.concatenate([table.duration_ns for table in tables]),
        is_error=np.concatenate([table.is_error for table in tables]),
    )
    keep = _keep(joined)
    joined, place = joined.select(keep), np.concatenate([np.full(len(table), place) for table, place in origin])[keep]
    return TraceView(joined, _compared(joined, place), place == 1, place == 2)


def _compared(table: SpanTable, place: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the baseline's spans, and the reference's where the baseline has too few of the same operation."""
    code = _code(table)
    known = np.bincount(code[place == 0], minlength=int(code.max()) + 1) >= ENOUGH_IN_BASELINE
    return np.asarray((place == 0) | ((place == 1) & ~known[code]))


def _code(table: SpanTable) -> NDArray[np.int64]:
    named = table.service.astype(np.int64) * len(table.operations) + table.operation
    return 2 * named + np.isin(table.kind, CALLING)


def _renumber(names: Sequence[str] | Sequence[bytes], known: dict[str, int] | dict[bytes, int]) -> NDArray[np.int32]:
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int32)  # type: ignore[arg-type]


def _keep(table: SpanTable) -> NDArray[np.bool_]:
    keep = np.zeros(len(table), dtype=np.bool_)
    keep[np.unique(table.span_id, return_index=True)[1]] = True
    if len(table) > MAX_SPANS:
        thousandths = 1000 * MAX_SPANS // len(table)
        chosen = np.array([int.from_bytes(trace_id[-4:]) % 1000 < thousandths for trace_id in table.trace_ids])
        keep &= chosen[table.trace]
    return keep


def _exclusive(view: TraceView) -> Floats:
    """Subtract from each span the union of what ran inside it, so that parallel children count once."""
    table = view.table
    start, end = table.start_ns, table.start_ns + table.duration_ns
    children = np.flatnonzero(view.parent >= 0)
    waiting, awaited = _reactive_pairs(view)
    owner = np.concatenate([view.parent[children], waiting])
    inner = np.concatenate([children, awaited])
    if not len(owner):
        return table.duration_ns.astype(np.float64)
    low = np.clip(start[inner], start[owner], end[owner]) - start[owner]
    high = np.clip(end[inner], start[owner], end[owner]) - start[owner]
    order = np.lexsort((low, owner))
    owner, low, high = owner[order], low[order], high[order]
    first = np.r_[True, owner[1:] != owner[:-1]]
    # A running maximum that restarts at each owner: lift each group above all the earlier ones.
    lift = np.cumsum(first) * (int(high.max()) + 1)
    reached = np.maximum.accumulate(high + lift) - lift
    before = np.where(first, 0, np.r_[0, reached[:-1]])
    covered = np.maximum(0, high - np.maximum(low, before))
    inside = np.bincount(owner, weights=covered.astype(np.float64), minlength=len(table))
    return np.asarray(np.maximum(table.duration_ns - inside, 0.0))


def _reactive_pairs(view: TraceView) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair each in-process span with the calls its siblings make while it runs.

    Reactive frameworks record the handler and the call it awaits as siblings; without this the handler would be blamed for the call.
    """
    siblings = np.flatnonzero((view.parent >= 0) & ~view.crosses)
    parents = view.parent[siblings]
    calling = view.calls_out[siblings]
    calls = np.bincount(parents[calling], minlength=len(view))
    handlers = np.bincount(parents[~calling], minlength=len(view))
    mixed = (calls > 0) & (handlers > 0) & (calls + handlers <= MAX_SIBLINGS)
    handler = siblings[~calling & mixed[parents]]
    call = siblings[calling & mixed[parents]]
    call = call[np.argsort(view.parent[call], kind="stable")]
    low = np.searchsorted(view.parent[call], view.parent[handler], side="left")
    count = np.searchsorted(view.parent[call], view.parent[handler], side="right") - low
    waiting = np.repeat(handler, count)
    offset = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    awaited = call[np.repeat(low, count) + offset]
    start, end = view.table.start_ns, view.table.start_ns + view.table.duration_ns
    overlap = (start[awaited] < end[waiting]) & (end[awaited] > start[waiting])
    return waiting[overlap], awaited[overlap]
