"""OTLP/JSON: ids are hex, 64-bit numbers may be strings, enumerations are numbers, absent fields have their defaults."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from incidents.telemetry.attributes import Mask, as_text
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

PARTS = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
}
INT64 = 1 << 63
CUMULATIVE = (2, "2", "AGGREGATION_TEMPORALITY_CUMULATIVE")
NO_RECORDED_VALUE = 1
DEEPEST = 32


def parse(signal: Signal, body: bytes) -> object:
    """Return the request as a dictionary. Raises MalformedOtlp with the line, the column and what is wrong there."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedOtlp(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from error
    if not isinstance(request, dict):
        raise MalformedOtlp(
            f"The body is a JSON {type(request).__name__}; expected an object with {PARTS[signal][0]!r}."
        )
    return request


def groups(signal: Signal, request: object) -> Iterator[tuple[Attributes, Iterable[object]]]:
    """Yield each resource's attributes and records. Raises MalformedOtlp naming the path where the structure is broken."""
    resources, scopes, records = PARTS[signal]
    for number, group in enumerate(_list(request, resources, "")):
        path = f"{resources}[{number}]"
        resource = _member(group, "resource", path)
        try:
            about = attributes((resource or {}).get("attributes"))
        except RefusedRecord as refused:
            raise MalformedOtlp(f"{path}.resource.attributes: {refused}") from refused
        for index, scope in enumerate(_list(group, scopes, path)):
            yield about, _list(scope, records, f"{path}.{scopes}[{index}]")


def _member(holder: Any, key: str, path: str) -> dict[str, Any] | None:
    if not isinstance(holder, dict):
        raise MalformedOtlp(f"{path} is a {type(holder).__name__}; expected an object.")
    value = holder.get(key)
    if value is not None and not isinstance(value, dict):
        raise MalformedOtlp(f"{path}.{key} is a {type(value).__name__}; expected an object.")
    return value


def _list(holder: Any, key: str, path: str) -> list[Any]:
    if not isinstance(holder, dict):
        raise MalformedOtlp(f"{path} is a {type(holder).__name__}; expected an object.")
    value = holder.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedOtlp(f"{path + '.' if path else ''}{key} is a {type(value).__name__}; expected a list.")
    return value


def span(item: Any) -> RawSpan:
    """Read a span. Raises RefusedRecord."""
    try:
        status = item.get("status") or {}
        events = item.get("events")
        return RawSpan(
            _trace_id(item.get("traceId")),
            _span_id(item.get("spanId")),
            _span_id(item.get("parentSpanId")),
            _text(item.get("name"), "name"),
            _enum(
                item.get("kind"),
                "kind",
                "SPAN_KIND_",
                ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"),
            ),
            _whole(item.get("startTimeUnixNano"), "startTimeUnixNano"),
            _whole(item.get("endTimeUnixNano"), "endTimeUnixNano"),
            _enum(status.get("code"), "status.code", "STATUS_CODE_", ("UNSET", "OK", "ERROR")) == 2,
            _text(status.get("message"), "status.message"),
            item.get("attributes"),
            [
                (_whole(e.get("timeUnixNano"), "event time"), attributes(e.get("attributes")))
                for e in events
                if e.get("name") == "exception"
            ]
            if events
            else (),
        )
    except (AttributeError, TypeError, KeyError) as error:
        raise RefusedRecord(f"a span is not an object of the specified form ({error})") from error


def log(item: Any) -> RawLog:
    """Read a log record. Raises RefusedRecord."""
    try:
        return RawLog(
            _whole(item.get("timeUnixNano"), "timeUnixNano")
            or _whole(item.get("observedTimeUnixNano"), "observedTimeUnixNano"),
            _severity(item),
            _value(item.get("body")),
            _trace_id(item.get("traceId")),
            _span_id(item.get("spanId")),
            item.get("attributes"),
        )
    except (AttributeError, TypeError, KeyError) as error:
        raise RefusedRecord(f"a log record is not an object of the specified form ({error})") from error


def attributes(sent: Any) -> Attributes:
    """Read attributes. Raises RefusedRecord."""
    if not sent:
        return {}
    try:
        return {_text(item["key"], "key"): _value(item.get("value")) for item in sent}
    except (KeyError, TypeError, AttributeError) as error:
        raise RefusedRecord('attributes: expected a list of {"key", "value"} objects') from error


def text(sent: Any, *, mask: Mask) -> str:
    """Write attributes as masked JSON text. Raises RefusedRecord."""
    return as_text(attributes(sent), mask=mask)


def _severity(item: Any) -> int:
    number = item.get("severityNumber")
    if isinstance(number, str) and not number.isdigit():
        number = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}.get(
            number.removeprefix("SEVERITY_NUMBER_").rstrip("234"), 0
        )
    return _whole(number, "severityNumber")


def metric(item: Any) -> RawMetric:
    """Read a metric's description. Raises RefusedRecord."""
    try:
        name, unit = _text(item.get("name"), "name"), _text(item.get("unit"), "unit")
        for key, shape in (
            ("gauge", "number"),
            ("sum", "number"),
            ("histogram", "histogram"),
            ("exponentialHistogram", "exponential"),
            ("summary", "summary"),
        ):
            data = item.get(key)
            if data is not None:
                points = data.get("dataPoints") or []
                if not isinstance(points, list):
                    raise RefusedRecord(f"dataPoints of metric {name[:80]!r} is no list")
                cumulative = key == "summary" or data.get("aggregationTemporality") in CUMULATIVE
                monotonic = key != "gauge" and (key != "sum" or data.get("isMonotonic") is True)
                return RawMetric(name, unit, shape, cumulative, monotonic, points)  # type: ignore[arg-type]
        return RawMetric(name, unit, "none", False, False, ())
    except (AttributeError, TypeError, KeyError) as error:
        raise RefusedRecord(f"a metric is not an object of the specified form ({error})") from error


def number(item: Any) -> RawNumber:
    """Read a point of a gauge or sum; a point flagged as having no value reads NaN. Raises RefusedRecord."""
    try:
        value = item.get("asDouble")
        if value is None:
            whole = item.get("asInt")
            value = float("nan") if whole is None else _whole(whole, "asInt", lowest=-INT64)
        if item.get("flags") and _whole(item.get("flags"), "flags") & NO_RECORDED_VALUE:
            value = float("nan")
        return RawNumber(
            _whole(item.get("timeUnixNano"), "timeUnixNano"),
            _whole(item.get("startTimeUnixNano"), "startTimeUnixNano"),
            value if value.__class__ is float else _float(value, "asDouble"),
            attributes(item.get("attributes")),
        )
    except (AttributeError, TypeError, KeyError) as error:
        raise RefusedRecord(f"a data point is not an object of the specified form ({error})") from error


def histogram(item: Any, shape: str) -> RawHistogram:
    """Read a point of a histogram, exponential histogram or summary. Raises RefusedRecord."""
    try:
        bounds: list[float] = []
        counts: list[int] = []
        if shape == "exponential":
            positive = item.get("positive") or {}
            filled = [_whole(c, "bucketCounts") for c in positive.get("bucketCounts") or ()]
            offset = _whole(positive.get("offset"), "offset", lowest=-INT64)
            scale = _whole(item.get("scale"), "scale", lowest=-INT64)
            if filled:
                bounds = exponential_bounds(scale=max(-10, min(20, scale)), offset=offset, filled=len(filled))
                counts = [_whole(item.get("zeroCount"), "zeroCount"), *filled, 0]
        elif shape == "histogram":
            bounds = [_float(b, "explicitBounds") for b in item.get("explicitBounds") or ()]
            counts = [_whole(c, "bucketCounts") for c in item.get("bucketCounts") or ()]
        quantiles = [
            (_float(q.get("quantile", 0), "quantile"), _float(q.get("value", 0), "value"))
            for q in item.get("quantileValues") or ()
        ]
        return RawHistogram(
            _whole(item.get("timeUnixNano"), "timeUnixNano"),
            _whole(item.get("startTimeUnixNano"), "startTimeUnixNano"),
            _float(_whole(item.get("count"), "count"), "count"),
            _float(item.get("sum") or 0.0, "sum"),
            bounds,
            counts,
            quantiles,
            attributes(item.get("attributes")),
        )
    except (AttributeError, TypeError, KeyError) as error:
        raise RefusedRecord(f"a {shape} point is not an object of the specified form ({error})") from error


def _trace_id(value: Any) -> bytes:
    if not value:
        return b""
    try:
        identifier = bytes.fromhex(value)
    except ValueError as error:
        raise RefusedRecord(f"traceId {str(value)[:40]!r} is not hexadecimal") from error
    if len(identifier) != 16:
        raise RefusedRecord(f"traceId {str(value)[:40]!r} has {len(identifier)} bytes; expected 16")
    return identifier


def _span_id(value: Any) -> int:
    if not value:
        return 0
    try:
        identifier = bytes.fromhex(value)
    except ValueError as error:
        raise RefusedRecord(f"spanId {str(value)[:40]!r} is not hexadecimal") from error
    if len(identifier) != 8:
        raise RefusedRecord(f"spanId {str(value)[:40]!r} has {len(identifier)} bytes; expected 8")
    return signed(identifier)


def _text(value: Any, field: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RefusedRecord(f"{field} is a {type(value).__name__}; expected text")
    return value


def _whole(value: Any, field: str, *, lowest: int = 0) -> int:
    if value is None or value == "":
        return 0
    if isinstance(value, str):
        if len(value) > 20:
            raise RefusedRecord(f"{field} {value[:30]!r}… is beyond 64 bits")
        try:
            value = int(value)
        except ValueError as error:
            raise RefusedRecord(f"{field} {value!r} is no whole number") from error
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    elif not isinstance(value, int) or isinstance(value, bool):
        raise RefusedRecord(f"{field} is a {type(value).__name__}; expected a whole number")
    if not lowest <= value < INT64:
        raise RefusedRecord(f"{field} {value} is outside {lowest}…2**63-1")
    return int(value)


def _enum(value: Any, field: str, prefix: str, names: tuple[str, ...]) -> int:
    """Read an enumeration: a number as the specification asks, or its name, which some senders write."""
    if isinstance(value, str) and value.startswith(prefix):
        name = value.removeprefix(prefix)
        return names.index(name) if name in names else 0
    found = _whole(value, field)
    return found if found < len(names) else 0


def _float(value: Any, field: str) -> float:
    """Read a double: a number, or "NaN", "Infinity", "-Infinity" as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise RefusedRecord(f"{field} is a {type(value).__name__}; expected a number")
    try:
        return float(value)
    except (ValueError, OverflowError) as error:
        raise RefusedRecord(f"{field} {str(value)[:30]!r} is no number") from error


def _value(value: Any, depth: int = 0) -> object:
    """Read an AnyValue: exactly one of its members is set."""
    if value is None:
        return None
    text = value.get("stringValue")
    if text is not None:
        return _text(text, "stringValue")
    for key, inner in value.items():
        if inner is not None and key in ("arrayValue", "kvlistValue"):
            return _nested(inner.get("values") or (), depth, named=key == "kvlistValue")
        if inner is not None and key in VALUES:
            return VALUES[key](inner)
    return None


def _nested(values: Any, depth: int, *, named: bool) -> object:
    if depth > DEEPEST:
        return "nested too deeply"
    if named:
        return {_text(v["key"], "key"): _value(v.get("value"), depth + 1) for v in values}
    return [_value(v, depth + 1) for v in values]


VALUES: dict[str, Callable[[Any], object]] = {
    "intValue": lambda inner: _whole(inner, "intValue", lowest=-INT64),
    "doubleValue": lambda inner: _float(inner, "doubleValue"),
    "boolValue": lambda inner: inner is True,
    "bytesValue": lambda inner: _text(inner, "bytesValue"),
}
