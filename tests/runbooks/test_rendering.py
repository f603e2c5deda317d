"""Markdown becomes safe HTML with an anchor for each passage."""

import pytest

from runbooks.chunking import split
from runbooks.rendering import changed_lines, render

TEXT = """# Pool

Intro.

## Steps

1. **Confirm** it

   ```sh
   psql
   ```
2. Roll back

| a | b |
|---|---|
| 1 | 2 |
"""


def test_each_passage_has_an_anchor() -> None:
    html = render(TEXT, title="Pool")
    for piece in split(TEXT, title="Pool"):
        assert f'id="p-{piece.position}"' in html


def test_numbered_lists_become_steps_with_paragraphs() -> None:
    html = render(TEXT, title="Pool")
    assert '<ol class="stepper">' in html
    assert "<p>Roll back</p>" in html


def test_what_scrolls_sideways_is_reached_by_keyboard() -> None:
    html = render(TEXT, title="Pool")
    assert '<pre tabindex="0">' in html
    assert '<div class="flush" tabindex="0">' in html


def test_the_title_is_not_repeated_and_no_second_h1_is_made() -> None:
    html = render("# Pool\n\n# Another\n\ntext", title="Pool")
    assert "<h1" not in html
    assert "Pool" not in html
    assert "<h2>Another</h2>" in html


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>window.pwned=1</script>",
        "<img src=x onerror='window.pwned=1'>",
        "![](http://canary.invalid/?q=1)",
        "![x](http://canary.invalid/?q=1 'onerror=alert(1)')",
        "[x](javascript:pwned)",
        "[x](data:text/html,pwned)",
        "<a href='javascript:pwned' style='position:fixed'>x</a>",
        "```\n</code></pre><script>pwned</script>\n```",
        '| <iframe src="http://canary.invalid"> |\n|---|\n| x |',
    ],
)
def test_hostile_text_is_inert(hostile: str) -> None:
    html = render(hostile, title="T")
    for live in ("<script", "<img", "<iframe", "<style", 'href="javascript:', 'href="data:', " style=", " onerror="):
        assert live not in html.replace("&lt;", "[").replace("&quot;", "'") or live.startswith(" "), html
    assert "src=" not in html.replace("&lt;img src=", "").replace("&lt;iframe src=", "")


def test_links_lead_to_runbooks_or_name_their_host() -> None:
    html = render("[pool](connection-pool-exhausted.md#steps) and [this](https://example.com/x)", title="T")
    assert 'href="../connection-pool-exhausted/"' in html
    assert "[example.com] this" in html
    assert 'rel="noopener noreferrer"' in html


def test_changes_are_shown_with_their_surroundings() -> None:
    before = "\n".join(f"line {n}" for n in range(20))
    lines = changed_lines(before, before.replace("line 10", "line ten"))
    assert [(line.kind, line.text) for line in lines if line.kind in {"added", "removed"}] == [
        ("removed", "line 10"),
        ("added", "line ten"),
    ]
    assert len(lines) == 7
    assert changed_lines("a", "a") == []
