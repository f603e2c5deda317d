"""Numbers, times and changes in words: one way to say each, so that the checker finds in an item what a claim repeats."""

import math
from datetime import datetime, timedelta

from incidents.detection.anomaly import Direction

_SCALES: dict[str, tuple[tuple[float, float, str], ...]] = {
    # unit: (from this size, divided by this, said as)
    "s": ((60.0, 60.0, "min"), (1.0, 1.0, "s"), (0.001, 0.001, "ms"), (0.0, 1e-6, "µs")),
    "ms": ((1000.0, 1000.0, "s"), (0.0, 1.0, "ms")),
    "By": ((2.0**30, 2.0**30, "GiB"), (2.0**20, 2.0**20, "MiB"), (1024.0, 1024.0, "KiB"), (0.0, 1.0, "B")),
}
_WORDS = {
    "1/s": "per s",
    "%": "%",
    "{connection}": "connections",
    "{request}": "requests",
    "{process}": "processes",
    "core": "cores",
}


def quantity(value: float, unit: str) -> str:
    """Return the value with its unit as people say it: 0.0123 s is "12 ms"; a ratio ("1") is in %; NaN is "none".

    Three significant digits, so rounding changes a value by at most 0.5 %.
    """
    if math.isnan(value):
        return "none"
    if unit == "1":
        return f"{_digits(value * 100)} %"
    for least, divisor, said in _SCALES.get(unit, ()):
        if abs(value) >= least:
            return f"{_digits(value / divisor)} {said}"
    word = _WORDS.get(unit, "" if unit.startswith("{") else unit)
    return f"{_digits(value)} {word}".rstrip()


def percent(chance: float) -> str:
    """Return a chance in [0, 1] as people write it, "94 %": whole percents that it reaches, so that one below a limit never reads as the limit."""
    return f"{math.floor(chance * 100 + 1e-9)} %"


def _digits(value: float) -> str:
    if value == 0 or abs(value) < 1e-9:
        return "0"
    size = math.floor(math.log10(abs(value)))
    return f"{round(value):,}" if size >= 2 else f"{value:.{min(2 - size, 6)}f}".rstrip("0").rstrip(".")


def clock(moment: datetime) -> str:
    """Return the time of day in UTC with seconds: "02:44:20"."""
    return f"{moment:%H:%M:%S}"


def span_of_time(length: timedelta) -> str:
    """Return a duration with its units: "26 min 31 s", "2 h 5 min"."""
    seconds = max(round(length.total_seconds()), 0)
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def moved(before: float, after: float, unit: str) -> str:
    """Return what a number did: "rose from 12 ms to 2.4 s", "appeared at 14", "stayed at 22 %"."""
    if math.isnan(before):
        return f"appeared at {quantity(after, unit)}"
    if math.isnan(after):
        return f"vanished; it was {quantity(before, unit)}"
    if quantity(before, unit) == quantity(after, unit):
        return f"stayed at {quantity(after, unit)}"
    return f"{'rose' if after > before else 'dropped'} from {quantity(before, unit)} to {quantity(after, unit)}"


def direction_of(before: float, after: float) -> Direction:
    """Return which way a number went; one that appeared went up."""
    return Direction.DOWN if after < before else Direction.UP


def joined(names: list[str]) -> str:
    """Return names as a list in a sentence: "a", "a and b", "a, b and c"."""
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)
