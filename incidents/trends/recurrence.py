"""What comes back: incidents of the same service with the same cause, within thirty days of one another."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from django.db.models import Value
from django.db.models.functions import Coalesce

from incidents.models import Incident
from incidents.models.incident import IncidentQuerySet
from incidents.trends.population import MOST, Choice, Epoch, raw_rows, timed
from incidents.trends.recent import Recent, rows_of

WITHIN = timedelta(days=30)
SHOWN = 15
_CHANGING = re.compile(r"\d+(?:[.,:]\d+)*")


@dataclass(frozen=True, slots=True)
class Recurrence:
    """One thing that came back. `times` counts the incidents, the first among them; `hours` is how long they lasted in all."""

    service: str
    what: str
    cause: str
    times: int
    hours: float
    last_at: datetime
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recurrences:
    """What came back, most often first, and how many of all `n` incidents followed one like them within thirty days."""

    top: tuple[Recurrence, ...]
    returned: int
    n: int


def recurrences(visible: IncidentQuerySet, choice: Choice, *, now: datetime) -> Recurrences:
    """Return what came back among the choice's incidents.

    Two are alike when their first service is the same and so is the cause that people wrote down; without one, the kind of cause and
    the title, numbers left out. A chain goes on as long as no gap is longer than thirty days. What came before the choice does not count.
    """
    found = timed(visible, choice)
    return _recent.get(rows_of(found), lambda: _recurrences(found, now=now), now=now)


_recent: Recent[Recurrences] = Recent(most=64)


def _recurrences(incidents: IncidentQuerySet, *, now: datetime) -> Recurrences:
    ends = Epoch(Coalesce("resolved_at", "closed_at", Value(now)))
    rows = raw_rows(
        incidents.order_by("opened_at", "pk").values_list(
            "pk", "services__0", "cause", "cause_text", "title", Epoch("opened_at"), Epoch("started_at"), ends
        )[:MOST]
    )
    chains: dict[tuple[str, str], list[list[tuple[int, float, float]]]] = defaultdict(list)
    words: dict[tuple[str, str], tuple[str, str]] = {}
    for pk, service, cause, text, title, opened, started, ended in rows:
        # A cause that somebody wrote down stands for itself; a title needs the kind of cause beside it.
        key = (service or "", _alike(text) if text else f"{cause} {_alike(title)}")
        words[key] = text or title, cause
        chain = chains[key]
        if chain and opened - chain[-1][-1][1] <= WITHIN.total_seconds():
            chain[-1].append((pk, opened, (ended - started) / 3600))
        else:
            chain.append([(pk, opened, (ended - started) / 3600)])
    found = [
        Recurrence(
            service=service,
            what=words[service, alike][0],
            cause=str(Incident.Cause(words[service, alike][1]).label),
            times=len(chain),
            hours=sum(hours for _, _, hours in chain),
            last_at=datetime.fromtimestamp(chain[-1][1], tz=UTC),
            ids=tuple(pk for pk, _, _ in chain),
        )
        for (service, alike), several in chains.items()
        for chain in several
        if len(chain) > 1
    ]
    found.sort(key=lambda again: (-again.times, -again.hours))
    return Recurrences(tuple(found[:SHOWN]), sum(again.times - 1 for again in found), len(rows))


@lru_cache(maxsize=20_000)  # the same words come back, which is the point
def _alike(text: str) -> str:
    return " ".join(_CHANGING.sub("#", text).casefold().split())
