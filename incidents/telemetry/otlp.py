"""Decodes OTLP export requests, JSON and protobuf, into masked records. Source: OpenTelemetry protocol specification 1.x."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from incidents.telemetry import otlp_json, otlp_metrics, otlp_protobuf
from incidents.telemetry.attributes import Mask, as_text, clean
from incidents.telemetry.datamodel import LogRecord, MetricPoint, ServiceTags, Span, TelemetryBatch
from incidents.telemetry.otlp_records import (
    Attributes,
    Encoding,
    MalformedOtlp,
    RawLog,
    RawSpan,
    Reader,
    RefusedRecord,
    Signal,
)

__all__ = ["Decoded", "Encoding", "MalformedOtlp", "Signal", "decode"]

READERS: dict[Encoding, Reader] = {"json": otlp_json, "protobuf": otlp_protobuf}
UNKNOWN_SERVICE = "unknown_service"
LONGEST_SERVICE = 200
LONGEST_TAG = 100
LONGEST_OPERATION = 300
LONGEST_BODY = 16_384
ERROR = 17
SEVERITIES = {
    "TRACE": 1,
    "DEBUG": 5,
    "INFO": 9,
    "NOTICE": 10,
    "WARN": 13,
    "WARNING": 13,
    "ERROR": 17,
    "SEVERE": 17,
    "CRITICAL": 21,
    "FATAL": 21,
}
# Lines collected from files often carry their level only in the text, near its start.
LEVEL_IN_BODY = re.compile(r"\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|SEVERE|CRITICAL|FATAL)\b")
BODY_START = 100
NAME_AT_PLACE = re.compile(r"[\w.+-]+@[\w.-]+")


class Decoded(NamedTuple):
    """One request's records, and what their resources said about each service (the last one said wins).

    `versions` gives for each (service, version) the earliest record's time in nanoseconds.
    """

    batch: TelemetryBatch
    tags: dict[str, ServiceTags]
    versions: Mapping[tuple[str, str], int]


def decode(signal: Signal, body: bytes, *, encoding: Encoding, mask: Mask) -> Decoded:
    """Return the request's records, every text in them masked; single records that cannot be kept are counted in `batch.rejected`.

    Cumulative totals stay totals (`MetricPoint.is_counter`), increments become a rate per second, histograms become
    `NAME.count`, `NAME.sum` and percentiles. Exceptions recorded on spans become log records too. Raises MalformedOtlp.
    """
    reader = READERS[encoding]
    request = reader.parse(signal, body)
    build = _Build(reader=reader, mask=mask)
    add = {"traces": build.add_span, "logs": build.add_log, "metrics": build.add_metric}[signal]
    for attributes, items in reader.groups(signal, request):
        build.enter(attributes)
        for item in items:
            try:
                add(item)
            except RefusedRecord as refused:
                build.refuse(str(refused))
        build.leave()
    return build.finished()


class _Build:
    """What is being decoded: the records so far, and the resource whose records are being read."""

    def __init__(self, *, reader: Reader, mask: Mask) -> None:
        self.reader = reader
        self.mask = mask
        self.spans: list[Span] = []
        self.logs: list[LogRecord] = []
        self.points: list[MetricPoint] = []
        self.rejected = 0
        self.reason = ""
        self.tags: dict[str, ServiceTags] = {}
        self.versions: dict[tuple[str, str], int] = {}
        self.service = UNKNOWN_SERVICE
        self.instance = ""
        self.began = (0, 0, 0)

    def enter(self, resource: Attributes) -> None:
        """Start on a resource's records."""

        def tag(*keys: str) -> str:
            value = next((str(resource[key]) for key in keys if resource.get(key) not in (None, "")), "")
            return clean(value, mask=self.mask, longest=LONGEST_TAG - 1)

        self.service = _service_name(resource.get("service.name"), mask=self.mask) or UNKNOWN_SERVICE
        self.instance = tag("service.instance.id", "k8s.pod.name", "host.name")
        self.tags[self.service] = ServiceTags(
            self.service,
            environment=tag("deployment.environment.name", "deployment.environment"),
            team=tag("team", "team.name", "service.team", "owner", "service.namespace"),
            version=tag("service.version"),
        )
        self.began = (len(self.spans), len(self.logs), len(self.points))

    def leave(self) -> None:
        """Note when the resource's version was first seen."""
        version = self.tags[self.service].version
        if not version:
            return
        spans, logs, points = self.began
        times = (
            [s.start_ns for s in self.spans[spans:]]
            or [r.time_ns for r in self.logs[logs:]]
            or [p.time_ns for p in self.points[points:]]
        )
        if times:
            key = (self.service, version)
            self.versions[key] = min(min(times), self.versions.get(key, times[0]))

    def refuse(self, reason: str) -> None:
        """Count a record that cannot be kept."""
        self.rejected += 1
        self.reason = self.reason or reason

    def add_span(self, item: object) -> None:
        """Read one span, and its recorded exceptions as log records."""
        raw = self.reader.span(item)
        if not raw.trace_id or not raw.span_id:
            raise RefusedRecord(f"span {raw.name[:80]!r} lacks its trace id or span id")
        if not raw.start_ns:
            raise RefusedRecord(f"span {raw.name[:80]!r} has no start time")
        if raw.status_message or raw.exceptions:
            attributes = as_text(_with_failure(raw, self.reader.attributes(raw.attributes)), mask=self.mask)
        else:
            attributes = self.reader.text(raw.attributes, mask=self.mask)
        self.spans.append(
            Span(
                raw.trace_id,
                raw.span_id,
                raw.parent_id,
                self.service,
                clean(raw.name, mask=self.mask, longest=LONGEST_OPERATION) or "unnamed",
                raw.kind,
                raw.start_ns,
                max(0, raw.end_ns - raw.start_ns),
                raw.is_error,
                attributes,
            )
        )
        for time_ns, exception in raw.exceptions:
            line = ": ".join(
                str(exception[key]) for key in ("exception.type", "exception.message") if exception.get(key)
            )
            record = RawLog(time_ns or raw.end_ns, ERROR, line or "exception", raw.trace_id, raw.span_id, exception)
            self._keep_log(record, as_text(exception, mask=self.mask))

    def add_log(self, item: object) -> None:
        """Read one log record."""
        raw = self.reader.log(item)
        if not raw.time_ns:
            raise RefusedRecord("a log record has no time")
        self._keep_log(raw, self.reader.text(raw.attributes, mask=self.mask))

    def _keep_log(self, raw: RawLog, attributes: str) -> None:
        body = raw.body if isinstance(raw.body, str) else _structure(raw.body, mask=self.mask)
        severity = raw.severity
        if not severity and (level := LEVEL_IN_BODY.search(body, 0, BODY_START)):
            severity = SEVERITIES[level.group(1)]
        self.logs.append(
            LogRecord(
                raw.time_ns,
                self.service,
                severity,
                clean(body, mask=self.mask, longest=LONGEST_BODY),
                raw.trace_id,
                raw.span_id,
                attributes,
            )
        )

    def add_metric(self, item: object) -> None:
        """Read one metric's points; a refused point counts alone."""
        metric = self.reader.metric(item)
        if not metric.name:
            raise RefusedRecord("a metric has no name")
        about = otlp_metrics.about(metric, service=self.service, instance=self.instance, mask=self.mask)
        for point in metric.points:
            try:
                if metric.shape == "number":
                    self.points.append(otlp_metrics.from_number(self.reader.number(point), about))
                else:
                    self.points.extend(otlp_metrics.from_histogram(self.reader.histogram(point, metric.shape), about))
            except RefusedRecord as refused:
                self.refuse(str(refused))

    def finished(self) -> Decoded:
        """Return what was read."""
        return Decoded(
            TelemetryBatch(self.spans, self.logs, self.points, self.rejected, self.reason), self.tags, self.versions
        )


def _service_name(sent: object, *, mask: Mask) -> str:
    """Return the name masked and bounded; one such as `user@region` is who the service is, not somebody's address, and stays.

    It is taken as a whole only if neither side holds anything to mask: what looks like a key is masked in a name too.
    """
    name = "" if sent is None else str(sent)
    is_name = len(name) < LONGEST_SERVICE and NAME_AT_PLACE.fullmatch(name)
    if is_name and all(clean(part, mask=mask) == part for part in name.split("@")):
        return name
    return clean(name, mask=mask, longest=LONGEST_SERVICE - 1)


def _with_failure(raw: RawSpan, own: Attributes) -> dict[str, object]:
    """Return the span's own attributes with its status message and its last exception, under OpenTelemetry's own names."""
    attributes = dict(own)
    if raw.status_message:
        attributes.setdefault("otel.status_description", raw.status_message)
    if raw.exceptions:
        for key, value in raw.exceptions[-1][1].items():
            attributes.setdefault(key, value)
    return attributes


def _structure(body: Any, *, mask: Mask) -> str:
    if isinstance(body, Mapping):
        return as_text(body, mask=mask)
    return "" if body is None else orjson.dumps(body, default=str).decode()
