"""Writes OTLP export requests for the tests, in both encodings."""

import base64
import json
import math
from collections.abc import Sequence
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from incidents.telemetry.datamodel import NANOSECONDS

TRACE = "5b8efff798038103d269b633813fc60c"
SECOND = NANOSECONDS
NOON = 1_773_489_600 * SECOND  # 2026-03-14 12:00 UTC
MESSAGES = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
PARTS = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
}
IDS = ("traceId", "spanId", "parentSpanId")


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Write attributes the way OTLP does; values are text, numbers, flags, lists and dictionaries."""
    return [{"key": key, "value": any_value(value)} for key, value in values.items()]


def any_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if math.isfinite(value) else "Infinity"}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(inner) for inner in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": attributes(value)}}
    return {"stringValue": value}


def span(
    number: int = 1, *, name: str = "GET /cart", parent: int = 0, at: int = NOON, took: int = SECOND, **fields: Any
) -> dict[str, Any]:
    return {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        **({"parentSpanId": f"{parent:016x}"} if parent else {}),
        "name": name,
        "kind": 2,
        "startTimeUnixNano": str(at),
        "endTimeUnixNano": str(at + took),
        **fields,
    }


def line(body: Any = "started", *, at: int = NOON, **fields: Any) -> dict[str, Any]:
    return {"timeUnixNano": str(at), "body": any_value(body), **fields}


def gauge(
    name: str, values: Sequence[float], *, at: int = NOON, every: int = 10 * SECOND, **fields: Any
) -> dict[str, Any]:
    points = [{"timeUnixNano": str(at + i * every), "asDouble": value, **fields} for i, value in enumerate(values)]
    return {"name": name, "unit": "By", "gauge": {"dataPoints": points}}


def total(
    name: str, values: Sequence[float], *, at: int = NOON, every: int = 10 * SECOND, temporality: int = 2
) -> dict[str, Any]:
    points = [
        {"timeUnixNano": str(at + i * every), "startTimeUnixNano": str(at + (i - 1) * every), "asDouble": value}
        for i, value in enumerate(values)
    ]
    return {
        "name": name,
        "unit": "1",
        "sum": {"dataPoints": points, "aggregationTemporality": temporality, "isMonotonic": True},
    }


def request(signal: str, records: Sequence[Any], *, service: str | None = "cart", **resource: Any) -> dict[str, Any]:
    """Put records into a request of one resource."""
    resources, scopes, kind = PARTS[signal]
    about = {**({"service.name": service} if service else {}), **resource}
    return {resources: [{"resource": {"attributes": attributes(about)}, scopes: [{"scope": {}, kind: list(records)}]}]}


def in_json(document: Any) -> bytes:
    return json.dumps(document).encode()


def in_protobuf(signal: str, document: Any) -> bytes:
    """Write the same request in protobuf; protobuf's own JSON wants ids in base64."""
    return json_format.ParseDict(_with_base64_ids(document), MESSAGES[signal]()).SerializeToString()


def _with_base64_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(inner)).decode() if key in IDS else _with_base64_ids(inner)
            for key, inner in value.items()
        }
    return [_with_base64_ids(inner) for inner in value] if isinstance(value, list) else value
