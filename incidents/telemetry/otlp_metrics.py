"""Turns one OTLP metric point into points of plain series. Source: OpenTelemetry metrics data model, temporality and histograms."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from incidents.telemetry.attributes import Mask, as_text, clean
from incidents.telemetry.datamodel import NANOSECONDS, MetricPoint
from incidents.telemetry.otlp_records import RawHistogram, RawMetric, RawNumber, RefusedRecord

LONGEST_NAME = 255
LONGEST_UNIT = 40
MOST_BUCKETS = 40
QUANTILES = (0.5, 0.95, 0.99)
UPPER_BOUND = "le"


@dataclass(frozen=True, slots=True)
class About:
    """What all points of one metric share; `mask` goes over their attributes."""

    service: str
    instance: str
    name: str
    unit: str
    is_cumulative: bool
    is_monotonic: bool
    mask: Mask


def about(metric: RawMetric, *, service: str, instance: str, mask: Mask) -> About:
    """Return what all points of the metric share, masked and bounded."""
    return About(
        service,
        instance,
        clean(metric.name, mask=mask, longest=LONGEST_NAME),
        clean(metric.unit, mask=mask, longest=LONGEST_UNIT),
        metric.is_cumulative,
        metric.is_monotonic,
        mask,
    )


def from_number(raw: RawNumber, metric: About) -> MetricPoint:
    """Return the point: a gauge as it is, a running total marked as a counter, an increment as a rate per second.

    Infinite values read NaN: there is no chart and no baseline for them. Raises RefusedRecord without a time.
    """
    value, unit = raw.value if math.isfinite(raw.value) else math.nan, metric.unit
    is_counter = metric.is_monotonic and metric.is_cumulative
    if metric.is_monotonic and not is_counter and (seconds := _seconds(raw)):
        value, unit = value / seconds, per_second(unit)
    return _point(raw, metric, as_text(raw.attributes, mask=metric.mask), value, unit=unit)._replace(
        is_counter=is_counter
    )


def from_histogram(raw: RawHistogram, metric: About) -> Iterator[MetricPoint]:
    """Yield the points of `NAME.count`, `NAME.sum` and of percentiles, or of the buckets while these are running totals.

    Percentiles of a running total say nothing about now: they are taken from its buckets' rates when series are fetched.
    """
    attributes = as_text(raw.attributes, mask=metric.mask)
    seconds = 1.0 if metric.is_cumulative else _seconds(raw) or 1.0
    for suffix, unit, value in ((".count", "1", raw.total), (".sum", metric.unit, raw.sum)):
        shown = unit if metric.is_cumulative else per_second(unit)
        point = _point(raw, metric, attributes, value / seconds, suffix=suffix, unit=shown)
        yield point._replace(is_counter=metric.is_cumulative)
    for share, value in raw.quantiles:
        yield _point(raw, metric, attributes, value, suffix=f".p{share * 100:g}", unit=metric.unit)
    if not raw.bounds or len(raw.counts) != len(raw.bounds) + 1:
        return
    bounds, counts = _fewer(raw.bounds, raw.counts)
    if metric.is_cumulative:
        for bound, count in zip((*bounds, math.inf), counts, strict=True):
            bucket = as_text({**raw.attributes, UPPER_BOUND: str(bound)}, mask=metric.mask)
            yield _point(raw, metric, bucket, float(count), suffix=".bucket", unit=metric.unit)._replace(
                is_counter=True
            )
    elif raw.total:
        for share in QUANTILES:
            value = quantile(bounds, counts, share)
            yield _point(raw, metric, attributes, value, suffix=f".p{share * 100:g}", unit=metric.unit)


def quantile(bounds: Sequence[float], counts: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the counts lie, linear inside its bucket; NaN when nothing was counted.

    `counts` has one entry more than `bounds`. What lies in the last bucket reads the last bound: no more is known of it.
    """
    total = sum(counts)
    if not total:
        return math.nan
    wanted, below = share * total, 0.0
    for index, count in enumerate(counts):
        if below + count >= wanted and count:
            if index == len(bounds):
                return bounds[-1]
            low = bounds[index - 1] if index else min(0.0, bounds[0])
            return low + (bounds[index] - low) * (wanted - below) / count
        below += count
    return bounds[-1]


def per_second(unit: str) -> str:
    """Return the unit of a rate of something measured in `unit`."""
    return f"{unit or '1'}/s"


def without_bound(attributes: str) -> tuple[str, float]:
    """Return a bucket's attributes without its upper bound, and the bound."""
    fields = orjson.loads(attributes)
    bound = float(fields.pop(UPPER_BOUND))
    return (orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode() if fields else "{}"), bound


def _fewer(bounds: Sequence[float], counts: Sequence[int]) -> tuple[Sequence[float], Sequence[int]]:
    """Merge neighbours until at most 40 buckets are left: each bucket of a running total is a series of its own."""
    step = math.ceil(len(counts) / MOST_BUCKETS)
    if step == 1:
        return bounds, counts
    merged = [sum(counts[i : i + step]) for i in range(0, len(counts), step)]
    kept = [bounds[min(i + step, len(counts)) - 1] for i in range(0, len(counts) - step, step)]
    return kept, merged


def _seconds(raw: RawNumber | RawHistogram) -> float:
    """Return how long the increment took; 0 when the sender did not say."""
    return (raw.time_ns - raw.start_ns) / NANOSECONDS if 0 < raw.start_ns < raw.time_ns else 0.0


def _point(
    raw: RawNumber | RawHistogram, metric: About, attributes: str, value: float, *, suffix: str = "", unit: str
) -> MetricPoint:
    if not raw.time_ns:
        raise RefusedRecord(f"a point of {metric.name[:80]!r} has no time")
    return MetricPoint(
        raw.time_ns, metric.service, metric.name + suffix, attributes, unit, value, instance=metric.instance
    )
