"""Writes a small synthetic outage as a recording: payments leaks database connections, and its callers suffer.

Twelve minutes at two requests a second: storefront → checkout → payments → its database, plus a healthy catalog. The leak begins
eight minutes in. Deterministic.
"""

import gzip
import json
import random
from collections.abc import Hashable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

K = TypeVar("K", bound=Hashable)

BEGAN_AT = datetime(2026, 3, 14, 2, 36, tzinfo=UTC)
FAULT_AT = BEGAN_AT + timedelta(minutes=8)
ENDED_AT = BEGAN_AT + timedelta(minutes=12)
SERVER, CLIENT, ERROR = 2, 3, 2


def write_outage(folder: Path, *, faulty: bool = True, broken_line: bool = False) -> Path:
    """Write the recording into the folder and return it; without the fault it is a calm twelve minutes."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = _Writer(random.Random(7))
    moment = BEGAN_AT
    while moment < ENDED_AT:
        writer.request(moment, leaking=faulty and moment >= FAULT_AT)
        moment += timedelta(milliseconds=500)
    for minute in range(12 * 6):
        at = BEGAN_AT + timedelta(seconds=10 * minute)
        leaked = (at - FAULT_AT).total_seconds() / 6 if faulty and at >= FAULT_AT else 0
        writer.gauge(at, "payments", "db.client.connections.usage", min(20, 4 + writer.random.randint(0, 1) + leaked))
        for service in ("storefront", "checkout", "payments", "catalog"):
            writer.gauge(at, service, "process.cpu.utilization", 0.2 + writer.random.random() * 0.05)
    _dump(folder / "traces.jsonl.gz", writer.traces(), broken=broken_line)
    _dump(folder / "logs.jsonl.gz", writer.log_requests(), broken=False)
    _dump(folder / "metrics.jsonl.gz", writer.metric_requests(), broken=False)
    return folder


class _Writer:
    def __init__(self, source: random.Random) -> None:
        self.random = source
        self.spans: list[tuple[str, dict[str, Any]]] = []
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.points: list[tuple[str, str, dict[str, Any]]] = []

    def request(self, at: datetime, *, leaking: bool) -> None:
        trace = f"{self.random.getrandbits(128):032x}"
        query = self._around(0.004)
        wait = min(5.0, 0.5 + (at - FAULT_AT).total_seconds() / 30) if leaking else 0.001
        failed = (leaking and wait >= 5.0) or (leaking and self.random.random() < 0.4)
        charge, browse = wait + query + self._around(0.01), self._around(0.02)
        pay = charge + self._around(0.008)
        root = self._span(at, trace, "", "storefront", "POST /order", SERVER, pay + browse + 0.01, failed)
        self._span(at, trace, root, "catalog", "GET /products", SERVER, browse, failed=False)
        later = at + timedelta(seconds=browse)
        checkout = self._span(later, trace, root, "checkout", "POST /pay", SERVER, pay, failed)
        payment = self._span(later, trace, checkout, "payments", "POST /charge", SERVER, charge, failed)
        self._span(later, trace, payment, "payments", "pool.acquire", 1, wait, failed)
        if failed:
            self._line(
                later, trace, "payments", 17, "QueuePool limit of size 20 reached, connection timed out, timeout 5.00"
            )
        else:
            self._span(
                later + timedelta(seconds=wait),
                trace,
                payment,
                "payments",
                "INSERT charges",
                CLIENT,
                query,
                failed=False,
            )
            self._line(later, trace, "payments", 9, f"charge accepted order={self.random.randint(1000, 9999)}")

    def gauge(self, at: datetime, service: str, name: str, value: float) -> None:
        self.points.append((service, name, {"timeUnixNano": _ns(at), "asDouble": value}))

    def _around(self, seconds: float) -> float:
        return seconds * self.random.uniform(0.7, 1.5)

    def _span(
        self, at: datetime, trace: str, parent: str, service: str, name: str, kind: int, seconds: float, failed: bool
    ) -> str:
        span = f"{self.random.getrandbits(63):016x}"
        self.spans.append(
            (
                service,
                {
                    "traceId": trace,
                    "spanId": span,
                    "parentSpanId": parent,
                    "name": name,
                    "kind": kind,
                    "startTimeUnixNano": _ns(at),
                    "endTimeUnixNano": _ns(at + timedelta(seconds=seconds)),
                    "status": {"code": ERROR} if failed else {},
                },
            )
        )
        return span

    def _line(self, at: datetime, trace: str, service: str, severity: int, body: str) -> None:
        self.lines.append(
            (
                service,
                {"timeUnixNano": _ns(at), "severityNumber": severity, "body": {"stringValue": body}, "traceId": trace},
            )
        )

    def traces(self) -> list[dict[str, Any]]:
        return [
            {"resourceSpans": [{"resource": _resource(service), "scopeSpans": [{"scope": {}, "spans": spans}]}]}
            for service, spans in _batches(self.spans)
        ]

    def log_requests(self) -> list[dict[str, Any]]:
        return [
            {"resourceLogs": [{"resource": _resource(service), "scopeLogs": [{"scope": {}, "logRecords": lines}]}]}
            for service, lines in _batches(self.lines)
        ]

    def metric_requests(self) -> list[dict[str, Any]]:
        return [
            {
                "resourceMetrics": [
                    {
                        "resource": _resource(service),
                        "scopeMetrics": [{"scope": {}, "metrics": [{"name": name, "gauge": {"dataPoints": points}}]}],
                    }
                ]
            }
            for (service, name), points in _batches(((service, name), point) for service, name, point in self.points)
        ]


def _batches(records: Iterable[tuple[K, dict[str, Any]]]) -> list[tuple[K, list[dict[str, Any]]]]:
    """Put records of one kind into requests of at most 200, as an exporter does."""
    grouped: dict[K, list[dict[str, Any]]] = {}
    for key, record in records:
        grouped.setdefault(key, []).append(record)
    return [(key, held[at : at + 200]) for key, held in grouped.items() for at in range(0, len(held), 200)]


def _resource(service: str) -> dict[str, Any]:
    attributes = {"service.name": service, "service.version": "2.14.0", "deployment.environment": "test"}
    return {"attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]}


def _ns(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1_000_000) * 1000)


def _dump(path: Path, requests: list[dict[str, Any]], *, broken: bool) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as out:
        for number, request in enumerate(requests):
            out.write('{"resourceSpans": [{"oops\n' if broken and number == 3 else json.dumps(request) + "\n")
