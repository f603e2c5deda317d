from datetime import timedelta

import numpy as np
import pytest

from incidents.detection.clearing_score import Said, said_of, score, table
from tests.incidents.detection.streams import calm, stream

WITHIN = timedelta(minutes=10)


def test_what_was_said_is_compared_with_what_came() -> None:
    one = score([Said(0.9, cleared=True), Said(0.6, cleared=False), Said(0.2, cleared=False), Said(0.4, cleared=True)])
    assert (one.departures, one.cleared, one.precision, one.recall) == (4, 0.5, 0.5, 0.5)
    assert one.brier == pytest.approx((0.01 + 0.36 + 0.04 + 0.36) / 4)
    assert one.brier_of_rate == pytest.approx(0.25)


def test_departures_that_always_clear_are_said_to_and_better_each_time() -> None:
    values = calm(3000, 0.2)
    for begin in range(200, 2900, 300):
        values[begin : begin + 18] *= 8
    said = said_of(stream(values), within=WITHIN)
    assert [one.cleared for one in said] == [True] * 9
    assert said[-1].share > said[0].share > 0.5


def test_one_whose_end_nobody_saw_counts_only_when_it_went_on_long_enough() -> None:
    lasting = calm(400, 0.2)
    lasting[300:] *= 8
    assert [one.cleared for one in said_of(stream(lasting), within=WITHIN)] == [False]
    assert said_of(stream(lasting[:320]), within=WITHIN) == []
    assert table([stream(calm(100, 0.2))], asked=[WITHIN]) == []
    assert len(table([stream(lasting), stream(np.full(100, 0.2))], asked=[WITHIN, 2 * WITHIN])) == 1
