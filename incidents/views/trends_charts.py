"""What the trends' charts and their tables hold, as plain values: the picture and the table say the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import isfinite
from typing import Any

import numpy as np
from django.urls import reverse
from numpy.typing import NDArray

from incidents import mttr
from incidents.mttr import EDGES, Durations, Estimate, Survival
from incidents.trends import times
from incidents.trends.wording import (
    NAMES,
    TOO_FEW,
    count_in_words,
    estimate_in_words,
    minutes_in_words,
)
from incidents.views.trends_choice import Asked

TABLE_MINUTES = (5, 15, 30, 60, 120, 240, 480, 1_440)
FIRST_MINUTE = 0.5  # a logarithmic axis has no zero


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a chart's table; `href` leads to the incidents behind it."""

    text: str
    href: str = ""
    is_number: bool = True


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture: `key` names it, `title` states the finding, `data` is what the script draws, `rows` the same for reading."""

    key: str
    title: str
    note: str
    data: dict[str, Any]
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def data_id(self) -> str:
        """The id of the element that holds the data."""
        return f"data-{self.key}"


@dataclass(frozen=True, slots=True)
class Whisker:
    """A median on its interval, in percent of the scale; `is_open` when it has no upper limit."""

    low: str
    middle: str
    high: str
    is_open: bool


def whisker(estimate: Estimate | None, *, scale: float) -> Whisker | None:
    """Return the picture of an estimate on a scale from 0 to `scale` minutes, None when there is none to draw."""
    if estimate is None or not isfinite(estimate.minutes) or scale <= 0:
        return None
    low, middle, high = (
        f"{min(100.0, 100 * value / scale):.1f}%"
        for value in (estimate.low, estimate.minutes, min(estimate.high, scale))
    )
    return Whisker(low, middle, high, not isfinite(estimate.high))


def scale_of(estimates: list[Estimate | None]) -> float:
    """Return an upper end in minutes that holds the estimates' finite limits."""
    ends = [end for found in estimates if found for end in (found.minutes, found.high) if isfinite(end)]
    return max(ends, default=0.0) * 1.08


def course_chart(asked: Asked, course: times.Course) -> Chart:
    """Return the medians over the weeks, with their band and the marks where the times changed for good."""
    name = NAMES[asked.measure]
    spans = course.spans
    marks = [
        {"at": mark.at.timestamp(), "text": f"{_median(mark.difference.before)} → {_median(mark.difference.after)}"}
        for mark in course.marks
    ]
    every = "week" if course.weeks == 1 else f"{course.weeks} weeks"
    return Chart(
        key="course",
        title=_course_title(name, course),
        note=f"Median of every {every}, band = 95 % interval; a gap where there are too few. Dashed = changed for good (PELT, then log-rank p < 0.01).",
        data={
            "kind": "course",
            "label": name,
            "times": [span.start.timestamp() for span in spans],
            "median": [_finite(span.median.minutes) if span.median else None for span in spans],
            "low": [_finite(span.median.low) if span.median else None for span in spans],
            "high": [_finite(span.median.high) if span.median else None for span in spans],
            "n": [span.n for span in spans],
            "marks": marks,
        },
        columns=("Weeks from", "Incidents", f"{name}, median (95 % interval)"),
        rows=tuple(
            (
                Cell(f"{span.start:%-d %b %Y}", is_number=False),
                Cell(str(span.n), _incidents(asked, from_=f"{span.start:%Y-%m-%d}", to=_last_day(span), period="")),
                Cell(estimate_in_words(span.median)),
            )
            for span in spans
        ),
    )


def _last_day(span: times.Span) -> str:
    return f"{span.end - timedelta(days=1):%Y-%m-%d}"


def _course_title(name: str, course: times.Course) -> str:
    if not course.marks:
        return f"{name}: no lasting change found" if any(span.median for span in course.spans) else f"{name} over time"
    mark = course.marks[-1]
    apart = mark.difference
    return (
        f"{name} {apart.verdict.value} from {_median(apart.before)} to {_median(apart.after)} since {mark.at:%-d %B %Y}"
    )


def survival_chart(asked: Asked, now: Durations, before: Durations) -> Chart:
    """Return the share that still goes on after so many minutes, in this time and in the time before, with bands."""
    name = NAMES[asked.measure].lower()
    curve, earlier = mttr.survival(now), mttr.survival(before) if len(before) >= mttr.ENOUGH else None
    shown = times.shown_curve(curve)
    old = times.shown_curve(earlier) if earlier else None
    grid = np.unique(np.concatenate((shown.minutes, old.minutes if old else shown.minutes)))
    data: dict[str, Any] = {
        "kind": "survival",
        "minutes": [max(FIRST_MINUTE, float(minute)) for minute in grid],
        "now": _steps(shown, grid),
        "before": _steps(old, grid) if old else None,
    }
    return Chart(
        key="survival",
        title=_survival_title(curve, earlier),
        note=f"Kaplan–Meier estimate of {name}, {count_in_words(curve.going_on, 'incident')} of {curve.n} not over yet. Band = 95 %; dashed = the time before.",
        data=data,
        columns=("After", "Still going on (95 %)", "Known to have lasted longer", "The time before"),
        rows=tuple(_survival_row(minutes, curve, earlier) for minutes in TABLE_MINUTES),
    )


def _steps(curve: Survival, grid: NDArray[np.float64]) -> dict[str, list[float]]:
    # What is not known beyond the longest time is not drawn: the last value holds only to there.
    place = np.searchsorted(curve.minutes, grid, side="right") - 1
    return {
        name: [round(float(value), 4) for value in values[place]]
        for name, values in (("share", curve.share), ("low", curve.low), ("high", curve.high))
    }


def _survival_row(minutes: int, curve: Survival, earlier: Survival | None) -> tuple[Cell, ...]:
    share, low, high, at_risk = times.share_after(curve, minutes)
    before = times.share_after(earlier, minutes)[0] if earlier else None
    return (
        Cell(minutes_in_words(minutes), is_number=False),
        Cell(f"{share:.0%} ({low:.0%} to {high:.0%})"),
        Cell(str(at_risk)),
        Cell(f"{before:.0%}" if before is not None else "too few"),
    )


def _survival_title(curve: Survival, earlier: Survival | None) -> str:
    at = next((m for m in TABLE_MINUTES if times.share_after(curve, m)[0] <= 0.5), TABLE_MINUTES[-1])
    share = times.share_after(curve, at)[0]
    said = f"After {minutes_in_words(at)}, {share:.0%} still went on"
    return f"{said}; {times.share_after(earlier, at)[0]:.0%} in the time before" if earlier else said


def distribution_chart(asked: Asked, durations: Durations) -> Chart:
    """Return how many incidents took how long, over times that double."""
    counts = mttr.histogram(durations)
    last = max((place for place, count in enumerate(counts) if count), default=0)
    edges = (0, *EDGES)
    rows = []
    for place, count in enumerate(counts[: last + 1]):
        until = EDGES[place] if place < len(EDGES) else None
        words = f"up to {minutes_in_words(until)}" if until else f"over {minutes_in_words(edges[-1])}"
        href = _incidents(asked, over=edges[place], upto=until or "", which=asked.measure.value) if count else ""
        rows.append((Cell(words, is_number=False), Cell(str(count), href)))
    return Chart(
        key="distribution",
        title=_distribution_title(durations),
        note="Incidents that are over, by how long they took; each bar reaches about twice as far as the one before.",
        data={
            "kind": "distribution",
            "labels": [cells[0].text.removeprefix("up to ") for cells in rows],
            "counts": list(counts[: last + 1]),
        },
        columns=(NAMES[asked.measure], "Incidents"),
        rows=tuple(rows),
    )


def _distribution_title(durations: Durations) -> str:
    half, most = mttr.quantile(durations), mttr.quantile(durations, share=0.9)
    if half is None or most is None:
        return TOO_FEW
    said = f"Half within {_median(half)}"
    return f"{said}, nine in ten within {_median(most)}" if isfinite(most.minutes) else said


def _incidents(asked: Asked, **changes: str | int) -> str:
    return reverse("trends-incidents") + asked.query(**changes)


def _median(estimate: Estimate | None) -> str:
    return minutes_in_words(estimate.minutes) if estimate else "too few to say"


def _finite(value: float) -> float | None:
    return round(value, 2) if isfinite(value) else None
