from datetime import timedelta

import pytest

from copilot.evidence.wording import joined, moved, quantity, span_of_time


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.0123, "s", "12.3 ms"),
        (2.4, "s", "2.4 s"),
        (90, "s", "1.5 min"),
        (0.314, "1", "31.4 %"),
        (0.0, "1", "0 %"),
        (5_242_880, "By", "5 MiB"),
        (412, "1/s", "412 per s"),
        (20, "{connection}", "20 connections"),
        (12345.6, "", "12,346"),
        (float("nan"), "s", "none"),
    ],
)
def test_quantities_are_said_with_their_unit(value: float, unit: str, said: str) -> None:
    assert quantity(value, unit) == said


def test_a_number_that_appeared_did_not_rise() -> None:
    assert moved(float("nan"), 14, "lines") == "appeared at 14 lines"
    assert moved(14, float("nan"), "lines") == "vanished; it was 14 lines"
    assert moved(0.012, 2.4, "s") == "rose from 12 ms to 2.4 s"
    assert moved(0.2203, 0.2204, "1") == "stayed at 22 %"


def test_durations_keep_their_units() -> None:
    assert span_of_time(timedelta(minutes=26, seconds=31)) == "26 min 31 s"
    assert span_of_time(timedelta(hours=2, minutes=5, seconds=9)) == "2 h 5 min"


def test_names_are_joined_as_in_a_sentence() -> None:
    assert joined(["a", "b", "c"]) == "a, b and c"
    assert joined(["a"]) == "a"
