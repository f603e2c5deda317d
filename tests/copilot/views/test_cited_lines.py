import pytest

from copilot.views.cited_lines import cited_lines

LINES = (
    "02:44:01 INFO GET /cart 200",
    "02:44:02 ERROR QueuePool limit of size 30 overflow 10 reached, connection timed out",
    "02:44:03 WARN retrying card authorisation, attempt 3",
)


@pytest.mark.parametrize(
    ("said", "places"),
    [
        ("It logged “queuepool limit of size 30” 31 times.", {1}),
        ("payments retried the card authorisation up to attempt 3.", {2}),
        ("Nothing of this stands there.", set()),
        ("", set()),
    ],
)
def test_the_lines_that_a_sentence_rests_on(said: str, places: set[int]) -> None:
    assert cited_lines(said, LINES) == places


def test_lines_that_are_all_alike_do_not_stand_out() -> None:
    assert cited_lines("QueuePool limit reached", [LINES[1]] * 3) == set()
    assert cited_lines("QueuePool limit reached", [LINES[1]]) == {0}
    assert cited_lines("QueuePool limit reached", []) == set()
