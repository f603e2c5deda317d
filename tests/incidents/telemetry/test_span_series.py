from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from incidents.telemetry import span_series
from incidents.telemetry.datamodel import NANOSECONDS, Span, Window, span_table

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
NOON_NS = int(NOON.timestamp()) * NANOSECONDS
HOUR = Window(NOON, NOON + timedelta(hours=1))


def span(number=1, *, at=0.0, took=0.1, service="cart", operation="GET /cart", parent=0, kind=2, error=False):
    start = NOON_NS + round(at * NANOSECONDS)
    return Span(bytes(16), number, parent, service, operation, kind, start, round(took * NANOSECONDS), error, "{}")


def series(spans, *, window=HOUR):
    return {s.key[:3]: s for s in span_series.series(span_series.count(span_table(spans)), window=window)}


def test_requests_errors_and_durations_are_counted_by_when_they_ended():
    spans = [span(i, at=i, took=0.1, error=i == 0) for i in range(4)] + [span(9, at=9.95, took=0.1)]
    found = series(spans)
    rate = found["cart", "requests_per_second", "{}"]
    assert (rate.times - NOON.timestamp()).tolist() == [10, 20]
    assert rate.values.tolist() == [0.4, 0.1]
    assert found["cart", "error_ratio", "{}"].values.tolist() == [0.25, 0]
    assert found["cart", "duration_p50", "{}"].values == pytest.approx([0.1, 0.1], rel=0.05)


def test_each_operation_has_its_series():
    found = series([span(1), span(2, operation="POST /cart", took=1)])
    assert found["cart", "duration_p99", '{"operation":"POST /cart"}'].values == pytest.approx([1], rel=0.05)
    assert found["cart", "requests_per_second", "{}"].values.tolist() == [0.2]


def test_silence_reads_no_requests_and_unknown_durations():
    found = series([span(1), span(2, at=35), span(3, at=35, service="other")])
    assert found["cart", "requests_per_second", "{}"].values.tolist() == [0.1, 0, 0, 0.1]
    assert np.isnan(found["cart", "duration_p95", "{}"].values[1:3]).all()
    assert np.isnan(found["cart", "error_ratio", "{}"].values[1:3]).all()


def test_a_service_that_falls_silent_reads_zero_until_the_others_end():
    assert series([span(1, service="gone"), span(2, at=25)])["gone", "requests_per_second", "{}"].values.tolist() == [
        0.1,
        0,
        0,
    ]


def test_only_received_requests_count():
    kinds = [
        span(1, kind=2),
        span(2, kind=5, parent=1),
        span(3, kind=3, parent=1),
        span(4, kind=1, parent=1),
        span(5, kind=1),
    ]
    assert span_series.entries(span_table(kinds)).tolist() == [True, True, False, False, True]


def test_without_kinds_the_parent_tells():
    spans = [
        span(1, kind=0, service="front"),
        span(2, kind=0, parent=1),
        span(3, kind=0, parent=2, operation="SELECT"),
        span(4, kind=0, parent=77),
        span(5, kind=0, parent=78, operation="SELECT"),
    ]
    assert span_series.entries(span_table(spans)).tolist() == [True, True, False, True, False]


def test_counts_of_several_batches_add_up():
    spans = [span(i, at=i / 10, took=i / 100, error=i % 7 == 0, operation=f"op{i % 3}") for i in range(300)]
    whole = span_series.count(span_table(spans))
    parts = [span_series.count(span_table(spans[i : i + 50])) for i in range(0, 300, 50)]
    names = {name: i for i, name in enumerate(whole.operations)}
    joined = span_series.SpanCells(
        whole.services,
        whole.operations,
        np.concatenate([p.bucket for p in parts]),
        np.concatenate([p.service for p in parts]),
        np.concatenate([[names[p.operations[o]] for o in p.operation] for p in parts]).astype(np.int32),
        np.concatenate([p.bin for p in parts]),
        np.concatenate([p.count for p in parts]),
        np.concatenate([p.errors for p in parts]),
    )
    for one, other in zip(span_series.series(whole, window=HOUR), span_series.series(joined, window=HOUR), strict=True):
        assert one.key == other.key
        np.testing.assert_array_equal(one.values, other.values)


def test_percentiles_are_within_their_bins_width():
    generator = np.random.default_rng(7)
    took = generator.lognormal(-3, 1, 2_000)
    found = series([span(i, took=t) for i, t in enumerate(took, 1)], window=HOUR)
    for name, share in (("duration_p50", 50), ("duration_p95", 95), ("duration_p99", 99)):
        values = found["cart", name, "{}"]
        ended = took[took < 10]
        assert values.values[0] == pytest.approx(np.percentile(ended, share, method="inverted_cdf"), rel=0.05)


def test_names_with_ids_in_them_do_not_make_a_series_each():
    spans = [span(i, operation=f"GET /order/{i}") for i in range(1, 200)]
    operations = {key for key in series(spans) if key[2] != "{}"}
    assert len(operations) == 5 * span_series.MOST_OPERATIONS


def test_only_buckets_that_end_in_the_window_are_returned():
    spans = [span(i, at=i) for i in range(60)]
    found = series(spans, window=Window(NOON + timedelta(seconds=20), NOON + timedelta(seconds=40)))
    assert (found["cart", "requests_per_second", "{}"].times - NOON.timestamp()).tolist() == [20, 30]


def test_nothing_makes_no_series():
    assert series([]) == {}
    assert series([span(1)], window=Window(NOON - timedelta(hours=2), NOON)) == {}
