"""Where a line comes from as it says itself: its level, and the place in the code that wrote it."""

import re
from functools import lru_cache

from incidents.localization.log_headers import LEVELS, Header
from incidents.localization.log_masking import without_digits

WITHIN = 10  # words: a level or a place stands at the start of a line, later it is only a word
_BRACKETS = "[]()|:,<>"
# Class#00, file.py:000
_PLACE = re.compile(r"[\[(]?[A-Za-z_][\w.$/-]*(?:#|\.[a-z]{1,5}:)0+[\])]?:?")
_SMALL_LEVEL = re.compile(r"[\[(<|][a-z]+[\])>|]:?|[a-z]+:|level=\"?[a-z]+\"?", re.IGNORECASE)
PLACE = "place"


def level_of(word: str) -> str:
    """Return the level that a word prints, in capitals; "" for any other word. Small letters count only where brackets or a colon say so."""
    bare = word.strip(_BRACKETS)
    if bare in LEVELS:
        return bare
    if not _SMALL_LEVEL.fullmatch(word):
        return ""
    bare = bare.removeprefix("level=").strip('"').upper()
    return bare if bare in LEVELS else ""


@lru_cache(maxsize=16_384)
def has_place(origin: str) -> bool:
    """Say whether an origin that `Origins.of` found names a place in the code."""
    return any(_PLACE.fullmatch(without_digits(part)) for part in origin.split())


@lru_cache(maxsize=16_384)
def kind_of(word: str) -> str:
    """Return a level's name, `PLACE` for a place in the code, or nothing. The word's digits must have been turned into 0."""
    return PLACE if _PLACE.fullmatch(word) else level_of(word)


class Origins:
    """Finds the origin of lines that have this header."""

    def __init__(self, header: Header) -> None:
        self._header = header

    def of(self, line: str, words: list[str], begins: int) -> tuple[str, list[int]]:
        """Return level and place, "" for none, and where among the words they stand. <*> stands for words left out between or behind them.

        `words` are the line's first ones, their digits turned into 0; `begins` says where its message does.
        """
        found: dict[bool, int] = {}
        for at, word in enumerate(words):
            if kind := kind_of(word):
                found.setdefault(kind == PLACE, at)
        told = sorted(found.values())
        parts = []
        for at, after in zip(told, [*told[1:], max(begins, told[-1] + 1)] if told else [], strict=True):
            parts.append(self._as_written(line, at) if found.get(True) == at else kind_of(words[at]))
            if after - at > 1 and at < begins:
                parts.append("<*>")
        return " ".join(parts), told

    def _as_written(self, line: str, at: int) -> str:
        words = (line.replace("|", " ") if self._header.bars else line).split(None, at + 1)
        return words[at].strip("[]():")
