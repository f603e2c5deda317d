import numpy as np
import pytest

from incidents.detection.transience import Run, Tracker


def followed(scores: str, *, step: float = 10.0, critical: bool = False) -> list[Run]:
    """Follow one row: `#` is out of range, `-` out of it downwards, `+` half-way back, `.` usual, blank a missing sample."""
    tracker = Tracker(1, step=step)
    for column, mark in enumerate(scores):
        score = {"#": 9.0, "-": -9.0, "+": 4.0, ".": 0.0, " ": np.nan}[mark]
        hot = np.array([abs(score) >= 6])
        tracker.advance(
            column,
            score=np.array([score]),
            hot=hot,
            warm=np.array([abs(score) >= 3]),
            critical=(hot & critical).astype(np.float64),
        )
    return tracker.runs()


@pytest.mark.parametrize(
    "scores", ["..#....", "..##....", "..####..", "..#..#..#..#..#..", "..##.-##-.", "....+++++++++"]
)
def test_what_does_not_last_is_forgotten(scores: str) -> None:
    assert not followed(scores)


def test_five_samples_of_ten_seconds_are_enough_and_one_usual_between_them_is_forgiven() -> None:
    [run] = followed("..##.###...")
    assert (run.started, run.confirmed) == (2, 7)


def test_a_minute_wise_series_needs_two_for_each_sample_tells_of_a_minute() -> None:
    [run] = followed("..###....", step=60)
    assert (run.started, run.confirmed, run.ended) == (2, 3, 5)
    assert not followed("..#......", step=60)
    assert not followed("..##.....", step=30)


def test_a_critical_one_needs_three_whatever_the_step() -> None:
    assert followed("..###....", critical=True)[0].confirmed == 4
    assert not followed("..##.....", critical=True)


def test_half_way_back_is_not_over() -> None:
    [run] = followed("#####+++.+++...", step=10)
    assert run.ended is None


def test_calm_for_a_minute_ends_it_where_the_calm_began() -> None:
    [run] = followed("######.......#", step=10)
    assert run.ended == 6


def test_silence_ends_it_at_the_last_sample() -> None:
    [run] = followed("######" + " " * 20, step=10)
    assert run.ended == 5


def test_downwards_has_a_sign_and_another_way_is_another_run() -> None:
    first, second = followed("-----......#####")
    assert (first.sign, second.sign) == (-1, 1)
    assert first.ended == 5


def heights(*scores: float) -> list[Run]:
    tracker = Tracker(1, step=10.0)
    for column, score in enumerate(scores):
        one = np.array([score])
        tracker.advance(column, score=one, hot=one >= 6, warm=one >= 3, critical=np.zeros(1))
    return tracker.runs()


def test_a_height_that_halves_with_each_sample_is_said_to_be_back_when_it_is() -> None:
    [run] = heights(0, 40, 60, 80, 100, 200, 100, 50, 25, 12.5, 6.25, 3.125, 1.5, 0, 0, 0, 0, 0, 0)
    assert [column for column, _ in run.fading] == [7, 8, 9, 10, 11]
    assert [back for _, back in run.fading] == pytest.approx([5 + np.log2(200 / 3)] * 5)
    assert (run.peak_score, run.early_score) == (200, 200)


def test_a_height_that_stays_or_sways_is_not_falling_back() -> None:
    assert heights(0, *[50.0] * 12)[0].fading == ()
    assert heights(0, *[50.0, 20.0] * 6)[0].fading == ()


def test_what_is_most_grave_needs_one_sample() -> None:
    tracker = Tracker(1, step=10.0)
    one = np.array([40.0])
    tracker.advance(0, score=one, hot=one > 6, warm=one > 3, critical=np.array([3.0]))
    [run] = tracker.runs()
    assert (run.confirmed, run.critical) == (0, 0)
