"""Where a line comes from as it says itself: its level, and the place in the code that wrote it."""

import re

from incidents.localization.log_headers import LEVELS, Header
from incidents.localization.log_masking import without_digits

WITHIN = 10  # words: a level or a place stands at the start of a line, later it is only a word
_BRACKETS = "[]()|:,<>"
# Class#00, file.py:000
_PLACE = re.compile(r"[\[(]?[A-Za-z_][\w.$/-]*(?:#|\.[a-z]{1,5}:)0+[\])]?:?")
_SMALL_LEVEL = re.compile(r"[\[(<|][a-z]+[\])>|]:?|[a-z]+:|level=\"?[a-z]+\"?", re.IGNORECASE)
_PLACE_FOUND = "place"


class _Kinds(dict[str, str]):
    """What each word is, its digits turned into 0: a level's name, `_PLACE_FOUND`, or nothing."""

    def __missing__(self, word: str) -> str:
        if len(self) > 50_000:
            self.clear()
        kind = self[word] = _PLACE_FOUND if _PLACE.fullmatch(word) else level_of(word)
        return kind


def level_of(word: str) -> str:
    """Return the level that a word prints, in capitals; "" for any other word. Small letters count only where brackets or a colon say so."""
    bare = word.strip(_BRACKETS)
    if bare in LEVELS:
        return bare
    if not _SMALL_LEVEL.fullmatch(word):
        return ""
    bare = bare.removeprefix("level=").strip('"').upper()
    return bare if bare in LEVELS else ""


def has_place(origin: str) -> bool:
    """Say whether an origin that `Origins.of` found names a place in the code."""
    return any(_PLACE.fullmatch(without_digits(part)) for part in origin.split())


class Origins:
    """Finds the origin of lines that have this header."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._kinds = _Kinds()

    def of(self, line: str, words: list[str], message: list[str]) -> tuple[str, list[str]]:
        """Return level and place, "" for none, and the message without them.

        `words` are the line's with digits turned into 0, `message` those behind its header. In the first, <*> stands for words that
        are left out between level, place and message.
        """
        kinds = self._kinds
        told: list[int] = []
        for at, word in enumerate(words[:WITHIN]):
            kind = kinds[word]
            if kind and all((kinds[words[one]] == _PLACE_FOUND) != (kind == _PLACE_FOUND) for one in told):
                told.append(at)
        if not told:
            return "", message
        begins = len(words) - len(message)
        return self._shown(line, words, told, begins), [
            word for at, word in enumerate(message, start=begins) if at not in told
        ]

    def _shown(self, line: str, words: list[str], told: list[int], begins: int) -> str:
        parts = []
        for at, after in zip(told, [*told[1:], max(begins, told[-1] + 1)], strict=True):
            kind = self._kinds[words[at]]
            parts.append(self._as_written(line, at) if kind == _PLACE_FOUND else kind)
            if after - at > 1 and at < begins:
                parts.append("<*>")
        return " ".join(parts)

    def _as_written(self, line: str, at: int) -> str:
        words = (line.replace("|", " ") if self._header.bars else line).split(None, at + 1)
        return words[at].strip("[]():")
