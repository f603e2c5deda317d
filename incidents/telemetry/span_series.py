"""Request, error and duration series per service and operation, counted from spans.

Spans are first counted into cells (10-second bucket, service, operation, duration bin); cells of several batches add up,
so the hot store keeps them per batch and a recording counts them at once, and both read the same series out of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from incidents.telemetry.datamodel import NANOSECONDS, MetricSeries, SeriesKey, SpanTable, Window

BUCKET = 10  # seconds
BINS_PER_DOUBLING = 8  # a bin is 9 % wide, so a percentile is at most 4.5 % off
LAST_BIN = 400  # 2**50 µs
MOST_OPERATIONS = 40  # of one service: names with ids in them would make a series of every request
UNSPECIFIED, SERVER, CONSUMER = 0, 2, 5
QUANTILES = (("duration_p50", 0.5), ("duration_p95", 0.95), ("duration_p99", 0.99))
REQUESTS_PER_SECOND = "requests_per_second"
ERROR_RATIO = "error_ratio"


@dataclass(frozen=True)
class SpanCells:
    """Counts of requests as columns of equal length; equal cells may occur more than once and add up.

    `bucket` is the END of a 10-second bucket in epoch seconds, so that a number is never dated before it could be known.
    `service` and `operation` index into the vocabularies. `bin` numbers the duration: 8 a doubling, from 1 µs.
    """

    services: Sequence[str]
    operations: Sequence[str]
    bucket: NDArray[np.int64]
    service: NDArray[np.int32]
    operation: NDArray[np.int32]
    bin: NDArray[np.int16]
    count: NDArray[np.int32]
    errors: NDArray[np.int32]


def entries(table: SpanTable) -> NDArray[np.bool_]:
    """Say of each span, shape (n,), whether it is a request that its service received.

    Servers, consumers and roots are. Where the sender gave no kind, a span whose parent belongs to another service is, and one
    whose parent is not in the table goes with what most spans of its operation are.
    """
    received = (table.kind == SERVER) | (table.kind == CONSUMER) | (table.parent_id == 0)
    unspecified = (table.kind == UNSPECIFIED) & (table.parent_id != 0)
    if not unspecified.any():
        return np.asarray(received, dtype=np.bool_)
    parent = table.parent_row
    orphaned = unspecified & (parent < 0)
    known = unspecified & ~orphaned
    received = received | (known & (table.service[parent] != table.service))
    pair = table.service.astype(np.int64) * len(table.operations) + table.operation
    usual = np.bincount(pair, weights=np.where(known, np.where(received, 1, -1), 0))
    return np.asarray(received | (orphaned & (usual[pair] >= 0)), dtype=np.bool_)


def count(table: SpanTable) -> SpanCells:
    """Count the requests among the spans into cells. A request falls into the bucket in which it ended."""
    rows = np.flatnonzero(entries(table))
    duration_ns = table.duration_ns[rows]
    bucket = ((table.start_ns[rows] + duration_ns) // (BUCKET * NANOSECONDS) + 1) * BUCKET
    bins = np.clip(BINS_PER_DOUBLING * np.log2(np.maximum(duration_ns / 1_000, 1)), 0, LAST_BIN).astype(np.int16)
    service, operation = table.service[rows], table.operation[rows]
    order = np.lexsort((bins, operation, service, bucket))
    first = _firsts(bucket[order], service[order], operation[order], bins[order])
    kept = order[first]
    errors = table.is_error[rows][order].astype(np.int32)
    return SpanCells(
        table.services,
        table.operations,
        bucket[kept],
        service[kept],
        operation[kept],
        bins[kept],
        np.diff(np.append(first, len(order))).astype(np.int32),
        np.add.reduceat(errors, first).astype(np.int32) if len(first) else errors,
    )


def series(cells: SpanCells, *, window: Window) -> list[MetricSeries]:
    """Return the series of every service and of its 40 busiest operations, one sample a bucket that ends in the window.

    Buckets after a service's first one read 0 requests when nothing came, and NaN for the error ratio and the durations.
    """
    rows = np.flatnonzero((cells.bucket >= window.start.timestamp()) & (cells.bucket < window.end.timestamp()))
    if not len(rows):
        return []
    last = int(cells.bucket[rows].max())
    whole = np.full(len(cells.bucket), -1, dtype=np.int32)
    found = list(_grouped(cells, rows=rows, operation=whole, last=last))
    return found + list(_grouped(cells, rows=_busiest(cells, rows=rows), operation=cells.operation, last=last))


def _busiest(cells: SpanCells, *, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    pair = cells.service[rows].astype(np.int64) * (len(cells.operations) + 1) + cells.operation[rows]
    pairs, index = np.unique(pair, return_inverse=True)
    totals = np.bincount(index, weights=cells.count[rows])
    service = pairs // (len(cells.operations) + 1)
    order = np.lexsort((-totals, service))
    rank = np.empty(len(pairs), dtype=np.int64)
    begin = np.searchsorted(service[order], service[order])
    rank[order] = np.arange(len(pairs)) - begin
    return rows[rank[index] < MOST_OPERATIONS]


def _grouped(
    cells: SpanCells, *, rows: NDArray[np.int64], operation: NDArray[np.int32], last: int
) -> Iterator[MetricSeries]:
    order = rows[np.lexsort((cells.bin[rows], cells.bucket[rows], operation[rows], cells.service[rows]))]
    service, names, bucket = cells.service[order], operation[order], cells.bucket[order]
    first = _firsts(service, names, bucket)
    counts = cells.count[order].astype(np.float64)
    totals = np.add.reduceat(counts, first)
    errors = np.add.reduceat(cells.errors[order].astype(np.float64), first)
    running = np.cumsum(counts)
    before = running[first] - counts[first]
    # The smallest bin at or below which the wanted share lies; half a request back guards against rounding.
    values = [
        _seconds(cells.bin[order][np.searchsorted(running, before + np.ceil(share * totals) - 0.5)])
        for _, share in QUANTILES
    ]
    starts = _firsts(service[first], names[first])
    for low, high in zip(starts, np.append(starts[1:], len(first)), strict=True):
        at = first[low]
        name = "{}" if names[at] < 0 else orjson.dumps({"operation": cells.operations[names[at]]}).decode()
        times = np.arange(bucket[at], last + BUCKET, BUCKET)
        place = (bucket[first[low:high]] - bucket[at]) // BUCKET
        columns = [totals[low:high] / BUCKET, errors[low:high] / totals[low:high], *(v[low:high] for v in values)]
        yield from _spread(cells.services[service[at]], name, times=times, place=place, columns=columns)


def _spread(
    service: str,
    attributes: str,
    *,
    times: NDArray[np.int64],
    place: NDArray[np.int64],
    columns: Sequence[NDArray[np.float64]],
) -> Iterator[MetricSeries]:
    names = ((REQUESTS_PER_SECOND, "1/s"), (ERROR_RATIO, "1"), *((quantile, "s") for quantile, _ in QUANTILES))
    for (name, unit), column in zip(names, columns, strict=True):
        values = np.full(len(times), 0.0 if name == REQUESTS_PER_SECOND else np.nan)
        values[place] = column
        yield MetricSeries(SeriesKey(service, name, attributes, unit), times.astype(np.float64), values)


def _seconds(bins: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return each bin's middle, in seconds."""
    return np.exp2((bins + 0.5) / BINS_PER_DOUBLING) / 1e6


def _firsts(*columns: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return where, in sorted columns, each new combination begins."""
    if not len(columns[0]):
        return np.empty(0, dtype=np.int64)
    new = np.ones(len(columns[0]), dtype=np.bool_)
    new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return np.flatnonzero(new)
