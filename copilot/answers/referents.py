"""Finds which of the cited items a part of a sentence is about: by the service that it names, the words that it shares, its numbers and times."""

import re
from collections.abc import Sequence
from functools import lru_cache

from copilot.answers import atoms, lexicon
from copilot.answers.naming import services_in
from copilot.evidence.bundle import Evidence, EvidenceBundle

SEPARATOR = re.compile(
    r"[,;:]\s|\b(?:and|while|whereas|but|versus|vs\.?|because|as|where|which|so|although)\b", re.IGNORECASE
)
# "…, at 09:12:00, …" is of what was said before.
_GOES_ON = re.compile(r"\s*(?:at|around|by|from|since) (?:about )?\d\d?:\d\d", re.IGNORECASE)
_NAME, _WORD, _NUMBER = 3.0, 1.0, 2.0  # what each agreement counts
_SUBJECTS = tuple(
    (re.compile(said, re.IGNORECASE), re.compile(there, re.IGNORECASE))
    for said, there in (
        (r"slow|latenc|response|p50|p9\d|median|fast|quick|took|takes", r"response time|own time|self time|duration"),
        (r"fail|error|exception", r"fail|error|exception|\blogged\b"),
        (r"chang|upgrad|updat|deploy|releas|version|moved to|switched|rolled|flag", r"\bchanged\b"),
        (r"backlog|pil(?:e|ed|ing)|fill", r"messages|queue|pending"),
        (r"refus", r"refused"),
        (r"throughput|traffic|load\b", r"Traffic|rows_per_s|requests per s"),
    )
)


def clauses(text: str) -> list[str]:
    """Return the parts of a sentence that may each be about something else."""
    found: list[str] = []
    for part in filter(str.strip, SEPARATOR.split(text)):
        if found and _GOES_ON.match(part):
            found[-1] += f", {part}"
        else:
            found.append(part)
    return found


def about(part: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> Evidence | None:
    """Return the item that the part of a sentence is about, None when none or several fit it."""
    scores = sorted(((_score(part, item, bundle), place) for place, item in enumerate(items)), reverse=True)
    if not scores or scores[0][0] <= 0 or (len(scores) > 1 and scores[1][0] >= scores[0][0]):
        return None
    return items[scores[0][1]]


def _score(part: str, item: Evidence, bundle: EvidenceBundle) -> float:
    words, title = f"{item.service} {item.title} {item.statement}", f"{item.service} {item.title}"
    named = services_in(part, bundle)
    score = 0.0
    if named:
        score += (
            _NAME
            if item.service in named
            else (0.5 if services_in(words, bundle) and set(named) & set(services_in(words, bundle)) else -_NAME)
        )
    there, own = _stems(words), _stems(title)
    for word in set(map(lexicon.stem, (word for word in lexicon.words(part) if word.lower() not in _EMPTY))):
        score += _WORD * ((word in there) + (word in own)) / 2
    score += sum(
        _WORD / 2
        for word in lexicon.words(part)
        if not lexicon.is_plain(word) and lexicon.means_something_in(word, words)
    )
    score += sum(_WORD for said, told in _SUBJECTS if said.search(part) and told.search(words))
    told_numbers = atoms.numbers(item.statement)
    score += sum(
        _NUMBER for n in atoms.numbers(part) if n.dimension != atoms.COUNT and any(map(n.agrees_with, told_numbers))
    )
    clocks = atoms.clocks(item.statement)
    score += sum(_NUMBER for clock in atoms.clocks(part) if any(map(clock.agrees_with, clocks)))
    return score


_EMPTY = frozenset(
    [
        "the",
        "and",
        "was",
        "were",
        "has",
        "had",
        "that",
        "its",
        "with",
        "for",
        "from",
        "into",
        "after",
        "before",
        "began",
        "first",
        "usual",
        "range",
        "left",
        "only",
        "already",
        "when",
        "than",
        "more",
        "less",
        "did",
        "not",
        "request",
        "requests",
        "incident",
    ]
)


@lru_cache(maxsize=2_000)
def _stems(text: str) -> frozenset[str]:
    return frozenset(map(lexicon.stem, lexicon.words(text)))
