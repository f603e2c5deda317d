"""What detection finds: an episode of one series, and the episodes that belong together."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from incidents.telemetry.datamodel import SeriesKey


class Direction(StrEnum):
    """Which way a series left its usual range."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch in which one series was outside its usual range. Times are UTC; `ended_at` is None while it lasts.

    `started_at` is when the departure began, `detected_at` when the data seen so far was enough to say so: a replay never
    knows earlier than live would have. `score` is in robust standard deviations, at the peak, always positive.
    """

    key: SeriesKey
    direction: Direction
    started_at: datetime
    detected_at: datetime
    peaked_at: datetime
    ended_at: datetime | None
    usual_low: float
    usual_high: float
    peak: float
    score: float


@dataclass(frozen=True, slots=True)
class AnomalyGroup:
    """Episodes that belong together: what becomes one incident.

    `opened_at` is when there was enough to open it; `started_at` the earliest departure that harmed requests (an odd gauge that joins may
    be earlier); `services` by severity of what was seen, worst first; `severity` 1 (worst) to 4; `title` a sentence without a cause.
    """

    episodes: tuple[Episode, ...]
    services: tuple[str, ...]
    started_at: datetime
    opened_at: datetime
    severity: int
    title: str
