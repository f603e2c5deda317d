"""Which of an item's lines a sentence rests on: those that hold what it quotes, else those that share most of its telling words."""

import re
from collections.abc import Sequence

from copilot.answers.atoms import QUOTE

LEAST_SHARED = 2  # words; fewer are chance
_WORD = re.compile(r"[\w.:/-]*\w")
_SHORT = 4  # characters; a shorter word tells something only with a digit in it


def cited_lines(said: str, lines: Sequence[str]) -> frozenset[int]:
    """Return the places (from 0) of the lines that a sentence rests on; empty when none stands out."""
    plain = [" ".join(line.split()).casefold() for line in lines]
    quotes = [" ".join((one or other).split()).casefold() for one, other in QUOTE.findall(said)]
    quoted = {place for place, line in enumerate(plain) for quote in quotes if quote in line}
    if quoted:
        return frozenset(quoted)
    wanted = _telling(said)
    shared = [len(wanted & _telling(line)) for line in plain]
    most = max(shared, default=0)
    if most < LEAST_SHARED or shared.count(most) == len(lines) > 1:
        return frozenset()
    return frozenset(place for place, count in enumerate(shared) if count == most)


def _telling(text: str) -> set[str]:
    words = _WORD.findall(text.casefold())
    return {word for word in words if len(word) >= _SHORT or any(letter.isdigit() for letter in word)}
