import numpy as np
import pytest

from incidents.localization.metrics import Departure, Sort, ceiling, departures, sort_of
from incidents.telemetry.datamodel import MetricSeries, SeriesKey

NOISE = np.random.default_rng(5)


def series(service: str, name: str, values: list[float], *, unit: str = "", start: float = 0.0) -> MetricSeries:
    return MetricSeries(
        SeriesKey(service, name, "{}", unit), start + 10.0 * np.arange(len(values)), np.array(values, dtype=float)
    )


def around(level: float, count: int = 30) -> list[float]:
    return (level * (1 + 0.1 * NOISE.standard_normal(count))).tolist()


def found(name: str, before: list[float], after: list[float], *, unit: str = "") -> list[Departure]:
    return departures(
        [series("shop", name, after, unit=unit, start=300)],
        reference=[series("shop", name, before, unit=unit)],
        baseline=[],
    )


def test_running_out_matters_more_than_rising() -> None:
    full = found("process.cpu.utilization", around(0.1), around(0.95), unit="1")[0]
    busy = found("process.cpu.utilization", around(0.01), around(0.25), unit="1")[0]
    assert full.strength > 7
    assert busy.strength < 1
    assert full.before == pytest.approx(0.1, rel=0.1)
    assert full.since == 300


def test_a_calm_series_is_no_departure() -> None:
    assert all(one.strength < 1 for one in found("queue.size", around(50), around(50)))


def test_one_spike_proves_little_and_a_fault_that_ended_still_shows() -> None:
    assert (
        found("heap.used", around(100), [*around(100, 11), 900.0]) == []
        or found("heap.used", around(100), [*around(100, 11), 900.0])[0].strength < 1
    )
    assert found("heap.used", around(100), around(900, 6) + around(100, 4))[0].strength > 5


def test_good_things_are_watched_for_falling() -> None:
    assert found("success_pct", around(99), around(40), unit="%")[0].strength > 1.5
    assert found("success_pct", [40.0, 41, 39, 40, 42], around(99), unit="%") == []


def test_one_series_speaks_for_its_family_and_the_one_with_a_ceiling_first() -> None:
    before = [series("shop", "cpu_usage_pct", around(1)), series("shop", "cpu_usage_millicores", around(3))]
    after = [series("shop", "cpu_usage_pct", around(20)), series("shop", "cpu_usage_millicores", around(60))]
    [one] = departures(after, reference=before, baseline=[])
    assert one.key.name == "cpu_usage_pct"


def test_the_baseline_comes_before_the_reference() -> None:
    usual, broken = series("shop", "queue.size", around(10)), series("shop", "queue.size", around(500))
    [one] = departures([series("shop", "queue.size", around(500))], reference=[broken], baseline=[usual])
    assert one.before == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize("values", [[], [float("nan")] * 20, [1.0, 2.0]])
def test_too_little_to_compare_with_finds_nothing(values: list[float]) -> None:
    assert found("queue.size", values, around(500)) == []
    assert found("queue.size", around(500), [float("nan")] * 5) == []


@pytest.mark.parametrize(
    ("name", "unit", "sort"),
    [
        ("process.cpu.utilization", "1", Sort.RESOURCE),
        ("db.client.connections.usage", "{connection}", Sort.RESOURCE),
        ("http.server.request.duration.p95", "s", Sort.LATENCY),
        ("error_ratio", "1", Sort.FAILURE),
        ("requests_per_second", "1/s", Sort.TRAFFIC),
        ("node_cpu_seconds_total", "s", Sort.SHARED),
        ("temperature", "Cel", Sort.OTHER),
    ],
)
def test_sorts(name: str, unit: str, sort: Sort) -> None:
    assert sort_of(SeriesKey("shop", name, "{}", unit)) is sort


def test_ceilings() -> None:
    assert ceiling(SeriesKey("shop", "disk.used", "{}", "%")) == 100
    assert ceiling(SeriesKey("shop", "system.memory.utilization", "{}", "1")) == 1
    assert ceiling(SeriesKey("shop", "queue.size", "{}", "{item}")) is None
