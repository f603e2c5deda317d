import pytest

from copilot.llm.plain_text import clean


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("a\x1b[31mred\x1b[0m b", "ared b"),
        ("x\x1b]52;c;aGVsbG8=\x07y", "xy"),
        ("x\x1b]0;title\x1b\\y", "xy"),
        ("pay\u202etnem\u202c", "paytnem"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("tags\U000e0041\U000e0042", "tags"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("two\nlines\tand  spaces ", "two lines and spaces"),
        ("bell\x07 and nul\x00", "bell and nul"),
        ("größer als 5 ms → ja", "größer als 5 ms → ja"),
        ("<script>alert(1)</script> ![x](http://h/?q=1)", "<script>alert(1)</script> ![x](http://h/?q=1)"),
    ],
)
def test_hidden_and_controlling_characters_go(dirty: str, expected: str) -> None:
    assert clean(dirty) == expected


def test_a_long_text_ends_with_an_ellipsis() -> None:
    assert clean("x" * 50, limit=10) == "x" * 9 + "…"
    assert clean("x" * 10, limit=10) == "x" * 10
