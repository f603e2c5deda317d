"""OTLP in protobuf: walks the messages; converting them to dictionaries first would cost half of the intake's speed."""

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from incidents.telemetry.otlp_records import (
    Attributes,
    MalformedOtlp,
    RawHistogram,
    RawLog,
    RawMetric,
    RawNumber,
    RawSpan,
    RefusedRecord,
    Signal,
    exponential_bounds,
    signed,
)

REQUESTS: dict[Signal, Any] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
PARTS = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
}
SHAPES = {
    "gauge": "number",
    "sum": "number",
    "histogram": "histogram",
    "exponential_histogram": "exponential",
    "summary": "summary",
}
LAST_KIND = 5
STATUS_ERROR = 2
CUMULATIVE = 2
NO_RECORDED_VALUE = 1
INT64 = 1 << 63
DEEPEST = 32


def parse(signal: Signal, body: bytes) -> object:
    """Return the request's message. Raises MalformedOtlp."""
    request = REQUESTS[signal]()
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise MalformedOtlp(
            f"The body's {len(body)} bytes are no protobuf {type(request).__name__} (cut short, or another message): {error}."
        ) from error
    return request


def groups(signal: Signal, request: object) -> Iterator[tuple[Attributes, Iterable[object]]]:
    """Yield each resource's attributes and records."""
    resources, scopes, records = PARTS[signal]
    for group in getattr(request, resources):
        attributes = _attributes(group.resource.attributes)
        for scope in getattr(group, scopes):
            yield attributes, getattr(scope, records)


def span(item: Any) -> RawSpan:
    """Read a span. Raises RefusedRecord."""
    attributes, events, kind, status = item.attributes, item.events, item.kind, item.status
    return RawSpan(
        _trace_id(item.trace_id),
        _span_id(item.span_id),
        _span_id(item.parent_span_id),
        item.name,
        kind if 0 <= kind <= LAST_KIND else 0,
        _time(item.start_time_unix_nano),
        _time(item.end_time_unix_nano),
        status.code == STATUS_ERROR,
        status.message,
        _attributes(attributes) if attributes else {},
        [(_time(e.time_unix_nano), _attributes(e.attributes)) for e in events if e.name == "exception"]
        if events
        else (),
    )


def log(item: Any) -> RawLog:
    """Read a log record. Raises RefusedRecord."""
    return RawLog(
        _time(item.time_unix_nano or item.observed_time_unix_nano),
        item.severity_number if item.severity_number > 0 else 0,
        _value(item.body),
        _trace_id(item.trace_id),
        _span_id(item.span_id),
        _attributes(item.attributes),
    )


def metric(item: Any) -> RawMetric:
    """Read a metric's description."""
    kind = item.WhichOneof("data")
    if kind is None:
        return RawMetric(item.name, item.unit, "none", False, False, ())
    data = getattr(item, kind)
    cumulative = kind == "summary" or (kind != "gauge" and data.aggregation_temporality == CUMULATIVE)
    monotonic = kind != "gauge" and (kind != "sum" or data.is_monotonic)
    return RawMetric(item.name, item.unit, SHAPES[kind], cumulative, monotonic, data.data_points)  # type: ignore[arg-type]


def number(item: Any) -> RawNumber:
    """Read a point of a gauge or sum; a point without a value reads NaN. Raises RefusedRecord."""
    which = item.WhichOneof("value")
    value = float("nan") if which is None or item.flags & NO_RECORDED_VALUE else float(getattr(item, which))
    return RawNumber(_time(item.time_unix_nano), _time(item.start_time_unix_nano), value, _attributes(item.attributes))


def histogram(item: Any, shape: str) -> RawHistogram:
    """Read a point of a histogram, exponential histogram or summary. Raises RefusedRecord."""
    bounds: list[float] = []
    counts: list[int] = []
    if shape == "exponential" and item.positive.bucket_counts:
        filled = item.positive.bucket_counts
        scale = max(-10, min(20, item.scale))
        bounds = exponential_bounds(scale=scale, offset=item.positive.offset, filled=len(filled))
        counts = [item.zero_count, *filled, 0]
    elif shape == "histogram":
        bounds, counts = list(item.explicit_bounds), list(item.bucket_counts)
    quantiles = [(q.quantile, q.value) for q in item.quantile_values] if shape == "summary" else []
    return RawHistogram(
        _time(item.time_unix_nano),
        _time(item.start_time_unix_nano),
        float(item.count),
        item.sum,
        bounds,
        counts,
        quantiles,
        _attributes(item.attributes),
    )


def _time(nanoseconds: int) -> int:
    if nanoseconds >= INT64:
        raise RefusedRecord(f"time {nanoseconds} ns is outside 0…2**63-1")
    return nanoseconds


def _trace_id(identifier: bytes) -> bytes:
    if identifier and len(identifier) != 16:
        raise RefusedRecord(f"trace id {identifier.hex()[:40]} has {len(identifier)} bytes; expected 16")
    return identifier


def _span_id(identifier: bytes) -> int:
    if not identifier:
        return 0
    if len(identifier) != 8:
        raise RefusedRecord(f"span id {identifier.hex()[:40]} has {len(identifier)} bytes; expected 8")
    return signed(identifier)


def _attributes(items: Any) -> dict[str, object]:
    # Most values are text that is not empty: asking for that first spares a call for each.
    return {item.key: item.value.string_value or _value(item.value) for item in items}


def _value(value: Any, depth: int = 0) -> object:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind is None:
        return None
    if depth > DEEPEST:
        return "nested too deeply"
    if kind == "array_value":
        return [_value(inner, depth + 1) for inner in value.array_value.values]
    if kind == "kvlist_value":
        return {inner.key: _value(inner.value, depth + 1) for inner in value.kvlist_value.values}
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, kind)
