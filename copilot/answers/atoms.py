"""What can be checked in a sentence: numbers with units, times of day, versions and quotations, each with the precision it is stated in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

TIME, RATIO, BYTES, RATE, FACTOR, COUNT = "time", "ratio", "bytes", "rate", "factor", "count"

# Unit as written (lower case) to what it measures and how many base units it is.
_UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("µs", "μs", "us", "microseconds", "microsecond"), (TIME, 1e-6)),
    **dict.fromkeys(("ms", "milliseconds", "millisecond", "msec"), (TIME, 1e-3)),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), (TIME, 1.0)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), (TIME, 60.0)),
    **dict.fromkeys(("h", "hour", "hours"), (TIME, 3600.0)),
    **dict.fromkeys(("%", "percent", "per cent"), (RATIO, 0.01)),
    **dict.fromkeys(("b", "by", "byte", "bytes"), (BYTES, 1.0)),
    "kib": (BYTES, 2.0**10), "mib": (BYTES, 2.0**20), "gib": (BYTES, 2.0**30),
    "kb": (BYTES, 1e3), "mb": (BYTES, 1e6), "gb": (BYTES, 1e9),
    **dict.fromkeys(("per s", "per sec", "per second", "/s", "/sec", "1/s", "rps", "req/s", "requests/s", "requests per second"), (RATE, 1.0)),
    **dict.fromkeys(("×", "x", "times", "fold", "-fold"), (FACTOR, 1.0)),
}  # fmt: skip
_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_ABOUT_WORDS = r"\b(?:about|around|approximately|approx\.?|roughly|nearly|almost|not quite|close to|some|circa|just|slightly|well|a (?:bit|little)|the|an?|its|usual|maximum)"
_MORE = r"\b(?:more than|over|above|at least|exceed(?:s|ed|ing)|beyond|upwards of|or more)"
_LESS = r"\b(?:less than|fewer than|lower than|under|below|at most|no more than|up to|not even|never exceed(?:s|ed)|(?:does|did) not exceed)"
_BOUND_WORDS = rf"(?:{_LESS}|{_MORE})"
_THAN_THAT = re.compile(r"\bthan (?:the|its)\b", re.IGNORECASE)
_INCLUSIVE = re.compile(
    r"\b(?:at least|at most|no more than|up to|not exceed|never exceed\w*|or more)\b", re.IGNORECASE
)
_LOWER_BOUND, _UPPER_BOUND = re.compile(_MORE, re.IGNORECASE), re.compile(_LESS, re.IGNORECASE)
_ROUGHLY = re.compile(
    r"\b(?:about|around|approx\w*|roughly|nearly|almost|not quite|close to|some|circa|just|slightly)\b|[~≈]",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    rf"(?P<lead>(?:(?:{_ABOUT_WORDS}|{_BOUND_WORDS})\s+|[~≈]\s?){{0,3}})"
    rf"(?<![\w.:/-])(?P<digits>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)(?:\s?(?P<unit>{_UNIT})(?![\w/])|(?!\w|:\d))",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(?<![\d:.])([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?!\d|:\d)")
VERSION = re.compile(r"(?<![\w.])v?\d+\.\d+\.\d+(?:[\w.+-]*\w)?|(?<![\w.])v\d+(?:\.\d+)*\b", re.IGNORECASE)
QUOTE = re.compile(r"[“\"`]([^”\"`]{3,})[”\"`]|(?<!\w)'([^']{3,})'(?!\w)")
# Names that only machines and programmers write: an incident, a class, a path, a dotted or underscored name, a word in capitals.
_IDENTIFIER = re.compile(
    r"\bINC-\d+\b|\b[A-Z]+[a-z]+[A-Z]\w*|\b[A-Z]{2,}[a-z]+\w*|(?<![\w/.])/[\w{}*.-]+(?:/[\w{}*.-]+)*|\b[a-z]\w*(?:[_.][a-z]\w*)+\b|\b[A-Z]{4,}\b|\b(?!p\d)[a-z]{2,12}\d{1,4}\b"
)
_SPOKEN = frozenset(
    {"http", "https", "json", "html", "i.e", "e.g", "uptime", "crud", "asap"}
)  # what people write so, too
_GAP = re.compile(r"…|\.\.\.|<[^<>\s]*>")  # stands for the variable part of a log template, or for what was left out
PERCENTILE = re.compile(r"\bp\d{2,3}\b|\b\d{2}th percentile\b", re.IGNORECASE)
ABOUT = 0.05  # what "about" allows, of the value
SHARE_IN_WORDS = 0.12  # "one in five", "a third"
SLACK = 0.005  # rounding of a bound itself
CLOSE = 2.0  # how far, as a factor, from a bound a value may be that is told by it: "more than 200" is said of 250, not of 2,000


@dataclass(frozen=True, slots=True)
class Number:
    """A number as stated. `value` is in the base unit of its `dimension`; `half` is half of its last stated digit, in the same unit.

    `bound` is ">" for "more than 5", "<" for "less than 5", ">=" and "<=" for "at least" and "at most". It stands from `start` to `end` in its text, -1 when there is none.
    """

    said: str
    raw: float
    value: float
    dimension: str
    half: float
    bound: str = ""
    start: int = -1
    end: int = -1

    def agrees_with(self, other: "Number") -> bool:
        """Return whether the other is this one within the rounding that this one is stated in. A bare number fits any unit."""
        if self.bound and (self.dimension == other.dimension or self.dimension == COUNT):
            return self._bounds(other)
        if self.dimension == other.dimension:
            return abs(self.value - other.value) <= self.half * (1 + 1e-9) + 1e-12
        if self.dimension == COUNT or (self.dimension == FACTOR and other.dimension == COUNT):
            half = self.half if self.raw == self.value else 0.0
            return abs(self.raw - other.raw) <= half * (1 + 1e-9) + 1e-12
        return False

    def _bounds(self, other: "Number") -> bool:
        """Whether the other is on this bound's side, and near enough that one would say it so."""
        own, told = (self.value, other.value) if self.dimension == other.dimension else (self.raw, other.raw)
        slack = SLACK * abs(own)
        if len(self.bound) == 1 and abs(own - told) < 1e-9 * abs(own):  # "more than 60 %" is not said of 60 %
            return False
        if self.bound.startswith(">"):
            return own - slack <= told <= own * CLOSE + slack
        return own / CLOSE / 1.25 - slack <= told <= own + slack


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day in UTC; `exact` is false when it has no seconds."""

    said: str
    second_of_day: int
    exact: bool

    def agrees_with(self, other: "Clock") -> bool:
        """Return whether the other is this time: within a second, or in or rounded to the same minute."""
        apart = abs(self.second_of_day - other.second_of_day)
        apart = min(apart, 86_400 - apart)
        if self.exact and other.exact:
            return apart <= 1
        return apart <= 30 or self.second_of_day // 60 == other.second_of_day // 60


def numbers(text: str) -> list[Number]:
    """Return the numbers in the text, in order; times of day, versions and percentile names are not among them."""
    return list(_numbers(text))


@lru_cache(maxsize=5_000)
def _numbers(text: str) -> tuple[Number, ...]:
    for pattern in (_CLOCK, VERSION, PERCENTILE):
        text = pattern.sub(lambda match: " " * len(match.group()), text)
    found: list[Number] = []
    for match in _NUMBER.finditer(text):
        digits = match["digits"].replace(",", "")
        dimension, scale = _UNITS[match["unit"].lower()] if match["unit"] else (COUNT, 1.0)
        decimals = len(digits.partition(".")[2])
        raw = float(digits)
        half = 0.5 * 10**-decimals * scale if (decimals or dimension != COUNT) else 0.0
        lead = match["lead"] or ""
        if _ROUGHLY.search(lead):
            half = max(half, (SHARE_IN_WORDS if "≈" in lead else ABOUT) * raw * scale)
        bound = "<" if _UPPER_BOUND.search(lead) else ">" if _LOWER_BOUND.search(lead) else ""
        if _THAN_THAT.search(lead):  # "more than the 12 before"
            bound = ""
        bound += "=" if bound and _INCLUSIVE.search(lead) else ""
        said = f"{match['digits']} {match['unit']}" if match["unit"] else match["digits"]
        last = found[-1] if found else None
        if (
            last
            and dimension == last.dimension == TIME
            and last.value > raw * scale
            and match.start() - last.end in (0, 1)
        ):
            # "12 min 50 s" is one length of time
            found[-1] = Number(
                f"{last.said} {said}",
                last.value + raw * scale,
                last.value + raw * scale,
                TIME,
                half,
                last.bound,
                last.start,
                match.end(),
            )
            continue
        found.append(Number(said, raw, raw * scale, dimension, half, bound, match.start("digits"), match.end()))
    return tuple(found)


def clocks(text: str) -> list[Clock]:
    """Return the times of day in the text, in order."""
    return list(_clocks(text))


@lru_cache(maxsize=5_000)
def _clocks(text: str) -> tuple[Clock, ...]:
    return tuple(
        Clock(match.group(), int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3] or 0), match[3] is not None)
        for match in _CLOCK.finditer(text)
    )


def versions(text: str) -> list[str]:
    """Return the version names in the text without a leading "v", in lower case."""
    return [match.group().lower().removeprefix("v") for match in VERSION.finditer(text)]


def identifiers(text: str) -> list[str]:
    """Return the names in the text that only machines write, in small letters, each once; versions and quotations are not among them."""
    plain = VERSION.sub(" ", QUOTE.sub(" ", text))
    found = (match.group().strip("./").lower() for match in _IDENTIFIER.finditer(plain))
    return [name for name in dict.fromkeys(found) if name and name not in _SPOKEN]


def quotes(text: str) -> list[str]:
    """Return what the text puts in quotation marks."""
    return [double or single for double, single in QUOTE.findall(text)]


def fixed_parts(quote: str) -> list[str]:
    """Return what a quotation states literally: the parts between its gaps ("…", "..." and placeholders such as <*>), in order."""
    return [part for part in _GAP.split(quote) if part.strip(" .,")]


def statistic_numbers(statistic: Mapping[str, Mapping[str, Any]]) -> list[Number]:
    """Return an evidence item's own numbers, and what follows from a "before" and an "after": factor, difference and change in %."""
    found = [
        _exact(float(entry["value"]), str(entry.get("unit", "")))
        for entry in statistic.values()
        if isinstance(entry.get("value"), int | float)
    ]
    before, after = (statistic.get(name, {}).get("value") for name in ("before", "after"))
    if isinstance(before, int | float) and isinstance(after, int | float):
        unit = str(statistic["after"].get("unit", ""))
        found.append(_exact(abs(after - before), unit))
        if before and after:
            found += [_exact(after / before, "×"), _exact(before / after, "×"), _exact(abs(after / before - 1), "1")]
    return [*found, *beyond_usual(statistic)]


def beyond_usual(statistic: Mapping[str, Mapping[str, Any]]) -> list[Number]:
    """Return how many times its usual upper bound a peak is, where both are known."""
    peak, high = (statistic.get(name, {}).get("value") for name in ("peak", "usual high"))
    return (
        [_exact(peak / high, "×")] if isinstance(peak, int | float) and isinstance(high, int | float) and high else []
    )


def _exact(value: float, unit: str) -> Number:
    if unit == "1":
        return Number(f"{value * 100:g} %", value, value, RATIO, 0.0)
    dimension, scale = _UNITS.get(unit.lower(), (COUNT, 1.0))
    return Number(f"{value:g} {unit}".strip(), value, value * scale, dimension, 0.0)
