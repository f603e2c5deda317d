"""What a trends page was asked for: the address's query, cleaned, and back into an address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from django.core.cache import cache
from django.db import connection

from incidents.models import Incident, Team
from incidents.mttr import Measure
from incidents.trends.population import NO_CAUSE, NO_TEAM, Choice

PERIODS = {"30d": ("30 days", 30), "90d": ("90 days", 90), "6m": ("6 months", 182), "12m": ("12 months", 365)}
USUAL_PERIOD = "90d"
DIMENSIONS = {"service": "Service", "team": "Team", "severity": "Severity", "cause": "Cause"}
LONGEST_DAYS = 1_830
LENGTH = 200  # of any value
SERVICES_SHOWN, SERVICES_SECONDS = 300, 60


@dataclass(frozen=True, slots=True)
class Asked:
    """A cleaned query. `values` holds what differs from the usual, as it stands in the address; `problems` what could not be used."""

    choice: Choice
    measure: Measure
    by: str
    values: Mapping[str, str]
    problems: tuple[str, ...]

    def query(self, **changes: str | int) -> str:
        """Return the address's query with some values changed; "" takes one out. Returns "?" at least, so that it leads to this page."""
        values = {**self.values, **{name.rstrip("_"): str(value) for name, value in changes.items()}}
        return "?" + urlencode({name: value for name, value in values.items() if value})

    @property
    def is_custom(self) -> bool:
        """Say whether the time is between two dates."""
        return "from" in self.values or "to" in self.values

    @property
    def last_day(self) -> date:
        """The last UTC day that is covered."""
        return (self.choice.end - timedelta(microseconds=1)).date()


@dataclass(frozen=True, slots=True)
class Option:
    """One value of a filter."""

    value: str
    label: str
    is_on: bool
    query: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """The filters of a page, with what is chosen."""

    periods: tuple[Option, ...]
    services: tuple[Option, ...]
    teams: tuple[Option, ...]
    severities: tuple[Option, ...]
    causes: tuple[Option, ...]
    measures: tuple[Option, ...]
    dimensions: tuple[Option, ...]


def asked(query: Mapping[str, str], *, now: datetime) -> Asked:
    """Clean a query. What cannot be used is left out and said."""
    problems: list[str] = []
    values: dict[str, str] = {}
    start, end = _time(query, values, problems, now=now)
    service, team = (query.get(name, "").replace("\0", "").strip()[:LENGTH] for name in ("service", "team"))
    severity = _one_of(query, "severity", ("1", "2", "3", "4"), problems)
    cause = _one_of(query, "cause", (NO_CAUSE, *(value for value in Incident.Cause.values if value)), problems)
    measure = _one_of(query, "measure", tuple(Measure), problems) or Measure.RESTORE
    by = _one_of(query, "by", tuple(DIMENSIONS), problems) or "service"
    demo, replays = (query.get(name) == "1" for name in ("demo", "replays"))
    values |= {"service": service, "team": team, "severity": severity, "cause": cause}
    values |= {"demo": "1" if demo else "", "replays": "1" if replays else ""}
    values |= {"measure": "" if measure == Measure.RESTORE else measure, "by": "" if by == "service" else by}
    return Asked(
        choice=Choice(
            start=start,
            end=end,
            service=service,
            team=team,
            severity=int(severity or 0),
            cause=cause,
            with_demo=demo,
            with_replays=replays,
        ),
        measure=Measure(measure),
        by=by,
        values={name: value for name, value in values.items() if value},
        problems=tuple(problems),
    )


def _time(
    query: Mapping[str, str], values: dict[str, str], problems: list[str], *, now: datetime
) -> tuple[datetime, datetime]:
    first, last = (_day(query, name, problems) for name in ("from", "to"))
    if first or last:
        last = last or now.date()
        first = first or last - timedelta(days=PERIODS[USUAL_PERIOD][1])
        if timedelta() <= last - first <= timedelta(days=LONGEST_DAYS):
            values |= {"from": first.isoformat(), "to": last.isoformat()}
            return _midnight(first), min(_midnight(last + timedelta(days=1)), max(now, _midnight(first) + timedelta(1)))
        problems.append(f"From {first} to {last} is not a time of 1 to {LONGEST_DAYS} days.")
    period = _one_of(query, "period", tuple(PERIODS), problems) or USUAL_PERIOD
    if period != USUAL_PERIOD:
        values["period"] = period
    return now - timedelta(days=PERIODS[period][1]), now


def _day(query: Mapping[str, str], name: str, problems: list[str]) -> date | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        problems.append(f"{name}={text[:40]} is not a date like 2026-10-31.")
        return None
    if not 2000 <= found.year <= 2200:
        problems.append(f"{name}={text[:40]} is outside the years 2000 to 2200.")
        return None
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


def _one_of(query: Mapping[str, str], name: str, allowed: tuple[str, ...], problems: list[str]) -> str:
    text = query.get(name, "").strip()
    if not text or text in allowed:
        return text
    problems.append(f"{name}={text[:40]} is not one of {', '.join(allowed)}.")
    return ""


def options(asked: Asked) -> Options:
    """Return the filters with what is chosen; the periods and switches carry the address they lead to."""
    choice, teams = asked.choice, tuple(Team.objects.values_list("name", flat=True))
    causes = [(value or NO_CAUSE, str(label)) for value, label in Incident.Cause.choices if value != "false-alarm"]
    return Options(
        periods=tuple(
            Option(
                name,
                label,
                not asked.is_custom and asked.values.get("period", USUAL_PERIOD) == name,
                asked.query(period="" if name == USUAL_PERIOD else name, from_="", to=""),
            )
            for name, (label, _) in PERIODS.items()
        ),
        services=_choices(((name, name) for name in _services(choice.service)), choice.service),
        teams=_choices(((name, name) for name in teams), choice.team, (NO_TEAM, "No team")),
        severities=_choices(((str(n), f"SEV {n}") for n in range(1, 5)), str(choice.severity or "")),
        causes=_choices(causes, choice.cause),
        measures=tuple(
            Option(name, label, asked.measure == name, asked.query(measure="" if name == Measure.RESTORE else name))
            for name, label in _MEASURES
        ),
        dimensions=tuple(
            Option(name, label, asked.by == name, asked.query(by="" if name == "service" else name) + "#groups")
            for name, label in DIMENSIONS.items()
        ),
    )


_MEASURES = (
    (Measure.RESTORE, "Restore"),
    (Measure.MITIGATE, "Mitigate"),
    (Measure.ACKNOWLEDGE, "Acknowledge"),
    (Measure.DETECT, "Detect"),
)


def _choices(pairs: Iterable[tuple[str, str]], chosen: str, *more: tuple[str, str]) -> tuple[Option, ...]:
    return tuple(Option(value, label, value == chosen) for value, label in (*pairs, *more))


def _services(chosen: str) -> list[str]:
    """Return the services that incidents name, the chosen one among them, at most `SERVICES_SHOWN`, as they were within a minute."""
    found: list[str] = cache.get_or_set("trends-services", _services_of_incidents, SERVICES_SECONDS) or []
    return sorted({*found, chosen} - {""})


def _services_of_incidents() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM (SELECT unnest(services) AS name FROM incidents_incident) AS named"
            " GROUP BY name ORDER BY count(*) DESC, name LIMIT %s",
            [SERVICES_SHOWN],
        )
        return [name for (name,) in cursor.fetchall()]
