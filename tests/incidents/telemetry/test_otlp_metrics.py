import math

import pytest

from incidents.telemetry import metric_series
from incidents.telemetry.otlp import decode
from incidents.telemetry.otlp_metrics import quantile
from tests.incidents.telemetry import requests
from tests.incidents.telemetry.requests import NOON, SECOND


def decoded(*metrics, **resource):
    document = requests.request("metrics", metrics, **resource)
    batch = decode("metrics", requests.in_json(document), encoding="json", mask=str).batch
    assert batch == decode("metrics", requests.in_protobuf("metrics", document), encoding="protobuf", mask=str).batch
    return batch


def series(*metrics, **resource):
    return {s.key.name: s for s in metric_series.series(metric_series.stored(decoded(*metrics, **resource).points))}


def histogram(points, *, temporality=2, kind="histogram"):
    stamped = [
        {"timeUnixNano": str(NOON + i * 10 * SECOND), "startTimeUnixNano": str(NOON + (i - 1) * 10 * SECOND), **p}
        for i, p in enumerate(points)
    ]
    return {"name": "duration", "unit": "s", kind: {"dataPoints": stamped, "aggregationTemporality": temporality}}


def test_a_gauge_stays_as_it_is():
    found = series(requests.gauge("memory", [1, 2, 3]))["memory"]
    assert found.values.tolist() == [1, 2, 3]
    assert found.times.tolist() == [NOON / SECOND, NOON / SECOND + 10, NOON / SECOND + 20]
    assert found.key == ("cart", "memory", "{}", "By")


def test_a_running_total_becomes_a_rate_that_survives_a_restart():
    found = series(requests.total("requests", [100, 150, 170, 30]))["requests"]
    assert found.values.tolist() == [5, 2, 3]
    assert found.key.unit == "1/s"


def test_increments_become_a_rate():
    found = series(requests.total("requests", [50, 20], temporality=1))["requests"]
    assert (found.values.tolist(), found.key.unit) == ([5, 2], "1/s")


def test_values_that_are_missing_or_endless_read_nan():
    assert math.isnan(series(requests.gauge("memory", [1], flags=1))["memory"].values[0])
    batch = decode(
        "metrics",
        requests.in_json(requests.request("metrics", [requests.gauge("m", ["Infinity"])])),
        encoding="json",
        mask=str,
    ).batch
    assert math.isnan(batch.points[0].value)


def test_a_running_histogram_becomes_rates_and_percentiles_of_its_increments():
    counts = [[1000, 0, 0], [1090, 9, 1]]
    points = [
        {"count": str(sum(c)), "sum": 10.0 * i, "explicitBounds": [0.1, 1.0], "bucketCounts": [str(n) for n in c]}
        for i, c in enumerate(counts)
    ]
    found = series(histogram(points))
    assert found["duration.count"].values.tolist() == [10]
    assert found["duration.sum"].values.tolist() == [1]
    assert found["duration.p50"].values == pytest.approx([0.1 * 50 / 90])
    assert found["duration.p95"].values == pytest.approx([0.1 + 0.9 * 5 / 9])
    assert set(found) == {"duration.count", "duration.sum", "duration.p50", "duration.p95", "duration.p99"}


def test_a_histogram_of_increments_has_percentiles_at_once():
    found = series(
        histogram([{"count": "10", "sum": 1.0, "explicitBounds": [1.0], "bucketCounts": ["10", "0"]}], temporality=1)
    )
    assert found["duration.p50"].values.tolist() == [0.5]
    assert found["duration.count"].values.tolist() == [1]


def test_exponential_buckets_are_read_by_their_bounds():
    point = {"count": "4", "sum": 9.0, "scale": 0, "positive": {"offset": 0, "bucketCounts": ["4"]}}
    found = series(histogram([point], temporality=1, kind="exponentialHistogram"))
    assert 1 < found["duration.p50"].values[0] <= 2


def test_a_summary_keeps_its_quantiles():
    point = {"timeUnixNano": str(NOON), "count": "3", "sum": 2.0, "quantileValues": [{"quantile": 0.99, "value": 1.5}]}
    found = series({"name": "gc", "unit": "s", "summary": {"dataPoints": [point]}})
    assert found["gc.p99"].values.tolist() == [1.5]


def test_many_buckets_are_merged():
    bounds = [float(i) for i in range(1, 160)]
    point = {"count": "160", "sum": 1.0, "explicitBounds": bounds, "bucketCounts": ["1"] * 160}
    points = decoded(histogram([point])).points
    buckets = [p for p in points if p.name == "duration.bucket"]
    assert len(buckets) <= 40
    assert sum(p.value for p in buckets) == 160


def test_instances_are_added_for_totals_and_averaged_for_gauges():
    points = [
        p
        for instance, factor in (("a", 1), ("b", 3))
        for p in decoded(
            requests.total("requests", [0, 10 * factor, 20 * factor]),
            requests.gauge("memory", [factor] * 3),
            **{"service.instance.id": instance},
        ).points
    ]
    found = {s.key.name: s for s in metric_series.series(metric_series.stored(points))}
    assert found["requests"].values.tolist() == [4, 4]
    assert found["memory"].values.tolist() == [2, 2, 2]


def test_a_restarted_instance_is_not_counted_twice():
    first = decoded(requests.gauge("memory", [5] * 6), **{"service.instance.id": "a"}).points
    second = decoded(requests.gauge("memory", [1] * 6, at=NOON + 120 * SECOND), **{"service.instance.id": "b"}).points
    [found] = metric_series.series(metric_series.stored([*first, *second]))
    assert found.values.tolist() == [5] * 6 + [1] * 6


def test_a_point_without_a_time_is_refused_alone():
    metric = requests.gauge("memory", [1, 2])
    metric["gauge"]["dataPoints"][0]["timeUnixNano"] = "0"
    batch = decoded(metric)
    assert (len(batch.points), batch.rejected) == (1, 1)


def test_the_quantile_of_nothing_is_unknown():
    assert math.isnan(quantile([1.0], [0, 0], 0.5))
    assert quantile([1.0, 2.0], [0, 0, 5], 0.5) == 2.0
