"""Which way a sentence says that something went, and which way it went according to an item."""

import re
from collections.abc import Sequence

from copilot.answers import lexicon, referents
from copilot.answers.naming import services_in
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind

# Words that name the same kind of signal.
_SUBJECTS = {
    "response time": re.compile(
        r"response time|own time|latenc|duration|slow|faster|p50|p9\d|median|self time", re.IGNORECASE
    ),
    "errors": re.compile(r"error|fail|5xx|exception", re.IGNORECASE),
    "traffic": re.compile(
        r"requests? per s|traffic|throughput|request rate|requests/s|\bload\b|rows_per_s|rows per s", re.IGNORECASE
    ),
    "cpu": re.compile(r"\bcpu", re.IGNORECASE),
    "memory": re.compile(r"memory|heap|\brss\b", re.IGNORECASE),
    "connections": re.compile(r"connection|\bpool", re.IGNORECASE),
    "cache": re.compile(r"\bcache|hit ratio", re.IGNORECASE),
    "log lines": re.compile(r"\blog(?:s|ged|ging)?\b|\blines?\b", re.IGNORECASE),
}
_SPEED = re.compile(r"\b(?:slow|fast)\w*\b", re.IGNORECASE)  # of what a text advises to slow down
_DENIED = re.compile(
    r"\b(?:not|no|never|without|neither|nor|nothing|cannot)\b (?!seen before)(?:\w+ ){0,2}?(?:ris\w+|rose|increas\w*|climb\w*|grow\w*|jump\w*|spik\w+|surg\w+|higher|slower|drop\w*|fall\w*|decreas\w+|lower|faster|up|down)\b|\bceiling\b|\b(?:surge|spike|increase|rise) (?:can be |is |was )?(?:excluded|ruled out)\b|\blower bound\b",
    re.IGNORECASE,
)
_DENIED_UP = re.compile(
    r"\b(?:did|does|do|has|have|had|was|were|is|are|never) ?(?:not|n't)? (?:\w+ )?(?:rise|risen|increased?|climb(?:ed)?|grown?|jump(?:ed)?|spiked?|surged?)\b",
    re.IGNORECASE,
)
_FACTORS = re.compile(
    r"\b(?:more|less) than (?=doubl|tripl|quadrupl|halv)|\btimes (?:higher|slower|faster|lower)\b", re.IGNORECASE
)


def subjects(text: str) -> set[str]:
    """Return the kinds of signal that a text speaks of."""
    return {name for name, pattern in _SUBJECTS.items() if pattern.search(text)}


def way(text: str) -> str:
    """Return the only direction that the text tells, "up", "down" or "same", "" for none or several; "did not rise" tells none."""
    text = _DENIED.sub(" ", text)
    ways = {
        name
        for name, pattern in (("up", lexicon.UP), ("down", lexicon.DOWN), ("same", lexicon.LEVEL))
        if pattern.search(text)
    }
    return ways.pop() if len(ways) == 1 else ""


def direction(item: Evidence) -> str:
    """Return which way the item's number went, "" when it tells none."""
    before, after = (item.statistic.get(name, {}).get("value") for name in ("before", "after"))
    if isinstance(before, int | float) and isinstance(after, int | float):
        # What people call unchanged is what the statement calls so; a hair's breadth is no direction.
        return (
            "same"
            if lexicon.LEVEL.search(item.statement)
            else ("up" if after > before else "down" if after < before else "same")
        )
    told = " ".join(item.excerpt) if item.kind in (Kind.PASSAGE, Kind.PRECEDENT) else ""
    return way(f"{item.statement} {told}")


def contradiction(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """Return what the items say when all of those that a part of the text is about went another way."""
    if len(items) == 1:
        is_text = items[0].kind in (Kind.PASSAGE, Kind.PRECEDENT)
        claimed, told = way(_SPEED.sub(" ", text) if is_text else text), direction(items[0])
        own = f"{items[0].service} {items[0].title} {items[0].statement}"
        if (
            claimed
            and told
            and claimed != told
            and (
                subjects(text) & subjects(own)
                or _shares_word(text, own)
                or items[0].kind in (Kind.PASSAGE, Kind.PRECEDENT)
            )
        ):
            return f"{items[0].id} says the opposite: {items[0].statement}"
        return ""
    for part in referents.clauses(text):
        claimed = way(part)
        for item in _about(part, items, bundle) if claimed else ():
            told = direction(item)
            if told and told != claimed:
                return f"{item.id} says the opposite: {item.statement}"
    return ""


def _about(part: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> list[Evidence]:
    named = services_in(part, bundle)
    found = [
        item
        for item in items
        if subjects(part) & subjects(f"{item.title} {item.statement}") and (not named or item.service in named)
    ]
    ways = {direction(item) for item in found}
    if found and len(ways) == 1:
        return found[:1]
    item = referents.about(part, items, bundle)
    return [item] if item is not None and not found else []


def _shares_word(text: str, own: str) -> bool:
    there = {lexicon.stem(word) for word in lexicon.words(own)}
    return any(lexicon.stem(word) in there for word in lexicon.words(text) if not lexicon.is_plain(word))
