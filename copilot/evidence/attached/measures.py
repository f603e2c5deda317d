"""Numbers in log entries: a field that moved from the file's start to its end, and the range of a number that a question asks for."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copilot.evidence.attached.entries import Entry

LEAST_VALUES = 40
MOST_SAMPLES = 240
LEAST_CHANGE = 1.5  # times, between the medians of the first and the last tenth
LEAST_ORDER = 0.3  # rank correlation with time: a number that only jumps about has none
_NUMBER = re.compile(
    r"(?<![\w.:/-])(\d+(?:\.\d+)?)\s?(%|[nµum]?s(?:ec(?:onds?)?)?|milliseconds?|minutes?|hours?|[kKMGT]i?[Bb]|bytes|(?:requests?|rows|messages)(?:/s\w*)?)(?![\w:/-])"
)


@dataclass(frozen=True, slots=True)
class Movement:
    """A field's medians in the first and the last tenth of its values, and when it first was halfway there.

    `order` is the rank correlation of its values with time: near 1 or -1 it moved all the time, else at once or now and then.
    """

    file: str
    name: str
    values: int
    before: float
    after: float
    first: Entry
    last: Entry
    halfway: Entry
    order: float
    samples: tuple[tuple[Entry, float], ...] = ()  # at most 240 of its values, evenly spread, for a chart


@dataclass(frozen=True, slots=True)
class Range:
    """Smallest, middle and largest of one number in entries that say the same. `unit` is the word behind it, "" for none."""

    least: float
    median: float
    most: float
    unit: str


def movements_in(entries: Iterable[Entry]) -> list[Movement]:
    """Return the numeric fields that rose or fell clearly, the largest change first. NaN and booleans are left out."""
    series: dict[tuple[str, str], list[tuple[float, Entry]]] = {}
    for entry in entries:
        for name, value in entry.fields.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and value == value:
                series.setdefault((entry.file, name), []).append((float(value), entry))
    moved = [found for (file, name), pairs in series.items() if (found := _movement(file, name, pairs))]
    return sorted(moved, key=lambda each: -abs(np.log((abs(each.after) + 1e-9) / (abs(each.before) + 1e-9))))


def _movement(file: str, name: str, pairs: Sequence[tuple[float, Entry]]) -> Movement | None:
    values = np.array([value for value, _ in pairs])
    if len(values) < LEAST_VALUES or _is_code_or_id(values):
        return None
    tenth = max(len(values) // 10, 4)
    before, after = float(np.median(values[:tenth])), float(np.median(values[-tenth:]))
    low, high = sorted((abs(before), abs(after)))
    if high == 0 or high < LEAST_CHANGE * low or abs(order := _order(values)) < LEAST_ORDER:
        return None
    middle = (before + after) / 2
    passed = values >= middle if after > before else values <= middle
    halfway = pairs[int(np.argmax(passed))][1]
    samples = tuple((entry, value) for value, entry in pairs[:: max(1, -(-len(pairs) // MOST_SAMPLES))])
    return Movement(file, name, len(values), before, after, pairs[0][1], pairs[-1][1], halfway, order, samples)


def _is_code_or_id(values: NDArray[np.float64]) -> bool:
    """Return whether the numbers only name things: a few HTTP codes, a count of the lines, or moments since 1970."""
    different = np.unique(values)
    if len(different) <= 8 and bool(np.all((different >= 100) & (different < 600) & (different % 1 == 0))):
        return True
    return bool(np.all(np.diff(values) == 1)) or bool(np.all(values > 1e9) and np.all(np.diff(values) >= 0))


def _order(values: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation of the values with their order, in [-1, 1]; equal values share a rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        return 0.0
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1])


def range_in(entries: Sequence[Entry]) -> Range | None:
    """Return the range of the number that varies most among texts of the same template; None when none does."""
    rows = [_NUMBER.findall(entry.text) for entry in entries]
    width = min(map(len, rows), default=0)
    best: Range | None = None
    for place in range(width):
        values = np.array([float(row[place][0]) for row in rows])
        if values.max() > values.min() and (best is None or (rows[0][place][1] and not best.unit)):
            best = Range(float(values.min()), float(np.median(values)), float(values.max()), rows[0][place][1])
    return best
