import numpy as np
import pytest
from numpy.typing import NDArray

from incidents.detection.news import ALARM, COOL_DOWN_SAMPLES, News, news_of


def said(*scores: float, alarm: float = ALARM) -> list[float]:
    return news_of(np.array(scores), alarm=alarm).tolist()


def test_an_episode_is_news_once_though_it_grows_a_little() -> None:
    assert said(0.1, 0.7, 0.75, 0.8, 0.85) == [0.1, 0.7, 0.0, 0.0, 0.0]


def test_what_grows_clearly_graver_is_news_again() -> None:
    assert said(0.7, 0.94, 0.95) == [0.7, 0.0, 0.95]  # 0.70 to 0.945: seven times the odds


def test_below_an_alarm_every_rise_counts_for_the_alarm_that_may_come() -> None:
    assert said(0.3, 0.4, 0.66) == [0.3, 0.4, 0.66]
    assert said(0.3, 0.4, 0.66, alarm=0.2) == [0.3, 0.0, 0.0]


def test_after_the_cool_down_the_same_is_news_again_and_gaps_do_not_count() -> None:
    calm: list[float] = [0.0] * COOL_DOWN_SAMPLES
    assert said(0.7, *calm, 0.7)[-1] == 0.0
    assert said(0.7, *calm, 0.0, 0.7)[-1] == 0.7
    assert said(0.7, *calm, np.nan, 0.7)[-1] == 0.0


@pytest.mark.parametrize("alarm", [ALARM, 0.5])
def test_series_side_by_side_are_judged_as_alone(alarm: float) -> None:
    scores: NDArray[np.float64] = np.random.default_rng(3).uniform(0.0, 1.0, (400, 3))
    together = News(3)
    beside = np.array([together.advance(one, np.ones(3, dtype=np.bool_), alarm=alarm) for one in scores])
    for row in range(3):
        assert (beside[:, row] == news_of(scores[:, row], alarm=alarm)).all()
