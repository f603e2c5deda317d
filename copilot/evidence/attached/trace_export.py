"""Trace exports: a file of OTLP JSON, or of Jaeger's JSON, to spans."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from incidents.telemetry import otlp
from incidents.telemetry.datamodel import Span

MOST_SPANS = 20_000
LOOKED_AT = 200  # lines, for what kind of file it is
_REFERENCE = "CHILD_OF"


def spans_in(lines: Sequence[str]) -> list[Span]:
    """Return the spans of a file whose lines were masked already, at most 20,000; [] when it is no trace export.

    What breaks the format is left out. Sources: OTLP/JSON 1.x; Jaeger's query API.
    """
    first = next((line.lstrip() for line in lines if line.strip()), "")
    if not first.startswith("{") or not any(
        '"resourceSpans"' in line or '"traceID"' in line for line in lines[:LOOKED_AT]
    ):
        return []
    found: list[Span] = []
    for document in _documents(lines):
        found += _decoded(document if "resourceSpans" in document else _as_otlp(document))
        if len(found) >= MOST_SPANS:
            break
    return found[:MOST_SPANS]


def slowest_trace(spans: Sequence[Span]) -> list[Span]:
    """Return the spans of the trace that took longest, those with an error before those without; [] of none."""
    traces: dict[bytes, list[Span]] = defaultdict(list)
    for span in spans:
        traces[span.trace_id].append(span)
    return max(traces.values(), key=lambda trace: (any(span.is_error for span in trace), length_ns(trace)), default=[])


def length_ns(trace: Sequence[Span]) -> int:
    """Return the nanoseconds from the first start to the last end."""
    return max(span.start_ns + span.duration_ns for span in trace) - min(span.start_ns for span in trace)


def _documents(lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Return a file's JSON objects: one over all lines, or one in each, as the Collector's file exporter writes them."""
    try:
        found = [json.loads("\n".join(lines))]
    except ValueError:
        found = [_object(line) for line in lines]
    yield from (document for document in found if isinstance(document, dict))


def _object(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _decoded(request: dict[str, Any]) -> list[Span]:
    try:
        # Masked line by line when the file was taken; a second time would change nothing.
        read = otlp.decode("traces", json.dumps(request).encode(), encoding="json", mask=str)
    except otlp.MalformedOtlp:
        return []
    return list(read.batch.spans)


def _as_otlp(document: dict[str, Any]) -> dict[str, Any]:
    """Return Jaeger's {"data": [{"spans", "processes"}]} as an OTLP request; what has another form is left out."""
    resources = []
    data = document.get("data")
    for trace in data if isinstance(data, list) else ():
        try:
            names = {key: process["serviceName"] for key, process in trace["processes"].items()}
            for span in trace["spans"]:
                service = {"key": "service.name", "value": {"stringValue": names.get(span["processID"], "")}}
                resources.append({"resource": {"attributes": [service]}, "scopeSpans": [{"spans": [_span(span)]}]})
        except (AttributeError, KeyError, TypeError, ValueError):
            continue
    return {"resourceSpans": resources}


def _span(span: dict[str, Any]) -> dict[str, Any]:
    start = int(span["startTime"]) * 1000  # Jaeger counts in microseconds
    parents = [each["spanID"] for each in span.get("references") or () if each.get("refType") == _REFERENCE]
    failed = any(tag.get("key") == "error" and tag.get("value") in (True, "true") for tag in span.get("tags") or ())
    return {
        "traceId": str(span["traceID"]).zfill(32),
        "spanId": str(span["spanID"]).zfill(16),
        "parentSpanId": str(parents[0]).zfill(16) if parents else "",
        "name": span["operationName"],
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + int(span["duration"]) * 1000),
        "status": {"code": 2 if failed else 0},
    }
