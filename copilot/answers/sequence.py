"""Checks what a claim says came first: each side's item began, or peaked, when the evidence says so."""

import itertools
import re
from collections.abc import Iterator, Sequence

from copilot.answers import atoms, facts, lexicon, measures, referents
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind

_EARLIER = re.compile(r"\b(?:before|earlier than|ahead of|prior to|preced(?:es|ed|ing))\b", re.IGNORECASE)
_LATER = re.compile(
    r"\b(?:after|later than|following|as soon as|once(?! (?:a|per|every|more|again)\b))\b", re.IGNORECASE
)
_THEN = re.compile(r"\b(?:follow(?:s|ed)|later|afterwards|then|next|subsequently)\b", re.IGNORECASE)
_PART_END = re.compile(r"[;:]\s|,\s(?!and\b)|\.\s")
_STEPS = re.compile(r"(?:[,;]\s(?!at\b|around\b|by\b|from\b|since\b))|\band\b", re.IGNORECASE)
_PEAK = re.compile(r"\bpeak|worst\b", re.IGNORECASE)
_INCIDENT = re.compile(r"\b(?:incident|outage|it (?:all )?(?:started|began))\b", re.IGNORECASE)
_BEFORE_IT = re.compile(
    r"\b(?:before|prior to|ahead of) (?:the |this )?(?:incident|outage|failures?|it)\b", re.IGNORECASE
)
_DENIED = re.compile(r"\b(?:not|never|no|none|neither|nobody|nothing|without)\b", re.IGNORECASE)
_THE_INCIDENT = re.compile(r"\s*(?:the|this) (?:incident|outage)\b(?!'s)", re.IGNORECASE)
_LED_TO = re.compile(
    r"\b(?:caus(?:ed|es|ing)|led to|leads to|leading to|trigger(?:ed|s)|result(?:ed|s) in|forced|pushed)\b(?! by)",
    re.IGNORECASE,
)
_BECAUSE = re.compile(
    r"\b(?:because|due to|caused by|triggered by|as a result of|stems? from|stemmed from)\b", re.IGNORECASE
)
_START = "the incident's start"
_CAUSED = "cause"
_CAUSE_EDGE = 15  # seconds that an effect may be seen before its cause: signals have steps
_EACH = re.compile(r"\b(?:both|all|each|two|three)\b", re.IGNORECASE)
_ALREADY = re.compile(
    r"(?P<one>[^,;]{3,80}\balready\b[^,;]{0,60}?),? (?:when|by the time) (?P<other>[^,;]{3,100})", re.IGNORECASE
)
_LENGTH = re.compile(
    r"\d+(?:\.\d+)? ?(?:s|ms|min|h|seconds?|minutes?|hours?)\b|\b(?:about|only|just|some|roughly|almost|nearly)\b|≈",
    re.IGNORECASE,
)
_FIRST = re.compile(r"(?<!the )(?<!at )\bfirst\b(?! at\b)", re.IGNORECASE)
_EDGE = 1  # second that two times may differ and still be the same


def contradiction(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """Return what came first according to the items when the text says the opposite or another distance, "" otherwise."""
    if said := _not_before(text, items, bundle):
        return said
    for left, right, between in _pairs(text):
        if (
            len(items) == 1
            and items[0].kind in (Kind.PASSAGE, Kind.PRECEDENT)
            and _is_told_later(left, right, items[0])
        ):
            return f"{items[0].id} tells it in another order: {' '.join(items[0].excerpt)[:160]}"
        one, other = _moment(left, text, items, bundle), _moment(right, text, items, bundle)
        if one is None or other is None or one[1] == other[1] or (between == _CAUSED and _START in (one[1], other[1])):
            continue
        if one[0] > other[0] + (_CAUSE_EDGE if between == _CAUSED else _EDGE):
            return f"It was the other way round: {one[1]} is after {other[1]}."
        if between and between != _CAUSED and one[0] == other[0]:
            return f"{one[1]} and {other[1]} are at the same time."
        if between == _CAUSED:
            continue
        apart = float(abs(other[0] - one[0]))
        for number in atoms.numbers(between):
            if number.dimension == atoms.TIME and not measures.near(number, apart):
                return f"{one[1]} is {apart:g} s before {other[1]}, not {number.said}."
    return ""


def tells(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> bool:
    """Return whether the text says an order of two things whose times the items tell."""
    moments = (
        (_moment(left, text, items, bundle), _moment(right, text, items, bundle)) for left, right, _ in _pairs(text)
    )
    return any(one is not None and other is not None and one[1] != other[1] for one, other in moments)


def _not_before(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """Return which of the changes was made after the incident began when all are said to have been made before it."""
    if not _BEFORE_IT.search(text) or _DENIED.search(text) or any(item.kind is not Kind.CHANGE for item in items):
        return ""
    if len(items) > 1 and not _EACH.search(text):
        about = referents.about(text, items, bundle)
        items = [about] if about else []
    late = next((item for item in items if "after the incident began" in item.statement), None)
    return f"{late.id} says that it was after the incident began: {late.statement}" if late else ""


def _pairs(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield what is said to come first, what is said to come after it, and the words that may say how long after."""
    for pattern, forward in ((_EARLIER, True), (_LATER, False)):
        for match in pattern.finditer(text):
            *earlier, left = _PART_END.split(text[: match.start()])
            right = _PART_END.split(text[match.end() :])[0]
            if earlier and not any(map(str.isalpha, _LENGTH.sub("", left))):
                left = f"{earlier[-1]}, {left}"  # "…, 9 s before …"
            if left.strip() and right.strip() and not _DENIED.search(left):
                yield (left, right, left[-60:]) if forward else (right, left, left[-60:])
    yield from _causes(text)
    steps = [step for step in _STEPS.split(text) if step.strip()]
    for one, other in itertools.pairwise(steps):
        if (_THEN.search(other) or _FIRST.search(one)) and not (_EARLIER.search(other) or _LATER.search(other)):
            yield one, other, other


def _causes(text: str) -> Iterator[tuple[str, str, str]]:
    for match in _ALREADY.finditer(text):
        yield match["one"], match["other"], ""
    for pattern, forward in ((_LED_TO, True), (_BECAUSE, False)):
        for match in pattern.finditer(text):
            left, right = text[: match.start()], _PART_END.split(text[match.end() :])[0]
            if left.strip() and right.strip() and not _DENIED.search(left):
                yield (left, right, _CAUSED) if forward else (right, left, _CAUSED)


def _is_told_later(left: str, right: str, item: Evidence) -> bool:
    """Whether a text such as a runbook's comes to the left part only after the right one."""
    told = [lexicon.stem(word) for word in lexicon.words(" ".join(item.excerpt))]
    one, other = (
        {lexicon.stem(word) for word in lexicon.words(part) if not lexicon.is_plain(word)} for part in (left, right)
    )
    places = [[place for place, stem in enumerate(told) if stem in own] for own in (one - other, other - one)]
    return all(places) and places[0][0] > places[1][-1]


def _moment(part: str, text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> tuple[int, str] | None:
    """Return when what the part is about happened, in seconds of the day, and what to call it."""
    item = None if _THE_INCIDENT.match(part) else referents.about(part, items, bundle)
    if item is None:
        if not _INCIDENT.search(part):
            return None
        start = bundle.incident_start
        return start.hour * 3600 + start.minute * 60 + start.second, _START
    told = facts.times(item)
    if _PEAK.search(text) and told.peaked is not None:
        return told.peaked, item.id
    if told.began is None and item.kind is not Kind.CHANGE:
        return None
    return (told.began, item.id) if told.began is not None else None
