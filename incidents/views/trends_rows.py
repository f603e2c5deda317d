"""The trends' figures and tables as plain values for the templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.urls import reverse

from incidents.models import Team
from incidents.mttr import Difference, Measure, Verdict
from incidents.trends import behind, noise, times
from incidents.trends.offsets import zone_named
from incidents.trends.population import NO_TEAM, Population
from incidents.trends.wording import (
    DEFINITIONS,
    NAMES,
    SHORT_NAMES,
    TOO_FEW,
    difference_in_words,
    estimate_in_words,
    interval_in_words,
    minutes_in_words,
)
from incidents.views.trends_charts import Cell, Whisker, scale_of, whisker
from incidents.views.trends_choice import Asked

GROUPS_SHOWN = 30
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ORDER = (Measure.DETECT, Measure.ACKNOWLEDGE, Measure.MITIGATE, Measure.RESTORE)


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the numbers on top."""

    name: str
    short: str
    definition: str
    value: str
    interval: str
    n: int
    whisker: Whisker | None
    said: str
    tone: str


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One service, team, severity or cause."""

    label: str
    n: int
    going_on: int
    restore: str
    picture: Whisker | None
    detect: str
    acknowledge: str
    common_cause: str
    href: str


@dataclass(frozen=True, slots=True)
class HourCell:
    """How many incidents opened in an hour of the week; `level` 0 to 4 of the darkest."""

    hour: int
    count: int
    level: int
    href: str


@dataclass(frozen=True, slots=True)
class Groups:
    """The table by service, team, severity or cause; `more` groups are left out, and the pictures reach to `scale`."""

    rows: tuple[GroupRow, ...]
    more: int
    scale: str


@dataclass(frozen=True, slots=True)
class Week:
    """Openings by hour of the week, a row a day, in `zone`."""

    days: tuple[tuple[str, tuple[HourCell, ...]], ...]
    hours: tuple[str, ...]
    zone: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of alerts: how many, and their share as text and as a length."""

    label: str
    count: int
    share: str


def figures(apart: Mapping[Measure, Difference]) -> tuple[Figure, ...]:
    """Return the four numbers with what may be said of them."""
    return tuple(_figure(measure, apart[measure]) for measure in ORDER)


def _figure(measure: Measure, apart: Difference) -> Figure:
    found = apart.after
    tones = {Verdict.FELL: "good", Verdict.ROSE: "bad"}
    return Figure(
        name=NAMES[measure],
        short=SHORT_NAMES[measure],
        definition=DEFINITIONS[measure],
        value=minutes_in_words(found.minutes) if found else "",
        interval=interval_in_words(found.low, found.high) if found else TOO_FEW,
        n=found.n if found else 0,
        whisker=whisker(found, scale=scale_of([found, apart.before]) * 1.1),
        said=difference_in_words(apart) if found else "",
        tone=tones.get(apart.verdict, ""),
    )


def groups(wanted: Asked, population: Population) -> Groups:
    """Return the incidents by the dimension asked for."""
    by = {"service": times.by_service, "team": times.by_team, "severity": times.by_severity, "cause": times.by_cause}
    found = by[wanted.by](population)
    shown = found[:GROUPS_SHOWN]
    scale = scale_of([group.restore for group in shown])
    return Groups(group_rows(wanted, shown, wanted.by), len(found) - len(shown), minutes_in_words(scale))


def group_rows(wanted: Asked, found: tuple[times.Group, ...], by: str) -> tuple[GroupRow, ...]:
    """Return a row a group, the pictures on one scale."""
    scale = scale_of([group.restore for group in found])
    return tuple(
        GroupRow(
            label=group.label,
            n=group.n,
            going_on=group.going_on,
            restore=estimate_in_words(group.restore) if group.restore else "",
            picture=whisker(group.restore, scale=scale),
            detect=minutes_in_words(group.detect.minutes) if group.detect else "",
            acknowledge=minutes_in_words(group.acknowledge.minutes) if group.acknowledge else "",
            common_cause=group.common_cause,
            href=reverse("trends-incidents") + wanted.query(**{by: group.key}),
        )
        for group in found
    )


def week(wanted: Asked, population: Population) -> Week:
    """Return the heat map of openings."""
    zone = zone_of(wanted)
    hours = times.by_hour(population, zone=zone)
    most = int(hours.counts.max()) or 1
    base = reverse("trends-incidents")
    days = []
    for day, name in enumerate(WEEKDAYS):
        cells = []
        for hour, count in enumerate(hours.counts[day].tolist()):
            href = base + wanted.query(weekday=day + 1, hour=hour) if count else ""
            cells.append(HourCell(hour, count, -(-4 * count // most), href))
        days.append((name, tuple(cells)))
    return Week(tuple(days), tuple(f"{hour:02}" for hour in range(24)), zone.key)


def outcomes(found: noise.Noise) -> tuple[Outcome, ...]:
    """Return what became of the alerts that were decided on, as shares of all."""
    counts = (
        ("Opened an incident", found.opened),
        ("Joined one", found.joined),
        ("Held back", found.held),
        ("Silenced", found.silenced),
    )
    return tuple(Outcome(label, count, f"{count / (found.decided or 1):.0%}") for label, count in counts)


def times_of(timed: behind.Timed) -> tuple[Cell, ...]:
    """Return the four times of an incident; one that goes on says so."""
    return tuple(
        Cell(minutes_in_words(timed.minutes[measure]) + ("" if timed.is_over[measure] else " so far"))
        for measure in ORDER
    )


def zone_of(wanted: Asked) -> ZoneInfo:
    """Return the chosen team's time zone, UTC without a team or when its zone is not known."""
    if wanted.choice.team in ("", NO_TEAM):
        return ZoneInfo("UTC")
    named = Team.objects.filter(name=wanted.choice.team).values_list("time_zone", flat=True).first()
    return zone_named(named or "UTC") or ZoneInfo("UTC")
