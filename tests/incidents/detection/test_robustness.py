"""What real telemetry does to a detector: counters that restart, deploys, clocks that run backwards, absurd numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from incidents.detection import backtest
from incidents.detection.learned import Learned
from tests.incidents.detection.streams import START

NOISE = np.random.default_rng(8).standard_normal(1500)
UP_AND_DOWN = np.zeros(1, dtype=np.int8)


def run(values: NDArray[np.float64]) -> backtest.Backtest:
    times = START.timestamp() + 60.0 * np.arange(len(values))
    [said] = backtest.run([backtest.Series(times, values)])
    return said


def test_a_deploy_that_shifts_the_level_is_news_once_and_then_the_new_normal() -> None:
    alarms = run((np.where(np.arange(1500) < 800, 20.0, 45.0) + NOISE)[:1400]).alarms
    after = alarms[alarms >= 800]
    assert after[0] in (800, 801)
    assert len(after) <= 3
    assert after[-1] < 1200


def test_a_counter_that_restarts_often_is_news_at_first_only() -> None:
    alarms = run(np.arange(1500) % 200 + 0.1 * NOISE).alarms
    assert set(alarms.tolist()) <= set(range(200, 1001, 200))  # once a restart, at most


def test_a_clock_that_runs_backwards_moves_no_series_back() -> None:
    learned = Learned(1)
    for moment, value in zip([*range(0, 6000, 60), *range(5000, 11_000, 60)], NOISE[:200], strict=True):
        before = learned.last_at.copy()
        said = learned.advance(np.array([float(moment)]), np.array([value]), UP_AND_DOWN)
        assert (learned.last_at >= before).all()
        assert np.isnan(said.score).all() or 0.0 <= said.score[0] <= 1.0


@settings(max_examples=40, deadline=None)
@given(
    odd=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20),
    at=st.integers(0, 80),
)
def test_no_number_whatever_spoils_what_is_said_later(odd: list[float], at: int) -> None:
    values = np.concatenate([NOISE[:at], odd, NOISE[at:160]])
    said = run(values)
    later = said.score[at + len(odd) + 30 :]
    assert np.isfinite(later).all()
    assert ((later >= 0.0) & (later <= 1.0)).all()


@pytest.mark.parametrize("length", [30, 31, 60])
def test_thirty_samples_are_enough_to_say_something(length: int) -> None:
    said = run(np.append(NOISE[:length], 500.0))
    assert np.isfinite(said.score[-1])
