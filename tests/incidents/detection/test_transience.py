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
            column, score=np.array([score]), hot=hot, warm=np.array([abs(score) >= 3]), critical=hot & critical
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
