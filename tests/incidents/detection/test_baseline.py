import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.detection.anomaly import Direction, Episode
from incidents.detection.baseline import find_episodes
from incidents.telemetry.datamodel import MetricSeries, Window
from tests.incidents.detection.streams import START, at, calm, stepped, stream, whole


def found(*series: MetricSeries) -> list[Episode]:
    return find_episodes(list(series), window=whole(series[0]))


def test_a_lasting_slowness_is_found_with_its_times_and_range() -> None:
    slow = stream(stepped(120, 0.2, start=60, length=20, factor=5))
    [episode] = found(slow)
    assert episode.direction is Direction.UP
    assert episode.started_at == at(600)  # bucket 60 covers 600 s to 610 s
    assert at(630) <= episode.detected_at <= at(660)
    assert episode.ended_at is not None
    assert at(800) <= episode.ended_at <= at(830)
    assert 0.1 < episode.usual_low < 0.2 < episode.usual_high < 0.35
    assert 0.8 < episode.peak < 1.4
    assert episode.score > 6


def test_an_episode_that_lasts_has_no_end() -> None:
    [episode] = found(stream(stepped(80, 0.2, start=60, length=20, factor=5)))
    assert episode.ended_at is None


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_blip_is_none(length: int) -> None:
    assert not found(stream(stepped(120, 0.2, start=60, length=length, factor=50)))


def test_repeated_blips_are_none() -> None:
    values = calm(120, 0.2)
    values[30::6] *= 20
    values[31::6] *= 20
    assert not found(stream(values))


@pytest.mark.parametrize(
    ("name", "unit", "usual"),
    [
        ("duration_p95", "s", 0.004),
        ("error_ratio", "1", 0.0),
        ("cpu_usage_pct", "", 0.0),
        ("memory_usage", "By", 1e9),
        ("queue", "", 0.0),
    ],
)
def test_constant_and_tiny_series_do_not_explode(name: str, unit: str, usual: float) -> None:
    values = np.full(120, usual)
    values[60:80] += max(usual * 0.01, 0.001)
    assert not found(stream(values, name, unit=unit))


def test_noise_alone_is_none_in_a_thousand_series() -> None:
    series = [
        stream(calm(200, 0.2, spread=0.3, seed=seed), attributes=f'{{"operation":"{seed}"}}') for seed in range(1000)
    ]
    assert not find_episodes(series, window=whole(series[0]))


def test_a_slow_drift_is_not_an_episode() -> None:
    rng = np.random.default_rng(3)
    leak = 1e8 + 1e5 * np.arange(300) + 1e5 * rng.standard_normal(300)
    assert not found(stream(leak, "process.memory.usage", unit="By"))


@pytest.mark.parametrize(
    ("name", "factor", "expected"),
    [
        ("duration_p95", 5.0, Direction.UP),
        ("duration_p95", 0.2, None),
        ("process.cpu.utilization", 4.0, Direction.UP),
        ("process.cpu.utilization", 0.1, None),
        ("requests_per_second", 3.0, Direction.UP),
        ("requests_per_second", 0.1, Direction.DOWN),
        ("availability_pct", 0.5, Direction.DOWN),
    ],
)
def test_direction_depends_on_what_is_measured(name: str, factor: float, expected: Direction | None) -> None:
    usual = {"requests_per_second": 20.0, "availability_pct": 99.0, "duration_p95": 0.5}.get(name, 0.2)
    values = calm(120, usual, spread=0.004)
    values[60:90] *= factor
    episodes = found(stream(values, name))
    assert [episode.direction for episode in episodes] == ([expected] if expected else [])


def test_failures_count_for_more_when_more_requests_are_behind_them() -> None:
    share = np.zeros(120)
    share[60:90] = 0.10
    few = [stream(share, "error_ratio"), stream(np.full(120, 0.5), "requests_per_second")]
    many = [stream(share, "error_ratio"), stream(np.full(120, 50.0), "requests_per_second")]
    assert not [e for e in found(*few) if e.key.name == "error_ratio"]
    assert [e for e in found(*many) if e.key.name == "error_ratio"]


@pytest.mark.parametrize(
    ("share", "rate", "said_after", "is_critical"),
    [(0.6, 20.0, 10, True), (0.6, 1.0, 20, True), (1.0, 0.3, 30, True), (0.3, 20.0, 30, True), (0.15, 20.0, 50, False)],
)
def test_the_more_requests_fail_the_sooner_it_is_said(
    share: float, rate: float, said_after: float, is_critical: bool
) -> None:
    shares = np.zeros(120)
    shares[60:90] = share
    [failing] = found(stream(shares, "error_ratio"), stream(np.full(120, rate), "requests_per_second"))
    assert failing.detected_at == at(600 + said_after)
    assert (failing.critical_at is not None) == is_critical


def test_a_cache_that_misses_fails_nobody_and_takes_three_samples() -> None:
    hits = np.full(120, 0.9)
    hits[60:] = 0.0
    [cold] = found(stream(hits, "cache.hit.ratio", unit="1"), stream(np.full(120, 90.0), "requests_per_second"))
    assert cold.detected_at == at(630)


def test_a_quantile_of_hardly_any_requests_says_nothing() -> None:
    slow = stream(stepped(120, 0.2, start=60, length=30, factor=10))
    idle, busy = stream(np.full(120, 0.1), "requests_per_second"), stream(np.full(120, 5.0), "requests_per_second")
    assert not [e for e in found(slow, idle) if e.key.name == "duration_p95"]
    assert [e for e in found(slow, busy) if e.key.name == "duration_p95"]


def test_a_duration_longer_than_the_departure_is_a_connection_held_open() -> None:
    values = calm(60, 0.2)
    values[40:50] = 3600.0
    assert not found(stream(values, "client_latency_p90_s", step=60))


def test_silence_of_a_service_is_missing_traffic() -> None:
    rest = stream(np.full(120, 20.0), "requests_per_second", service="catalog")
    gone = stream(np.full(70, 20.0), "requests_per_second", service="checkout")
    [episode] = find_episodes([rest, gone], window=whole(rest))
    assert (episode.key.service, episode.direction, episode.peak) == ("checkout", Direction.DOWN, 0.0)


def test_gaps_and_nan_are_skipped() -> None:
    values = stepped(120, 0.2, start=60, length=20, factor=5)
    values[10:20] = np.nan
    values[63] = np.inf
    [episode] = found(stream(values))
    assert episode.started_at == at(600)


def test_an_hour_long_outage_does_not_become_usual() -> None:
    [episode] = found(stream(stepped(500, 0.2, start=60, length=440, factor=5)))
    assert episode.ended_at is None


def test_gauges_by_the_minute_are_judged_after_ten_samples() -> None:
    values = stepped(30, 0.2, start=12, length=10, factor=6)
    [episode] = found(stream(values, "process.cpu.utilization", step=60))
    assert episode.started_at == at(13 * 60)
    assert episode.detected_at == at(14 * 60)
    [late] = found(stream(values[5:], "process.cpu.utilization", step=60))
    assert late.started_at == at(11 * 60)  # its first ten samples, three of them odd, are what it is judged by


def test_jitter_of_a_scrape_does_not_matter() -> None:
    steady = stream(stepped(60, 0.2, start=40, length=15, factor=6), "process.cpu.utilization", step=15)
    moved = np.random.default_rng(5).uniform(-2, 2, 60)
    [episode] = found(MetricSeries(steady.key, steady.times + moved, steady.values))
    assert episode.ended_at is not None


def test_only_the_window_is_judged() -> None:
    series = stream(stepped(200, 0.2, start=60, length=20, factor=5))
    assert not find_episodes([series], window=Window(at(1200), at(2001)))
    assert not find_episodes([series], window=Window(START, at(600)))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(
        ["duration_p95", "error_ratio", "requests_per_second", "process.cpu.utilization", "queue_size"]
    ),
    start=st.integers(20, 80),
    length=st.integers(1, 40),
    factor=st.floats(0.05, 30),
    cut=st.integers(15, 119),
)
def test_later_samples_never_change_an_earlier_decision(
    seed: int, kind: str, start: int, length: int, factor: float, cut: int
) -> None:
    rng = np.random.default_rng(seed)
    values = stepped(120, 0.2, start=start, length=length, factor=factor, seed=seed)
    values[rng.random(120) < 0.05] = np.nan
    series = [stream(values, kind), stream(calm(120, 5.0, seed=seed + 1), "requests_per_second", service="other")]
    if kind != "requests_per_second":
        series.append(stream(calm(120, 8.0, spread=0.3, seed=seed + 2), "requests_per_second"))
    now = at(10.0 * (cut + 1))
    known = find_episodes(series, window=Window(START, at(1201)))
    earlier = [MetricSeries(s.key, s.times[: cut + 1], s.values[: cut + 1]) for s in series]
    then = find_episodes(earlier, window=Window(START, now))

    def decision(episode: Episode) -> tuple[object, ...]:
        return (
            episode.key,
            episode.direction,
            episode.started_at,
            episode.detected_at,
            episode.usual_low,
            episode.usual_high,
        )

    assert [decision(e) for e in then] == [decision(e) for e in known if e.detected_at <= now]
    ended = {decision(e): e.ended_at for e in known}
    assert all(e.ended_at is None or e.ended_at == ended[decision(e)] for e in then)
