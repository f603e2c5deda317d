"""How much alerting there was for each incident, how much was held back or silenced, and which names flap: from alerts added up by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection, transaction
from django.db.models import Max, Min, Q, QuerySet, Sum

from incidents.models import AlertDay, AlertEvent, AlertMonth, GroupingDecision
from incidents.trends.population import NO_TEAM, Choice, raw_rows
from incidents.trends.recent import Recent

SHOWN = 20
FLAPS = 4  # firings of one alert in a day from which it flaps
LATE = timedelta(days=1)  # yesterday is added up again: a decision may come after midnight
MOST_DAYS = 800  # in one go

_COUNTS = ("firings", "opened", "joined", "held", "silenced", "flapping")

_ADD_UP = """
INSERT INTO incidents_alertday
       (day, name, service, team, is_demo, firings, alerts, flapping, opened, joined, held, silenced)
SELECT %(day)s, alert.name, alert.service, alert.team, alert.is_demo,
       sum(firings), count(*) FILTER (WHERE firings > 0), count(*) FILTER (WHERE firings >= %(flaps)s),
       sum(opened), sum(joined), sum(held), sum(silenced)
  FROM (SELECT alert_id, sum(firings) AS firings, sum(opened) AS opened, sum(joined) AS joined,
               sum(held) AS held, sum(silenced) AS silenced
          FROM (SELECT alert_id, count(*) AS firings, 0 AS opened, 0 AS joined, 0 AS held, 0 AS silenced
                  FROM incidents_alertevent
                 WHERE received_at >= %(since)s AND received_at < %(until)s AND status = 'firing'
                 GROUP BY alert_id
                 UNION ALL
                SELECT alert_id, 0, count(*) FILTER (WHERE outcome = 'opened'), count(*) FILTER (WHERE outcome = 'joined'),
                       count(*) FILTER (WHERE outcome = 'held'), count(*) FILTER (WHERE outcome = 'silenced')
                  FROM incidents_groupingdecision
                 WHERE outcome IN ('opened', 'joined', 'held', 'silenced')
                   AND decided_at >= %(since)s AND decided_at < %(until)s AND NOT is_shadow AND alert_id IS NOT NULL
                 GROUP BY alert_id) AS said
         GROUP BY alert_id) AS of_alert
  JOIN incidents_alert AS alert ON alert.id = of_alert.alert_id
 GROUP BY alert.name, alert.service, alert.team, alert.is_demo
"""

_ADD_UP_MONTH = """
INSERT INTO incidents_alertmonth
       (month, name, service, team, is_demo, firings, flapping, opened, joined, held, silenced)
SELECT %(month)s, name, service, team, is_demo, sum(firings), sum(flapping), sum(opened), sum(joined), sum(held), sum(silenced)
  FROM incidents_alertday WHERE day >= %(month)s AND day < %(next)s
 GROUP BY name, service, team, is_demo
"""


@dataclass(frozen=True, slots=True)
class NoisyName:
    """What came in under one alert name. `share` is how much of it opened or joined an incident, of all that was decided."""

    name: str
    services: int
    firings: int
    opened: int
    joined: int
    held: int
    silenced: int
    flapping: int

    @property
    def decided(self) -> int:
        """How often it was decided where it belongs."""
        return self.opened + self.joined + self.held + self.silenced

    @property
    def share(self) -> float | None:
        """How much of what was decided became part of an incident; None when nothing was."""
        return (self.opened + self.joined) / self.decided if self.decided else None


@dataclass(frozen=True, slots=True)
class Noise:
    """Sums over the choice, and the names with the most firings. `newest` is the last day that had alerts, None before the first."""

    firings: int
    opened: int
    joined: int
    held: int
    silenced: int
    flapping: int
    names: tuple[NoisyName, ...]
    newest: date | None

    @property
    def decided(self) -> int:
        """How many decisions there were."""
        return self.opened + self.joined + self.held + self.silenced

    @property
    def for_each_incident(self) -> float | None:
        """Alerts that opened or joined an incident, for each that was opened; None when none was."""
        return (self.opened + self.joined) / self.opened if self.opened else None


def add_up(*, now: datetime, since: date | None = None) -> int:
    """Add up the days since the last that was, that day and the one before again; or all from `since`. Return how many days."""
    days = list(_days(since or _first_day(), now=now))
    for day in days:
        _add_up_day(day)
    for month in sorted({day.replace(day=1) for day in days}):
        _add_up_month(month)
    return len(days)


def _days(first: date | None, *, now: datetime) -> Iterator[date]:
    if first is None:
        return
    first = max(first, now.date() - timedelta(days=MOST_DAYS))
    for number in range((now.date() - first).days + 1):
        yield first + timedelta(days=number)


def _first_day() -> date | None:
    """Return the first day that may be incomplete, None when there is nothing to add up."""
    last: date | None = AlertDay.objects.aggregate(last=Max("day"))["last"]
    if last is not None:
        return last - LATE
    event = AlertEvent.objects.aggregate(first=Min("received_at"))["first"]
    decision = GroupingDecision.objects.filter(alert__isnull=False).aggregate(first=Min("decided_at"))["first"]
    return min((moment.date() for moment in (event, decision) if moment), default=None)


def _add_up_day(day: date) -> None:
    since = datetime.combine(day, time.min, tzinfo=UTC)
    values: dict[str, date | int] = {"day": day, "since": since, "until": since + timedelta(days=1), "flaps": FLAPS}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('incidents_alertday'))"
        )  # two at once would meet on a row
        AlertDay.objects.filter(day=day).delete()
        cursor.execute(_ADD_UP, values)


def _add_up_month(month: date) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('incidents_alertday'))")
        AlertMonth.objects.filter(month=month).delete()
        cursor.execute(_ADD_UP_MONTH, {"month": month, "next": _next_month(month)})


def _next_month(day: date) -> date:
    """Return the first day of the month after the day's."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def noise(choice: Choice, *, now: datetime) -> Noise:
    """Return the choice's alerts by name, by the UTC days it touches; severity and cause do not apply to alerts."""
    key = choice.start.date(), _last_day(choice), choice.service, choice.team, choice.with_demo
    return _recent.get(key, lambda: _noise(choice), now=now)


_recent: Recent[Noise] = Recent(most=64)


def _noise(choice: Choice) -> Noise:
    by_name: dict[str, list[int]] = defaultdict(lambda: [0] * len(_COUNTS))
    services: dict[str, set[str]] = defaultdict(set)
    for rows in _parts(choice):
        sums = (f"{name}__sum" for name in _COUNTS)
        grouped = rows.order_by().values_list("name", "service").annotate(*(Sum(name) for name in _COUNTS))
        for name, service, *counts in raw_rows(grouped.values_list("name", "service", *sums)):
            services[name].add(service)
            by_name[name] = [int(count) + before for count, before in zip(counts, by_name[name], strict=True)]
    totals = {name: sum(counts[place] for counts in by_name.values()) for place, name in enumerate(_COUNTS)}
    loudest = sorted(by_name.items(), key=lambda named: (-named[1][0], named[0]))[:SHOWN]
    names = tuple(NoisyName(name, len(services[name]), *counts) for name, counts in loudest)
    return Noise(**totals, names=names, newest=AlertDay.objects.aggregate(last=Max("day"))["last"])


def _parts(choice: Choice) -> tuple[QuerySet[AlertDay], QuerySet[AlertMonth]]:
    """Return the choice in rows that do not overlap: whole months as such, and the days before and after them."""
    first, last = choice.start.date(), _last_day(choice)
    from_month = first if first.day == 1 else _next_month(first)
    until_month = (last + timedelta(days=1)).replace(day=1)
    is_within = Q(month__gte=from_month, month__lt=until_month)
    edges = Q(day__gte=first, day__lte=last)
    if from_month < until_month:
        edges &= Q(day__lt=from_month) | Q(day__gte=until_month)
    wanted = Q() if choice.with_demo else Q(is_demo=False)
    if choice.service:
        wanted &= Q(service=choice.service)
    if choice.team:
        wanted &= Q(team="" if choice.team == NO_TEAM else choice.team)
    return AlertDay.objects.filter(edges & wanted), AlertMonth.objects.filter(is_within & wanted)


def _last_day(choice: Choice) -> date:
    return (choice.end - timedelta(microseconds=1)).date()
