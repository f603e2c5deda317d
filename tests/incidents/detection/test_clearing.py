from datetime import timedelta

import pytest

from incidents.detection.clearing import LASTS_ON, Past, clears_within


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def test_without_a_past_what_lasted_long_lasts_on() -> None:
    young = clears_within(minutes(5), lasted=minutes(1), past=[])
    old = clears_within(minutes(5), lasted=minutes(60), past=[])
    assert young.share == pytest.approx(1 - (1 / 6) ** LASTS_ON)
    assert old.share == pytest.approx(1 - (60 / 65) ** LASTS_ON)
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


def test_milder_ones_say_nothing_of_a_graver_one() -> None:
    past = [Past(minutes(4), score=10.0)] * 20
    assert clears_within(minutes(5), lasted=minutes(1), past=past, score=12.0).known == 20
    assert clears_within(minutes(5), lasted=minutes(1), past=past, score=13.0).known == 0


def test_a_height_on_its_way_back_makes_it_likelier_and_a_long_past_outweighs_that() -> None:
    fading = clears_within(minutes(10), lasted=minutes(1), past=[], is_fading=True)
    assert fading.share > clears_within(minutes(10), lasted=minutes(1), past=[]).share
    assert clears_within(minutes(10), lasted=minutes(1), past=[Past(minutes(90))] * 40, is_fading=True).share < 0.2
