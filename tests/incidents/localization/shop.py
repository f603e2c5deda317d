"""A small shop as an OpenTelemetry SDK would report it: spans with kinds and statuses, lines with trace ids, resource metrics.

storefront → catalog → its database; storefront → recommendations → cache; storefront → orders → payments → a card provider that is
not instrumented. Five minutes of calm, then a fault for three. Deterministic.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from incidents.telemetry.datamodel import (
    ChangeRecord,
    LogRecord,
    MetricSeries,
    SeriesKey,
    Span,
    SpanTable,
    Window,
    span_table,
    to_ns,
)

BEGAN_AT = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
FAULT_AT = BEGAN_AT + timedelta(minutes=5)
ENDED_AT = FAULT_AT + timedelta(minutes=3)
CALM = Window(BEGAN_AT, FAULT_AT)
OUTAGE = Window(FAULT_AT, ENDED_AT)
SERVICES = ("catalog", "orders", "payments", "recommendations", "storefront")
SERVER, CLIENT = 2, 3
INFO, ERROR = 9, 17
STEP_SECONDS = 10


@dataclass
class Memory:
    """A telemetry backend over lists."""

    spans: list[Span] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    metrics: list[MetricSeries] = field(default_factory=list)
    changes: list[ChangeRecord] = field(default_factory=list)
    name: str = "memory"

    def fetch_metrics(self, window: Window, *, services: Sequence[str] | None = None) -> list[MetricSeries]:
        wanted = (series.between(window) for series in self.metrics)
        return [series for series in wanted if len(series.times)]

    def fetch_spans(self, window: Window, *, services: Sequence[str] | None = None) -> SpanTable:
        return span_table(self.spans).between(window)

    def fetch_trace(self, trace_id: bytes) -> list[Span]:
        return [span for span in self.spans if span.trace_id == trace_id]

    def fetch_logs(
        self, window: Window, *, services: Sequence[str] | None = None, limit: int = 50_000
    ) -> list[LogRecord]:
        return [line for line in self.logs if window.start_ns <= line.time_ns < window.end_ns][-limit:]

    def fetch_changes(self, window: Window) -> list[ChangeRecord]:
        return [change for change in self.changes if window.start <= change.at < window.end]


class Shop:
    """Serves customers; `fault` names what goes wrong from FAULT_AT on, "" for nothing."""

    def __init__(self, fault: str = "", *, seed: int = 1) -> None:
        self.fault = fault
        self.random = random.Random(seed)
        self.memory = Memory()
        self._ids = 0

    def serve(self) -> Memory:
        """Return eight minutes of telemetry."""
        moment = BEGAN_AT
        while moment < ENDED_AT:
            self._request(moment, faulty=moment >= FAULT_AT)
            moment += timedelta(milliseconds=400)
        self._measure()
        if self.fault == "bad deploy":
            self.memory.changes.append(
                ChangeRecord(FAULT_AT - timedelta(seconds=20), "orders", "orders 1.4.0 → 1.5.0", "1.4.0", "1.5.0")
            )
        self.memory.logs.sort(key=lambda line: line.time_ns)
        return self.memory

    def _request(self, at: datetime, *, faulty: bool) -> None:
        trace = self.random.randbytes(16)
        fault = self.fault if faulty else ""
        hog = 8.0 if fault == "cpu hog" else 1.0
        begin = to_ns(at)
        if self.random.random() < 0.6:
            calls = [self._browse(trace, begin, fault), self._recommend(trace, begin, fault, hog)]
            self._finish(trace, begin, "GET /product", calls)
        else:
            self._finish(trace, begin, "POST /order", [self._order(trace, begin, fault)])

    def _finish(self, trace: bytes, begin: int, operation: str, calls: list[tuple[list[Span], int, bool]]) -> None:
        """Close the request: one client span a call, in parallel, under the storefront's own span."""
        root = self._id()
        longest = max(nanoseconds for _, nanoseconds, _ in calls)
        failed = any(failed for _, _, failed in calls)
        self._span(trace, root, 0, "storefront", operation, SERVER, begin, longest + self._ms(4), failed)
        callees = {"GET /product": ("catalog", "recommendations"), "POST /order": ("orders",)}[operation]
        for callee, (spans, nanoseconds, call_failed) in zip(callees, calls, strict=True):
            client = self._id()
            self._span(
                trace, client, root, "storefront", f"call {callee}", CLIENT, begin + 1000, nanoseconds, call_failed
            )
            if call_failed:
                self._line(trace, root, "storefront", ERROR, f"{operation} answered 502: {callee} did not help", begin)
            self.memory.spans += [spans[0]._replace(parent_id=client), *spans[1:]] if spans else []

    def _browse(self, trace: bytes, begin: int, fault: str) -> tuple[list[Span], int, bool]:
        if fault == "down" and self.random.random() < 0.5:
            return [], self._ms(1500), True
        query = self._ms(220 if fault == "missing index" else 3)
        server, database = self._id(), self._id()
        took = query + self._ms(2)
        self._line(trace, server, "catalog", INFO, f"listed {self.random.randint(3, 40)} products", begin)
        spans = [
            Span(trace, server, 0, "catalog", "GET /products", SERVER, begin + 2000, took, False, "{}"),
            Span(trace, database, server, "catalog", "SELECT products", CLIENT, begin + 3000, query, False, "{}"),
        ]
        return spans, took + self._ms(0.6), False

    def _recommend(self, trace: bytes, begin: int, fault: str, hog: float) -> tuple[list[Span], int, bool]:
        missed = self.random.random() < (0.9 if fault == "cache stampede" else 0.03)
        own = self._ms(5 * hog)
        compute = self._ms(180 if fault == "cache stampede" else 12) if missed else 0
        server, cache = self._id(), self._id()
        took = own + compute + self._ms(0.5)
        spans = [
            Span(trace, server, 0, "recommendations", "GET /recommended", SERVER, begin + 2000, took, False, "{}"),
            Span(
                trace, cache, server, "recommendations", "GET cache", CLIENT, begin + 2500, self._ms(0.3), False, "{}"
            ),
        ]
        if missed:
            self._line(trace, server, "recommendations", INFO, "cache miss, computing recommendations", begin)
            spans.append(
                Span(
                    trace, self._id(), server, "recommendations", "compute", 1, begin + 2500 + own, compute, False, "{}"
                )
            )
        return spans, took + self._ms(0.6), False

    def _order(self, trace: bytes, begin: int, fault: str) -> tuple[list[Span], int, bool]:
        server = self._id()
        number = self.random.randint(1000, 9999)
        broken = fault == "bad deploy" and number % 4 == 0
        waits = self._ms(900) if fault == "leaked pool" else 0
        exhausted = bool(waits) and self.random.random() < 0.4
        if broken or exhausted:
            text = (
                f"ValueError: unknown discount code for order {number}"
                if broken
                else f"connection pool exhausted: 20 of 20 in use, order {number} gave up"
            )
            self._line(trace, server, "orders", ERROR, text, begin)
            took = waits + self._ms(2)
            return (
                [Span(trace, server, 0, "orders", "POST /orders", SERVER, begin + 2000, took, True, "{}")],
                took + self._ms(0.6),
                True,
            )
        self._line(trace, server, "orders", INFO, f"order {number} accepted", begin)
        charge = self._ms(1500 if fault == "slow downstream" else 40)
        spans, took = self._paid(trace, server, begin, waits=waits, charge=charge)
        return spans, took + self._ms(0.6), False

    def _paid(self, trace: bytes, server: int, begin: int, *, waits: int, charge: int) -> tuple[list[Span], int]:
        """Return the spans of an order that went through, and how long it took: wait for a connection, write, have the card charged."""
        client, pay, card, insert = (self._id() for _ in range(4))
        paid = charge + self._ms(3)
        called = paid + self._ms(0.6)
        write = self._ms(4)
        took = waits + called + write + self._ms(3)
        since = begin + waits + write

        def span(own: int, parent: int, service: str, operation: str, kind: int, *, start: int, lasts: int) -> Span:
            return Span(trace, own, parent, service, operation, kind, start, lasts, False, "{}")

        spans = [
            span(server, 0, "orders", "POST /orders", SERVER, start=begin + 2000, lasts=took),
            span(insert, server, "orders", "INSERT orders", CLIENT, start=begin + 3000 + waits, lasts=write),
            span(client, server, "orders", "call payments", CLIENT, start=since + 4000, lasts=called),
            span(pay, client, "payments", "POST /charge", SERVER, start=since + 5000, lasts=paid),
            span(card, pay, "payments", "POST cards.example", CLIENT, start=since + 6000, lasts=charge),
        ]
        return spans, took

    def _measure(self) -> None:
        times = np.arange(BEGAN_AT.timestamp(), ENDED_AT.timestamp(), STEP_SECONDS)
        for service in SERVICES:
            load = np.array([0.2 + 0.05 * self.random.random() for _ in times])
            held = np.array([4.0 + self.random.randint(0, 2) for _ in times])
            during = times >= FAULT_AT.timestamp()
            if self.fault == "cpu hog" and service == "recommendations":
                load[during] = 0.97
            if self.fault == "leaked pool" and service == "orders":
                held[during] = 20
            state = json.dumps({"state": "used"})
            self.memory.metrics += [
                MetricSeries(SeriesKey(service, "process.cpu.utilization", "{}", "1"), times, load),
                MetricSeries(SeriesKey(service, "db.client.connections.usage", state, "{connection}"), times, held),
            ]

    def _span(
        self,
        trace: bytes,
        span: int,
        parent: int,
        service: str,
        operation: str,
        kind: int,
        start: int,
        took: int,
        failed: bool,
    ) -> None:
        self.memory.spans.append(Span(trace, span, parent, service, operation, kind, start, took, failed, "{}"))

    def _line(self, trace: bytes, span: int, service: str, severity: int, text: str, at: int) -> None:
        self.memory.logs.append(LogRecord(at + 5000, service, severity, text, trace, span, "{}"))

    def _id(self) -> int:
        self._ids += 1
        return self._ids

    def _ms(self, milliseconds: float) -> int:
        """Return about as many milliseconds in nanoseconds, a fifth more or less."""
        return int(milliseconds * 1e6 * self.random.uniform(0.8, 1.2))
