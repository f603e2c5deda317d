import numpy as np
import pytest

from incidents.detection.signals import (
    Meaning,
    SignalKind,
    from_scale,
    is_limit_of,
    is_share,
    meaning,
    quantile_of,
    to_scale,
    witness,
)
from incidents.telemetry.datamodel import SeriesKey


@pytest.mark.parametrize(
    ("name", "unit", "kind", "factor"),
    [
        ("error_ratio", "1", SignalKind.ERRORS, 1.0),
        ("http_5xx_percent", "", SignalKind.ERRORS, 0.01),
        ("errors", "1/s", SignalKind.RESOURCE, 1.0),
        ("duration_p95", "s", SignalKind.DURATION, 1.0),
        ("http.server.request.duration.p99", "s", SignalKind.DURATION, 1.0),
        ("rpc.duration", "ms", SignalKind.DURATION, 0.001),
        ("response_time", "ms", SignalKind.DURATION, 0.001),
        ("http.server.request.duration.count", "", SignalKind.TRAFFIC, 1.0),
        ("requests_per_second", "1/s", SignalKind.TRAFFIC, 1.0),
        ("availability_pct", "", SignalKind.SUCCESS, 0.01),
        ("up", "1", SignalKind.SUCCESS, 1.0),
        ("cache.hit.ratio", "1", SignalKind.SUCCESS, 1.0),
        ("process.cpu.utilization", "1", SignalKind.RESOURCE, 1.0),
        ("db.client.connections.usage", "", SignalKind.RESOURCE, 1.0),
        ("temperature", "", SignalKind.OTHER, 1.0),
    ],
)
def test_meaning_comes_from_name_and_unit(name: str, unit: str, kind: SignalKind, factor: float) -> None:
    assert meaning(name, unit) == Meaning(kind, factor)


def test_a_histograms_sum_means_nothing_by_itself() -> None:
    assert meaning("http.server.request.duration.sum", "s") is None


@pytest.mark.parametrize("kind", list(SignalKind))
def test_the_scale_can_be_read_back(kind: SignalKind) -> None:
    read_as = Meaning(kind, 0.01)
    values = np.array([0.5, 7.0, 42.0])
    back = [from_scale(read_as, value) for value in to_scale(read_as, values)]
    assert back == pytest.approx(values)


def test_quantiles_of_one_gauge_are_one_witness_and_those_of_spans_are_not() -> None:
    gauges = {witness(SeriesKey("a", f"client_latency_p{q}_s")) for q in (50, 90, 99)}
    derived = {witness(SeriesKey("a", f"duration_p{q}")) for q in (50, 95)}
    assert (len(gauges), len(derived)) == (1, 2)


def test_quantiles_and_shares_are_read_from_names() -> None:
    assert (quantile_of("latency_p99_s"), quantile_of("duration_p50"), quantile_of("latency_avg")) == (99.0, 50.0, 50.0)
    assert is_share(SeriesKey("a", "cpu_usage_pct"))
    assert not is_share(SeriesKey("a", "cpu_usage_millicores"))


@pytest.mark.parametrize(
    ("name", "other", "attributes", "is_limit"),
    [
        ("db.client.connections.usage", "db.client.connections.max", '{"pool":"a"}', True),
        ("system.filesystem.usage", "system.filesystem.limit", "{}", True),
        ("process_open_fds", "process_max_fds", "{}", True),
        ("db.client.connections.usage", "db.client.connections.max", '{"pool":"b"}', False),
        ("db.client.connections.usage", "container.memory.limit", "{}", False),
        ("db.client.connections.max", "db.client.connections.max", "{}", False),
    ],
)
def test_a_limit_is_known_by_its_name_and_place(name: str, other: str, attributes: str, is_limit: bool) -> None:
    key = SeriesKey("payments", name, '{"pool":"a","state":"used"}', "{connection}")
    assert is_limit_of(SeriesKey("payments", other, attributes, "{connection}"), key) == is_limit
    assert not is_limit_of(SeriesKey("checkout", other, attributes, "{connection}"), key)
