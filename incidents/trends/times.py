"""How long incidents took: against the time before, over the weeks, by group, by hour, and how many are still going on after so long."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from incidents import mttr
from incidents.models import Incident
from incidents.mttr import ENOUGH, Difference, Durations, Estimate, Measure, Survival
from incidents.trends.offsets import local_seconds
from incidents.trends.population import NO_CAUSE, NO_TEAM, Population

WEEK = 7 * 86_400.0
MONDAY = datetime(1970, 1, 5, tzinfo=UTC).timestamp()
SPANS = (1, 2, 4, 13)  # weeks; the first in which most spans hold enough incidents is shown
MOST_SPANS = 60
CURVE_POINTS = 160


@dataclass(frozen=True, slots=True)
class Span:
    """Some weeks: the incidents opened from `start` until before `end`, and their median."""

    start: datetime
    end: datetime
    n: int
    median: Estimate | None


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the times changed for good: at this incident's opening."""

    at: datetime
    incident_id: int
    difference: Difference


@dataclass(frozen=True, slots=True)
class Course:
    """A measure over time. `weeks` is how many weeks a span has."""

    weeks: int
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Incidents that share a service, team, severity or cause. `key` is the filter's value, `label` what people read."""

    key: str
    label: str
    n: int
    going_on: int
    restore: Estimate | None
    detect: Estimate | None
    acknowledge: Estimate | None
    common_cause: str


@dataclass(frozen=True, slots=True)
class Hours:
    """Incidents by local weekday (0 is Monday) and hour of opening, shape (7, 24)."""

    counts: NDArray[np.int64]
    zone: str


def figures(population: Population, before: Population) -> dict[Measure, Difference]:
    """Return each measure's median in the time before and in this time."""
    return {
        measure: mttr.difference(before.durations(measure), population.durations(measure)) for measure in mttr.Measure
    }


def course(population: Population, measure: Measure) -> Course:
    """Return the measure's medians over spans of whole weeks, beginning on Mondays (UTC), and where it changed for good."""
    durations = population.durations(measure)
    week = np.floor((population.moments.opened - MONDAY) / WEEK).astype(np.int64)
    first = int((population.choice.start.timestamp() - MONDAY) // WEEK)
    last = int((population.choice.end.timestamp() - MONDAY - 1) // WEEK)
    width = next((n for n in SPANS if _mostly_enough(week - first, n, last - first + 1)), SPANS[-1])
    place = (week - first) // width
    spans = [
        _span(durations.at(place == number), since=first + number * width, weeks=width)
        for number in range((last - first) // width + 1)
    ]
    marks = tuple(
        Mark(
            _moment(population.moments.opened[change.position]), int(population.ids[change.position]), change.difference
        )
        for change in mttr.changes(durations)
    )
    return Course(width, tuple(spans), marks)


def _mostly_enough(week: NDArray[np.int64], width: int, weeks: int) -> bool:
    if weeks > width * MOST_SPANS:
        return False
    counts = np.bincount(week // width, minlength=-(-weeks // width)) if len(week) else np.zeros(1)
    return bool((counts >= ENOUGH).mean() >= 2 / 3)


def _span(durations: Durations, *, since: int, weeks: int) -> Span:
    start = _moment(MONDAY + since * WEEK)
    return Span(start, start + timedelta(weeks=weeks), len(durations), mttr.quantile(durations))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), tz=UTC)


def by_service(population: Population) -> tuple[Group, ...]:
    """Group by service, most incidents first; an incident counts under each service it names."""
    return _grouped(population, lambda i: [(name, name) for name in population.services[i]])


def by_team(population: Population) -> tuple[Group, ...]:
    """Group by team, most incidents first."""
    return _grouped(population, lambda i: [(population.team[i] or NO_TEAM, population.team[i] or "No team")])


def by_severity(population: Population) -> tuple[Group, ...]:
    """Group by severity, the worst first."""
    groups = _grouped(population, lambda i: [(str(population.severity[i]), f"SEV {population.severity[i]}")])
    return tuple(sorted(groups, key=lambda group: group.key))


def by_cause(population: Population) -> tuple[Group, ...]:
    """Group by cause as people decided it, most incidents first."""
    return _grouped(
        population, lambda i: [(population.cause[i] or NO_CAUSE, str(Incident.Cause(population.cause[i]).label))]
    )


def _grouped(population: Population, keys: Callable[[int], Iterable[tuple[str, str]]]) -> tuple[Group, ...]:
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i in range(len(population)):
        for key in keys(i):
            members[key].append(i)
    measured = {measure: population.durations(measure) for measure in Measure}
    largest = sorted(members.items(), key=lambda item: (-len(item[1]), item[0][1]))
    return tuple(_group(population, measured, key, np.array(places)) for key, places in largest)


def _group(
    population: Population, measured: dict[Measure, Durations], key: tuple[str, str], places: NDArray[np.int_]
) -> Group:
    restore = measured[Measure.RESTORE].at(places)
    causes = Counter(population.cause[i] for i in places if population.cause[i])
    cause, times = causes.most_common(1)[0] if causes else ("", 0)
    return Group(
        key=key[0],
        label=key[1],
        n=len(places),
        going_on=int((~restore.is_over).sum()),
        restore=mttr.quantile(restore),
        detect=mttr.quantile(measured[Measure.DETECT].at(places)),
        acknowledge=mttr.quantile(measured[Measure.ACKNOWLEDGE].at(places)),
        common_cause=f"{Incident.Cause(cause).label}, {times} of {len(places)}" if cause else "",
    )


def by_hour(population: Population, *, zone: ZoneInfo) -> Hours:
    """Count the openings by local weekday and hour."""
    weekday, hour = weekday_and_hour(population, zone=zone)
    counts = np.bincount(weekday * 24 + hour, minlength=168)
    return Hours(counts.reshape(7, 24), zone.key)


def weekday_and_hour(population: Population, *, zone: ZoneInfo) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each incident's local weekday (0 is Monday) and hour of opening."""
    local = local_seconds(population.moments.opened, zone=zone)
    days = np.floor(local / 86_400).astype(np.int64)
    return (days + 3) % 7, np.floor(local / 3_600).astype(np.int64) % 24  # 1970 began on a Thursday


def shown_curve(curve: Survival) -> Survival:
    """Return the curve with at most `CURVE_POINTS` steps, the first and last kept: more than a screen can show."""
    if len(curve.minutes) <= CURVE_POINTS:
        return curve
    keep = np.unique(np.linspace(0, len(curve.minutes) - 1, CURVE_POINTS).astype(np.int64))
    return Survival(
        curve.minutes[keep],
        curve.share[keep],
        curve.low[keep],
        curve.high[keep],
        curve.at_risk[keep],
        curve.n,
        curve.going_on,
    )


def share_after(curve: Survival, minutes: float) -> tuple[float, float, float, int]:
    """Return the share that goes on after so many minutes, its band, and how many incidents are known to have lasted that long."""
    place = int(np.searchsorted(curve.minutes, minutes, side="right")) - 1
    following = min(place + 1, len(curve.minutes) - 1)
    at_risk = int(curve.at_risk[following]) if following > place else 0
    return float(curve.share[place]), float(curve.low[place]), float(curve.high[place]), at_risk
