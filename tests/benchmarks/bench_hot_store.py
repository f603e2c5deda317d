"""Reading a 15-minute window out of a hot store that holds an hour with a million spans."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from incidents.telemetry.datamodel import LogRecord, MetricPoint, Span, TelemetryBatch, Window, to_ns
from incidents.telemetry.store import HotStore

SPANS = 1_000_000
BATCH = 5_000
SERVICES = [f"service-{i}" for i in range(10)]
BEGAN_AT = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUARTER = Window(BEGAN_AT + timedelta(minutes=40), BEGAN_AT + timedelta(minutes=55))
ATTRIBUTES = (
    '{"http.request.method":"GET","http.response.status_code":200,"http.route":"/cart","server.address":"cart"}'
)


def batches() -> Iterator[TelemetryBatch]:
    """Yield an hour of traces of six spans each, log lines for every twentieth span, and twenty gauges of each service."""
    source = random.Random(7)
    step_ns = int(HOUR.total_seconds() * 1e9) // SPANS
    trace_id = b""
    for first in range(0, SPANS, BATCH):
        spans = []
        for serial in range(first, first + BATCH):
            service = SERVICES[serial % len(SERVICES)]
            if serial % 6 == 0 or not trace_id:
                trace_id = source.randbytes(16)
            kind, parent = (2, serial if serial % 6 else 0) if serial % 2 == 0 else (3, serial)
            operation = f"{service} operation {source.randrange(8)}"
            took_ns, failed = source.randrange(1, 200) * 1_000_000, source.random() < 0.01
            start_ns = to_ns(BEGAN_AT) + serial * step_ns
            spans.append(
                Span(trace_id, serial + 1, parent, service, operation, kind, start_ns, took_ns, failed, ATTRIBUTES)
            )
        logs = [
            LogRecord(
                s.start_ns, s.service, 9, f"handled {s.span_id} in {s.duration_ns} ns", s.trace_id, s.span_id, "{}"
            )
            for s in spans[::20]
        ]
        points = [
            MetricPoint(spans[0].start_ns, service, f"metric-{i}", "{}", "1", source.random())
            for service in SERVICES
            for i in range(20)
        ]
        yield TelemetryBatch(spans, logs, points)


def timed(what: str, call: Callable[[], object]) -> object:
    best, answer = float("inf"), None
    for _ in range(3):
        began = time.perf_counter()
        answer = call()
        best = min(best, time.perf_counter() - began)
    size = len(answer) if hasattr(answer, "__len__") else answer
    print(f"  {what:<42} {best * 1_000:8.0f} ms   {size}")
    return answer


@pytest.mark.timeout(1_800)
def test_hot_store() -> None:
    store = HotStore(settings.DATABASE_URL, schema="replay_bench")
    store.drop_schema()
    store.prepare()
    began = time.perf_counter()
    for batch in batches():
        store.write(batch)
    seconds = time.perf_counter() - began
    print(
        f"\nHot store, {SPANS:,} spans with {SPANS // 20:,} log lines in one hour, written at {SPANS / seconds:,.0f} spans/s"
    )
    timed("spans of 15 minutes", lambda: store.fetch_spans(QUARTER))
    timed("spans of 15 minutes, one service", lambda: store.fetch_spans(QUARTER, services=SERVICES[:1]))
    timed(
        "spans of 6 minutes (target 1,000 ms)",
        lambda: store.fetch_spans(Window(QUARTER.start, QUARTER.start + timedelta(minutes=6))),
    )
    timed("every series of 15 minutes", lambda: store.fetch_metrics(QUARTER))
    timed("every series of the hour", lambda: store.fetch_metrics(Window(BEGAN_AT, BEGAN_AT + HOUR)))
    timed("log lines of 15 minutes", lambda: store.fetch_logs(QUARTER))
    table = store.fetch_spans(Window(QUARTER.start, QUARTER.start + timedelta(seconds=10)))
    timed("one trace", lambda: store.fetch_trace(table.trace_ids[0]))
    timed("what it holds from when to when", store.window)
    timed("how many spans", store.span_count)
    store.drop_schema()
