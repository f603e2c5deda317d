"""OTLP in protobuf: walks the messages; converting them to dictionaries first would cost half of the intake's speed.

The attributes of spans and log records are left as the bytes they came as: most of them come again and again, and one that was
seen before is looked up, masked and written as JSON, instead of being read.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped,unused-ignore]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from incidents.telemetry.attributes import EMPTY, MOST_ATTRIBUTES, SHORT, Mask, as_text, member
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


def _leaving_attributes(request: Any, *, of: str) -> Any:
    """Return the request's message class with one change: the `attributes` of this message are the bytes of a KeyValue each.

    Both are length-delimited on the wire, so the specification's own description needs nothing but another type there.
    """
    pool = descriptor_pool.DescriptorPool()

    def add(file: Any) -> None:
        for needed in file.dependencies:
            add(needed)
        description = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(description)
        for message in description.message_type:
            for field in message.field:
                if message.name == of and field.name == "attributes":
                    field.type = field.TYPE_BYTES
                    field.ClearField("type_name")
        pool.AddSerializedFile(description.SerializeToString())

    add(request.DESCRIPTOR.file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(request.DESCRIPTOR.full_name))


REQUESTS: dict[Signal, Any] = {
    "traces": _leaving_attributes(ExportTraceServiceRequest, of="Span"),
    "logs": _leaving_attributes(ExportLogsServiceRequest, of="LogRecord"),
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
UNSET = Status()
CUMULATIVE = 2
NO_RECORDED_VALUE = 1
INT64 = 1 << 63
DEEPEST = 32
MOST_REMEMBERED = 32_768  # attributes of at most SHORT bytes


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
    events, kind, parent_id = item.events, item.kind, item.parent_span_id
    status = item.status if item.HasField("status") else UNSET
    return RawSpan(
        _trace_id(item.trace_id),
        _span_id(item.span_id),
        _span_id(parent_id) if parent_id else 0,
        item.name,
        kind if 0 <= kind <= LAST_KIND else 0,
        _time(item.start_time_unix_nano),
        _time(item.end_time_unix_nano),
        status.code == STATUS_ERROR,
        status.message,
        item.attributes,
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
        item.attributes,
    )


def attributes(sent: Sequence[bytes]) -> Attributes:
    """Read attributes that were left as bytes. Raises RefusedRecord."""
    return _attributes(map(_key_value, sent))


def text(sent: Sequence[bytes], *, mask: Mask) -> str:
    """Write attributes that were left as bytes as masked JSON text. Raises RefusedRecord."""
    number = len(sent)
    if not number:
        return EMPTY
    if number <= MOST_ATTRIBUTES:
        known = _known_members(mask)
        members = dict([known[one] for one in sent])
        if len(members) == number:
            return f"{{{','.join([members[name] for name in sorted(members)])}}}"
    return as_text(attributes(sent), mask=mask)


class _Members(dict[bytes, tuple[str, str]]):
    """Attributes by the bytes they came as: the name and the masked JSON text of each. Long ones are not kept; when full it starts anew."""

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self._mask = mask

    def __missing__(self, sent: bytes) -> tuple[str, str]:
        attribute = _key_value(sent)
        found = member(attribute.key, _value(attribute.value), mask=self._mask)
        if len(sent) <= SHORT:
            if len(self) >= MOST_REMEMBERED:
                self.clear()
            self[sent] = found
        return found


_known_members = lru_cache(maxsize=2)(_Members)


def _key_value(sent: bytes) -> Any:
    try:
        return KeyValue.FromString(sent)
    except DecodeError as error:
        raise RefusedRecord(f"an attribute's {len(sent)} bytes are no protobuf KeyValue") from error


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
