"""Checks what a claim says of its numbers, times and services together: whose they are, which came first, from what to what, how many times.

A sentence can be false though each part of it stands in the evidence: "37 % in catalog and 41 % in storefront" when it was the other way round.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from copilot.answers import atoms, facts, referents, spoken
from copilot.answers.naming import names, services_in
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind

_ONSET = re.compile(r"\b(?:left its usual range at|first at|since|at) ((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)")
_TIMES = (
    (re.compile(r"\bhalved\b", re.IGNORECASE), 0.5),
    (re.compile(r"\b(?:doubled|twice|twofold)\b", re.IGNORECASE), 2.0),
    (re.compile(r"\b(?:tripled|threefold)\b", re.IGNORECASE), 3.0),
    (re.compile(r"\b(?:quadrupled|fourfold)\b", re.IGNORECASE), 4.0),
    (re.compile(r"\btenfold\b", re.IGNORECASE), 10.0),
)
_AT_LEAST = re.compile(r"\b(?:more than|over|at least)\s*$", re.IGNORECASE)
_NEARLY = re.compile(r"\b(?:nearly|almost|close to|not quite)\s*$", re.IGNORECASE)
_OF = re.compile(r"(?<![\d.,])(\d[\d,]*) of (\d[\d,]*)(?![\d.]*\d| ?%)")
_IT = re.compile(r"\s*(?:it|its)\b", re.IGNORECASE)
_STOPPED = re.compile(r"\b(?:stopped|ceased|ended|recovered|no longer)\b", re.IGNORECASE)
_PERCENTILE = re.compile(
    r"\bp(\d{2,3})\b|\b(\d{2})(?:th|st|nd|rd) percentile\b|\b(median|average|mean(?! that))\b", re.IGNORECASE
)
_PART = re.compile(r"(?P<share>\d+(?:\.\d+)?) % of it in (?P<service>[\w.-]+)")
_SUM = re.compile(r"\b(?:total|together|combined|altogether|both|across)\b", re.IGNORECASE)
# Of one thing, the one is not the other.
_OPPOSITES = (("hit", "miss"), ("read", "write"), ("used", "free"), ("used", "idle"), ("inbound", "outbound"))
_OFF = re.compile(
    r"\b(?:switched|turned|set|is|was|flag|taken) (?:\w+ )?off\b|\b(?:disabled|deactivated)\b", re.IGNORECASE
)
_ON = re.compile(r"\b(?:switched|turned|set) (?:\w+ )?on\b|\benabled\b", re.IGNORECASE)
_ON_THERE = re.compile(r"\bflag [\w-]+ on\b|\benabled\b", re.IGNORECASE)
_OF_ALL = re.compile(r"\b(?P<some>\d+) of (?:the |its )?(?P<whole>\d+)\b(?P<rest>[^.;]*)", re.IGNORECASE)
_GONE = re.compile(r"\b(?:no longer|not|gone|lost|missing|unavailable|unready|down|fail\w*|dropped)\b", re.IGNORECASE)
NEAR = 0.15  # how far a factor said in a word may be from the measured one, of it


@dataclass(frozen=True, slots=True)
class Onset:
    """When an item says that something began, in seconds of the day."""

    item: Evidence
    second: int


def contradiction(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """Return what of the claim is told the wrong way round, as a sentence; "" when nothing is."""
    if not items:
        return ""
    plain = atoms.QUOTE.sub(" ", text)
    checks = (
        _swapped(plain, items, bundle),
        _multiplied(plain, items),
        _stopped(plain, items),
        _elsewhere(plain, items, bundle),
        _of_another_kind(plain, items),
        _left(plain, items),
    )
    return next((said for said in checks if said), "")


def parts(items: Sequence[Evidence]) -> Iterator[atoms.Number]:
    """Yield the shares that follow from what the items state: of "1,250 of 5,000 rows", and half of all that a median divides."""
    for item in items:
        words = " ".join((item.statement, *item.excerpt))
        for some, whole in _OF.findall(words):
            part, total = (float(number.replace(",", "")) for number in (some, whole))
            if 0 < part <= total:
                yield atoms.Number(f"{part / total:.3g}", part / total, part / total, atoms.RATIO, 0.0)
        if "median" in words or "halfway" in words:
            yield atoms.Number("50 %", 0.5, 0.5, atoms.RATIO, 0.0)
        for percentile in re.findall(r"\bp(\d\d)\b", words):
            yield atoms.Number("", 1 - int(percentile) / 100, 1 - int(percentile) / 100, atoms.RATIO, 0.0)


def sums(text: str, items: Sequence[Evidence]) -> Iterator[atoms.Number]:
    """Yield how often the cited log patterns were seen together, when the text speaks of a total."""
    counts = [after for item in items if item.kind is Kind.LOG and (after := _before_after(item)[1])]
    if len(counts) > 1 and _SUM.search(text):
        total = sum(count.value for count in counts)
        yield atoms.Number(f"{total:g}", total, total, atoms.COUNT, 0.0)


def _swapped(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """A number in a clause about one service, that only items of another service hold."""
    owners = {item.service for item in items}
    if len(owners) < 2:
        return _of_the_example(text, items, bundle)
    last: list[str] = []
    for clause in referents.clauses(text):
        named = [service for service in services_in(clause, bundle) if service in owners]
        # "…; it changed": what was named last.
        named = last if not named and _IT.match(clause) else named
        last = named or last
        if len(named) != 1:
            continue
        for number in atoms.numbers(clause):
            if number.dimension == atoms.COUNT:
                continue
            holders = [item for item in items if any(number.agrees_with(other) for other in numbers_of(item))]
            if holders and all(item.service != named[0] and named[0] not in item.statement for item in holders):
                return f"{number.said} is not {named[0]}'s: {holders[0].id} says it of {holders[0].service}."
    return ""


def _of_the_example(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """A number that an item measured of its service, told of a service that only its example goes through."""
    for item in items:
        own = item.statement.partition("Example:")[0]
        named = services_in(text, bundle)
        if (
            len(named) != 1
            or not item.service
            or item.service in named
            or names(own, named[0])
            or not names(item.statement, named[0])
        ):
            continue
        measured = [value.number for value in facts.values(item)[: facts.MEASURED] if value.of is not facts.Of.ANY]
        for number in atoms.numbers(spoken.figures(text)):
            if number.dimension != atoms.COUNT and any(map(number.agrees_with, measured)):
                return f"{number.said} is not {named[0]}'s: {item.id} says it of {item.service}."
    return ""


def _multiplied(text: str, items: Sequence[Evidence]) -> str:
    """Doubled, tripled, quadrupled: against what the items measured before and after."""
    factors = [(item, factor) for item in items if (factor := _factor(item)) is not None]
    for pattern, times in _TIMES:
        match = pattern.search(text)
        if not match or not factors:
            continue
        least = bool(_AT_LEAST.search(text[: match.start()]))
        nearly = bool(_NEARLY.search(text[: match.start()]))
        if not any(_fits(factor, times, least=least, nearly=nearly) for _, factor in factors):
            item, factor = factors[0]
            return f"{item.id} shows {factor:.2g} times as much, not {match.group().lower()}: {item.statement}"
    return ""


def _fits(factor: float, times: float, *, least: bool, nearly: bool) -> bool:
    if least:
        return factor >= times
    if nearly:
        return times * (1 - 2 * NEAR) <= factor <= times
    return abs(factor - times) <= NEAR * times


def _stopped(text: str, items: Sequence[Evidence]) -> str:
    """The time at which something began, told as its end."""
    is_log = len(items) == 1 and items[0].kind in (Kind.LOG, Kind.TRACE, Kind.ATTACHED)
    for clause in referents.clauses(text) if is_log and _STOPPED.search(text) else ():
        for clock in atoms.clocks(clause) if _STOPPED.search(clause) else ():
            if any(abs(onset.second - clock.second_of_day) <= 1 for onset in _onsets(items[0])):
                return f"{items[0].id} says that it began then: {items[0].statement}"
    return ""


def _elsewhere(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """A share of a request's time, told of another service than the one that spends it."""
    for item in items:
        part = _PART.search(item.statement)
        if part is None:
            continue
        [share] = atoms.numbers(f"{part['share']} %")
        for clause in referents.clauses(text):
            there = [number for number in atoms.numbers(clause) if number.dimension == atoms.RATIO]
            named = services_in(clause.rpartition("%")[2], bundle)
            if any(number.agrees_with(share) for number in there) and named and part["service"] not in named:
                return f"{item.id} says it of {part['service']}: {item.statement}"
    return ""


def _of_another_kind(text: str, items: Sequence[Evidence]) -> str:
    """Another percentile than the items', or the opposite of what they count."""
    there = " ".join(f"{item.title} {item.statement}" for item in items)
    said, held = _percentiles(text), _percentiles(there)
    if said and held and not said & held:
        return f"{items[0].id} is about {', '.join(sorted(held))}: {items[0].statement}"
    none_left = any(item.statistic.get("after", {}).get("value") == 0 for item in items)
    for pair in () if none_left and not atoms.numbers(text) else _OPPOSITES:
        for one, other in (pair, pair[::-1]):
            if (
                _has_word(text, one)
                and not _has_word(text, other)
                and _has_word(there, other)
                and not _has_word(there, one)
            ):
                return f"{items[0].id} is about “{other}”, not “{one}”: {items[0].statement}"
    if _OFF.search(text) and _ON_THERE.search(there) and not _ON.search(text):
        return f"{items[0].id} says “on”: {items[0].statement}"
    return ""


def _left(text: str, items: Sequence[Evidence]) -> str:
    """How many of all are gone, told of those that are left, or the other way round."""
    match = _OF_ALL.search(spoken.figures(text))
    for item in items if match else ():
        before, after = _before_after(item)
        if match is None or before is None or after is None or before.dimension != atoms.COUNT:
            continue
        some, whole = float(match["some"]), float(match["whole"])
        gone = before.value - after.value
        if whole == before.value and gone > 0 and some != (gone if _GONE.search(match["rest"]) else after.value):
            return f"{item.id} says how many are left: {item.statement}"
    return ""


def _has_word(text: str, word: str) -> bool:
    return bool(re.search(rf"(?<![a-z]){word}(?:e?s)?(?![a-z])", text, re.IGNORECASE))


def _percentiles(text: str) -> set[str]:
    found = (a or b or word.lower().replace("mean", "average") for a, b, word in _PERCENTILE.findall(text))
    return {"median" if one in ("50", "median") else one if one == "average" else f"p{one}" for one in found}


def numbers_of(item: Evidence) -> list[atoms.Number]:
    """Return every number that an item states or measured."""
    words = " ".join((item.service, item.title, item.statement, *item.excerpt))
    return [*atoms.numbers(spoken.figures(words)), *atoms.statistic_numbers(item.statistic)]


def _onsets(item: Evidence) -> list[Onset]:
    return [
        Onset(item, clock.second_of_day) for said in _ONSET.findall(item.statement)[-1:] for clock in atoms.clocks(said)
    ]


def _before_after(item: Evidence) -> tuple[atoms.Number | None, atoms.Number | None]:
    before, after = (
        atoms.statistic_numbers({name: item.statistic[name]})[:1] if name in item.statistic else []
        for name in ("before", "after")
    )
    return before[0] if before else None, after[0] if after else None


def _factor(item: Evidence) -> float | None:
    before, after = _before_after(item)
    if before and after:
        return after.value / before.value if before.value else None
    return next((number.value for number in atoms.beyond_usual(item.statistic)), None)
