"""A Prometheus-compatible server as a telemetry backend: range queries over its HTTP API, metrics only."""

import json
import logging
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import numpy as np

from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.datamodel import (
    ChangeRecord,
    LogRecord,
    MetricSeries,
    SeriesKey,
    Span,
    SpanTable,
    Window,
    span_table,
)

log = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
QUERY_SECONDS = 10.0
TOTAL_SECONDS = 30.0  # for all queries of one fetch
MOST_BYTES = 10 * 1024 * 1024  # of one answer, after decompression
MOST_POINTS = 1_100  # of one series
MOST_SERIES = 2_000  # of one query
# How far a rate looks back: at least four scrapes of the usual 15 s. No step is finer, so that one burst is one sample.
RATE = "1m"
# Sampling steps offered, in seconds: the finest one that keeps a series within MOST_POINTS is taken.
STEPS = (60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)
SHOWN_QUERY = 300


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for: PromQL with `$match` where label matchers go and `$rate` where a rate's range goes, read as `name` in `unit`.

    Its result must keep the label that names the service. A label in `keep` becomes an attribute of the series.
    """

    name: str
    unit: str
    promql: str
    keep: tuple[str, ...] = ()


DEFAULT_QUERIES = (
    # OpenTelemetry's HTTP server semantic conventions, as Prometheus names them.
    Query(
        "http_requests_per_second",
        "1/s",
        "sum by ($label) (rate(http_server_request_duration_seconds_count{$match}[$rate]))",
    ),
    Query(
        "http_error_ratio",
        "1",
        'sum by ($label) (rate(http_server_request_duration_seconds_count{http_response_status_code=~"5..",$match}[$rate]))'
        " / sum by ($label) (rate(http_server_request_duration_seconds_count{$match}[$rate]))",
    ),
    Query(
        "http_duration_p50",
        "s",
        "histogram_quantile(0.5, sum by (le, $label) (rate(http_server_request_duration_seconds_bucket{$match}[$rate])))",
    ),
    Query(
        "http_duration_p95",
        "s",
        "histogram_quantile(0.95, sum by (le, $label) (rate(http_server_request_duration_seconds_bucket{$match}[$rate])))",
    ),
    Query("up", "1", "min by ($label) (up{$match})"),
    Query("process_cpu_usage", "{cpu}", "sum by ($label) (rate(process_cpu_seconds_total{$match}[$rate]))"),
    Query("process_memory_usage", "By", "sum by ($label) (process_resident_memory_bytes{$match})"),
    Query("process_open_fds_utilization", "1", "max by ($label) (process_open_fds{$match} / process_max_fds{$match})"),
    # The node exporter's.
    Query(
        "node_cpu_utilization",
        "1",
        '1 - avg by ($label, instance) (rate(node_cpu_seconds_total{mode="idle",$match}[$rate]))',
        keep=("instance",),
    ),
    Query(
        "node_memory_utilization",
        "1",
        "1 - node_memory_MemAvailable_bytes{$match} / node_memory_MemTotal_bytes{$match}",
        keep=("instance",),
    ),
    Query(
        "node_filesystem_utilization",
        "1",
        '1 - node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs",$match} / node_filesystem_size_bytes{$match}',
        keep=("instance", "mountpoint"),
    ),
    Query("node_load1", "", "node_load1{$match}", keep=("instance",)),
)


class Prometheus:
    """Answers metric questions from a Prometheus-compatible server; it knows no spans, logs or changes.

    The service is the value of the label `service_label` ("job" unless told otherwise: OTLP and scrape configurations both put the
    service there), else of `service`, else of `instance`. Every call raises TelemetryError naming host, status, seconds and query.
    """

    def __init__(
        self,
        url: str,
        *,
        queries: Sequence[Query] = DEFAULT_QUERIES,
        service_label: str = "job",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ValueError(f"PROMETHEUS_URL={url!r}: give a URL such as http://prometheus:9090.")
        if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", service_label):
            raise ValueError(f"The service label {service_label!r} is no Prometheus label name.")
        parts = urlsplit(url)
        self.host = parts.hostname + (f":{parts.port}" if parts.port else "") if parts.hostname else url
        self._queries = tuple(queries)
        self._label = service_label
        self._clock = clock
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/",
            timeout=httpx.Timeout(QUERY_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )

    @property
    def name(self) -> str:
        return f"Prometheus at {self.host}"

    def fetch_metrics(self, window: Window, *, services: Sequence[str] | None = None) -> list[MetricSeries]:
        """Return the series of the configured queries, at most 1,100 points each; of more than 2,000 series a query the first by name."""
        deadline = self._clock() + TOTAL_SECONDS
        found: dict[SeriesKey, MetricSeries] = {}
        for query in self._queries:
            if self._clock() > deadline:
                raise TelemetryError(
                    f"{self.name} took longer than {TOTAL_SECONDS:.0f} s for {len(self._queries)} queries ({window.start} to {window.end})."
                )
            for series in self._run(query, window, services=services):
                found.setdefault(series.key, series)
        return list(found.values())

    def fetch_spans(self, window: Window, *, services: Sequence[str] | None = None) -> SpanTable:  # noqa: ARG002
        """Return no spans: Prometheus has none."""
        return span_table([])

    def fetch_trace(self, trace_id: bytes) -> list[Span]:  # noqa: ARG002
        """Return no spans: Prometheus has none."""
        return []

    def fetch_logs(
        self,
        window: Window,  # noqa: ARG002
        *,
        services: Sequence[str] | None = None,  # noqa: ARG002
        limit: int = 50_000,  # noqa: ARG002
    ) -> list[LogRecord]:
        """Return no lines: Prometheus has none."""
        return []

    def fetch_changes(self, window: Window) -> list[ChangeRecord]:  # noqa: ARG002
        """Return no changes: Prometheus has none."""
        return []

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, query: Query, window: Window, *, services: Sequence[str] | None) -> list[MetricSeries]:
        promql = render(query.promql, label=self._label, services=services)
        step = step_for(window)
        if _aligned(window.start.timestamp(), step) >= window.end.timestamp():
            return []  # no whole step falls into so short a window
        parameters = {
            "query": promql,
            "start": f"{_aligned(window.start.timestamp(), step):.3f}",
            "end": f"{window.end.timestamp() - 0.001:.3f}",  # windows are half-open, ranges are not
            "step": str(step),
            "timeout": f"{QUERY_SECONDS:.0f}s",
        }
        answer = self._ask("api/v1/query_range", parameters, promql)
        results = answer.get("data", {}).get("result")
        if not isinstance(results, list):
            raise TelemetryError(f"{self.name} sent no result list for {_shown(promql)}: is this a Prometheus API?")
        if len(results) > MOST_SERIES:
            log.warning("%s has %d series for %s; %d are used", self.name, len(results), _shown(promql), MOST_SERIES)
            results = sorted(results, key=lambda result: json.dumps(result.get("metric"), sort_keys=True))[:MOST_SERIES]
        read = (self._series(query, result) for result in results)
        return [series for series in read if len(series.times) and (services is None or series.key.service in services)]

    def _series(self, query: Query, result: Mapping[str, Any]) -> MetricSeries:
        labels = result.get("metric", {})
        service = labels.get(self._label) or labels.get("service") or labels.get("instance") or "unknown_service"
        attributes = {name: storable(labels[name]) for name in query.keep if name in labels}
        # Values are text, "NaN" and "+Inf" among them; both mean that there is nothing to compare.
        points = np.array([(float(at), float(value)) for at, value in result.get("values", ())], dtype=np.float64)
        points = points.reshape(-1, 2)
        points[~np.isfinite(points[:, 1]), 1] = np.nan
        key = SeriesKey(storable(service), query.name, json.dumps(attributes, sort_keys=True), query.unit)
        return MetricSeries(key, points[:, 0], points[:, 1])

    def _ask(self, path: str, parameters: Mapping[str, str], promql: str) -> dict[str, Any]:
        started = self._clock()
        try:
            with self._client.stream("POST", path, data=dict(parameters)) as response:
                body = self._read(response, started, promql)
        except httpx.HTTPError as error:
            what = "did not answer" if isinstance(error, httpx.TimeoutException) else "could not be reached"
            raise TelemetryError(
                f"{self.name} {what} after {self._clock() - started:.1f} s ({error or type(error).__name__}) for {_shown(promql)}."
            ) from error
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise TelemetryError(
                f"{self.name} answered {response.status_code} with something other than JSON after {self._clock() - started:.1f} s: "
                f"{body[:80]!r}. Check PROMETHEUS_URL."
            ) from error
        if response.status_code != httpx.codes.OK or not isinstance(answer, dict) or answer.get("status") != "success":
            reason = answer.get("error", "no reason given") if isinstance(answer, dict) else "no reason given"
            raise TelemetryError(
                f"{self.name} answered {response.status_code} after {self._clock() - started:.1f} s: {str(reason)[:300]}, for {_shown(promql)}."
            )
        return answer

    def _read(self, response: httpx.Response, started: float, promql: str) -> bytes:
        """Return the body, stopping at the limits of size and time: a server that drips must not hold a worker."""
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MOST_BYTES:
                raise TelemetryError(
                    f"{self.name} sent more than {MOST_BYTES // 2**20} MiB for {_shown(promql)}: narrow the query."
                )
            if self._clock() - started > QUERY_SECONDS:
                raise TelemetryError(
                    f"{self.name} was still sending after {QUERY_SECONDS:.0f} s (status {response.status_code}) for {_shown(promql)}."
                )
        return bytes(body)


def render(promql: str, *, label: str, services: Sequence[str] | None) -> str:
    """Return the query with its label, range and matchers filled in. Service names are data: they cannot end the quoted pattern."""
    match = "" if services is None else f'{label}=~"{quoted("|".join(re2_literal(name) for name in services))}"'
    return promql.replace("$label", label).replace("$rate", RATE).replace("$match", match)


def re2_literal(text: str) -> str:
    """Return a regular expression of Prometheus' (RE2) that matches the text and nothing else."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text)


def storable(text: object) -> str:
    """Return a label's value as text that PostgreSQL takes: no U+0000, no lone surrogates."""
    return str(text).replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def quoted(text: str) -> str:
    """Return the text as the inside of a double-quoted PromQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return escaped.replace("\0", "")


def step_for(window: Window) -> int:
    """Return the finest step in seconds that keeps a series of the window within 1,100 points."""
    fitting = [step for step in STEPS if window.seconds / step < MOST_POINTS]
    return fitting[0] if fitting else int(window.seconds // (MOST_POINTS - 1)) + 1


def _aligned(seconds: float, step: int) -> float:
    """Return the next whole step: two looks a few seconds apart then see the same samples."""
    return math.ceil(seconds / step) * float(step)


def _shown(promql: str) -> str:
    return promql if len(promql) <= SHOWN_QUERY else f"{promql[:SHOWN_QUERY]}…"
