"""The board's filters: the address's query, cleaned, as a database query, as chips that take one out, and page by page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from django.db.models import CharField, F, Func, Q, Value
from django.db.models.functions import Concat

from incidents.models import Incident, IncidentRole
from incidents.models.incident import IncidentQuerySet

Status = Incident.Status
ACTIVE = (Status.OPEN, Status.ACKNOWLEDGED)
OVER = (Status.RESOLVED, Status.CLOSED)
# What can be chosen under "status" → the states that it means.
STATUSES = {
    "": tuple(Status),
    "active": (*ACTIVE, Status.MITIGATED),
    "open": (Status.OPEN,),
    "acknowledged": (Status.ACKNOWLEDGED,),
    "mitigated": (Status.MITIGATED,),
    "resolved": OVER,
    "closed": (Status.CLOSED,),
}
SOURCES = {"live": "Live", "replay": "Replayed recordings", "demo": "Demo data"}
NOBODY = "nobody"
TEXT_LENGTH, MOST_WORDS = 100, 5
_REFERENCE = re.compile(r"(?:inc-?)?(\d{1,9})", re.IGNORECASE)
_CURSOR = re.compile(r"(\d{1,18})-(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter that is on; `query` leads to the page without it."""

    label: str
    query: str


@dataclass(frozen=True, slots=True)
class Filters:
    """A cleaned query. `values` holds what is on, as it stands in the address; `problems` what could not be used."""

    values: Mapping[str, str]
    since: datetime | None
    until: datetime | None
    problems: tuple[str, ...]

    def get(self, name: str) -> str:
        """Return one value, "" when it is not on."""
        return self.values.get(name, "")

    def query(self, **changes: str) -> str:
        """Return the address's query with some values changed; "" takes one out."""
        values = {**self.values, **{name.rstrip("_"): value for name, value in changes.items()}}
        return "?" + urlencode({name: value for name, value in values.items() if value})

    def chips(self) -> tuple[Chip, ...]:
        """Return what is on besides status and severity, which show themselves."""
        named = [(name, value) for name, value in self.values.items() if name not in {"status", "severity"}]
        return tuple(Chip(_said(name, value), self.query(**{f"{name}_": ""})) for name, value in named)


def filters(query: Mapping[str, str]) -> Filters:
    """Clean a query. A value that is not one of those allowed is left out; a date that cannot be read is said."""
    problems: list[str] = []
    allowed = {
        "status": STATUSES,
        "severity": ("1", "2", "3", "4"),
        "cause": ("unknown", *(value for value in Incident.Cause.values if value)),
        "source": SOURCES,
    }
    values: dict[str, str] = {}
    for name in ("status", "severity", "q", "service", "team", "tag", "cause", "assignee", "source"):
        text = " ".join(query.get(name, "").replace("\0", "").split())[:TEXT_LENGTH]
        if text and (name not in allowed or text in allowed[name]):
            values[name] = text
    since, until = (_day(query, name, problems) for name in ("from", "to"))
    values |= {name: f"{day:%Y-%m-%d}" for name, day in (("from", since), ("to", until)) if day}
    return Filters(
        values,
        since=datetime.combine(since, time.min, tzinfo=UTC) if since else None,
        until=datetime.combine(until + timedelta(days=1), time.min, tzinfo=UTC) if until else None,
        problems=tuple(problems),
    )


def _day(query: Mapping[str, str], name: str, problems: list[str]) -> date | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or not date(2000, 1, 1) <= found <= date(2200, 1, 1):
        problems.append(f"{name}={text[:40]} is not a date like 2026-10-31; it was not used.")
        return None
    return found


def filtered(visible: IncidentQuerySet, chosen: Filters) -> IncidentQuerySet:
    """Return the incidents that fit everything but the status, which says where they stand on the board."""
    found = visible
    for name, narrow in _NARROWED.items():
        if value := chosen.get(name):
            found = found.filter(narrow(value))
    if chosen.since:
        found = found.filter(opened_at__gte=chosen.since)
    if chosen.until:
        found = found.filter(opened_at__lt=chosen.until)
    if words := chosen.get("q"):
        found = _containing(found, words)
    return found


def _assigned(name: str) -> Q:
    held = IncidentRole.objects.filter(until_at=None)
    if name == NOBODY:
        return ~Q(pk__in=held.values("incident"))
    return Q(pk__in=held.filter(user__username=name).values("incident"))


def _from(source: str) -> Q:
    is_live = Q(source="live")
    return {"live": is_live & Q(is_demo=False), "replay": ~is_live, "demo": Q(is_demo=True)}[source]


_NARROWED = {
    "severity": lambda value: Q(severity=int(value)),
    "service": lambda value: Q(services__contains=[value]),
    "team": lambda value: Q(team__name=value),
    "tag": lambda value: Q(tags__contains=[value]),
    "cause": lambda value: Q(cause="" if value == "unknown" else value),
    "assignee": _assigned,
    "source": _from,
}


def _containing(found: IncidentQuerySet, words: str) -> IncidentQuerySet:
    """Return those whose title, cause, services or tags contain every word, or whose number it is."""
    if number := _REFERENCE.fullmatch(words):
        return found.filter(Q(pk=int(number[1])) | Q(title__icontains=words))
    said = [
        F("title"),
        F("cause_text"),
        *(
            Func(F(name), Value(" "), function="array_to_string", output_field=CharField())
            for name in ("services", "tags")
        ),
    ]
    spaced = [part for text in said for part in (text, Value(" "))]
    found = found.annotate(everything=Concat(*spaced, output_field=CharField()))
    for word in words.split()[:MOST_WORDS]:
        contains = {"everything__icontains": word}
        found = found.filter(**contains)
    return found


def older_than(found: IncidentQuerySet, cursor: str) -> IncidentQuerySet:
    """Return those after a page's last incident in the list's order, newest first; all when there is no such cursor."""
    place = _CURSOR.fullmatch(cursor)
    if not place:
        return found
    opened_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=min(int(place[1]), 10**16))
    # The first condition is implied by the second, but an index can begin with it.
    return found.filter(opened_at__lte=opened_at).filter(
        Q(opened_at__lt=opened_at) | Q(opened_at=opened_at, pk__lt=int(place[2]))
    )


def cursor_of(incident: Incident) -> str:
    """Return the cursor of a page that ends with this incident."""
    micros = (incident.opened_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return f"{micros}-{incident.pk}"


def _said(name: str, value: str) -> str:
    words = {
        "q": f"“{value}”",
        "from": f"opened from {value}",
        "to": f"opened to {value}",
        "source": SOURCES.get(value, ""),
    }
    if name == "cause":
        label = "not known" if value == "unknown" else str(Incident.Cause(value).label).lower()
        return f"cause: {label}"
    return words.get(name) or f"{name}: {value}"
