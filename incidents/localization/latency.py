"""Where time was lost: own time of each operation, and time between a caller and its callee."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.localization.significance import Floats, Grouped, grouped, share_sigmas, strength
from incidents.localization.traces import TraceView

# Below this, clocks and the scheduler decide how long a span takes.
RESOLUTION_NS = 50_000.0
# An added delay of this share of a whole request is halfway to mattering: users notice seconds, not factors.
NOTICEABLE = 0.1
# Operations of a healthy system drift this much (in log units) between two stretches; fewer than a handful of operations cannot tell.
LEAST_DRIFT = 0.25
MOST_DRIFT = float(np.log(2))
MIN_BEFORE, MIN_AFTER = 3, 3
# Quantile, its name, the samples it needs (a tail more than a middle), and what it weighs: a tail concerns few of the calls.
QUANTILES = ((0.5, "median", MIN_AFTER, 1.0), (0.9, "p90", 10, 0.6))
# A pair of services seen less than this before borrows what its caller's other hops took; fewer samples just before the incident
# do not tell a drift.
KNOWN = 5


@dataclass(frozen=True)
class Slowdown:
    """Time lost in one place: in a service's operation (`caller` is ""), or between a caller and a callee.

    `before` and `after` are seconds at the quantile that moved most, named by `quantile`; `rows` are the incident's spans concerned,
    slowest first; `calls` how many there were. `strength` as in `significance`.
    """

    service: str
    operation: str
    caller: str
    quantile: str
    before: float
    after: float
    strength: float
    rows: NDArray[np.int64]

    @property
    def added_seconds(self) -> float:
        """Seconds lost over all the incident's calls, in the middle case."""
        return max(0.0, self.after - self.before) * len(self.rows)


def own_time(view: TraceView) -> list[Slowdown]:
    """Return the operations whose exclusive time rose, one entry each; calls to other services are left to `hops` and `reach`."""
    rows = np.flatnonzero((~view.calls_out | view.serves) & (view.unanswered < 0))
    found = _compare(view, _Samples(rows, view.code[rows], view.self_ns[rows], borrowed=0))
    return [
        Slowdown(*view.name(shift.group), "", shift.quantile, shift.before, shift.after, shift.strength, shift.rows)
        for shift in found
    ]


def hops(view: TraceView) -> list[Slowdown]:
    """Return the pairs of caller and callee between which time was lost; `operation` is empty."""
    services = view.table.services
    width = len(services)
    found = _compare(view, _hop_samples(view))
    return [
        Slowdown(
            services[shift.group % width], "", services[shift.group // width], shift.quantile, shift.before, shift.after, shift.strength,
            shift.rows,
        )
        for shift in found
    ]  # fmt: skip


def compared_hops(view: TraceView) -> frozenset[tuple[str, str]]:
    """Return the pairs of caller and callee with calls enough on both sides to tell whether time was lost between them."""
    samples = _hop_samples(view)
    usual, now = samples.side(view.before), samples.side(view.after)
    both = np.intersect1d(usual.ids[usual.sizes >= MIN_BEFORE], now.ids[now.sizes >= MIN_AFTER])
    services = view.table.services
    return frozenset((services[pair // len(services)], services[pair % len(services)]) for pair in both.tolist())


@dataclass(frozen=True)
class _Samples:
    """Durations in nanoseconds with their span and their group; the last `borrowed` ones were lent by other groups."""

    rows: NDArray[np.int64]
    group: NDArray[np.int64]
    nanoseconds: Floats
    borrowed: int

    def side(self, view_side: NDArray[np.bool_], *, own_only: bool = False) -> Grouped:
        """Return the logarithms of the samples of a side by group."""
        some = view_side[self.rows]
        if own_only and self.borrowed:
            some[-self.borrowed :] = False
        return grouped(self.group[some], np.log(self.nanoseconds[some] + RESOLUTION_NS))


def _hop_samples(view: TraceView) -> _Samples:
    """Return the hops by pair of caller and callee; a pair hardly seen before borrows what its caller's other hops took."""
    # Between a handler and its callee's lies the handler's own work too: only a call's own span tells what is lost on the way.
    rows = np.flatnonzero(view.crosses)
    rows = rows[~view.serves[view.parent[rows]]]
    width = len(view.table.services)
    caller = view.table.service[view.parent[rows]].astype(np.int64)
    group = caller * width + view.table.service[rows]
    seen_before = np.bincount(group[view.before[rows]], minlength=width * width)
    seen_after = np.bincount(group[view.after[rows]], minlength=width * width)
    lent_rows, lent_group = [rows], [group]
    for pair in np.flatnonzero((seen_before < KNOWN) & (seen_after >= MIN_AFTER)).tolist():
        kindred = rows[view.before[rows] & (caller == pair // width)]
        lent_rows.append(kindred)
        lent_group.append(np.full(len(kindred), pair))
    all_rows = np.concatenate(lent_rows)
    return _Samples(all_rows, np.concatenate(lent_group), view.hop_ns[all_rows], borrowed=len(all_rows) - len(rows))


@dataclass(frozen=True)
class _Shift:
    group: int
    quantile: str
    before: float
    after: float
    strength: float
    rows: NDArray[np.int64]


def _compare(view: TraceView, samples: _Samples) -> list[_Shift]:
    usual, now = samples.side(view.before), samples.side(view.after)
    recent = samples.side(view.recent, own_only=True)
    noticeable = NOTICEABLE * request_ns(view)
    best: dict[int, _Shift] = {}
    for quantile, name, least, weight in QUANTILES:
        ids, before_ns, after_ns, sigmas = _shifts(usual, recent, now, quantile=quantile, least=least)
        sigmas = np.minimum(
            sigmas, _slow_share_sigmas(usual, now, ids, np.log((before_ns + after_ns) / 2 + RESOLUTION_NS))
        )
        added = np.maximum(after_ns - before_ns, 0)
        size = weight * (added / np.maximum(after_ns, 1)) * (added / (added + noticeable + 1))
        for place, score in enumerate(strength(sigmas, size).tolist()):
            one = int(ids[place])
            if score > 0 and (one not in best or score > best[one].strength):
                rows = _slowest_first(view, samples, one)
                best[one] = _Shift(one, name, float(before_ns[place]) / 1e9, float(after_ns[place]) / 1e9, score, rows)
    return sorted(best.values(), key=lambda shift: -shift.strength)


def _slow_share_sigmas(usual: Grouped, now: Grouped, ids: NDArray[np.int64], between: Floats) -> Floats:
    """Return by how many sigmas the share of samples above `between`, one level a group, rose.

    However far a quantile moved: where few calls were made, one or two slow ones moved it, and of many places some see those by chance.
    """
    sides = []
    for side in (now, usual):
        side = side.select(np.searchsorted(side.ids, ids))
        sides += [side.above(between), side.sizes.astype(np.float64)]
    return share_sigmas(*sides, spread=0.0)


def _slowest_first(view: TraceView, samples: _Samples, group: int) -> NDArray[np.int64]:
    some = (samples.group == group) & view.after[samples.rows]
    slowest: NDArray[np.int64] = samples.rows[some][np.argsort(-samples.nanoseconds[some], kind="stable")]
    return slowest


def _shifts(
    usual: Grouped, recent: Grouped, now: Grouped, *, quantile: float, least: int
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Return the groups seen on both sides, their quantile before and after, and by how many sigmas its logarithm rose.

    The yardstick is how far the other groups drifted at the same time; how far this one had drifted already just before the incident;
    and how far a sample of this size may stray: the level at the quantile's upper standard error in what was seen before, so that a
    heavy tail seen before excuses one now.
    """
    _, in_now, in_usual = np.intersect1d(now.ids, usual.ids, return_indices=True)
    enough = (now.sizes[in_now] >= least) & (usual.sizes[in_usual] >= max(least, MIN_BEFORE))
    now, usual = now.select(in_now[enough]), usual.select(in_usual[enough])
    if not len(now.ids):
        return now.ids, np.empty(0), np.empty(0), np.empty(0)
    level_now, level_usual = now.quantile(quantile), usual.quantile(quantile)
    rise = level_now - level_usual
    drift = float(np.clip(np.median(rise), -MOST_DRIFT, MOST_DRIFT))
    spread = float(np.clip(1.4826 * np.median(np.abs(rise - drift)), LEAST_DRIFT, MOST_DRIFT))
    standard_error = np.sqrt(quantile * (1 - quantile) * (1 / now.sizes + 1 / usual.sizes))
    stray = usual.quantile(quantile + standard_error) - level_usual
    already = np.zeros(len(now.ids))
    _, place, in_recent = np.intersect1d(now.ids, recent.ids, return_indices=True)
    grown = recent.quantile(quantile)[in_recent] - level_usual[place]
    already[place] = np.where(recent.sizes[in_recent] >= max(least, KNOWN), np.maximum(grown, 0.0), 0.0)
    sigmas = (rise - drift) / np.sqrt(spread**2 + stray**2 + already**2)
    before = np.maximum(np.exp(level_usual) - RESOLUTION_NS, 0.0)
    return now.ids, before, np.maximum(np.exp(level_now) - RESOLUTION_NS, 0.0), sigmas


def request_ns(view: TraceView) -> float:
    """Return how long a request usually takes as a whole: the median root span before the incident, in nanoseconds."""
    roots = view.table.duration_ns[view.is_root & view.before]
    if not len(roots):
        roots = view.table.duration_ns[view.is_root]
    return float(np.median(roots)) if len(roots) else 0.0


@dataclass(frozen=True)
class Blame:
    """A slow hop held against one of its ends; `factor` in (0, 1] is how well this end explains it beside the one that does so best."""

    service: str
    slowdown: Slowdown
    factor: float


def blame_hops(
    slowdowns: Sequence[Slowdown], *, edges: frozenset[tuple[str, str]], compared: frozenset[tuple[str, str]]
) -> list[Blame]:
    """Hold each slow hop against both its ends: in full against the one that explains it best, in part against the other.

    A service all of whose hops are slow explains them better than one with a single slow hop. Greedy: the service that explains the
    most lost time with the largest share of its own hops takes them; then the rest. When both ends explain it equally well, the callee
    takes it: a caller waits for its callee, not the other way round. Of the hops in `edges`, those count that could be compared.
    """
    left = [slowdown for slowdown in slowdowns if slowdown.strength >= 1]
    slow = {(slowdown.caller, slowdown.service) for slowdown in left}
    touched = {end: [edge for edge in (edges & compared) | slow if end in edge] for pair in slow for end in pair}
    share = {end: len([edge for edge in around if edge in slow]) / len(around) for end, around in touched.items()}
    found: list[Blame] = []
    while left:
        explained = {
            end: share[end]
            * sum(one.strength * len(one.rows) ** 0.5 for one in left if end in (one.caller, one.service))
            for one in left
            for end in (one.caller, one.service)
        }
        callees = {one.service for one in left}
        taker = max(explained, key=lambda end: (explained[end] * (1.01 if end in callees else 1.0), end))
        for one in left:
            if taker in (one.caller, one.service):
                other = one.caller if taker == one.service else one.service
                found.append(Blame(taker, one, 1.0))
                found.append(Blame(other, one, min(1.0, explained[other] / explained[taker])))
        left = [one for one in left if taker not in (one.caller, one.service)]
    return found
