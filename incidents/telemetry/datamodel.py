"""Telemetry as plain values. Records travel as tuples (one a span, line or point); analysis gets columns (one array a field)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A half-open span of time [start, end), both UTC-aware. Raises ValueError when naive or empty."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"Window needs UTC-aware times, got {self.start!r} and {self.end!r}.")
        if self.end <= self.start:
            raise ValueError(f"Window is empty: it starts at {self.start} and ends at {self.end}.")

    @property
    def duration(self) -> timedelta:
        return self.end - self.start

    @property
    def seconds(self) -> float:
        return self.duration.total_seconds()

    @property
    def start_ns(self) -> int:
        return to_ns(self.start)

    @property
    def end_ns(self) -> int:
        return to_ns(self.end)


def to_ns(moment: datetime) -> int:
    """Return nanoseconds since the epoch, exact to the microsecond."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * NANOSECONDS + delta.microseconds * 1_000


def from_ns(nanoseconds: int) -> datetime:
    """Return the UTC time of nanoseconds since the epoch, cut to the microsecond."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1_000)


class Span(NamedTuple):
    """One span. `parent_id` is 0 for a root. `attributes` is masked JSON text; `kind` and times are as in OTLP."""

    trace_id: bytes  # 16 bytes
    span_id: int  # the 8 bytes as a signed 64-bit number
    parent_id: int
    service: str
    operation: str
    kind: int
    start_ns: int
    duration_ns: int
    is_error: bool
    attributes: str


class LogRecord(NamedTuple):
    """One log line, masked. `severity` is OTLP's number (0 unknown, 9 INFO, 13 WARN, 17 ERROR); ids are empty or 0 when absent."""

    time_ns: int
    service: str
    severity: int
    body: str
    trace_id: bytes
    span_id: int
    attributes: str


class MetricPoint(NamedTuple):
    """One number of one series. `attributes` is JSON text with sorted keys, so equal series have equal text.

    `is_counter` marks a total that only grows (its rate is taken when series are fetched); `instance` says which process or
    pod counted, where its resource says so, because the totals of two instances must not be mixed.
    """

    time_ns: int
    service: str
    name: str
    attributes: str
    unit: str
    value: float
    is_counter: bool = False
    instance: str = ""


class SeriesKey(NamedTuple):
    """What a metric series is called. `attributes` is JSON text with sorted keys; `{}` when there are none."""

    service: str
    name: str
    attributes: str = "{}"
    unit: str = ""


@dataclass(frozen=True)
class MetricSeries:
    """Samples of one series in time order: `times` in epoch seconds, shape (n,), float64; `values` likewise, NaN where missing."""

    key: SeriesKey
    times: NDArray[np.float64]
    values: NDArray[np.float64]

    def between(self, window: Window) -> "MetricSeries":
        """Return the samples inside the window."""
        low, high = np.searchsorted(self.times, (window.start.timestamp(), window.end.timestamp()))
        return MetricSeries(self.key, self.times[low:high], self.values[low:high])


@dataclass(frozen=True)
class SpanTable:
    """Spans as columns of equal length n. `service` and `operation` index into the vocabularies; `parent_id` 0 means root.

    `trace` numbers the traces 0…; `trace_ids[trace[i]]` is the 16-byte id of row i. Rows are in no particular order.
    """

    services: Sequence[str]
    operations: Sequence[str]
    trace_ids: Sequence[bytes]
    trace: NDArray[np.int32]
    span_id: NDArray[np.int64]
    parent_id: NDArray[np.int64]
    service: NDArray[np.int32]
    operation: NDArray[np.int32]
    kind: NDArray[np.int8]
    start_ns: NDArray[np.int64]
    duration_ns: NDArray[np.int64]
    is_error: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.start_ns)

    def select(self, rows: NDArray[np.bool_]) -> "SpanTable":
        """Return the rows where the mask, shape (n,), is true; the vocabularies stay."""
        return SpanTable(
            self.services,
            self.operations,
            self.trace_ids,
            self.trace[rows],
            self.span_id[rows],
            self.parent_id[rows],
            self.service[rows],
            self.operation[rows],
            self.kind[rows],
            self.start_ns[rows],
            self.duration_ns[rows],
            self.is_error[rows],
        )

    def between(self, window: Window) -> "SpanTable":
        """Return the spans that start inside the window."""
        return self.select((self.start_ns >= window.start_ns) & (self.start_ns < window.end_ns))

    @cached_property
    def parent_row(self) -> NDArray[np.int64]:
        """Row of each span's parent, shape (n,); -1 where it is a root or the parent is not in the table."""
        if not len(self):
            return np.empty(0, dtype=np.int64)
        order = np.argsort(self.span_id, kind="stable")
        found = np.clip(np.searchsorted(self.span_id, self.parent_id, sorter=order), 0, len(self) - 1)
        rows = order[found]
        known = (self.span_id[rows] == self.parent_id) & (self.parent_id != 0)
        return np.where(known, rows, -1)


def span_table(spans: Sequence[Span]) -> SpanTable:
    """Return the records as columns."""
    services: dict[str, int] = {}
    operations: dict[str, int] = {}
    traces: dict[bytes, int] = {}
    trace = [traces.setdefault(s.trace_id, len(traces)) for s in spans]
    service = [services.setdefault(s.service, len(services)) for s in spans]
    operation = [operations.setdefault(s.operation, len(operations)) for s in spans]
    return SpanTable(
        services=list(services),
        operations=list(operations),
        trace_ids=list(traces),
        trace=np.array(trace, dtype=np.int32),
        span_id=np.array([s.span_id for s in spans], dtype=np.int64),
        parent_id=np.array([s.parent_id for s in spans], dtype=np.int64),
        service=np.array(service, dtype=np.int32),
        operation=np.array(operation, dtype=np.int32),
        kind=np.array([s.kind for s in spans], dtype=np.int8),
        start_ns=np.array([s.start_ns for s in spans], dtype=np.int64),
        duration_ns=np.array([s.duration_ns for s in spans], dtype=np.int64),
        is_error=np.array([s.is_error for s in spans], dtype=np.bool_),
    )


class ChangeRecord(NamedTuple):
    """Somebody's deploy or setting change: when, of which service, what, and its version before and after ("" unknown).

    `told_by` names who told of it; empty for one that was seen in telemetry.
    """

    at: datetime
    service: str
    title: str
    version_before: str
    version_after: str
    told_by: str = ""


class TelemetryBatch(NamedTuple):
    """What one request decoded to; `rejected` counts the records refused, `reason` says why the first one was."""

    spans: Sequence[Span] = ()
    logs: Sequence[LogRecord] = ()
    points: Sequence[MetricPoint] = ()
    rejected: int = 0
    reason: str = ""


class ServiceTags(NamedTuple):
    """What a resource said about a service, masked."""

    service: str
    environment: str
    team: str
    version: str


Tags = Mapping[str, ServiceTags]
