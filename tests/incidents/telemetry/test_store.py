import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import pytest
from django.conf import settings
from psycopg import sql

from incidents.telemetry import store_reads
from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.datamodel import ChangeRecord, LogRecord, MetricPoint, Span, TelemetryBatch, Window, to_ns
from incidents.telemetry.otlp import Decoded
from incidents.telemetry.recording import Recording, read
from incidents.telemetry.store import HotStore
from tests.outage import write_outage

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
HOUR = Window(NOON, NOON + timedelta(hours=1))


def span(number, *, at=NOON, trace=1, service="cart", operation="GET /cart", parent=0, took=0.1):
    return Span(
        trace.to_bytes(16, "big"), number, parent, service, operation, 2, to_ns(at), int(took * 1e9), False, '{"a":1}'
    )


def log(body, *, at=NOON, service="cart"):
    return LogRecord(to_ns(at), service, 17, body, b"", 0, "{}")


def point(value, *, at=NOON, name="memory", **fields):
    return MetricPoint(to_ns(at), "cart", name, "{}", "By", value, **fields)


@pytest.fixture
def outage(tmp_path):
    return write_outage(tmp_path)


def test_it_answers_as_the_recording_does(store, outage):
    for decoded in read(outage, mask=str):
        store.write(decoded)
    recording = Recording.load(outage, mask=str)
    window = recording.window
    assert store.window() == window
    assert store.span_count() == len(recording.spans)
    expected = {s.key: s for s in recording.fetch_metrics(window)}
    found = {s.key: s for s in store.fetch_metrics(window)}
    assert found.keys() == expected.keys()
    for key, series in found.items():
        np.testing.assert_array_equal(series.times, expected[key].times)
        np.testing.assert_array_equal(series.values, expected[key].values)
    assert store.fetch_logs(window) == recording.fetch_logs(window)
    table, other = store.fetch_spans(window), recording.fetch_spans(window)
    assert rows(table) == rows(other)
    trace = table.trace_ids[3]
    assert Counter(store.fetch_trace(trace)) == Counter(recording.fetch_trace(trace))


def rows(table):
    columns = (
        table.trace,
        table.service,
        table.operation,
        table.span_id,
        table.parent_id,
        table.kind,
        table.start_ns,
        table.duration_ns,
        table.is_error,
    )
    return Counter(
        (table.trace_ids[trace], table.services[service], table.operations[operation], *rest)
        for trace, service, operation, *rest in zip(*(column.tolist() for column in columns), strict=True)
    )


def test_services_and_windows_limit_what_is_fetched(store):
    store.write(
        TelemetryBatch(
            [span(1), span(2, service="other", at=NOON + timedelta(minutes=30))],
            [log("a"), log("b", service="other")],
            [point(1.0), point(2.0, at=NOON + timedelta(minutes=2))],
        )
    )
    assert store.fetch_spans(HOUR, services=["other"]).services == ["other"]
    assert [r.body for r in store.fetch_logs(HOUR, services=["cart"])] == ["a"]
    assert {s.key.service for s in store.fetch_metrics(HOUR, services=["cart"])} == {"cart"}
    assert store.fetch_metrics(HOUR, services=["nobody"]) == []
    assert len(store.fetch_spans(Window(NOON + timedelta(minutes=1), HOUR.end))) == 1


def test_the_newest_lines_are_kept_when_there_are_too_many(store):
    store.write(TelemetryBatch(logs=[log(str(i), at=NOON + timedelta(seconds=i)) for i in range(10)]))
    assert [r.body for r in store.fetch_logs(HOUR, limit=3)] == ["7", "8", "9"]


def test_of_too_many_spans_whole_traces_are_left_out(store, monkeypatch):
    store.write(
        TelemetryBatch(
            spans=[span(2 * n + child + 1, trace=n + 1, parent=2 * n * child) for n in range(400) for child in (0, 1)]
        )
    )
    assert len(store.fetch_spans(HOUR)) == 800
    monkeypatch.setattr(store_reads, "MOST_SPANS", 200)
    kept = store.fetch_spans(HOUR)
    assert 100 < len(kept) < 300
    assert set(np.bincount(kept.trace).tolist()) == {2}


def test_totals_become_rates_over_several_writes(store):
    for i, value in enumerate([100.0, 150.0, 10.0]):
        store.write(
            TelemetryBatch(points=[point(value, at=NOON + timedelta(seconds=10 * i), name="requests", is_counter=True)])
        )
    [found] = store.fetch_metrics(HOUR)
    assert (found.values.tolist(), found.key.unit) == ([5, 1], "By/s")


def test_a_missing_value_stays_missing(store):
    store.write(TelemetryBatch(points=[point(float("nan"))]))
    assert np.isnan(store.fetch_metrics(HOUR)[0].values).all()


def test_a_new_version_is_a_change(store):
    for version, minute in (("1.5", 20), ("1.4", 1), ("1.5", 10), ("1.4", 30)):
        at = NOON + timedelta(minutes=minute)
        store.write(Decoded(TelemetryBatch([span(minute, at=at)]), {}, {("cart", version): to_ns(at)}))
    assert store.fetch_changes(HOUR) == [
        ChangeRecord(NOON + timedelta(minutes=10), "cart", "cart 1.4 → 1.5", "1.4", "1.5")
    ]


def test_an_empty_store_answers_with_nothing(store):
    assert store.window() is None
    assert store.span_count() == 0
    assert len(store.fetch_spans(HOUR)) == 0
    assert (
        store.fetch_metrics(HOUR),
        store.fetch_logs(HOUR),
        store.fetch_changes(HOUR),
        store.fetch_trace(bytes(16)),
    ) == ([], [], [], [])


def test_old_hours_are_dropped_and_can_come_back(store):
    old, new = NOON - timedelta(hours=3), NOON
    store.write(TelemetryBatch([span(1, at=old), span(2, at=new)], [log("old", at=old)], [point(1.0, at=old)]))
    assert store.drop_older_than(NOON - timedelta(hours=2)) == 4
    assert store.window() == Window(new, new + timedelta(microseconds=1))
    other = HotStore(settings.DATABASE_URL, schema=store.schema)
    store.write(TelemetryBatch([span(3, at=old)]))
    other.drop_older_than(NOON - timedelta(hours=2))
    store.write(TelemetryBatch([span(4, at=old)]))  # its hour was dropped by another process
    assert store.span_count() == 2


def test_the_hour_of_the_cutoff_stays(store):
    store.write(TelemetryBatch([span(1)]))
    assert store.drop_older_than(NOON + timedelta(minutes=59)) == 0


def test_several_processes_may_prepare_and_write_at_once(store):
    failures = []

    def write(number):
        try:
            own = HotStore(settings.DATABASE_URL, schema="replay_race")
            own.prepare()
            for i in range(5):
                operation = f"op{(i + number) % 5}"
                own.write(
                    TelemetryBatch([span(i + 1, trace=number, operation=operation)], [], [point(1.0, name=operation)])
                )
        except TelemetryError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    race = HotStore(settings.DATABASE_URL, schema="replay_race")
    try:
        assert failures == []
        assert race.span_count() == 30
        assert len(race.fetch_spans(HOUR).operations) == 5
    finally:
        race.drop_schema()


def test_a_write_is_all_or_nothing(store):
    with pytest.raises(TelemetryError, match="could not write"):
        store.write(TelemetryBatch([span(1)], [log("a\0b")]))
    assert store.window() is None
    store.write(TelemetryBatch([span(1)], [log("ab")]))
    assert store.fetch_spans(HOUR).services == ["cart"]


def test_only_the_window_s_hours_are_looked_at(store):
    store.write(TelemetryBatch([span(i + 1, at=NOON + timedelta(hours=i)) for i in range(5)]))
    with psycopg.connect(settings.DATABASE_URL) as connection:
        query = "EXPLAIN SELECT * FROM replay_test.spans WHERE start_ns >= {} AND start_ns < {}"
        plan = "\n".join(row[0] for row in connection.execute(sql.SQL(query).format(HOUR.start_ns, HOUR.end_ns)))
    assert "spans_2026031412" in plan
    assert "spans_2026031413" not in plan


def test_records_over_too_many_hours_are_refused(store):
    with pytest.raises(TelemetryError, match="spread over"):
        store.write(TelemetryBatch([span(i + 1, at=NOON + timedelta(hours=i)) for i in range(1_200)]))


def test_an_unreachable_database_is_named():
    store = HotStore("postgresql://copilot@127.0.0.1:1/none")
    with pytest.raises(TelemetryError, match=r"127\.0\.0\.1:1 could not fetch logs from 2026-03-14 12:00:00"):
        store.fetch_logs(HOUR)
    store.close()


def test_a_store_that_was_never_prepared_says_so():
    with pytest.raises(TelemetryError, match="does not exist"):
        HotStore(settings.DATABASE_URL, schema="replay_absent").span_count()


@pytest.mark.parametrize("name", ["", "Live", "a-b", 'x"; DROP TABLE y', "1a", "a" * 60])
def test_a_schema_has_a_plain_name(name):
    with pytest.raises(ValueError, match="cannot be a hot store's name"):
        HotStore(settings.DATABASE_URL, schema=name)
