"""Finds what a claim states that its evidence does not speak of: a word that is neither there, nor another word for what is there, nor a plain one."""

import re
from collections.abc import Iterable
from functools import lru_cache

from copilot.answers import atoms, lexicon
from copilot.answers.citations import EVIDENCE_ID

_SAID = re.compile(r"\b\d+(?:\.\d+)?\s?(?:[^\W\d_]+\b|µs)")


def unspoken(text: str, evidence: str, names: Iterable[str]) -> str:
    """Return the first word of the text that says what the evidence does not speak of, "" when there is none.

    `names` are the incident's services, which are checked apart; so are quotations, versions, times and units.
    """
    there = _stems(evidence)
    return next(
        (
            word
            for word in own_words(text, names)
            if lexicon.stem(word) not in there and not lexicon.means_something_in(word, evidence)
        ),
        "",
    )


@lru_cache(maxsize=500)
def _stems(text: str) -> frozenset[str]:
    return frozenset(map(lexicon.stem, lexicon.words(text)))


def own_words(text: str, names: Iterable[str]) -> list[str]:
    """Return the words of a text that state something of their own."""
    plain = EVIDENCE_ID.sub(" ", atoms.VERSION.sub(" ", atoms.QUOTE.sub(" ", text)))
    plain = _any_of(frozenset(names)).sub(" ", plain)
    for pattern in (lexicon.LEVEL, lexicon.UP, lexicon.DOWN):
        plain = pattern.sub(" ", plain)
    plain = _SAID.sub(_without_unit, plain)
    return [word for word in lexicon.words(plain) if not lexicon.is_plain(word)]


@lru_cache(maxsize=500)
def _any_of(names: frozenset[str]) -> re.Pattern[str]:
    some = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return re.compile(rf"(?<![\w-])(?:{some})(?![\w-])" if some else r"(?!)", re.IGNORECASE)


def _without_unit(match: re.Match[str]) -> str:
    found = atoms.numbers(match.group())
    return " " if found and found[0].dimension != atoms.COUNT else match.group()
