"""What a number counted beyond the page's filters, in the address and in words."""

from __future__ import annotations

from collections.abc import Mapping

from incidents.mttr import Measure
from incidents.trends.behind import Narrowing
from incidents.trends.wording import NAMES, minutes_in_words
from incidents.views.trends_choice import Asked
from incidents.views.trends_rows import WEEKDAYS

MOST_IDS = 200
_LONGEST_ID = 18


def narrowed(query: Mapping[str, str], wanted: Asked) -> Narrowing:
    """Read the narrowing of an address; what makes no sense narrows nothing."""
    which = query.get("which", "")
    weekday, hour = _whole(query.get("weekday"), most=7), _whole(query.get("hour"), most=23)
    ids = (_whole(text, most=10**_LONGEST_ID) for text in query.get("ids", "").split(",")[:MOST_IDS])
    return Narrowing(
        measure=Measure(which) if which in set(Measure) else wanted.measure,
        over=_minutes(query.get("over")),
        upto=_minutes(query.get("upto")),
        weekday=weekday - 1 if weekday else None,
        hour=hour,
        going_on=query.get("open") == "1",
        ids=tuple(pk for pk in ids if pk),
    )


def in_words(narrowing: Narrowing) -> str:
    """Say what is narrowed, "" when nothing is."""
    said = []
    name = NAMES[narrowing.measure].lower()
    if narrowing.over is not None or narrowing.upto is not None:
        over = f"over {minutes_in_words(narrowing.over)}" if narrowing.over else ""
        upto = f"up to {minutes_in_words(narrowing.upto)}" if narrowing.upto is not None else ""
        said.append(f"{name} {' and '.join(part for part in (over, upto) if part)}")
    if narrowing.weekday is not None:
        said.append(f"opened on a {WEEKDAYS[narrowing.weekday]}")
    if narrowing.hour is not None:
        said.append(f"opened from {narrowing.hour:02}:00 to {narrowing.hour:02}:59")
    if narrowing.going_on:
        said.append("still going on")
    if narrowing.ids:
        said.append("alike, within thirty days of one another")
    return "; ".join(said)


def _whole(text: str | None, *, most: int) -> int | None:
    digits = (text or "").strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_ID):
        return None
    return int(digits) if int(digits) <= most else None


def _minutes(text: str | None) -> float | None:
    found = _whole(text, most=10**7)
    return None if found is None else float(found)
