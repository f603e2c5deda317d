"""The page that compares what was stated with what turned out: a reliability diagram drawn here, and the same as tables."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from incidents.localization import recalibration
from incidents.trends import calibration as calibrations
from incidents.trends.calibration import Calibration, Error, Step
from incidents.views.trends import frame, may_see_trends, opening
from incidents.views.trends_choice import Asked

# Of the drawing: where the square from 0 to 1 begins and how long its sides are, in its own units.
LEFT, TOP, SIDE = 46.0, 12.0, 260.0
LEAST_RADIUS, MOST_RADIUS = 3.5, 10.0


@dataclass(frozen=True, slots=True)
class Dot:
    """A bin in the drawing: its middle, its radius, and the ends of its interval."""

    x: float
    y: float
    radius: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """A bin in words; `href` leads to its incidents."""

    stated_range: str
    n: int
    stated: str
    came_true: str
    interval: str
    href: str


@may_see_trends
@require_GET
@never_cache
def calibration(request: HttpRequest) -> HttpResponse:
    """Show whether the stated chances came true, by chance and by month, and whether they are corrected."""
    now, wanted, visible = opening(request)
    found = calibrations.calibration(visible, wanted.choice)
    context = {
        **frame(wanted, None, tab="trends-calibration", now=now),
        "found": found,
        "title": _title(found),
        "dots": [_dot(step, most=max(one.bin.cases for one in found.steps)) for step in found.steps],
        "rows": [_row(step, found, wanted) for step in found.steps],
        "months": [
            (f"{m.first:%B %Y}", m.n, _percent(m.stated), _percent(m.came_true), _error(m.error)) for m in found.months
        ],
        "enough": calibrations.ENOUGH,
        "enough_to_correct": recalibration.ENOUGH,
        "used": calibrations.in_use(now=now),
        "scale": [(_x(share), _y(share), f"{share:.0%}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)],
        "square": (_x(0), _y(0), _x(1), _y(1)),
    }
    return render(request, "incidents/trends_calibration.html", context)


def _x(share: float) -> float:
    return round(LEFT + share * SIDE, 1)


def _y(share: float) -> float:
    return round(TOP + (1 - share) * SIDE, 1)


def _dot(step: Step, *, most: int) -> Dot:
    size = LEAST_RADIUS + (MOST_RADIUS - LEAST_RADIUS) * (step.bin.cases / most) ** 0.5
    return Dot(_x(step.bin.stated), _y(step.bin.came_true), round(size, 1), _y(step.low), _y(step.high))


def _row(step: Step, found: Calibration, wanted: Asked) -> Row:
    ids = [
        one.incident
        for one in found.told
        if step.bin.low <= one.stated < step.bin.high or one.stated == step.bin.high == 1
    ]
    return Row(
        stated_range=f"{step.bin.low:.0%} to {step.bin.high:.0%}",
        n=step.bin.cases,
        stated=_percent(step.bin.stated),
        came_true=_percent(step.bin.came_true),
        interval=f"{step.low:.0%} to {step.high:.0%}",
        href=reverse("trends-incidents") + wanted.query(ids=",".join(map(str, ids[:100]))),
    )


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _error(found: Error | None) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})" if found else "too few to say"


def _title(found: Calibration) -> str:
    if found.error is None:
        return "Stated and come true"
    stated = sum(one.stated for one in found.told) / len(found.told)
    right = sum(one.right for one in found.told) / len(found.told)
    return f"Stated {stated:.0%} on average, came true {right:.0%}"
