import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from incidents.detection import backtest
from incidents.detection.learned import STATE, Learned, Maturity
from incidents.detection.news import ALARM
from tests.incidents.detection.streams import START

DAY = 288  # samples of five minutes


def times(count: int, *, step: float = 300.0) -> NDArray[np.float64]:
    return np.asarray(START.timestamp() + step * np.arange(count), dtype=np.float64)


def run(values: NDArray[np.float64], *, worse: int = 0, step: float = 300.0) -> backtest.Backtest:
    [said] = backtest.run([backtest.Series(times(len(values), step=step), values, worse)])
    return said


def daily(days: int, *, seed: int = 1, noise: float = 1.0) -> NDArray[np.float64]:
    """A series that is 10 by night and 50 by day, with noise."""
    phase = np.arange(days * DAY) % DAY / DAY
    return 30.0 - 20.0 * np.cos(2 * np.pi * phase) + noise * np.random.default_rng(seed).standard_normal(days * DAY)


def test_nothing_is_said_of_thirty_samples_then_it_is_usable_after_a_day_better_after_two_weeks_full() -> None:
    said = [run(daily(2)[:29]), run(daily(2)[:40])]
    assert [one.maturity for one in said] == [Maturity.NEW, Maturity.USABLE]
    assert np.isnan(said[0].score).all()
    assert run(daily(2)[:31], step=3600.0).maturity is Maturity.BETTER
    assert run(daily(2)[:338], step=3600.0).maturity is Maturity.FULL


def test_a_peak_by_night_is_an_alarm_though_each_day_is_as_high() -> None:
    values = daily(6)
    values[5 * DAY : 5 * DAY + 12] = 45.0
    alarms = run(values).alarms
    assert 5 * DAY in alarms
    assert len(alarms[alarms > 2 * DAY]) <= 3


def test_the_own_season_is_found_and_expected() -> None:
    wave = 10.0 * np.sin(2 * np.pi * np.arange(1500) / 90.0)
    said = run(100.0 + wave + np.random.default_rng(2).standard_normal(1500))
    assert said.period_samples == pytest.approx(90.0, abs=1.0)
    assert np.abs(said.expected[-300:] - 100.0 - wave[-300:]).mean() < 4.0


def test_one_alarm_an_episode() -> None:
    values = np.random.default_rng(3).standard_normal(900)
    values[700:760] += 12.0
    alarms = run(values).alarms
    assert len(alarms[(alarms >= 700) & (alarms < 760)]) in (1, 2, 3)
    assert alarms[alarms >= 600][0] in (700, 701)


@pytest.mark.parametrize(("worse", "up", "down"), [(0, True, True), (1, True, False), (-1, False, True)])
def test_only_the_harmful_direction_counts(worse: int, up: bool, down: bool) -> None:
    def alarmed(shift: float) -> bool:
        values = np.random.default_rng(4).standard_normal(1200)
        values[1000:1010] += shift
        return bool(np.isin(run(values, worse=worse).alarms, np.arange(1000, 1010)).any())

    assert (alarmed(15.0), alarmed(-15.0)) == (up, down)


def test_the_score_means_the_same_whatever_the_unit_and_the_noise() -> None:
    rng = np.random.default_rng(5)
    noises = [rng.standard_normal(1500), rng.standard_t(2.5, 1500), rng.lognormal(0.0, 1.5, 1500)]
    said = backtest.run(
        [
            backtest.Series(times(1500), 1000.0 * factor + factor * noise)
            for noise in noises
            for factor in (1e-6, 1.0, 1e9)
        ]
    )
    counts = [len(one.alarms) for one in said]
    assert counts[0:9:3] == counts[1:9:3] == counts[2:9:3]  # whatever the unit
    assert max(counts) <= 10  # of 1,500 samples, whatever the distribution


def test_constant_series_gaps_and_strange_numbers_say_nothing() -> None:
    constant = np.full(800, 42.0)
    assert not len(run(constant).alarms)
    holes = daily(4)
    holes[::3] = np.nan
    holes[100], holes[101] = np.inf, -np.inf
    said = run(holes)
    assert np.isnan(said.score[::3]).all()
    assert len(said.alarms[said.alarms > DAY]) <= 4


def test_a_constant_that_moves_is_an_alarm_at_once() -> None:
    values = np.full(800, 42.0)
    values[600:] = 43.0
    assert 600 in run(values).alarms


def test_a_drift_is_followed() -> None:
    values = daily(6) + np.linspace(0.0, 30.0, 6 * DAY)
    assert len(run(values).alarms) <= 6


def test_restarting_between_any_two_samples_loses_nothing() -> None:
    rng = np.random.default_rng(6)
    values = rng.standard_normal((700, 3)).cumsum(axis=0)
    worse = np.zeros(3, dtype=np.int8)
    straight, restarted = Learned(3), Learned(3)
    for number, (at, row) in enumerate(zip(times(700), values, strict=True)):
        if number % 37 == 0:
            restarted = Learned.unpack(np.frombuffer(restarted.pack().tobytes(), dtype=STATE))
        moment = np.full(3, at)
        one, other = straight.advance(moment, row, worse), restarted.advance(moment, row, worse)
        # The stored spread has seven digits, and the tails are fresh after a restart.
        np.testing.assert_allclose(one.expected, other.expected, rtol=1e-6)
        np.testing.assert_allclose(one.score, other.score, atol=0.3)


def test_a_series_state_is_small() -> None:
    assert STATE.itemsize < 6_000


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(40, 399))
def test_later_samples_and_other_series_never_change_a_verdict(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(400)
    values[rng.random(400) < 0.1] = np.nan
    other = backtest.Series(times(400), rng.lognormal(0, 2, 400))
    together = backtest.run([other, backtest.Series(times(400), values)])[1]
    np.testing.assert_array_equal(together.score[:cut], run(values[:cut]).score)
    assert np.nanmax(together.score, initial=0.0) <= 1.0
    assert list(together.alarms) == [i for i in range(400) if together.news[i] >= ALARM]
