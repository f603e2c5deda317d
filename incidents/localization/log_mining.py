"""Log lines of one source to templates: headers off, values out, the rest grouped. One configuration for every kind of log."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from incidents.localization import log_headers, log_origins
from incidents.localization.log_grouping import VALUE, Shape, common, group, many
from incidents.localization.log_masking import Words, folded, mask_name, mask_phrases, without_digits

# What a line says stands at its start; long dumps of values only cost time.
MAX_CHARACTERS, MOST_WORDS, MAX_TOKENS = 600, 50, 80
# Different lines after masking that are told apart; the rest of a source share one template.
MAX_SHAPES = 20_000
OTHER = "<*>"
_PARTING = "\x1e"
# Contents of one bracket or pair of quotes, of different lengths: so many are values, fewer may be wording.
MANY_CONTENTS = 8
BEGINNING = 3  # tokens that two lines of one statement in the code share at least
_SPLIT = re.compile(r"(\s+|[=:,;()\[\]{}\"'|]|\.{2,})")
_QUOTED = re.compile(r"""(["'])<\*>\1""")
_CLOSING = {")": "(", "]": "[", "}": "{", '"': '"', "'": "'"}
_LISTS = {",", ";"}


class Token(NamedTuple):
    """A piece of a masked line: as it is shown, with the space before it, and as it is compared."""

    shown: str
    compared: str


@dataclass(frozen=True)
class Mined:
    """The template of each line, shape (n,), as an index into `texts`."""

    template: NDArray[np.int64]
    texts: Sequence[str]


def template_id(text: str) -> str:
    """Return the id of a template, which depends on nothing but its text: the same today, tomorrow and elsewhere."""
    return hashlib.blake2b(folded(text).encode(), digest_size=6).hexdigest()


@dataclass
class _Shapes:
    """Masked lines, each once, in the order they were seen: by their origin, which is "" where origins are not told apart."""

    by_origin: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    counts: list[int] = field(default_factory=list)

    def number(self, origin: str, masked: str) -> int:
        known = self.by_origin[origin]
        number = known.get(masked)
        if number is None:
            if len(self.counts) >= MAX_SHAPES:
                masked = OTHER
            number = known.setdefault(masked, len(self.counts))
            if number == len(self.counts):
                self.counts.append(0)
        self.counts[number] += 1
        return number


def memory() -> Words:
    """Return an empty memory of words, for `mine`."""
    return Words(log_origins.kind_of)


def mine(lines: Sequence[str], *, apart: bool = False, words: Words | None = None) -> Mined:
    """Return the template of each line. The header that nearly all lines begin with is left out.

    With `apart`, lines of different level or place in the code never share a template, and its text begins with them. `words`
    remembers what words read like (see `memory`); share it between calls to save time.
    """
    shapes = _Shapes()
    shape = np.array(_shapes_of(lines, shapes, memory() if words is None else words, apart=apart), dtype=np.int64)
    of_shape = np.zeros(len(shapes.counts), dtype=np.int64)
    texts: list[str] = []
    for name, known in shapes.by_origin.items():
        counts = [shapes.counts[one] for one in known.values()]
        numbers, found = templates_of(list(known), counts, one_statement=log_origins.has_place(name))
        of_shape[list(known.values())] = np.array(numbers) + len(texts)
        texts += [f"{name} {text}" if name else text for text in found]
    return _in_order(of_shape[shape], texts)


def _shapes_of(lines: Sequence[str], shapes: _Shapes, words: Words, *, apart: bool) -> list[int]:
    header = log_headers.learn(lines)
    origins = log_origins.Origins(header)
    # Lines that differ in nothing but digits are looked at once, unless a digit says where in the code they come from.
    seen: dict[str, int] = {}
    found = []
    for line, bare in zip(lines, _without_digits(lines), strict=True):
        number = seen.get(bare)
        if number is not None:
            shapes.counts[number] += 1
            found.append(number)
            continue
        spoken = (bare.replace("|", " ") if header.bars else bare).split(None, MOST_WORDS)[:MOST_WORDS]
        masked = list(map(words.__getitem__, spoken))
        begins = header.end(spoken)
        origin, placed = "", False
        if apart and not words.marked.isdisjoint(spoken[: log_origins.WITHIN]):
            origin, told = origins.of(line, spoken[: log_origins.WITHIN], begins)
            placed = log_origins.has_place(origin)
            masked = [word for at, word in enumerate(masked) if at not in told or at < begins]
        number = shapes.number(origin, " ".join(masked[begins:]))
        if not placed and len(seen) < MAX_SHAPES:
            seen[bare] = number
        found.append(number)
    return found


def _without_digits(lines: Sequence[str]) -> list[str]:
    """Return each line's start with its digits turned into 0: all at once, unless a line holds what would part them."""
    cut = [line[:MAX_CHARACTERS] for line in lines]
    parts = without_digits(_PARTING.join(cut)).split(_PARTING) if cut else []
    return parts if len(parts) == len(cut) else [without_digits(line) for line in cut]


def _in_order(template: NDArray[np.int64], texts: Sequence[str]) -> Mined:
    """Number the templates by their first lines."""
    used, first = np.unique(template, return_index=True)
    order = used[np.argsort(first)]
    number = np.empty(len(texts), dtype=np.int64)
    number[order] = np.arange(len(order))
    return Mined(number[template], [texts[one] for one in order.tolist()])


def templates_of(
    masked: Sequence[str], counts: Sequence[int], *, one_statement: bool = False
) -> tuple[list[int], list[str]]:
    """Return for each masked line the number of its template, and the templates' texts. `counts` says how often each line came.

    Lines that `one_statement` in the code wrote have one template, whatever words were put in, as long as they begin alike.
    """
    rows = _without_varying_contents([tokens(line) for line in masked])
    compared: dict[Shape, int] = {}
    of_line = [compared.setdefault(tuple(token.compared for token in row), len(compared)) for row in rows]
    of_shape = _beginnings(list(compared)) if one_statement else group(list(compared))
    members: dict[int, list[int]] = defaultdict(list)
    for line, shape in enumerate(of_line):
        members[of_shape[shape]].append(line)
    number = [of_shape[shape] for shape in of_line]
    texts = [
        _text([rows[line] for line in sorted(members[one], key=lambda at: -counts[at])]) for one in range(len(members))
    ]
    return number, texts


def _beginnings(shapes: Sequence[Shape]) -> list[int]:
    known: dict[Shape, int] = {}
    return [known.setdefault(shape[:BEGINNING], len(known)) for shape in shapes]


def tokens(masked: str) -> list[Token]:
    """Return the pieces of a masked line; a value that repeats stands once, and an empty bracket holds a value."""
    found: list[Token] = []
    space = ""
    for piece in _SPLIT.split(mask_phrases(masked)):
        if not piece:
            continue
        if piece.isspace():
            space = " "
            continue
        if piece == "<time>" and not found:
            continue  # when something was said is no part of it
        token = _token(space, piece)
        space = ""
        if VALUE in token.compared and _repeats(found, token):
            continue
        if found and piece in _CLOSING and found[-1].compared == _CLOSING[piece]:
            found.append(Token(VALUE, VALUE))
        found.append(token)
        if len(found) >= MAX_TOKENS:
            break
    return found


@lru_cache(maxsize=65_536)
def _token(space: str, piece: str) -> Token:
    named = mask_name(piece)
    return Token(space + named, folded(named))


def _repeats(found: list[Token], token: Token) -> bool:
    """Say whether a value repeats the one before it, also behind a comma, which is then taken back."""
    if found and found[-1].compared == token.compared:
        return True
    if len(found) > 1 and found[-1].compared in _LISTS and found[-2].compared == token.compared:
        found.pop()
        return True
    return False


def _without_varying_contents(rows: list[list[Token]]) -> list[list[Token]]:
    """Replace what stands in brackets or quotes by one value where it takes many forms of different lengths: lists, dumps, phrases."""
    frames = [tuple(_frame(row)) for row in rows]
    contents: dict[tuple[Shape, int], Counter[Shape]] = defaultdict(Counter)
    outer = [
        tuple(row[at].compared if at >= 0 else VALUE for at, _ in frame)
        for row, frame in zip(rows, frames, strict=True)
    ]
    for row, frame, outside in zip(rows, frames, outer, strict=True):
        for place, (at, length) in enumerate(frame):
            if at < 0:
                contents[outside, place][tuple(token.compared for token in row[~at : ~at + length])] += 1
    varying = {key for key, held in contents.items() if many(held, at_least=MANY_CONTENTS)}
    if not varying:
        return rows
    return [
        list(_folded_row(row, frame, [(outside, place) in varying for place in range(len(frame))]))
        for row, frame, outside in zip(rows, frames, outer, strict=True)
    ]


def _frame(row: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Yield (place, 1) for each token outside brackets and quotes, and (~place, length) for what stands inside a pair of them."""
    at = 0
    while at < len(row):
        yield at, 1
        closing = next((close for close, opens in _CLOSING.items() if opens == row[at].compared), None)
        at += 1
        if closing is None:
            continue
        end = _end(row, at, opening=row[at - 1].compared, closing=closing)
        if end is not None and end > at:
            yield ~at, end - at
            at = end
            if at < len(row):
                yield at, 1
                at += 1


def _end(row: Sequence[Token], start: int, *, opening: str, closing: str) -> int | None:
    """Return where a bracket closes: the line's end when it was cut off, None for a quote that never closes."""
    depth = 1
    for at in range(start, len(row)):
        if row[at].compared == closing:
            depth -= 1
            if not depth:
                return at
        elif row[at].compared == opening:
            depth += 1
    return None if opening == closing else len(row)


def _folded_row(row: Sequence[Token], frame: Sequence[tuple[int, int]], varying: Sequence[bool]) -> Iterator[Token]:
    for (at, length), varies in zip(frame, varying, strict=True):
        if at >= 0:
            yield row[at]
        elif varies:
            yield Token(VALUE, VALUE)
        else:
            yield from islice(row, ~at, ~at + length)


def _text(rows: Sequence[Sequence[Token]]) -> str:
    """Return the template of rows: what they share, the kinds of values named where all agree.

    Rows of different lengths share what they begin with.
    """
    length = min(map(len, rows))
    compared = common([tuple(token.compared for token in row[:length]) for row in rows])
    if any(len(row) > length for row in rows):
        same = next((at for at, word in enumerate(compared) if any(row[at].compared != word for row in rows)), length)
        compared = [*compared[:same]]
    shown = []
    for at, word in enumerate(compared):
        token = rows[0][at]
        space = " " if token.shown.startswith(" ") else ""
        agreed = all(row[at].shown.lstrip(" ") == token.shown.lstrip(" ") for row in rows)
        shown.append(token.shown if agreed else space + word)
    longest = max(rows, key=len)
    if len(longest) > len(compared):
        shown.append(" <*>" if longest[len(compared)].shown.startswith(" ") else "<*>")
    return _QUOTED.sub(r"\1<string>\1", "".join(shown).strip()) or OTHER
