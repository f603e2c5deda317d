"""What comes back: incidents of the same service with the same cause, within thirty days of one another."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models.functions import Coalesce

from incidents.models import Incident
from incidents.models.incident import IncidentQuerySet
from incidents.trends.population import MOST, Choice, timed

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
    ends = Coalesce("resolved_at", "closed_at")
    rows = (
        timed(visible, choice)
        .order_by("opened_at", "pk")
        .values_list("pk", "services", "cause", "cause_text", "title", "opened_at", "started_at", ends)[:MOST]
    )
    chains: dict[tuple[str, str], list[list[tuple[int, datetime, float]]]] = defaultdict(list)
    words: dict[tuple[str, str], tuple[str, str]] = {}
    n = 0
    for pk, services, cause, text, title, opened_at, started_at, ended_at in rows:
        n += 1
        what = text or title
        # A cause that somebody wrote down stands for itself; a title needs the kind of cause beside it.
        key = (services[0] if services else "", _alike(text) or f"{cause} {_alike(title)}")
        hours = ((ended_at or now) - started_at).total_seconds() / 3600
        words[key] = what, str(Incident.Cause(cause).label)
        chain = chains[key]
        if chain and opened_at - chain[-1][-1][1] <= WITHIN:
            chain[-1].append((pk, opened_at, hours))
        else:
            chain.append([(pk, opened_at, hours)])
    found = [
        Recurrence(
            service=service,
            what=words[service, alike][0],
            cause=words[service, alike][1],
            times=len(chain),
            hours=sum(hours for _, _, hours in chain),
            last_at=chain[-1][1],
            ids=tuple(pk for pk, _, _ in chain),
        )
        for (service, alike), several in chains.items()
        for chain in several
        if len(chain) > 1
    ]
    found.sort(key=lambda again: (-again.times, -again.hours))
    return Recurrences(tuple(found[:SHOWN]), sum(again.times - 1 for again in found), n)


def _alike(text: str) -> str:
    return " ".join(_CHANGING.sub("#", text).casefold().split())
