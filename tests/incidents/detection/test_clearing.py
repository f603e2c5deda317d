from datetime import timedelta

import pytest

from incidents.detection.clearing import Past, clears_within


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def test_without_a_past_what_lasted_long_lasts_on() -> None:
    young = clears_within(minutes(5), lasted=minutes(1), past=[])
    old = clears_within(minutes(5), lasted=minutes(60), past=[])
    assert young.share == pytest.approx(5 / 6)
    assert old.share == pytest.approx(5 / 65)
    assert young.low < young.share < young.high


def test_the_series_own_past_outweighs_it() -> None:
    short = [Past(minutes(3))] * 40
    assert clears_within(minutes(5), lasted=minutes(1), past=short).share > 0.95
    long = [Past(minutes(90))] * 40
    said = clears_within(minutes(5), lasted=minutes(1), past=long)
    assert said.share < 0.15
    assert said.known == 40


def test_only_departures_that_lasted_as_long_are_alike() -> None:
    past = [Past(minutes(2))] * 50 + [Past(minutes(120))] * 5
    assert clears_within(minutes(5), lasted=minutes(10), past=past).known == 5


def test_one_that_still_goes_on_counts_once_it_lasted_long_enough() -> None:
    assert clears_within(minutes(5), lasted=minutes(1), past=[Past(minutes(4), has_ended=False)]).known == 0
    assert clears_within(minutes(5), lasted=minutes(1), past=[Past(minutes(9), has_ended=False)]).known == 1


def test_a_critical_failure_is_never_waited_for() -> None:
    assert clears_within(minutes(5), lasted=minutes(1), past=[Past(minutes(2))] * 99, is_critical=True).share == 0.0
