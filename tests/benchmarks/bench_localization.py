"""Seconds to localize a 15-minute incident with 100,000 spans and 50,000 log lines, read from a hot store that holds an hour of the same."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from incidents.localization.ranking import fetch, rank_material
from incidents.telemetry.datamodel import LogRecord, MetricPoint, Span, TelemetryBatch, Window, to_ns
from incidents.telemetry.store import HotStore

BEGAN_AT = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
INCIDENT = Window(BEGAN_AT + timedelta(minutes=45), BEGAN_AT + HOUR)
REFERENCE = Window(BEGAN_AT + timedelta(minutes=15), INCIDENT.start)
SPANS_AN_HOUR, SPANS_OF_A_TRACE = 400_000, 8
SERVICES = [f"service-{number}" for number in range(20)]
TARGET_SECONDS = 1.0
WORDS = "amber birch cedar delta ember fjord grove heath inlet juniper".split()  # noqa: SIM905


def _line(span: Span, source: random.Random) -> str:
    number, word = span.span_id, source.choice(WORDS)
    return source.choice(
        (
            f"{span.operation} answered 200 in {span.duration_ns / 1e6:.1f} ms for order {number}",
            f"INFO stored order {number} of customer {number % 5000} in /data/{word}/{number}.json",
            f"cache {word} missed key user:{number % 9973} after {number % 17} tries",
            f"2026-03-14T12:00:00.123Z INFO [worker-{number % 8}] search '{word} {source.choice(WORDS)}' found {number % 40} products",
            f"connection {number:08x} from 10.0.{number % 200}.{number % 250}:{30000 + number % 9000} closed",
        )
    )


def batches() -> Iterator[TelemetryBatch]:
    """Yield an hour: traces through eight services, a line for every second span; in the last quarter service-7 is slow and complains."""
    source = random.Random(11)
    step_ns = int(HOUR.total_seconds() * 1e9) // SPANS_AN_HOUR
    for first in range(0, SPANS_AN_HOUR, 5_000):
        spans: list[Span] = []
        for serial in range(first, first + 5_000):
            depth = serial % SPANS_OF_A_TRACE
            if depth == 0:
                trace_id, service = source.randbytes(16), source.randrange(len(SERVICES))
            name = SERVICES[(service + depth) % len(SERVICES)]
            start_ns = to_ns(BEGAN_AT) + serial * step_ns
            slow = start_ns >= INCIDENT.start_ns and depth <= (7 - service) % len(SERVICES) < SPANS_OF_A_TRACE
            took_ns = (SPANS_OF_A_TRACE - depth) * 20_000_000 + source.randrange(10_000_000) + 400_000_000 * slow
            operation = f"GET /{name}/{source.randrange(6)}"
            spans.append(
                Span(trace_id, serial + 1, serial if depth else 0, name, operation, 2, start_ns, took_ns, False, "{}")
            )
        logs = [
            LogRecord(s.start_ns, s.service, 9, _line(s, source), s.trace_id, s.span_id if s.span_id % 3 else 0, "{}")
            for s in spans[::2]
        ]
        points = [
            MetricPoint(spans[0].start_ns, service, f"resource.{number}.usage", "{}", "1", source.random())
            for service in SERVICES
            for number in range(20)
        ]
        yield TelemetryBatch(spans, logs, points)


@pytest.mark.timeout(1_800)
def test_localization() -> None:
    store = HotStore(settings.DATABASE_URL, schema="replay_bench_localization")
    store.drop_schema()
    store.prepare()
    for batch in batches():
        store.write(batch)
    for _ in range(5):
        began = time.perf_counter()
        material = fetch(store, INCIDENT, REFERENCE)
        fetched = time.perf_counter()
        ranking = rank_material(material)
        ranked = time.perf_counter()
        print(
            f"\nLocalized {len(material.spans[2]):,} spans and {len(material.lines[2]):,} lines of 15 minutes against {len(material.spans[1]):,} "
            f"and {len(material.lines[1]):,} before: {ranked - began:.2f} s (target {TARGET_SECONDS:g} s; fetching {fetched - began:.2f} s), "
            f"leading {ranking.suspects[0].service}"
        )
    store.drop_schema()
    assert ranking.suspects[0].service == "service-7"
