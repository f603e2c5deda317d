"""Times in words."""

import pytest

from incidents.mttr import Difference, Estimate, Verdict
from incidents.trends import report, wording

INF = float("inf")


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "0 s"),
        (0.5, "30 s"),
        (2.63, "2.6 min"),
        (62.2, "62 min"),
        (99.6, "1 h 40 min"),
        (180, "3 h"),
        (3600, "2.5 days"),
        (INF, "not over yet"),
    ],
)
def test_minutes(minutes: float, words: str) -> None:
    assert wording.minutes_in_words(minutes) == words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (48, 80, "48 to 80 min"),
        (0.5, 3.3, "0.5 to 3.3 min"),
        (80, 130, "80 min to 2 h 10 min"),
        (48, INF, "48 min or more"),
    ],
)
def test_intervals(low: float, high: float, words: str) -> None:
    assert wording.interval_in_words(low, high) == words


def test_a_report_says_what_may_be_said() -> None:
    before, after = Estimate(62, 48, 80, 30, 0), Estimate(41, 33, 55, 34, 1)
    said = report.difference("Time to restore", Difference(before, after, 0.004, Verdict.FELL), n=34)
    assert said == (
        "Median time to restore fell from 62 min (48 to 80 min) to 41 min (33 to 55 min); 34 incidents; p = 0.004: enough to say."
    )
    few = report.difference("Time to restore", Difference(before, None, None, Verdict.TOO_FEW), n=3)
    assert few == "Median time to restore: too few incidents to say (3; needs 7)."
    same = report.difference("Time to detect", Difference(before, after, 0.3, Verdict.NOT_CLEAR), n=34)
    assert "no clear change from 62 min" in same
