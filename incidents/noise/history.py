"""What holding has done so far and would do, name by name: what it spared, and how late it made what turned out to be real."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet

from incidents.models import Alert, AlertEvent, Hold, NeverHold
from incidents.noise import survival
from incidents.noise.quiet import LEARNED_FROM, episodes_of
from incidents.noise.survival import Cost, Estimate

LOOKED_BACK = timedelta(days=30)
MOST_HOLDS = 20_000
SHOWN_HOLDS, SHOWN_NAMES = 30, 30


@dataclass(frozen=True)
class Effect:
    """What became of the holds of the last 30 days. `delays` are those of the alerts that lasted, in order, ascending."""

    held: int
    spared: int
    real: int
    released: int
    waiting: int
    delays: tuple[timedelta, ...]

    @property
    def delay_median(self) -> timedelta | None:
        """The middle one of the delays, None without any."""
        return self.delays[len(self.delays) // 2] if self.delays else None

    @property
    def delay_longest(self) -> timedelta | None:
        """The longest delay, None without any."""
        return self.delays[-1] if self.delays else None


@dataclass(frozen=True)
class Learned:
    """What was learned of one alert name, and what holding it would have done in 90 days; `is_never` when a person forbade it."""

    source_id: int
    source: str
    name: str
    estimate: Estimate
    cost: Cost
    is_never: bool


def effect(*, now: datetime) -> Effect:
    """Return what holding did in the last 30 days."""
    rows = list(
        Hold.objects.filter(began_at__gte=now - LOOKED_BACK).values_list("outcome", "began_at", "ended_at")[:MOST_HOLDS]
    )
    by = {outcome: sum(1 for row in rows if row[0] == outcome) for outcome in Hold.Outcome.values}
    late = (Hold.Outcome.REAL, Hold.Outcome.RELEASED)
    delays = sorted(ended - began for outcome, began, ended in rows if outcome in late and ended is not None)
    return Effect(
        held=len(rows),
        spared=by[Hold.Outcome.SPARED],
        real=by[Hold.Outcome.REAL],
        released=by[Hold.Outcome.RELEASED],
        waiting=by[Hold.Outcome.WAITING],
        delays=tuple(delays),
    )


def recent(alerts: QuerySet[Alert]) -> Sequence[Hold]:
    """Return the last holds of these alerts."""
    return list(Hold.objects.filter(alert__in=alerts).select_related("alert__source", "alert__incident")[:SHOWN_HOLDS])


def learned(*, now: datetime) -> list[Learned]:
    """Return what was learned of the names that fired most often in the last 90 days and have ended often enough to say anything."""
    often = (
        AlertEvent.objects.filter(at__gte=now - LEARNED_FROM, status="resolved", alert__severity__gt=1)
        .values_list("alert__source_id", "alert__source__name", "alert__name")
        .annotate(ended=Count("pk"))
        .filter(Q(ended__gte=survival.LEAST_EPISODES))
        .order_by("-ended")[:SHOWN_NAMES]
    )
    never = set(NeverHold.objects.values_list("source_id", "name"))
    found = []
    for source_id, source, name, _ in often:
        episodes = episodes_of(source_id=source_id, name=name, now=now)
        found.append(
            Learned(
                source_id=source_id,
                source=source,
                name=name,
                estimate=survival.estimate(episodes, now=now),
                cost=survival.cost(episodes[-300:], now=now),
                is_never=(source_id, name) in never,
            )
        )
    return found
