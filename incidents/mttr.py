"""How long incidents take: medians, shares and changes, with open incidents counted as what they are, not over yet.

Every time here is in minutes and comes with a flag that says whether it is over. Four times are measured, all from the record:

    detect        started → opened
    acknowledge   opened → first sign of a person: acknowledged, mitigated or resolved, whichever came first
    mitigate      started → users no longer harmed: mitigated or resolved, whichever came first
    restore       started → resolved; this is what MTTR means here

A mean would follow the few longest incidents, and leaving open incidents out would make a bad week look good until it is over. So all
numbers are read off the Kaplan–Meier estimate of the share that still goes on after so many minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from math import isnan
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

# The smallest number at which both ends of a 95 % interval of the median exist, nothing being censored.
ENOUGH = 7
# Changes over time need more: a segment shorter than this is not looked for, nor is anything in fewer than three of them.
SEGMENT = 12
CONFIDENCE = 0.95
Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
SURE = 0.05  # a difference between two periods is said below this p
SURE_OF_CHANGE = 0.01  # a change point is looked for among many places: asked for more, and shared between those found
MOST_BLOCKS = 400
SHORTEST = 0.25  # minutes; below this the logarithm would make noise of a few seconds

Numbers = NDArray[np.float64]


class Measure(StrEnum):
    """What is timed."""

    DETECT = "detect"
    ACKNOWLEDGE = "acknowledge"
    MITIGATE = "mitigate"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class Durations:
    """How long each of n incidents took, in minutes; where `is_over` is false it has taken that long so far."""

    minutes: Numbers
    is_over: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.minutes)

    def at(self, which: NDArray[np.bool_] | NDArray[np.int_] | slice) -> Durations:
        """Return some of them: by a mask, by positions, or by a slice."""
        return Durations(self.minutes[which], self.is_over[which])


@dataclass(frozen=True, slots=True)
class Moments:
    """When things happened to each of n incidents, in epoch seconds; NaN where they have not happened."""

    started: Numbers
    opened: Numbers
    acknowledged: Numbers
    mitigated: Numbers
    resolved: Numbers

    def durations(self, measure: Measure, *, now: float) -> Durations:
        """Return one of the four times; what has not happened by `now` (epoch seconds) goes on. A negative time counts as none."""
        begin = self.opened if measure is Measure.ACKNOWLEDGE else self.started
        ends = {
            Measure.DETECT: (self.opened,),
            Measure.ACKNOWLEDGE: (self.acknowledged, self.mitigated, self.resolved),
            Measure.MITIGATE: (self.mitigated, self.resolved),
            Measure.RESTORE: (self.resolved,),
        }[measure]
        end = np.fmin.reduce(ends)
        is_over = ~np.isnan(end)
        return Durations(np.maximum(np.where(is_over, end, now) - begin, 0.0) / 60.0, is_over)


@dataclass(frozen=True, slots=True)
class Survival:
    """The share of n incidents that still goes on after `minutes`, with its band; steps, each value holds until the next.

    Begins at (0, 1). `high` of a step where nothing is left keeps the band of the step before: the formula has none there.
    """

    minutes: Numbers
    share: Numbers
    low: Numbers
    high: Numbers
    at_risk: NDArray[np.int64]
    n: int
    going_on: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A quantile in minutes with its 95 % interval, from n incidents of which some go on. `high` is inf when the data set no limit;
    `minutes` is inf when not enough of them are over to say more than "longer than `low`"."""

    minutes: float
    low: float
    high: float
    n: int
    going_on: int


class Verdict(StrEnum):
    """What may be said of two periods."""

    FELL = "fell"
    ROSE = "rose"
    NOT_CLEAR = "no clear change"
    TOO_FEW = "too few incidents to say"


@dataclass(frozen=True, slots=True)
class Difference:
    """Two medians, and whether the times differ by more than chance: `p` of the log-rank test, None when there are too few."""

    before: Estimate | None
    after: Estimate | None
    p: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Change:
    """The times differ from incident number `position` on (0 is the earliest) from what they were since the change before."""

    position: int
    difference: Difference


def survival(durations: Durations) -> Survival:
    """Return the Kaplan–Meier estimate with a point-wise 95 % band on the log(−log) scale.

    Sources: Kaplan and Meier 1958; Greenwood 1926; Kalbfleisch and Prentice 2002, 1.4. `scipy.stats.ecdf` gives the same numbers (a test
    compares them) but takes 2 ms for a handful of values, and a page asks for two hundred such medians.
    """
    times, ends = np.unique(durations.minutes, return_inverse=True)
    over = np.bincount(ends, weights=durations.is_over, minlength=len(times)).astype(np.float64)
    all_ended = np.bincount(ends, minlength=len(times))
    at_risk = len(durations) - np.concatenate(([0], np.cumsum(all_ended)[:-1])).astype(np.int64)
    happens = over > 0
    times, over, at_risk = times[happens], over[happens], at_risk[happens]
    share: Numbers = np.cumprod(1.0 - over / at_risk, dtype=np.float64)
    left = at_risk - over
    variance: Numbers = np.cumsum(np.divide(over, at_risk * left, out=np.full_like(over, np.inf), where=left > 0))
    low, high = _band(share, variance)
    return Survival(
        minutes=np.concatenate(([0.0], times)),
        share=np.concatenate(([1.0], share)),
        low=np.concatenate(([1.0], low)),
        high=np.concatenate(([1.0], high)),
        at_risk=np.concatenate(([len(durations)], at_risk)),
        n=len(durations),
        going_on=int((~durations.is_over).sum()),
    )


def _band(share: Numbers, variance: Numbers) -> tuple[Numbers, Numbers]:
    low, high = np.zeros_like(share), np.ones_like(share)
    inside = (share > 0.0) & (share < 1.0)
    width = Z * np.sqrt(variance[inside]) / np.log(share[inside])
    low[inside], high[inside] = share[inside] ** np.exp(-width), share[inside] ** np.exp(width)
    if len(share) > 1 and not inside[-1]:
        high[-1] = high[-2]
    return low, high


def quantile(durations: Durations, *, share: float = 0.5) -> Estimate | None:
    """Return the time by which `share` of the incidents are over (0.5: the median), None with fewer than `ENOUGH` incidents.

    The interval inverts the survival band. Where the estimate is exactly at the share for a while, the middle of that while is
    taken, so that without open incidents this is the ordinary median. Source: Brookmeyer and Crowley 1982.
    """
    if len(durations) < ENOUGH:
        return None
    curve = survival(durations)
    rest = 1.0 - share
    return Estimate(
        minutes=_crossing(curve, rest),
        low=_first(curve.minutes, curve.low <= rest + 1e-12),
        high=_first(curve.minutes, (curve.high <= rest + 1e-12) & (curve.share > 0)),
        n=curve.n,
        going_on=curve.going_on,
    )


def _crossing(curve: Survival, rest: float) -> float:
    below = np.flatnonzero(curve.share <= rest + 1e-9)
    if not len(below):
        return float("inf")
    first = below[0]
    if abs(curve.share[first] - rest) < 1e-9 and first + 1 < len(curve.minutes):
        return float(curve.minutes[first] + curve.minutes[first + 1]) / 2
    return float(curve.minutes[first])


def _first(minutes: Numbers, is_there: NDArray[np.bool_]) -> float:
    found = np.flatnonzero(is_there)
    return float(minutes[found[0]]) if len(found) else float("inf")


def difference(before: Durations, after: Durations) -> Difference:
    """Return how two periods differ. Below `ENOUGH` incidents in either nothing is said. Source of the test: Mantel 1966."""
    medians = quantile(before), quantile(after)
    if medians[0] is None or medians[1] is None:
        return Difference(*medians, None, Verdict.TOO_FEW)
    p = _log_rank(before, after)
    if p >= SURE or medians[0].minutes == medians[1].minutes:
        return Difference(*medians, p, Verdict.NOT_CLEAR)
    fell = medians[1].minutes < medians[0].minutes
    return Difference(*medians, p, Verdict.FELL if fell else Verdict.ROSE)


def changes(durations: Durations) -> tuple[Change, ...]:
    """Return where the times changed for good; `durations` in the order in which the incidents began.

    Two steps. PELT proposes: a shift of the mean of the log-minutes (block means above 400 incidents), penalty 3·σ²·ln n with σ from
    first differences, so that a shift does not count as noise, and at least `SEGMENT` incidents a side. The log-rank test between
    neighbouring segments then confirms each at 0.01 divided by the number proposed. The test is on the data that proposed the place, so
    it is a second opinion, not an error rate: of series without a change 3 in 100 got a mark at 40 incidents, 0 to 1 in 300 from 100 on.
    Sources: Killick, Fearnhead and Eckley 2012; Zhang and Siegmund 2007 (penalty).
    """
    if len(durations) < 3 * SEGMENT:
        return ()
    ends = [0, *_proposed(durations), len(durations)]
    inner = ends[1:-1]
    found = []
    since = 0
    for number, place in enumerate(inner, start=1):
        # A place that is not confirmed does not divide: the next is compared with everything since the last that was.
        apart = difference(durations.at(slice(since, place)), durations.at(slice(place, ends[number + 1])))
        if apart.p is not None and apart.p < SURE_OF_CHANGE / len(inner):
            found.append(Change(place, apart))
            since = place
    return tuple(found)


def load() -> None:
    """Import what change points and comparisons need, which takes a second or two: a server does so before somebody waits for it."""
    import_module("ruptures")
    import_module("scipy.stats")


def _proposed(durations: Durations) -> list[int]:
    import ruptures  # imported here, as SciPy is below: every process that knows this page would start a second later
    from scipy.stats import median_abs_deviation

    block = -(-len(durations) // MOST_BLOCKS)
    logs = np.log(np.maximum(durations.minutes, SHORTEST))
    whole = len(logs) // block * block
    means = logs[:whole].reshape(-1, block).mean(axis=1)
    # A robust σ of independent values, each difference having twice the variance.
    noise = median_abs_deviation(np.diff(means), scale="normal") / np.sqrt(2.0)
    if noise == 0.0:
        return []
    shortest = max(2, -(-SEGMENT // block))
    search = ruptures.KernelCPD(kernel="linear", min_size=shortest).fit(means.reshape(-1, 1))
    places = search.predict(pen=3.0 * noise**2 * np.log(len(means)))[:-1]
    return [place * block for place in places]


def _log_rank(before: Durations, after: Durations) -> float:
    from scipy.stats import CensoredData, logrank

    # Where nothing has ended, or everything at the same minute, there is nothing to compare.
    ended = np.concatenate([d.minutes[d.is_over] for d in (before, after)])
    if not len(ended) or (np.ptp(ended) == 0.0 and before.minutes.max() == after.minutes.max() == ended[0]):
        return 1.0
    both = (CensoredData.right_censored(d.minutes, ~d.is_over) for d in (before, after))
    p = float(logrank(*both).pvalue)
    return 1.0 if isnan(p) else p  # not a number when no end happened while both were at risk


# Upper ends in minutes, each about twice the one before, at times that people know.
EDGES = (1, 2, 4, 8, 15, 30, 60, 120, 240, 480, 960, 1_440, 2_880, 5_760, 11_520)


def histogram(durations: Durations) -> tuple[int, ...]:
    """Count the incidents that are over by how long they took: up to the first of `EDGES`, up to each later one, and beyond the last."""
    places = np.searchsorted(np.asarray(EDGES, dtype=np.float64), durations.minutes[durations.is_over], side="left")
    return tuple(int(count) for count in np.bincount(places, minlength=len(EDGES) + 1))
