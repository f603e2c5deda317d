"""Many series as one matrix: rows are series that mean the same and are sampled alike, columns are steps of time."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from incidents.detection.signals import (
    BUCKET_SECONDS,
    REQUESTS,
    Meaning,
    SignalKind,
    is_derived,
    is_service_level,
    meaning,
    quantile_of,
)
from incidents.telemetry.datamodel import MetricSeries, SeriesKey

# Sampling steps that occur, in seconds; a measured step is taken for the nearest, so that jitter does not split a group.
STEPS = np.array([1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600], dtype=np.float64)
# The step is measured on the first samples alone: later ones must not change what was decided before them.
MEASURED_GAPS = 5
MAX_COLUMNS = 20_000
# A quantile of very few requests is one request's fate, not the service's: at least this many for the p50, and others.
FEWEST_REQUESTS = ((50.0, 3.0), (95.0, 6.0), (100.0, 10.0))
# A gauge of traffic counts for a gauge of durations when it is at most this many steps older.
FRESH_STEPS = 1.5


@dataclass(frozen=True)
class SeriesMatrix:
    """Series of one meaning on one grid. `values`, `times` (epoch seconds) and `requests` have shape (rows, columns).

    Column c stands for the step that starts at `(first + c) * step`. NaN marks a step without a sample, and in `requests`
    (how many requests a sample rests on) that this is not known.
    """

    meaning: Meaning
    step: float
    first: int
    keys: tuple[SeriesKey, ...]
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    requests: NDArray[np.float64]


def step_of(series: MetricSeries) -> float | None:
    """Return the sampling step in seconds, or None for a series too short to be judged."""
    if is_derived(series.key):
        return BUCKET_SECONDS if len(series.times) else None
    if len(series.times) <= MEASURED_GAPS:
        return None
    gap = float(np.median(np.diff(series.times[: MEASURED_GAPS + 1])))
    return float(STEPS[np.argmin(np.abs(np.log(STEPS) - np.log(max(gap, 0.5))))])


def cells_of(series: MetricSeries, step: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return each sample's step number, shape (n,), and which samples to keep: of two in one step the earlier stays.

    Steps are counted from the first sample, so that a scrape that jitters around a multiple of the step stays regular.
    """
    origin = round(series.times[0] / step)
    cells = origin + np.rint((series.times - series.times[0]) / step).astype(np.int64)
    keep = np.ones(len(cells), dtype=np.bool_)
    keep[1:] = cells[1:] > np.maximum.accumulate(cells)[:-1]
    return cells, keep


def matrices(series: Sequence[MetricSeries]) -> list[SeriesMatrix]:
    """Return the series as matrices, grouped by meaning and step. Series that say nothing or are too short are left out."""
    groups: dict[tuple[Meaning, float, str], list[MetricSeries]] = defaultdict(list)
    for one in series:
        read_as = meaning(one.key.name, one.key.unit)
        step = step_of(one) if read_as else None
        if read_as and step:
            # Derived series of one name share their buckets and their companions; the rest go together.
            groups[read_as, step, one.key.name if is_derived(one.key) else ""].append(one)
    traffic = _Traffic.of(series)
    return [
        _matrix(read_as, step, members, traffic)
        for (read_as, step, _), members in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1:]))
    ]


@dataclass(frozen=True)
class _Traffic:
    """How many requests there are: exactly, per series derived from spans, or roughly, from a service's own gauges."""

    exact: dict[tuple[str, str], MetricSeries]
    gauges: dict[str, list[MetricSeries]]

    @classmethod
    def of(cls, series: Sequence[MetricSeries]) -> "_Traffic":
        exact, gauges = {}, defaultdict(list)
        for one in series:
            if one.key.name == REQUESTS:
                exact[one.key.service, one.key.attributes] = one
            read_as = meaning(one.key.name, one.key.unit)
            if read_as and read_as.kind is SignalKind.TRAFFIC and is_service_level(one.key) and len(one.times):
                gauges[one.key.service].append(one)
        return cls(exact, gauges)

    def behind(self, one: MetricSeries, step: float) -> NDArray[np.float64]:
        """Return on how many requests each sample of a series rests, shape (n,); NaN where nothing says so."""
        if one.key.name == REQUESTS:
            return np.full(len(one.times), np.nan)
        if is_derived(one.key):
            exact = self.exact.get((one.key.service, one.key.attributes))
            return _latest(exact, one.times, within=0.5 * step) * step if exact else np.full(len(one.times), np.nan)
        told = [_latest(gauge, one.times, within=FRESH_STEPS * step) for gauge in self.gauges.get(one.key.service, ())]
        return np.fmax.reduce(told) * step if told else np.full(len(one.times), np.nan)


def _latest(series: MetricSeries, moments: NDArray[np.float64], *, within: float) -> NDArray[np.float64]:
    """Return the newest value at each moment, NaN where it is older than `within` seconds."""
    rows = np.searchsorted(series.times, moments, side="right") - 1
    known = rows >= 0
    found = np.where(known, series.values[rows], np.nan)
    return np.where(known & (moments - series.times[rows] <= within), found, np.nan)


@lru_cache(maxsize=4096)
def fewest_requests(name: str) -> float:
    """Return how many requests a duration series of this name must rest on to say something."""
    return next(fewest for limit, fewest in FEWEST_REQUESTS if quantile_of(name) <= limit)


def _matrix(read_as: Meaning, step: float, members: Sequence[MetricSeries], traffic: _Traffic) -> SeriesMatrix:
    placed = [cells_of(one, step) for one in members]
    last = max(int(cells[-1]) for cells, _ in placed)
    first = max(min(int(cells[0]) for cells, _ in placed), last - MAX_COLUMNS + 1)
    shape = (len(members), last - first + 1)
    values, times, counts = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    rests_on_requests = read_as.kind in (SignalKind.DURATION, SignalKind.ERRORS, SignalKind.SUCCESS)
    for row, (one, (cells, keep)) in enumerate(zip(members, placed, strict=True)):
        keep &= cells >= first  # the oldest samples of an endless series are let go
        columns = cells[keep] - first
        values[row, columns] = one.values[keep]
        times[row, columns] = one.times[keep]
        if rests_on_requests:
            counts[row, columns] = traffic.behind(one, step)[keep]
        if read_as.kind is SignalKind.DURATION:
            values[row, np.less(counts[row], fewest_requests(one.key.name))] = np.nan
    values[~np.isfinite(values)] = np.nan
    if members[0].key.name == REQUESTS:
        _fill_silence(values, times, step=step, first=first)
    return SeriesMatrix(read_as, step, first, tuple(one.key for one in members), times, values, counts)


def _fill_silence(values: NDArray[np.float64], times: NDArray[np.float64], *, step: float, first: int) -> None:
    """Write 0 where a service that was seen before has no requests although others have: silence is a number too."""
    seen = np.maximum.accumulate(np.isfinite(values), axis=1)
    alive = np.logical_or.reduce(np.isfinite(values), axis=0)
    silent = np.isnan(values) & seen & alive[None, :]
    values[silent] = 0.0
    moments = np.broadcast_to((first + np.arange(values.shape[1])) * step, values.shape)
    times[silent] = moments[silent]
