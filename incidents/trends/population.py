"""Which incidents a trend is about, and their times, read with one narrow query."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Count, Expression, F, FloatField, Func, Q, QuerySet
from django.db.models.functions import Coalesce
from numpy.typing import NDArray

from incidents.models import Incident
from incidents.models.incident import IncidentQuerySet
from incidents.mttr import Durations, Measure, Moments

NO_TEAM, NO_CAUSE = "none", "unknown"
MOST = 50_000  # incidents that one page reads; beyond, the newest, and the page says so


@dataclass(frozen=True, slots=True)
class Choice:
    """What a page is about: incidents opened from `start` until before `end`. An empty text or 0 means any.

    `team` may be "none" and `cause` "unknown". Made-up and replayed incidents are left out unless asked for.
    """

    start: datetime
    end: datetime
    service: str = ""
    team: str = ""
    severity: int = 0
    cause: str = ""
    with_demo: bool = False
    with_replays: bool = False

    def before(self) -> Choice:
        """Return the same for the time of equal length just before."""
        return replace(self, start=self.start - (self.end - self.start), end=self.start)

    @property
    def length(self) -> timedelta:
        """How much time it covers."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Incidents of the choice that are counted but not timed, and whether there are more than could be read."""

    merged: int = 0
    false_alarms: int = 0
    demo: int = 0
    replays: int = 0
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class Population:
    """The n incidents that are timed, in the order in which they opened, as columns; `now` in epoch seconds."""

    choice: Choice
    now: float
    ids: NDArray[np.int64]
    moments: Moments
    severity: NDArray[np.int64]
    cause: tuple[str, ...]
    team: tuple[str, ...]
    services: tuple[tuple[str, ...], ...]
    left_out: LeftOut
    demo: int

    def __len__(self) -> int:
        return len(self.ids)

    def durations(self, measure: Measure) -> Durations:
        """Return one of the four times."""
        return self.moments.durations(measure, now=self.now)

    def is_open(self) -> NDArray[np.bool_]:
        """Say of each whether it goes on."""
        return np.isnan(self.moments.resolved)


class Epoch(Func):
    """A moment as seconds since 1970."""

    function = "EXTRACT"
    template = "EXTRACT(EPOCH FROM %(expressions)s)::float8"
    output_field = FloatField()


def raw_rows(found: QuerySet[Any, Any]) -> list[tuple[Any, ...]]:
    """Return a `values_list` as the database driver gives it: for ten thousand rows Django's conversions would take longest of all."""
    try:
        sql, params = found.query.sql_with_params()
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def chosen(visible: IncidentQuerySet, choice: Choice) -> IncidentQuerySet:
    """Return the incidents of a choice, merged ones and false alarms among them, made-up and replayed ones only when asked for."""
    found = _matching(visible, choice)
    if not choice.with_demo:
        found = found.filter(is_demo=False)
    return found if choice.with_replays else found.filter(source="live")


def timed(visible: IncidentQuerySet, choice: Choice) -> IncidentQuerySet:
    """Return those of a choice whose times count: a merged incident's time is the other's, and a false alarm has none."""
    return chosen(visible, choice).filter(merged_into=None).exclude(cause=Incident.Cause.FALSE_ALARM)


def read(visible: IncidentQuerySet, choice: Choice, *, now: datetime, counts_others: bool = True) -> Population:
    """Return the choice's incidents as columns. `visible` is what the person may see; `now` is where open incidents' times end.

    What is left out is not counted without `counts_others`: a time that is only compared with needs no such count.
    """
    columns: dict[str, Expression | F] = {
        "started": Epoch("started_at"),
        "opened": Epoch("opened_at"),
        "acknowledged": Epoch("acknowledged_at"),
        "mitigated": Epoch("mitigated_at"),
        "resolved": Epoch(Coalesce("resolved_at", "closed_at")),
    }
    found = timed(visible, choice).annotate(**columns).order_by("-opened_at", "-pk")
    names = ("pk", *columns, "severity", "cause", "team__name", "services", "is_demo")
    rows = raw_rows(found.values_list(*names)[: MOST + 1])
    beyond = len(rows) > MOST
    rows = rows[MOST - 1 :: -1] if beyond else rows[::-1]
    table = list(zip(*rows, strict=True)) or [()] * len(names)
    return Population(
        choice=choice,
        now=now.timestamp(),
        ids=np.array(table[0], dtype=np.int64),
        moments=Moments(*(np.array(table[place], dtype=np.float64) for place in range(1, 6))),
        severity=np.array(table[6], dtype=np.int64),
        cause=tuple(table[7]),
        team=tuple(name or "" for name in table[8]),
        services=tuple(tuple(names) for names in table[9]),
        left_out=_left_out(visible, choice, beyond=beyond) if counts_others else LeftOut(has_more=beyond),
        demo=sum(table[10]),
    )


def _matching(visible: IncidentQuerySet, choice: Choice) -> IncidentQuerySet:
    found = visible.filter(opened_at__gte=choice.start, opened_at__lt=choice.end)
    if choice.service:
        found = found.filter(services__contains=[choice.service])
    if choice.team:
        found = found.filter(team=None) if choice.team == NO_TEAM else found.filter(team__name=choice.team)
    if choice.severity:
        found = found.filter(severity=choice.severity)
    if choice.cause:
        found = found.filter(cause="" if choice.cause == NO_CAUSE else choice.cause)
    return found


def _left_out(visible: IncidentQuerySet, choice: Choice, *, beyond: bool) -> LeftOut:
    real, live = Q(is_demo=False), Q(source="live")
    among = (real if not choice.with_demo else Q()) & (live if not choice.with_replays else Q())
    merged = Q(merged_into__isnull=False)
    counts = _matching(visible, choice).aggregate(
        merged=Count("pk", filter=among & merged),
        false_alarms=Count("pk", filter=among & ~merged & Q(cause=Incident.Cause.FALSE_ALARM)),
        demo=Count("pk", filter=Q(is_demo=True)),
        replays=Count("pk", filter=~live),
    )
    return LeftOut(
        merged=counts["merged"],
        false_alarms=counts["false_alarms"],
        demo=0 if choice.with_demo else counts["demo"],
        replays=0 if choice.with_replays else counts["replays"],
        has_more=beyond,
    )
