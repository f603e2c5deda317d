"""The incidents behind a number: those of a choice that lasted so long, opened at that hour, go on, or carry these ids."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from incidents.models import Incident
from incidents.models.incident import IncidentQuerySet
from incidents.mttr import Durations, Measure
from incidents.trends.population import Population
from incidents.trends.times import weekday_and_hour

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What a number counted beyond the choice. None and () narrow nothing; minutes are over `over` and at most `upto`."""

    measure: Measure = Measure.RESTORE
    over: float | None = None
    upto: float | None = None
    weekday: int | None = None
    hour: int | None = None
    going_on: bool = False
    ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Timed:
    """One incident with its four times in minutes; `is_over` says of each whether it has ended."""

    pk: int
    title: str
    severity: int
    services: tuple[str, ...]
    team: str
    cause: str
    cause_text: str
    status: str
    is_demo: bool
    opened_at: datetime
    minutes: dict[Measure, float]
    is_over: dict[Measure, bool]


def behind(
    visible: IncidentQuerySet, population: Population, narrowing: Narrowing, *, zone: ZoneInfo, limit: int = SHOWN
) -> tuple[tuple[Timed, ...], int]:
    """Return the incidents, the longest by the measure first, at most `limit`, and how many there are in all."""
    measured = {measure: population.durations(measure) for measure in Measure}
    places = np.flatnonzero(_wanted(population, narrowing, measured[narrowing.measure], zone=zone))
    longest = places[np.argsort(-measured[narrowing.measure].minutes[places], kind="stable")][:limit]
    ids = population.ids[longest].tolist()
    rows = visible.select_related("team").only(
        "title", "severity", "services", "team__name", "cause", "cause_text", "status", "is_demo"
    )
    found = rows.in_bulk(ids)
    timed = tuple(
        _timed(found[pk], place, measured, opened=population.moments.opened[place])
        for pk, place in zip(ids, longest.tolist(), strict=True)
        if pk in found
    )
    return timed, len(places)


def _wanted(
    population: Population, narrowing: Narrowing, durations: Durations, *, zone: ZoneInfo
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    wanted = np.ones(len(population), dtype=np.bool_)
    if narrowing.over is not None or narrowing.upto is not None:
        # The histogram's edges: a bar's numbers are over its lower end, the first bar's from 0 on.
        wanted &= durations.is_over & (durations.minutes > (narrowing.over or -1.0))
        wanted &= durations.minutes <= (narrowing.upto if narrowing.upto is not None else np.inf)
    if narrowing.weekday is not None or narrowing.hour is not None:
        weekday, hour = weekday_and_hour(population, zone=zone)
        wanted &= (weekday == narrowing.weekday) if narrowing.weekday is not None else True
        wanted &= (hour == narrowing.hour) if narrowing.hour is not None else True
    if narrowing.going_on:
        wanted &= population.is_open()
    if narrowing.ids:
        wanted &= np.isin(population.ids, narrowing.ids)
    return wanted


def _timed(incident: Incident, place: int, measured: dict[Measure, Durations], *, opened: float) -> Timed:
    return Timed(
        pk=incident.pk,
        title=incident.title,
        severity=incident.severity,
        services=tuple(incident.services),
        team=incident.team.name if incident.team else "",
        cause=incident.get_cause_display(),
        cause_text=incident.cause_text,
        status=incident.get_status_display(),
        is_demo=incident.is_demo,
        opened_at=datetime.fromtimestamp(opened, tz=UTC),
        minutes={measure: float(durations.minutes[place]) for measure, durations in measured.items()},
        is_over={measure: bool(durations.is_over[place]) for measure, durations in measured.items()},
    )
