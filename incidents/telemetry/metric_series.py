"""Stored points become series: totals become rates, buckets become percentiles, and a service's instances become one series."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from incidents.telemetry.datamodel import NANOSECONDS, MetricPoint, MetricSeries, SeriesKey
from incidents.telemetry.otlp_metrics import QUANTILES, UPPER_BOUND, per_second, quantile, without_bound

BUCKETS = ".bucket"
STALE = 2.5  # an instance is gone when it has said nothing for so many of its usual intervals


class StoredSeries(NamedTuple):
    """Points of one instance's series in time order: `times` in epoch seconds and `values`, both shape (n,), float64."""

    key: SeriesKey
    is_counter: bool
    instance: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]


def stored(points: Iterable[MetricPoint]) -> list[StoredSeries]:
    """Gather points, in any order, into one series for each key and instance; of equal times the last one counts."""
    gathered: dict[tuple[SeriesKey, bool, str], tuple[list[int], list[float]]] = {}
    for time_ns, service, name, attributes, unit, value, is_counter, instance in points:
        key = (SeriesKey(service, name, attributes, unit), is_counter, instance)
        held = gathered.get(key)
        if held is None:
            held = gathered[key] = ([], [])
        held[0].append(time_ns)
        held[1].append(value)
    return [
        StoredSeries(
            key, is_counter, instance, *in_order(np.array(times) / NANOSECONDS, np.array(values, dtype=np.float64))
        )
        for (key, is_counter, instance), (times, values) in gathered.items()
    ]


def in_order(
    times: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sort samples by time; of samples at the same time the last one given stays."""
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    last = np.append(times[1:] != times[:-1], True)
    return times[last], values[last]


def series(found: Iterable[StoredSeries]) -> list[MetricSeries]:
    """Return what analysis works on. Totals read as rates per second (a total that falls began anew at 0) and lose their first sample.

    Instances of one service are added up for totals and averaged for gauges. Buckets of histograms read as p50, p95, p99.
    """
    by_key: dict[tuple[SeriesKey, bool], list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = defaultdict(list)
    for one in found:
        times, values = _rate(one.times, one.values) if one.is_counter else (one.times, one.values)
        if len(times):
            by_key[one.key, one.is_counter].append((times, values))
    result: list[MetricSeries] = []
    histograms: dict[SeriesKey, dict[float, MetricSeries]] = defaultdict(dict)
    for (key, is_counter), parts in by_key.items():
        times, values = parts[0] if len(parts) == 1 else _together(parts, added=is_counter)
        if is_counter and key.name.endswith(BUCKETS) and UPPER_BOUND in key.attributes:
            attributes, bound = without_bound(key.attributes)
            histograms[key._replace(attributes=attributes)][bound] = MetricSeries(key, times, values)
        else:
            unit = per_second(key.unit) if is_counter else key.unit
            result.append(MetricSeries(key._replace(unit=unit), times, values))
    for key, buckets in histograms.items():
        result.extend(_percentiles(key, buckets))
    return result


def _rate(times: NDArray[np.float64], totals: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(times) < 2:
        return times[:0], totals[:0]
    grown = np.diff(totals)
    grown = np.where(grown < 0, totals[1:], grown)
    return times[1:], grown / np.diff(times)


def _together(
    parts: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], *, added: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Combine instances at every time that one of them reported: each counts with its latest value until it is stale."""
    times = np.unique(np.concatenate([part[0] for part in parts]))
    held = np.full((len(parts), len(times)), np.nan)
    for row, (part_times, values) in enumerate(parts):
        latest = np.searchsorted(part_times, times, side="right") - 1
        usual = float(np.median(np.diff(part_times))) if len(part_times) > 1 else 60.0
        fresh = (latest >= 0) & (times - part_times[latest] <= STALE * usual)
        held[row, fresh] = values[latest[fresh]]
    known = ~np.isnan(held)
    sums, counts = np.where(known, held, 0.0).sum(axis=0), known.sum(axis=0)
    return times, np.where(counts > 0, sums if added else sums / np.maximum(counts, 1), np.nan)


def _percentiles(key: SeriesKey, buckets: Mapping[float, MetricSeries]) -> list[MetricSeries]:
    bounds = sorted(buckets)
    times = max((b.times for b in buckets.values()), key=len)
    counts = np.zeros((len(bounds), len(times)))
    for row, bound in enumerate(bounds):
        bucket = buckets[bound]
        places = np.searchsorted(times, bucket.times)
        inside = (places < len(times)) & (times[np.minimum(places, len(times) - 1)] == bucket.times)
        counts[row, places[inside]] = bucket.values[inside]
    return [
        MetricSeries(
            SeriesKey(key.service, f"{key.name.removesuffix(BUCKETS)}.p{share * 100:g}", key.attributes, key.unit),
            times,
            np.array([quantile(bounds[:-1], column, share) for column in counts.T.tolist()]),
        )
        for share in QUANTILES
        if len(bounds) > 1
    ]
