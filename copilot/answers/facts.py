"""What an evidence item states, as data: its numbers with the time that each is of, when something began and peaked, and which way it went."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from copilot.answers import atoms, spoken
from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind


class Of(Enum):
    """Which time a number is of: the incident, or before it and usually; ANY when the item does not say."""

    NOW = "the incident"
    THEN = "the time before"
    BOTH = "both times"  # a factor or a difference
    ANY = ""


MEASURED = 4  # values at most that an item itself measured; they come first
_NOW, _THEN = ("peak", "after"), ("before", "usual low", "usual high")
_PEAK = re.compile(r"\b(?:rose|dropped) to [^;(]*? at ((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)")
_LEFT = re.compile(r"left its usual range at ((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)")
_OTHER = re.compile(r"\b(?:first at|since|at|from)\s(?:\d{4}-\d\d-\d\d )?((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)")
_RANGE_END = re.compile(r"\bfrom \S+ ?(?:[\d:]{8}) to (?:\d{4}-\d\d-\d\d )?([\d:]{8})")


@dataclass(frozen=True, slots=True)
class Value:
    """A number that an item states or that follows from what it states."""

    item: Evidence
    number: atoms.Number
    of: Of


@dataclass(frozen=True, slots=True)
class Times:
    """When something began, peaked and ended, in seconds of the day; None where the item does not say."""

    item: Evidence
    began: int | None
    peaked: int | None
    ended: int | None


def values(item: Evidence) -> list[Value]:
    """Return the item's numbers, each with the time that it is of."""
    now, then = (
        atoms.statistic_numbers({name: item.statistic[name] for name in names if name in item.statistic})
        for names in (_NOW, _THEN)
    )
    # Two of one item are also a factor and a difference, which are of neither time.
    found = [Value(item, number, Of.NOW) for number in now] + [Value(item, number, Of.THEN) for number in then]
    words = " ".join((item.service, item.title, item.statement, *item.excerpt))
    for number in atoms.numbers(spoken.figures(words)):
        is_now, is_then = (any(number.agrees_with(other) for other in some) for some in (now, then))
        found.append(Value(item, number, Of.ANY if is_now == is_then else Of.NOW if is_now else Of.THEN))
    measured = {number.value for number in (*now, *then)}
    for number in atoms.statistic_numbers(item.statistic):
        if number.value not in measured:
            named = any(number.value == entry.get("value") for entry in item.statistic.values())
            found.append(Value(item, number, Of.ANY if named else Of.BOTH))
    return found


def times(item: Evidence) -> Times:
    """Return when what the item shows began, peaked and ended."""
    peaked = _second(_PEAK, item.statement) if item.kind is Kind.METRIC else None
    began = _second(_LEFT, item.statement)
    if began is None:
        began = _second(_OTHER, item.statement)
    return Times(item, began, peaked, _second(_RANGE_END, item.statement))


def _second(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    found = atoms.clocks(match[1]) if match else []
    return found[0].second_of_day if found else None


def intervals(items: Sequence[Evidence], bundle: EvidenceBundle) -> Iterator[float]:
    """Yield the seconds between any two moments that the items tell, and from the incident's start to each."""
    start = bundle.incident_start
    if items:
        yield (bundle.incident_end - start).total_seconds()
    moments = [start.hour * 3600 + start.minute * 60 + start.second] if items else []
    for item in items:
        told = times(item)
        moments += [second for second in (told.began, told.peaked, told.ended) if second is not None]
        moments += [clock.second_of_day for clock in atoms.clocks(" ".join(item.excerpt))]
        lead = item.statistic.get("before incident", {}).get("value")
        if isinstance(lead, int | float):
            yield abs(float(lead))
    moments = sorted(set(moments))
    for place, one in enumerate(moments):
        for other in moments[place + 1 :]:
            yield float(other - one)
