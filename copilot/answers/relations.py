"""Checks what a claim says of its numbers, times and services together: whose they are, which came first, from what to what, how many times.

A sentence can be false though each part of it stands in the evidence: "37 % in catalog and 41 % in storefront" when it was the other way round.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from copilot.answers import atoms
from copilot.answers.naming import services_in
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind

_CLAUSE = re.compile(r"[,;:]\s|\b(?:and|while|whereas|but|versus|vs\.?|because|as)\b", re.IGNORECASE)
_ONSET = re.compile(r"\b(?:left its usual range at|first at|since|at) ((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)")
_FROM_TO = re.compile(
    r"\bfrom (?P<one>[^,;.]{0,60}?\d[^,;]{0,30}?) (?:to|→|up to|down to) (?P<other>[^,;]{0,20}?\d[^,;]{0,30})",
    re.IGNORECASE,
)
_BEFORE_IT = re.compile(r"(?<!never )\b(?:before|prior to|ahead of) the (?:incident|outage|failures?)\b", re.IGNORECASE)
_NEVER = re.compile(r"\b(?:never|not|no|none|nothing|without|usual\w*)\b", re.IGNORECASE)
_EARLIER = re.compile(r"\b(?:before|earlier than|ahead of|prior to)\b", re.IGNORECASE)
_LATER = re.compile(r"\b(?:after|later than|following)\b", re.IGNORECASE)
_MORE_THAN = re.compile(
    r"\b(?:more|higher|worse|larger|longer|more often|more requests?)(?: \w+){0,3} than\b", re.IGNORECASE
)
_TIMES = (
    (re.compile(r"\bhalved\b", re.IGNORECASE), 0.5),
    (re.compile(r"\b(?:doubled|twice|twofold)\b", re.IGNORECASE), 2.0),
    (re.compile(r"\b(?:tripled|threefold)\b", re.IGNORECASE), 3.0),
    (re.compile(r"\b(?:quadrupled|fourfold)\b", re.IGNORECASE), 4.0),
    (re.compile(r"\btenfold\b", re.IGNORECASE), 10.0),
)
_AT_LEAST = re.compile(r"\b(?:more than|over|at least)\s*$", re.IGNORECASE)
_NEARLY = re.compile(r"\b(?:nearly|almost|close to|not quite)\s*$", re.IGNORECASE)
_FORMERLY = re.compile(r"\b(?:until|previously|formerly|used to)\b", re.IGNORECASE)
_USUALLY = re.compile(r"\b(?:usually|normally|typically|ordinarily) (?:at |about |around |some )?(?=\d)", re.IGNORECASE)
_MOST = re.compile(
    r"(?<!at )\b(?:most|the majority) (?:of |[\w/{}.-]+ ){0,4}?(?:requests?|calls?|answers?)\b|\bmore than half\b",
    re.IGNORECASE,
)
_FEW = re.compile(r"\b(?:fewer|less) than half\b|\b(?:a minority|few) of\b", re.IGNORECASE)
_SHARE = re.compile(r"(\d+(?:\.\d+)?) % of (?!it\b)")
_STOPPED = re.compile(r"\b(?:stopped|ceased|ended|recovered|no longer)\b", re.IGNORECASE)
_PERCENTILE = re.compile(r"\bp(\d{2,3})\b|\b(\d{2})(?:th|st|nd|rd) percentile\b|\b(median)\b", re.IGNORECASE)
_PART = re.compile(r"(?P<share>\d+(?:\.\d+)?) % of it in (?P<service>[\w.-]+)")
_SUM = re.compile(r"\b(?:total|together|combined|altogether|both|across)\b", re.IGNORECASE)
# Of one thing, the one is not the other.
_OPPOSITES = (("hit", "miss"), ("read", "write"), ("used", "free"), ("used", "idle"), ("inbound", "outbound"))
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
        _turned(plain, items),
        _multiplied(plain, items),
        _out_of_order(plain, items, bundle),
        _not_before(plain, items),
        _compared(plain, items, bundle),
        _formerly(plain, items),
        _usually(plain, items),
        _most(plain, items),
        _stopped(plain, items),
        _elsewhere(plain, items, bundle),
        _of_another_kind(plain, items),
    )
    return next((said for said in checks if said), "")


def apart(items: Sequence[Evidence]) -> Iterator[atoms.Number]:
    """Yield how long after another the cited items say that something began, for "10 seconds before"."""
    found = [onset for item in items for onset in _onsets(item)]
    for place, one in enumerate(found):
        for other in found[place + 1 :]:
            seconds = float(abs(one.second - other.second))
            yield atoms.Number(f"{seconds:g} s", seconds, seconds, atoms.TIME, 0.0)


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
        return ""
    for clause in clauses(text):
        named = [service for service in services_in(clause, bundle) if service in owners]
        if len(named) != 1:
            continue
        for number in atoms.numbers(clause):
            if number.dimension == atoms.COUNT:
                continue
            holders = [item for item in items if any(number.agrees_with(other) for other in numbers_of(item))]
            if holders and all(item.service != named[0] and named[0] not in item.statement for item in holders):
                return f"{number.said} is not {named[0]}'s: {holders[0].id} says it of {holders[0].service}."
    return ""


def _turned(text: str, items: Sequence[Evidence]) -> str:
    """From what it came to to what it was before."""
    for match in _FROM_TO.finditer(text):
        one, other = atoms.numbers(match["one"]), atoms.numbers(match["other"])
        if not one or not other:
            continue
        for item in items:
            before, after = _before_after(item)
            if before is None or after is None or one[-1].agrees_with(before) or not one[-1].agrees_with(after):
                continue
            if other[0].agrees_with(before) and not other[0].agrees_with(after):
                return f"{item.id} says it the other way round: {item.statement}"
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


def _out_of_order(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """One service before another, when the items say that it began after it."""
    for pattern, sign in ((_EARLIER, 1), (_LATER, -1)):
        for match in pattern.finditer(text):
            left = services_in(text[: match.start()], bundle)
            right = services_in(text[match.end() :], bundle)
            if len(left) != 1 or len(right) != 1 or left == right:
                continue
            first, second = (_began(service, items) for service in (left[0], right[0]))
            if first is not None and second is not None and sign * (first.second - second.second) > 0:
                return (
                    f"It was the other way round: {first.item.id} begins after {second.item.id}."
                    if sign > 0
                    else (f"It was the other way round: {first.item.id} begins before {second.item.id}.")
                )
    return ""


def _not_before(text: str, items: Sequence[Evidence]) -> str:
    """A change said to have been made before the incident, that was made after it began."""
    if len(items) != 1 or items[0].kind is not Kind.CHANGE or not _BEFORE_IT.search(text) or _NEVER.search(text):
        return ""
    if "after the incident began" in items[0].statement:
        return f"{items[0].id} says that it was after the incident began: {items[0].statement}"
    return ""


def _compared(text: str, items: Sequence[Evidence], bundle: EvidenceBundle) -> str:
    """One service more than another, when the cited peaks say less."""
    for match in _MORE_THAN.finditer(text):
        left = services_in(text[: match.start()], bundle)
        right = services_in(text[match.end() :], bundle)
        if len(left) != 1 or len(right) != 1 or left == right:
            continue
        one, other = (_peak(service, items) for service in (left[0], right[0]))
        if one and other and one[1].dimension == other[1].dimension and one[1].value < other[1].value:
            return f"It was the other way round: {one[1].said} in {one[0].id}, {other[1].said} in {other[0].id}."
    return ""


def _formerly(text: str, items: Sequence[Evidence]) -> str:
    """What it is now, told of the time before."""
    for clause in clauses(text) if len(items) == 1 and _FORMERLY.search(text) else ():
        before, after = _before_after(items[0])
        if not before or not after or not _FORMERLY.search(clause):
            continue
        for number in atoms.numbers(clause):
            if number.agrees_with(after) and not number.agrees_with(before):
                return f"{items[0].id} says {number.said} of the time after: {items[0].statement}"
    return ""


def _usually(text: str, items: Sequence[Evidence]) -> str:
    """The peak, told as what is usual."""
    if len(items) != 1 or "peak" not in items[0].statistic or not _USUALLY.search(text):
        return ""
    statistic = items[0].statistic
    [peak] = atoms.statistic_numbers({"peak": statistic["peak"]})
    usual = atoms.statistic_numbers({name: statistic[name] for name in statistic if name.startswith("usual")})
    for match in _USUALLY.finditer(text):
        for number in atoms.numbers(text[match.end() :])[:1]:
            if number.agrees_with(peak) and not any(map(number.agrees_with, usual)):
                return f"{items[0].id} says {number.said} of the incident: {items[0].statement}"
    return ""


def _most(text: str, items: Sequence[Evidence]) -> str:
    """Most of something, or few, against the share that the item states."""
    if len(items) != 1:
        return ""
    item = items[0]
    stated = [float(share) / 100 for share in _SHARE.findall(item.statement)]
    stated += [
        n.value
        for n in atoms.statistic_numbers({k: v for k, v in item.statistic.items() if k == "peak"})
        if n.dimension == atoms.RATIO
    ]
    if stated and ((_MOST.search(text) and max(stated) < 0.5) or (_FEW.search(text) and min(stated) > 0.5)):
        return f"{item.id} says how many: {item.statement}"
    return ""


def _stopped(text: str, items: Sequence[Evidence]) -> str:
    """The time at which something began, told as its end."""
    for clause in clauses(text) if len(items) == 1 and _STOPPED.search(text) else ():
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
        for clause in clauses(text):
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
    for pair in _OPPOSITES:
        for one, other in (pair, pair[::-1]):
            if (
                _has_word(text, one)
                and not _has_word(text, other)
                and _has_word(there, other)
                and not _has_word(there, one)
            ):
                return f"{items[0].id} is about “{other}”, not “{one}”: {items[0].statement}"
    return ""


def _has_word(text: str, word: str) -> bool:
    return bool(re.search(rf"(?<![a-z]){word}(?:e?s)?(?![a-z])", text, re.IGNORECASE))


def _percentiles(text: str) -> set[str]:
    found = (a or b or "50" for a, b, _ in _PERCENTILE.findall(text))
    return {"median" if number == "50" else f"p{number}" for number in found}


def numbers_of(item: Evidence) -> list[atoms.Number]:
    """Return every number that an item states or measured."""
    words = " ".join((item.service, item.title, item.statement, *item.excerpt))
    return [*atoms.numbers(words), *atoms.statistic_numbers(item.statistic)]


def clauses(text: str) -> list[str]:
    """Return the parts of a sentence that may each be about something else."""
    return [clause for clause in _CLAUSE.split(text) if clause.strip()]


def _onsets(item: Evidence) -> list[Onset]:
    return [
        Onset(item, clock.second_of_day) for said in _ONSET.findall(item.statement)[-1:] for clock in atoms.clocks(said)
    ]


def _began(service: str, items: Sequence[Evidence]) -> Onset | None:
    found = [onset for item in items if item.service == service for onset in _onsets(item)]
    return min(found, key=lambda onset: onset.second, default=None)


def _peak(service: str, items: Sequence[Evidence]) -> tuple[Evidence, atoms.Number] | None:
    for item in items:
        if item.service == service and "peak" in item.statistic:
            return item, atoms.statistic_numbers({"peak": item.statistic["peak"]})[0]
    return None


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
