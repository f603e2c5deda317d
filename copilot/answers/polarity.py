"""Checks what a claim denies: what was not there before, what is no longer there, what never happened, what must not be done."""

import re
from collections.abc import Sequence

from copilot.answers import lexicon
from copilot.evidence.bundle import Evidence, Kind

_NO = r"\b(?:no|not|never|none|nothing|nobody|without|neither|nor|cannot|zero|nowhere)\b|n['’]t\b"
_BEFORE = r"\b(?:before|previously|prior|beforehand|until then|earlier|usually|normally)\b"
_NONE_BEFORE = re.compile(
    rf"(?:{_NO})(?:\s[\w/{{}}:.-]+){{0,8}}? (?:{_BEFORE})|(?:{_BEFORE})[^,.;]{{0,40}}(?:{_NO})", re.IGNORECASE
)
_SOME_BEFORE = re.compile(
    rf"\b(?:also|already|too|even|some)\b[^,.;]{{0,60}}(?:{_BEFORE})|(?:{_BEFORE})[^,.;]{{0,10}}\b(?:too|as well)\b",
    re.IGNORECASE,
)
_NONE_NOW = re.compile(
    rf"(?:{_NO})[^,.;]{{0,60}}\b(?:during|since|any ?more|now)\b|\bsince\b[^.;]{{0,60}}(?:{_NO})|\bno longer\b|\b(?:stopped|ceased|vanished|disappeared)\b",
    re.IGNORECASE,
)
_STILL = re.compile(r"\b(?:still|keeps?|continu(?:es?|ed)|ongoing)\b", re.IGNORECASE)
_APPEARED = re.compile(r"\b(?:started|(?<!incident )(?<!outage )(?<!it )began|newly|appeared|new)\b", re.IGNORECASE)
_WENT_ON = re.compile(
    r"\b(?:successful\w*|succeed\w*|gracefully|cleanly|(?:exit|end|finish|terminat|stopp?)\w* normally)\b",
    re.IGNORECASE,
)
_NEVER_DONE = re.compile(r"\b(?:never|not)(?: (?:been|ever|yet|be|have|a))* (\w+ed)\b", re.IGNORECASE)
_NOT_DONE = re.compile(r"\b(?:not|never) (?:been |be )?(\w{4,})", re.IGNORECASE)
_FALSE = re.compile(r"\b(\w{4,}) is false\b", re.IGNORECASE)
_DENIAL = re.compile(
    rf"{_NO}|\b(?:against|avoid\w*|refus\w+|fail\w*|errors?|exceptions?|false|time[ds]? ?-?out\w*|missing|instead of|rather than|un\w+)\b",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]{2,}")
_FAILURE = re.compile(r"\W*(?:\w+ ){0,2}(?:errors?|exceptions?|fail\w*|is false)", re.IGNORECASE)
_TOO = re.compile(r"\btoo (?!many requests)(?P<how>\w+)", re.IGNORECASE)
_CLOSED = re.compile(r"\b(?:resolved|closed|fixed)\b", re.IGNORECASE)
_STILL_OPEN = re.compile(r"; open\.")
_CLAUSE_END = re.compile(r"[.,;:]\s|\b(?:and|but|so|while|because)\b", re.IGNORECASE)
_ANY_NO = re.compile(_NO, re.IGNORECASE)
_HARMLESS = re.compile(
    r"\b(?:(?:practically|almost|nearly|virtually|next to) (?:none|nothing|no)|none to|not only|not just|no more than|not even|no later than|never exceed\w*|no change|not yet|nothing unusual|not unusual)\b|\b(?:not|no)\b[^,.;]{0,30}\b(?:cause|culprit|responsible|suspect|leading|reason|blame|start(?:ed)? it)\b"
    r"|\b(?:not|never|no|neither|nor|n't) (?:\w+ ){0,2}?(?:ris|ros|increas|climb|grow|jump|spik|surg|higher|slower|drop|fall|decreas|lower|faster|chang|mov|exceed)\w*",
    re.IGNORECASE,
)
_SAYS_NO = re.compile(
    rf"{_NO}|\b(?:refused|fail\w*|false|stopped|dropped|vanished|fewer|lower|stayed|as before|after the incident|abort\w*|exhausted|less|open)\b|\b0 (?:%|\w+)",
    re.IGNORECASE,
)


def contradiction(text: str, items: Sequence[Evidence]) -> str:
    """Return what the items say of before and during that the text denies, or the other way round; "" when nothing."""
    if len(items) == 1 and (said := _existence(text, items[0])):
        return said
    evidence = " ".join(f"{item.statement} {' '.join(item.excerpt)}" for item in items)
    stems = set(map(lexicon.stem, lexicon.words(text)))
    for match in (*_NOT_DONE.finditer(evidence), *_FALSE.finditer(evidence)):
        if lexicon.stem(match[1]) in stems and match[1].lower() not in _LITTLE and not _is_denied_in(text, match[1]):
            return f"{_holder(match.group(), items)} says “{match.group()}”."
    if _CLOSED.search(text) and _STILL_OPEN.search(evidence) and not _ANY_NO.search(text):
        return f"{items[0].id} says that it is still open: {items[0].statement}"
    for match in _NEVER_DONE.finditer(text) if not (_NONE_BEFORE.search(text) or _NONE_NOW.search(text)) else ():
        places = _places(match[1], evidence)
        denied = any(_ANY_NO.search(evidence[max(0, place.start() - 30) : place.start()]) for place in places)
        if places and not lexicon.is_plain(match[1]) and not denied:
            place = places[0]
            return f"{_holder(place.group(), items)} says “{evidence[place.start() : place.end() + 12].strip()}”."
    return ""


def _is_denied_in(text: str, word: str) -> bool:
    """Whether a text denies the word each time that it says it: "did not answer", "a conversion error"."""
    return all(
        _DENIAL.search(text[max(0, place.start() - 45) : place.start()])
        or text[place.end() :].lower().startswith(" is false")
        or (place.group().endswith("ion") and _FAILURE.match(text[place.end() : place.end() + 20]))
        or place.group().lower().startswith("un")
        for place in _places(word, text)
    )


_LITTLE = frozenset(
    ["been", "that", "this", "only", "have", "does", "more", "less", "than", "with", "from", "into", "within", "the"]
)


def doubt(text: str, items: Sequence[Evidence]) -> str:
    """Return what the text denies though the items deny nothing, or say it without a denial."""
    rest = _HARMLESS.sub(" ", text)
    if (success := _WENT_ON.search(text)) and not _DENIAL.search(text):
        told = " ".join(f"{item.statement} {' '.join(item.excerpt)}" for item in items)
        if not _WENT_ON.search(told):
            return f"{items[0].id} does not say “{success.group()}”."
    evidence = " ".join(f"{item.statement} {' '.join(item.excerpt)}" for item in items)
    for match in _TOO.finditer(text):
        if match["how"] in ("was", "were", "had", "did", "is", "of") or match["how"].lower() in evidence.lower():
            continue
        return f"{items[0].id} does not say “{match.group()}”."
    for match in _ANY_NO.finditer(rest):
        denied = rest[match.start() : match.start() + 40].strip()
        if not _SAYS_NO.search(evidence):
            return f"{items[0].id} does not say “{denied}”."
        if _NONE_BEFORE.search(rest) or _NONE_NOW.search(rest) or _WENT_ON.search(rest):
            continue
        after = _CLAUSE_END.split(rest[match.end() :])[0]
        own = [word for word in lexicon.words(after)[:4] if not lexicon.is_plain(word)]
        if own and not any(_is_denied(word, evidence) for word in own):
            return f"{items[0].id} does not say “{denied}”."
    return ""


def _is_denied(word: str, evidence: str) -> bool:
    """Whether the evidence denies what the word names, near the word; what it does not name at all nobody asks for."""
    places = _places(word, evidence)
    return not places or any(
        _SAYS_NO.search(evidence[max(0, place.start() - 40) : place.end() + 25]) for place in places
    )


def _places(word: str, text: str) -> list[re.Match[str]]:
    stem = lexicon.stem(word)
    return [match for match in _WORDS.finditer(text) if lexicon.stem(match.group()) == stem]


def _holder(words: str, items: Sequence[Evidence]) -> str:
    return next((item.id for item in items if words in f"{item.statement} {' '.join(item.excerpt)}"), items[0].id)


def _existence(text: str, item: Evidence) -> str:
    before, after = (item.statistic.get(name, {}).get("value") for name in ("before", "after"))
    is_share = item.kind is Kind.LOG or " share of " in f" {item.title} "
    if (
        not isinstance(before, int | float)
        or not isinstance(after, int | float)
        or not is_share
        or _WENT_ON.search(text)
    ):
        if _STILL.search(text) and after == 0:
            return f"{item.id} says that there is none left: {item.statement}"
        return ""
    wrong = (
        (before > 0 and _NONE_BEFORE.search(text))
        or (before == 0 and _SOME_BEFORE.search(text) and not _NONE_BEFORE.search(text))
        or (after > 0 and _NONE_NOW.search(text) and not _NONE_BEFORE.search(text))
        or (after == 0 and (_STILL.search(text) or _APPEARED.search(text)))
    )
    return f"{item.id} says otherwise: {item.statement}" if wrong else ""
