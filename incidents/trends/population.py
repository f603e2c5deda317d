"""Which incidents a trend is about, and their times, read with one narrow query."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import compress
from typing import Any

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Expression, F, FloatField, Func, QuerySet
from django.db.models.functions import Coalesce
from numpy.typing import NDArray

from incidents.models import Incident
from incidents.models.incident import IncidentQuerySet
from incidents.mttr import Durations, Measure, Moments
from incidents.trends.recent import Recent, rows_of

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


def read(visible: IncidentQuerySet, choice: Choice, *, now: datetime) -> Population:
    """Return the choice's incidents as columns. `visible` is what the person may see; `now` is where open incidents' times end.

    Everything that opened in the time is read once a minute and chosen from here, whatever the filters; only beyond `MOST` does the
    database choose.
    """
    within = replace(Choice(start=choice.start, end=choice.end), with_demo=True, with_replays=True)
    everything = _matching(visible, within)
    rows = _rows.get(rows_of(everything), lambda: _read(everything), now=now)
    if rows.has_more:
        rows = _read(_matching(visible, choice))
    return _chosen(rows, choice, now=now)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Columns of whatever opened in a time, in the order in which it opened."""

    ids: NDArray[np.int64]
    moments: NDArray[np.float64]  # shape (5, n), as `Moments` has them
    severity: NDArray[np.int64]
    is_demo: NDArray[np.bool_]
    is_live: NDArray[np.bool_]
    is_merged: NDArray[np.bool_]
    cause: tuple[str, ...]
    team: tuple[str, ...]
    services: tuple[tuple[str, ...], ...]
    has_more: bool


_rows: Recent[_Rows] = Recent(most=8)


def _read(found: IncidentQuerySet) -> _Rows:
    columns: dict[str, Expression | F] = {
        "started": Epoch("started_at"),
        "opened": Epoch("opened_at"),
        "acknowledged": Epoch("acknowledged_at"),
        "mitigated": Epoch("mitigated_at"),
        "resolved": Epoch(Coalesce("resolved_at", "closed_at")),
    }
    names = ("pk", *columns, "severity", "is_demo", "source", "merged_into", "cause", "team__name", "services")
    rows = raw_rows(found.annotate(**columns).order_by("-opened_at", "-pk").values_list(*names)[: MOST + 1])
    beyond = len(rows) > MOST
    rows = rows[MOST - 1 :: -1] if beyond else rows[::-1]
    table = list(zip(*rows, strict=True)) or [()] * len(names)
    return _Rows(
        ids=np.array(table[0], dtype=np.int64),
        moments=np.array(table[1:6], dtype=np.float64).reshape(5, len(rows)),
        severity=np.array(table[6], dtype=np.int64),
        is_demo=np.array(table[7], dtype=np.bool_),
        is_live=np.array([source == "live" for source in table[8]], dtype=np.bool_),
        is_merged=np.array([into is not None for into in table[9]], dtype=np.bool_),
        cause=table[10],
        team=tuple(name or "" for name in table[11]),
        services=tuple(map(tuple, table[12])),
        has_more=beyond,
    )


def _chosen(rows: _Rows, choice: Choice, *, now: datetime) -> Population:
    wanted = _wanted(rows, choice)
    among = np.ones_like(wanted)
    if not choice.with_demo:
        among &= ~rows.is_demo
    if not choice.with_replays:
        among &= rows.is_live
    is_false = np.array([cause == Incident.Cause.FALSE_ALARM for cause in rows.cause], dtype=np.bool_)
    timed = wanted & among & ~rows.is_merged & ~is_false
    return Population(
        choice=choice,
        now=now.timestamp(),
        ids=rows.ids[timed],
        moments=Moments(*rows.moments[:, timed]),
        severity=rows.severity[timed],
        cause=tuple(compress(rows.cause, timed)),
        team=tuple(compress(rows.team, timed)),
        services=tuple(compress(rows.services, timed)),
        left_out=LeftOut(
            merged=int((wanted & among & rows.is_merged).sum()),
            false_alarms=int((wanted & among & ~rows.is_merged & is_false).sum()),
            demo=0 if choice.with_demo else int((wanted & rows.is_demo).sum()),
            replays=0 if choice.with_replays else int((wanted & ~rows.is_live).sum()),
            has_more=rows.has_more,
        ),
        demo=int(rows.is_demo[timed].sum()),
    )


def _wanted(rows: _Rows, choice: Choice) -> NDArray[np.bool_]:
    """Choose as `_matching` does in the database."""
    wanted = np.ones(len(rows.ids), dtype=np.bool_)
    if choice.service:
        wanted &= np.array([choice.service in names for names in rows.services], dtype=np.bool_)
    if choice.team:
        team = "" if choice.team == NO_TEAM else choice.team
        wanted &= np.array([name == team for name in rows.team], dtype=np.bool_)
    if choice.severity:
        wanted &= rows.severity == choice.severity
    if choice.cause:
        cause = "" if choice.cause == NO_CAUSE else choice.cause
        wanted &= np.array([one == cause for one in rows.cause], dtype=np.bool_)
    return wanted


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
