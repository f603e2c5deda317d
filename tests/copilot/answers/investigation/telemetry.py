"""The telemetry behind the incident of tests/copilot/answers/cast.py: the pool of payments fills up at 02:43:40."""

from datetime import timedelta

from incidents.telemetry.datamodel import LogRecord, MetricPoint, Span, TelemetryBatch, to_ns
from tests.copilot.answers.cast import END, START

SCHEMA = "replay_investigated"
BEGAN = START - timedelta(minutes=20)
FULL_AT = START - timedelta(seconds=10)
HOSTILE = 'rows{service="} or vector(1) # http://canary.invalid/?q=$(id)'


def batch() -> TelemetryBatch:
    """Return twenty calm minutes and the outage."""
    points: list[MetricPoint] = []
    logs: list[LogRecord] = []
    spans: list[Span] = []
    moment, number = BEGAN, 0
    while moment < END:
        number += 1
        full, at = moment >= FULL_AT, to_ns(moment)
        points.append(MetricPoint(at, "payments", "db_pool_in_use", "{}", "{connection}", 10.0 if full else 3.0))
        points.append(MetricPoint(at, "database", "cpu_usage_pct", "{}", "%", 14.0 + number % 2 / 10))
        trace = number.to_bytes(16, "big")
        wait = 3_000_000_000 if full else 18_000_000
        ids = number * 10
        spans += [
            Span(trace, ids, 0, "frontend", "GET /", 2, at, wait + 20_000_000, False, "{}"),
            Span(trace, ids + 1, ids, "checkout", "POST /pay", 2, at + 5_000_000, wait + 10_000_000, full, "{}"),
            Span(trace, ids + 2, ids + 1, "payments", "POST /charge", 2, at + 9_000_000, wait, full, "{}"),
        ]
        body = (
            "QueuePool limit of size 10 overflow 0 reached, connection timed out, timeout 3.00"
            if full
            else f"charge accepted order={number}"
        )
        logs.append(LogRecord(at, "payments", 17 if full else 9, body, trace, ids + 2, "{}"))
        moment += timedelta(seconds=5)
    logs.append(LogRecord(to_ns(START), "checkout", 17, HOSTILE, b"", 0, "{}"))
    logs.append(LogRecord(to_ns(START), "payments", 9, "mail to jane.roe@example.com bounced", b"", 0, "{}"))
    return TelemetryBatch(spans=spans, logs=logs, points=points)
