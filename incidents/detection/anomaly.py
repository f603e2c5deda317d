"""What detection finds: an episode of one series, and the episodes that belong together."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from incidents.detection.clearing import Clearing
from incidents.telemetry.datamodel import SeriesKey


class Direction(StrEnum):
    """Which way a series left its usual range."""

    UP = "up"
    DOWN = "down"


class Transience(StrEnum):
    """What a departure comes to: one that probably clears by itself, one that lasts, one that harms too many to wait for."""

    BLIP = "blip"
    SUSTAINED = "sustained"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Outlook:
    """Whether a departure clears by itself. `since_at` is when it became what `transience` says; `clearing` is as of the last look."""

    transience: Transience
    since_at: datetime
    clearing: Clearing


@dataclass(frozen=True, slots=True)
class Fading:
    """A moment at which a departure's height was falling back: it holds until the next sample, and says when the usual is reached."""

    at: datetime
    until_at: datetime
    back_at: datetime


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch in which one series was outside its usual range. Times are UTC; `ended_at` is None while it lasts.

    `started_at` is when the departure began, `detected_at` when the data seen so far was enough to say so: a replay never
    knows earlier than live would have. `score` is in robust standard deviations, at the peak, always positive. `critical_at` is when
    enough requests had failed to wait no longer, None when they never did; `early_score` the highest score by the time it was detected;
    `outlook` is None while nobody judged it.
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
    early_score: float | None = None
    critical_at: datetime | None = None
    fading: tuple[Fading, ...] = ()
    outlook: Outlook | None = None

    @property
    def opens_at(self) -> datetime | None:
        """When it first was reason to open an incident: when it was detected, or no blip any more; None while it is a blip."""
        if self.outlook is None:
            return self.detected_at
        return None if self.outlook.transience is Transience.BLIP else self.outlook.since_at


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
