"""Markdown cut into passages by heading, small enough for the embedding model; steps, code blocks and table rows stay whole.

Plain Python. The same text always gives the same passages, so a page can mark where each one begins without asking the database.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_WORD_PIECES = 200  # by the estimate below; leaves room for the heading within the model's 256
MAX_HEADING = 500
_PARSER = MarkdownIt("commonmark").enable("table")

_WORD_OR_SIGN = re.compile(r"[^\W_]+|[^\w\s]|_")
_JOINED_NAME = re.compile(r"[A-Za-z0-9]+(?:[._/:\-][A-Za-z0-9]+)+")
_JOINT_BESIDE_LETTER = re.compile(r"(?<=[A-Za-z])[._/:\-]|[._/:\-](?=[A-Za-z])")
_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Piece:
    """One passage. `heading` is the path of headings above it, `first_line` where it begins in the Markdown, from 0."""

    position: int
    heading: str
    text: str
    first_line: int


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines that belong together: a paragraph, a list item, a table, a code block. `fence` is the code block's opening line."""

    heading: str
    start: int
    end: int
    fence: str = ""


def split(markdown: str, *, title: str) -> tuple[Piece, ...]:
    """Cut the text into passages of at most about 256 word pieces each, in reading order, under "title › heading › heading".

    A passage never spans two sections. Only a single paragraph, step or code block that is too long by itself is cut inside,
    between lines; both parts of a code block are fenced.
    """
    lines = markdown.splitlines()
    pieces: list[Piece] = []
    for group in _packed(_blocks(_PARSER.parse(markdown), title=title), lines):
        first, last = group[0], group[-1]
        text = "\n".join(lines[first.start : last.end]).strip("\n")
        for line, part in _cut(text, fence=first.fence) if word_pieces(text) > MAX_WORD_PIECES else [(0, text)]:
            pieces.append(Piece(position=len(pieces), heading=first.heading, text=part, first_line=first.start + line))
    return tuple(pieces)


def plain_text(markdown: str) -> str:
    """Return a passage's words on one line, without Markdown's signs; the blocks of a list or a table are set apart by a middle dot."""
    blocks = []
    for token in _PARSER.parse(markdown):
        if token.type == "inline":
            blocks.append("".join(inner.content or " " for inner in token.children or () if inner.nesting == 0))
        elif token.type in {"fence", "code_block"}:
            blocks.append(token.content)
    return " · ".join(" ".join(block.split()) for block in blocks if block.strip())


def word_pieces(text: str) -> int:
    """Estimate how many word pieces the embedding model sees: one per sign, and one per five letters of a word begun.

    Against the model's own tokenizer on public runbooks the median ratio is 1.05.
    """
    return sum(1 + (len(word) - 1) // 5 for word in _WORD_OR_SIGN.findall(text))


def split_names(text: str, *, keep_whole: bool) -> str:
    """Part joined names for a word search: `db.client.usage`, `pool_size` and `PoolTimeout` become their words.

    Versions such as 2.4.0 stay whole. With `keep_whole` a camel-case name is there as one word as well.
    """
    parted = _JOINED_NAME.sub(lambda name: _JOINT_BESIDE_LETTER.sub(" ", name.group()), text).replace("_", " ")
    words = []
    for word in parted.split():
        humps = _CAMEL_HUMP.sub(" ", word)
        words.append(f"{word} {humps}" if keep_whole and humps != word else humps)
    return " ".join(words)


def _blocks(tokens: Sequence[Token], *, title: str) -> Iterator[_Block]:
    """Yield the smallest units that should stay whole, each under its heading path; the headings themselves are not units."""
    path: list[tuple[int, str]] = []
    for place, token in enumerate(tokens):
        if token.map is None or token.nesting < 0:
            continue
        start, end = token.map
        if token.type == "heading_open" and token.level == 0:
            depth = int(token.tag[1])
            name = tokens[place + 1].content
            path = [entry for entry in path if entry[0] < depth]
            if name != title:
                path.append((depth, name))
            continue
        heading = " › ".join([title, *(name for _, name in path)])[:MAX_HEADING]
        if token.type == "list_item_open" and token.level == 1:
            yield _Block(heading, start, end)
        elif token.type in {"fence", "code_block"} and token.level == 0:
            yield _Block(heading, start, end, fence=token.markup + token.info if token.markup else "")
        elif token.level == 0 and token.type not in {"bullet_list_open", "ordered_list_open", "hr"}:
            yield _Block(heading, start, end)


def _packed(blocks: Iterable[_Block], lines: Sequence[str]) -> Iterator[list[_Block]]:
    """Group neighbouring blocks of one section as long as they fit together."""
    group: list[_Block] = []
    size = 0
    for block in blocks:
        block_size = word_pieces("\n".join(lines[block.start : block.end]))
        if group and (block.heading != group[0].heading or size + block_size > MAX_WORD_PIECES):
            yield group
            group, size = [], 0
        group.append(block)
        size += block_size
    if group:
        yield group


def _cut(text: str, *, fence: str) -> Iterator[tuple[int, str]]:
    """Cut one over-long block between lines, and a line that is too long between words; yield (line offset, part)."""
    lines = text.split("\n")
    closing = fence[: len(fence) - len(fence.lstrip("`~"))]
    if fence:
        lines = lines[1:-1] if lines[-1].lstrip().startswith(closing) else lines[1:]
    offset = 1 if fence else 0
    part: list[str] = []
    start, size = offset, 0
    for number, line in enumerate(lines, start=offset):
        for stretch in _stretches(line):
            stretch_size = word_pieces(stretch)
            if part and size + stretch_size > MAX_WORD_PIECES:
                yield start, _fenced(part, fence, closing)
                part, start, size = [], number, 0
            part.append(stretch)
            size += stretch_size
    if part:
        yield start, _fenced(part, fence, closing)


def _fenced(part: Sequence[str], fence: str, closing: str) -> str:
    return "\n".join([fence, *part, closing] if fence else part)


def _stretches(line: str) -> Iterator[str]:
    """Yield the line, or, when it alone is too long, runs of its words; a "word" without an end is cut by length."""
    if word_pieces(line) <= MAX_WORD_PIECES:
        yield line
        return
    run: list[str] = []
    size = 0
    for word in re.findall(r"\S{1,500}\s*", line):
        word_size = word_pieces(word)
        if run and size + word_size > MAX_WORD_PIECES:
            yield "".join(run).rstrip()
            run, size = [], 0
        run.append(word)
        size += word_size
    if run:
        yield "".join(run).rstrip()
