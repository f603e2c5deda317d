import numpy as np
import pytest
from numpy.typing import NDArray

from incidents.detection.forecast import backtest, budget_used, forecast

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


def disk(times: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """A share that fills, with a clean-up each six hours that takes a little back."""
    hours = times / HOUR
    return 0.3 + 0.03 * hours - 0.02 * np.floor(hours / 6.0) + lasting_noise(len(times), seed=seed, spread=0.004)


def memory(times: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """A share that leaks under the saw teeth of a garbage collector."""
    teeth = 0.08 * (times / 1500.0 % 1.0)
    return 0.3 + 0.03 * times / HOUR + teeth + lasting_noise(len(times), seed=seed, spread=0.01)


def connections(times: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Whole connections of a pool of 100 that are not given back, one now and then, beside those in use."""
    lost = np.cumsum(np.random.default_rng(seed).poisson(4.0 / 60.0, len(times)))
    return np.minimum(np.maximum(np.rint(12.0 + lost + lasting_noise(len(times), seed=seed, spread=3.0)), 0.0), 100.0)


def budget(times: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """The used share of a day's error budget while errors come in bursts, a tenth of the time."""
    noise = np.random.default_rng(seed)
    bursts = np.repeat(noise.random(len(times) // 10 + 1) < 0.1, 10)[: len(times)]
    failing = np.where(bursts, 0.1, 0.001) * noise.uniform(0.5, 1.5, len(times))
    return budget_used(times, failing, objective=0.99, period_seconds=24 * HOUR)


DRIFTS = {
    "disk": (disk, 1.0),
    "memory": (memory, 1.0),
    "connections": (connections, 100.0),
    "error budget": (budget, 1.0),
}


def backtested(kind: str, *, series: int) -> tuple[int, int, float]:
    """Forecast along so many drifts of a kind; return how many forecasts, how many held, and the median lead time in hours."""
    made, limit = DRIFTS[kind]
    found = [
        backtest(times, made(times, seed), limit=limit, watched=360, every=60)
        for seed in range(series)
        for times in [minutes(2400)]
    ]
    leads = [one.median_lead_seconds / HOUR for one in found if one.median_lead_seconds is not None]
    return sum(one.forecasts for one in found), sum(one.held for one in found), float(np.median(leads))


@pytest.mark.parametrize("kind", DRIFTS)
def test_what_fills_up_is_forecast_with_an_interval_that_holds(kind: str) -> None:
    forecasts, held, lead = backtested(kind, series=15)
    assert forecasts >= 40
    assert held / forecasts >= 0.85
    assert lead >= 2.0


def test_a_flat_series_is_hardly_ever_said_to_reach_a_limit() -> None:
    said = [forecast(minutes(360), 0.5 + lasting_noise(360, seed=seed, spread=0.02), limit=1.0) for seed in range(200)]
    assert sum(one is not None for one in said) <= 2
