import numpy as np
import pytest
from numpy.typing import NDArray

from incidents.detection.forecast import backtest, forecast

HOUR = 3600.0


def lasting_noise(count: int, *, seed: int, spread: float, memory: float = 0.9) -> NDArray[np.float64]:
    """Noise of which each value is much like the one before."""
    fresh = np.random.default_rng(seed).standard_normal(count) * spread * np.sqrt(1 - memory**2)
    noise = np.zeros(count)
    for place in range(1, count):
        noise[place] = memory * noise[place - 1] + fresh[place]
    return noise


def minutes(count: int) -> NDArray[np.float64]:
    return np.linspace(0.0, 60.0 * (count - 1), count)


def test_a_disk_that_fills_is_forecast_with_its_interval() -> None:
    times = minutes(360)
    said = forecast(times, 0.5 + 0.05 * times / HOUR + lasting_noise(360, seed=1, spread=0.005), limit=1.0)
    assert said is not None
    assert said.likely_seconds == pytest.approx(4 * HOUR, rel=0.15)
    assert said.latest_seconds is not None
    assert said.earliest_seconds < 4 * HOUR < said.latest_seconds


def test_what_falls_to_its_limit_is_forecast_too() -> None:
    times = minutes(360)
    said = forecast(times, 100.0 - 10.0 * times / HOUR, limit=0.0)
    assert said is not None
    assert said.likely_seconds == pytest.approx(4 * HOUR, rel=0.05)


@pytest.mark.parametrize("slope", [0.0, -0.05])
def test_what_does_not_drift_there_is_not_forecast(slope: float) -> None:
    times = minutes(360)
    assert forecast(times, 0.5 + slope * times / HOUR + lasting_noise(360, seed=2, spread=0.02), limit=1.0) is None


def test_too_little_known_too_far_away_or_there_already() -> None:
    times = minutes(100)
    assert forecast(times[:20], times[:20], limit=1e4) is None
    assert forecast(times, times, limit=1e9) is None
    assert forecast(times, times, limit=0.0) is None
    assert forecast(times, np.full(100, np.nan), limit=1.0) is None


def test_outliers_and_gaps_do_not_matter() -> None:
    times = minutes(360)
    values = 0.5 + 0.05 * times / HOUR
    values[::7], values[3::11] = np.nan, 40.0
    said = forecast(times, values, limit=1.0)
    assert said is not None
    assert said.likely_seconds == pytest.approx(4 * HOUR, rel=0.05)


def test_backtests_of_many_drifts_hold_the_truth_in_nine_of_ten() -> None:
    held = forecasts = 0
    for seed in range(60):
        times = minutes(1500)
        drift = 0.2 + 0.04 * times / HOUR + lasting_noise(1500, seed=seed, spread=0.02, memory=0.95)
        said = backtest(times, drift, limit=1.0, watched=360, every=60)
        held, forecasts = held + said.held, forecasts + said.forecasts
    assert forecasts > 300
    assert 0.85 <= held / forecasts <= 1.0


def test_a_flat_series_is_hardly_ever_said_to_reach_a_limit() -> None:
    said = [forecast(minutes(360), 0.5 + lasting_noise(360, seed=seed, spread=0.02), limit=1.0) for seed in range(200)]
    assert sum(one is not None for one in said) <= 2
