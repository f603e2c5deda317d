import pytest

from copilot.answers.spoken import figures


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("almost five seconds", "almost 5 seconds"),
        ("half a minute before", "≈ 30 s before"),
        ("about a minute and a half after", "about ≈ 90 s after"),
        ("a quarter of an hour", "≈ 15 min"),
        ("three quarters of an hour", "≈ 45 min"),
        ("one in eight requests", "≈ 12.5 % requests"),
        ("nine tenths of a request", "≈ 90 % of a request"),
        ("a third of a second", "≈ 333 ms"),
        ("more than half of the requests", "more than 50 % of the requests"),
        ("seventyfold", "70 ×"),
        ("twice its usual limit", "2 × its usual limit"),
        ("nearly ten thousand messages", "nearly 10000 messages"),
        ("220 a second", "220 per second"),
        ("all but 4 % of it", "96 % of it"),
        ("two of six replicas", "2 of 6 replicas"),
        # no number, or one already
        ("one of the requests", "one of the requests"),
        ("5 of 5 in use", "5 of 5 in use"),
        ("the second request", "the second request"),
        ("Sometimes nobody answers.", "Sometimes nobody answers."),
    ],
)
def test_numbers_in_words_become_figures(said: str, meant: str) -> None:
    assert figures(said) == meant
