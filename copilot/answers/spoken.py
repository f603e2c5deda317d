"""Turns numbers that a sentence says in words into figures: "half a minute" is "30 s", "one in eight" is "about 12.5 %", "seventyfold" is "70 ×"."""

import re
from functools import lru_cache

_ONES = {
    **{word: value for value, word in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"])},
    **{word: value for value, word in enumerate(["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"], 13)},
}  # fmt: skip
_TENS = {
    word: 10 * value
    for value, word in enumerate(["thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 3)
}
_TENS["twenty"] = 20
_SMALL = {**_ONES, **_TENS}
_LARGE = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "dozen": 12}
_PARTS = {
    "half": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "eighth": 8,
    "tenth": 10,
    "hundredth": 100,
}
_UNIT = {"second": "s", "minute": "min", "hour": "h", "millisecond": "ms"}
_SMALLER = {"min": ("s", 60), "h": ("min", 60), "s": ("ms", 1000)}

_word = "|".join(sorted(_SMALL, key=len, reverse=True))
_large = "|".join(_LARGE)
_part = "|".join(_PARTS)
_unit = "|".join(_UNIT)
_number = rf"(?:{_word})(?:-(?:{_word}))?|\d+(?:\.\d+)?"
_FOLD = re.compile(rf"\b({_word}|\d+(?:\.\d+)?)-?fold\b", re.IGNORECASE)
_AND_A_HALF = re.compile(
    rf"\b(?:an?|one)\s(?P<unit>{_unit}) and a half\b|\b(?P<count>{_number}) and a half (?P<units>{_unit})s?\b",
    re.IGNORECASE,
)
_PART_OF_UNIT = re.compile(
    rf"\b(?:(?P<count>an?|one|two|three) )?(?P<part>{_part})s? (?:of )?an? (?P<unit>{_unit})\b", re.IGNORECASE
)
_IN = re.compile(
    rf"\b(?P<some>{_number}) (?:in|out of(?: every)?) (?:every )?(?P<all>{_number})\b(?! (?:use|a row))", re.IGNORECASE
)
_FRACTION = re.compile(
    rf"(?<![\d:.])\b(?:(?:an?|one|(?P<count>{_number})) )?(?P<part>{_part})s?\b(?= (?:of|its|the|their|as)\b| \w+'s?\b|[,.;]|$| (?:less|more|fewer|in)\b)",
    re.IGNORECASE,
)
_A_UNIT = re.compile(rf"\b(?P<lead>an?|one) (?P<unit>{_unit})\b(?! and a half)", re.IGNORECASE)
_PER_UNIT = re.compile(r"\b(?:an?|every|each) second\b", re.IGNORECASE)
_WHOLE = re.compile(
    rf"\b(?P<small>an?|{_word})(?:[- ](?P<ones>one|two|three|four|five|six|seven|eight|nine))? ?(?P<large>{_large})(?: (?P<more>{_large}))?\b"
    rf"|\b(?P<alone>(?:{_word}))(?:-(?P<last>one|two|three|four|five|six|seven|eight|nine))?\b",
    re.IGNORECASE,
)
_TWICE = re.compile(r"\b(?:twice|double|two times)(?= (?:as|its|the|their|what|that|of)\b)", re.IGNORECASE)
_TRIPLE = re.compile(r"\b(?:triple|thrice)(?= (?:as|its|the|their|what)\b)", re.IGNORECASE)
_BOUNDED = re.compile(r"\b(?:than|over|above|under|below|least|most|within)\s*$", re.IGNORECASE)
_HOURS_AND = re.compile(
    rf"(?<![\d:.])\b({_number}) (hour|minute)s?(?: and|,) ({_number}) (minute|second)s?\b", re.IGNORECASE
)
_ALL_BUT = re.compile(r"\ball but (\d+(?:\.\d+)?) ?%", re.IGNORECASE)


@lru_cache(maxsize=5_000)
def figures(text: str) -> str:
    """Return the text with its numbers as figures, each with a unit where the words give one. Fractions become rounded shares ("about")."""
    for pattern, written in (
        (_ALL_BUT, lambda m: f"{100 - float(m[1]):g} %"),
        (_FOLD, lambda m: f"{_value(m[1]):g} ×"),
        (_AND_A_HALF, _and_a_half),
        (_PART_OF_UNIT, _part_of_unit),
        (_HOURS_AND, lambda m: f"{_value(m[1]):g} {_UNIT[m[2].lower()]} {_value(m[3]):g} {_UNIT[m[4].lower()]}"),
        (_TWICE, lambda _: "2 ×"),
        (_TRIPLE, lambda _: "3 ×"),
        (_IN, _in),
        (_FRACTION, _fraction),
        (_PER_UNIT, _per_second),
        (_A_UNIT, lambda m: f"1 {_UNIT[m['unit'].lower()]}"),
        (_WHOLE, _whole),
    ):
        text = pattern.sub(written, text)
    return text


def _value(word: str) -> float:
    first, _, last = word.lower().partition("-")
    return float(_SMALL[first] + (_SMALL[last] if last else 0)) if first in _SMALL else float(word)


def _and_a_half(match: re.Match[str]) -> str:
    unit, count = (match["unit"], 1.0) if match["unit"] else (match["units"], _value(match["count"]))
    unit, size = _SMALLER.get(_UNIT[unit.lower()], (_UNIT[unit.lower()], 1))
    return f"{_about(match)}{(count + 0.5) * size:g} {unit}"


def _part_of_unit(match: re.Match[str]) -> str:
    count = {"two": 2, "three": 3}.get((match["count"] or "").lower(), 1)
    unit, size = _SMALLER.get(_UNIT[match["unit"].lower()], (_UNIT[match["unit"].lower()], 1))
    return f"{_about(match)}{count * size / _PARTS[match['part'].lower()]:.3g} {unit}"


def _in(match: re.Match[str]) -> str:
    some, whole = _value(match["some"]), _value(match["all"])
    if not whole or some > whole:
        return match.group()
    return f"{_about(match)}{100 * some / whole:.3g} %"


def _fraction(match: re.Match[str]) -> str:
    part = _PARTS[match["part"].lower()]
    count = _value(match["count"]) if match["count"] else 1.0
    if count >= part:
        return match.group()
    return f"{_about(match)}{100 * count / part:.3g} %"


def _about(match: re.Match[str]) -> str:
    """A share in words is rounded, unless it is a bound: "more than half"."""
    return "" if _BOUNDED.search(match.string[: match.start()]) else "≈ "


def _per_second(match: re.Match[str]) -> str:
    """After a number "a second" is a rate; else it is a length of time."""
    before = match.string[: match.start()].rstrip()
    return "per second" if re.search(r"\d$|\b(?:requests|messages|times|calls|rows)$", before) else "1 s"


def _whole(match: re.Match[str]) -> str:
    if match["alone"]:
        if match["alone"].lower() == "one":
            return match.group()  # "one of", "one request": no count that anybody checks
        return f"{_value(match['alone']) + (_value(match['last']) if match['last'] else 0):g}"
    small = 1.0 if match["small"].lower() in ("a", "an") else _value(match["small"])
    small += _value(match["ones"]) if match["ones"] else 0
    return f"{small * _LARGE[match['large'].lower()] * _LARGE.get((match['more'] or '').lower(), 1):.0f}"
