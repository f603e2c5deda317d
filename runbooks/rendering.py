"""Markdown as safe HTML in which every passage has an anchor, and what changed between two texts."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from runbooks.chunking import split

_MARKDOWN = MarkdownIt("gfm-like", {"html": False})
_TAGS = {
    *("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "hr", "br"),
    *("em", "strong", "s", "a", "table", "thead", "tbody", "tr", "th", "td", "div"),
}
_ATTRIBUTES = {
    "*": {"id", "class"},
    "a": {"href", "title"},
    "ol": {"start"},
    "pre": {"tabindex"},
    "div": {"tabindex", "role"},
}
_UNCHANGED_AROUND = 2  # lines shown before and after a change


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a comparison; `kind` is "added", "removed", "same" or "hunk", a number is None on the side that lacks the line."""

    kind: str
    before: int | None
    after: int | None
    text: str


def render(markdown: str, *, title: str) -> str:
    """Return safe HTML. Passage n begins at the element with the id p-n. Numbered lists of the top level become steps.

    HTML in the text is shown as text, pictures as nothing, and links lead to http, https or a runbook beside this one.
    """
    tokens = _MARKDOWN.parse(markdown)
    _mark_passages(tokens, [piece.first_line for piece in split(markdown, title=title)])
    _shape_steps(tokens)
    _shape_tables(tokens)
    _lower_headings(tokens, title=title)
    _aim_links(tokens)
    return nh3.clean(
        _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        set_tag_attribute_values={"pre": {"tabindex": "0"}},  # it scrolls sideways, so the keyboard must reach it
        url_schemes={"http", "https"},
        link_rel="noopener noreferrer",
    )


def changed_lines(before: str, after: str) -> list[DiffLine]:
    """Compare two texts by line: what changed, with two unchanged lines around and a "hunk" line where some are left out."""
    old, new = before.splitlines(), after.splitlines()
    shown: list[DiffLine] = []
    for group in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_grouped_opcodes(_UNCHANGED_AROUND):
        shown.append(DiffLine("hunk", None, None, f"From line {group[0][3] + 1}"))
        for operation, old_start, old_end, new_start, new_end in group:
            if operation == "equal":
                shown += [
                    DiffLine("same", old_start + n + 1, new_start + n + 1, line)
                    for n, line in enumerate(old[old_start:old_end])
                ]
                continue
            shown += [
                DiffLine("removed", old_start + n + 1, None, line) for n, line in enumerate(old[old_start:old_end])
            ]
            shown += [DiffLine("added", None, new_start + n + 1, line) for n, line in enumerate(new[new_start:new_end])]
    return shown


def _mark_passages(tokens: Sequence[Token], first_lines: Sequence[int]) -> None:
    """Give the element that holds a passage's first line the passage's id; a passage cut out of the middle of an element has none."""
    for position, line in enumerate(first_lines):
        holders = [
            token for token in tokens if token.nesting >= 0 and token.map and token.map[0] <= line < token.map[1]
        ]
        exact = [
            token
            for token in holders
            if token.map
            and token.map[0] == line
            and token.type not in {"inline", "bullet_list_open", "ordered_list_open"}
        ]
        if exact and "id" not in exact[0].attrs:
            exact[0].attrSet("id", f"p-{position}")


def _shape_steps(tokens: Sequence[Token]) -> None:
    depth = 0
    for token in tokens:
        if token.type == "ordered_list_open" and token.level == 0:
            token.attrSet("class", "stepper")
            depth = 1
        elif token.type == "ordered_list_close" and token.level == 0:
            depth = 0
        elif depth and token.type in {"paragraph_open", "paragraph_close"} and token.level == 2:
            token.hidden = False  # a tight list has no paragraphs; a step is laid out by them


def _shape_tables(tokens: list[Token]) -> None:
    """A table gets a box of its own that scrolls sideways and that the keyboard reaches."""
    for place, token in reversed(list(enumerate(tokens))):
        if token.type == "table_open":
            token.attrSet("class", "table")
            tokens.insert(place, Token("box_open", "div", 1, attrs={"class": "flush", "tabindex": "0"}, block=True))
        elif token.type == "table_close":
            tokens.insert(place + 1, Token("box_close", "div", -1, block=True))


def _lower_headings(tokens: Sequence[Token], *, title: str) -> None:
    """The page's own title is its only h1: a heading that repeats it goes, another one becomes h2."""
    for place, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag == "h1":
            closing = tokens[place + 2]
            token.tag = closing.tag = "h2"
            if tokens[place + 1].content == title:
                token.hidden = closing.hidden = True
                tokens[place + 1].children = []


def _aim_links(tokens: Sequence[Token]) -> None:
    """Lead a link to another file of the same folder to that runbook's page, and name the host that any other link leads to."""
    for token in tokens:
        for place, link in reversed(list(enumerate(token.children or ()))):
            if link.type != "link_open" or token.children is None:
                continue
            target = str(link.attrGet("href") or "")
            host = urlsplit(target).hostname
            if host is None and target.split("#")[0].endswith(".md"):
                link.attrSet("href", f"../{PurePosixPath(target.split('#')[0]).stem}/")
            elif host and host not in token.children[place + 1].content:
                token.children.insert(place + 1, Token("text", "", 0, content=f"[{host}] "))
