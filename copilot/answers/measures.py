"""Checks the numbers of a claim by what it says of them: of the incident or of the time before, how long after, how many of both."""

import re
from collections.abc import Sequence
from dataclasses import replace

from copilot.answers import atoms, facts, referents
from copilot.answers.facts import Of, Value
from copilot.evidence.bundle import Evidence, EvidenceBundle

_SEPARATOR = re.compile(
    r"[,;()–—]|(?<![\d.]):(?!\d)|\b(?:and|while|but|where|whereas|so|because|although|though|when)\b", re.IGNORECASE
)
_THEN = re.compile(
    r"\b(?:from|used to|usual(?:ly)?|normal(?:ly)?|typical(?:ly)?|ordinar(?:y|ily)|otherwise|previous(?:ly)?|former(?:ly)?|before(?:hand)?|earlier"
    r"|instead of|rather than|compared (?:with|to)|relative to|against|versus|vs|up from|down from|baseline|originally|prior|until|ago)\b",
    re.IGNORECASE,
)  # fmt: skip
_NOW = re.compile(
    r"\b(?:now|currently|during|reach(?:ed|es|ing)|peak(?:ed|s|ing)?|hit(?:s|ting)?|worst|ending|ended)\b|(?<!up )\bto(?:\s(?:about|over|nearly|almost|around|roughly|some|more than|less than|just|under|≈))*\s*≈?\s*$|→\s*$",
    re.IGNORECASE,
)
_PRESENT = re.compile(r"\b(?:is|are|has|have|takes?|needs?|stands?|serves?)\b", re.IGNORECASE)
_AFTERWARDS = re.compile(
    r"^\W{0,2}(?:\w+ ){0,3}?(?:(?P<then>before(?:hand)?|previously|usually|normally|typically|earlier|formerly|in normal times|in the window before)"
    r"|(?P<now>during|now|at (?:the|its|their) (?:peak|worst)|at \d\d:\d\d(?::\d\d)?))\b",
    re.IGNORECASE,
)  # fmt: skip
_STARTS = re.compile(r"\b(?:left|leav\w+|began|begun|begin\w*|start\w*|onset|since|first)\b", re.IGNORECASE)
_PEAKS = re.compile(r"\b(?:peak\w*|slowest|worst|highest|maximum|largest)\b", re.IGNORECASE)
_AGAINST = re.compile(r"\b(?:against|versus|vs|compared (?:with|to))\b[^,;]*$", re.IGNORECASE)
_FROM_TO = re.compile(r"\b(?:from|to)\s+(?:about |nearly |almost |over |only |≈ ?)?$", re.IGNORECASE)
_RANGE = re.compile(r"^\s*(?:to|–|-|and)\s*$")
_BETWEEN = re.compile(r"\b(?:between|usual\w*|normal\w*)\b", re.IGNORECASE)
_APART = re.compile(
    r"^\s*(?:\w+ ){0,2}?(?:before|after|later|earlier|into the|into it|prior|apart|ahead|past|behind|following)\b",
    re.IGNORECASE,
)
_WITHIN = re.compile(
    r"\b(?:within|for|lasted|covers|spans|lasts|over|after|in)\s+(?:(?:only|just|about|around|roughly|some|the|less than|more than|under|over)\s+){0,3}$",
    re.IGNORECASE,
)
_BOTH = re.compile(r"\b(?:both|each|all|neither|every one)\b", re.IGNORECASE)


def of_which_time(text: str, numbers: Sequence[atoms.Number], place: int) -> Of:
    """Return which time the text gives the number at that place of its numbers as of; ANY when it does not say."""
    number = numbers[place]
    begin = numbers[place - 1].end if place else 0
    gap = text[begin : number.start]
    if place and _RANGE.match(gap) and _BETWEEN.search(text[: numbers[place - 1].start]):
        return of_which_time(text, numbers, place - 1)
    end = numbers[place + 1].start if place + 1 < len(numbers) else len(text)
    if after := _AFTERWARDS.search(_SEPARATOR.split(text[number.end : end])[0]):
        return Of.THEN if after["then"] else Of.NOW
    near = _SEPARATOR.split(gap)[-1]
    then = max((match.end() for match in _THEN.finditer(near)), default=-1)
    now = max((match.end() for match in _NOW.finditer(near)), default=-1)
    if then < 0 and now < 0:
        so_far = _SEPARATOR.split(text[: number.start])[-1]
        return Of.NOW if _PRESENT.search(near) or atoms.clocks(so_far) else Of.ANY
    return Of.THEN if then > now else Of.NOW


def is_interval(text: str, number: atoms.Number) -> bool:
    """Return whether a length of time lies between two moments ("20 s later") rather than being a measured duration."""
    return number.dimension == atoms.TIME and bool(_APART.search(text[number.end :]))


def near(number: atoms.Number, seconds: float) -> bool:
    """Return whether a length of time in words is that many seconds; minutes and hours are rounded more."""
    return replace(number, half=max(number.half, 1.0)).agrees_with(atoms.Number("", seconds, seconds, atoms.TIME, 0.0))


def fits_interval(number: atoms.Number, items: Sequence[Evidence], bundle: EvidenceBundle) -> bool:
    """Return whether two moments of the items lie that far apart."""
    return any(near(number, seconds) for seconds in facts.intervals(items, bundle))


def may_be_interval(text: str, number: atoms.Number) -> bool:
    """Return whether a length of time may be one between two moments: "within four minutes"."""
    return number.dimension == atoms.TIME and bool(_WITHIN.search(text[: number.start]))


def at_another_moment(text: str, items: Sequence[Evidence]) -> str:
    """Return when it peaked, or began, when the text exchanges the two."""
    for part in referents.clauses(text):
        for clock in atoms.clocks(part):
            for item in items:
                told = facts.times(item)
                if told.peaked is None or told.began is None or told.peaked == told.began:
                    continue
                began, peaked = (abs(clock.second_of_day - second) <= 1 for second in (told.began, told.peaked))
                is_start, is_peak = bool(_STARTS.search(part)), bool(_PEAKS.search(part))
                if (began and not peaked and is_peak and not is_start) or (
                    peaked and not began and is_start and not is_peak
                ):
                    return f"{item.id} says another time of that: {item.statement}"
    return ""


def of_another_time(text: str, numbers: Sequence[atoms.Number], values: Sequence[Value]) -> str:
    """Return what the items say instead when the text gives a number of the incident as the usual one, or the other way round."""
    for place, number in enumerate(numbers):
        if is_interval(text, number):
            continue
        said = of_which_time(text, numbers, place)
        exact = bool(_FROM_TO.search(text[: number.start]))  # "from 6 to 2": no difference or factor
        if said is Of.THEN and len({value.item.id for value in values}) > 1 and _AGAINST.search(text[: number.start]):
            continue  # of another item, rather than of the time before
        agreeing = [value for value in values if number.agrees_with(value.number)]
        if (
            said is Of.ANY
            or not agreeing
            or any(value.of in (said, Of.ANY) or (value.of is Of.BOTH and not exact) for value in agreeing)
        ):
            continue
        first = agreeing[0]
        return f"{first.item.id} says {number.said} of {first.of.value}: {first.item.statement}"
    return ""


def not_of_all(text: str, numbers: Sequence[atoms.Number], items: Sequence[Evidence]) -> str:
    """Return which item does not say what the text says of both or of each, "" when all do."""
    if len(items) < 2 or not _BOTH.search(text) or len(numbers) != 1:
        return ""
    [number] = numbers
    if is_interval(text, number) or number.dimension == atoms.FACTOR:
        return ""
    for item in items:
        own = [value.number for value in facts.values(item)]
        same = [other for other in own if other.dimension == number.dimension]
        if same and not any(map(number.agrees_with, same)):
            return f"{item.id} does not say {number.said}: {item.statement}"
    return ""
