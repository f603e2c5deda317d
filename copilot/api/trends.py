"""The times that managers look at, with their intervals."""

import math
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from copilot.api.access import READ_TRENDS, person
from copilot.api.problems import Problem
from copilot.api.shapes import REFUSALS, ProblemShape
from incidents.models import Incident
from incidents.mttr import Estimate
from incidents.trends import population, times
from incidents.trends.recent import minute

router = Router(tags=["trends"])
USUAL = timedelta(days=90)
LONGEST = timedelta(days=1100)


class TrendFilter(Schema):
    """Which incidents: those opened from `start` until before `end`, by default in the last 90 days."""

    start: datetime | None = None
    end: datetime | None = None
    service: str = Field("", max_length=200)
    team: str = Field("", max_length=100, description='a name, or "none"')
    severity: int = Field(0, ge=0, le=4)
    cause: str = Field("", max_length=20, description='a cause, or "unknown"')
    demo: bool = Field(False, description="with made-up incidents")


class EstimateShape(Schema):
    """A median in minutes with its 95 % interval; null where the data sets no limit."""

    median: float | None
    low: float | None
    high: float | None
    n: int
    going_on: int = Field(description="how many of the n are not over; they count")


class MeasureShape(Schema):
    """One measure in this time and in the time of equal length before; null with too few incidents to say."""

    measure: str
    now: EstimateShape | None
    before: EstimateShape | None
    verdict: str = Field(description="whether the times differ by more than chance")
    p: float | None = Field(description="of the log-rank test")


class TrendsShape(Schema):
    """The measures, and what was left out of them."""

    start: datetime
    end: datetime
    incidents: int
    merged: int
    false_alarms: int
    measures: list[MeasureShape]


@router.get("/trends", auth=READ_TRENDS, response={200: TrendsShape, REFUSALS: ProblemShape})
def get_trends(request: HttpRequest, which: Query[TrendFilter]) -> Any:
    """Read how long it took to detect, acknowledge, mitigate and restore."""
    now = minute(timezone.now())
    end = which.end or now
    start = which.start or end - USUAL
    if not timedelta(0) < end - start <= LONGEST:
        raise Problem(400, f"`start` must be before `end`, at most {LONGEST.days} days.")
    choice = population.Choice(
        start=start,
        end=end,
        service=which.service,
        team=which.team,
        severity=which.severity,
        cause=which.cause,
        with_demo=which.demo,
    )
    visible = Incident.objects.visible_to(person(request))
    found = population.read(visible, choice, now=now)
    earlier = population.read(visible, choice.before(), now=now)
    measures = [
        MeasureShape(
            measure=measure.value,
            now=_estimate(difference.after),
            before=_estimate(difference.before),
            verdict=difference.verdict.value,
            p=difference.p,
        )
        for measure, difference in times.figures(found, earlier).items()
    ]
    left = found.left_out
    return TrendsShape(
        start=start,
        end=end,
        incidents=len(found),
        merged=left.merged,
        false_alarms=left.false_alarms,
        measures=measures,
    )


def _estimate(found: Estimate | None) -> EstimateShape | None:
    if found is None:
        return None
    bounds = {
        name: value if math.isfinite(value) else None
        for name, value in (("median", found.minutes), ("low", found.low), ("high", found.high))
    }
    return EstimateShape(**bounds, n=found.n, going_on=found.going_on)
