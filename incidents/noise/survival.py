"""How long alerts of one name keep firing, learned from their past episodes, and so how long waiting would spare most of them.

Source: Kaplan and Meier 1958, for episodes that have not ended yet; intervals by the log-log transformation, as scipy computes them.
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from incidents.intake.episodes import FIRING, RESOLVED

HOLDS = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 180, 240, 300))
LEAST_EPISODES = 20
LEAST_SHARE = 0.9
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Episode:
    """One time that an alert fired. `ended_at` is None while it still fires."""

    began_at: datetime
    ended_at: datetime | None

    def seconds(self, *, now: datetime) -> float:
        """How long it lasted, or has lasted so far."""
        return max(((self.ended_at or now) - self.began_at).total_seconds(), 0.0)


@dataclass(frozen=True)
class Estimate:
    """What past episodes say about the next: `share` of those that lasted as long as this one end within `hold`, between `low` and `high`.

    `hold` is the shortest that spares nine in ten, None when none up to five minutes does or fewer than 20 episodes have ended;
    then share, low and high are those of five minutes.
    """

    episodes: int  # that were seen to end
    hold: timedelta | None
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Cost:
    """What holding would have done in the past, each episode judged by those before it alone: episodes held, spared, and shown late."""

    held: int
    spared: int
    late: int
    delay: timedelta  # of the late ones, together


def episodes_of(events: Iterable[tuple[int, datetime, str, bool]]) -> list[Episode]:
    """Return the episodes in a list of (alert, moment, state, begins) that is sorted by alert, moment and state.

    An episode whose end was never told, because the next one began, says nothing about its length and is left out.
    """
    found: list[Episode] = []
    alert: int | None = None
    began: datetime | None = None
    for alert_id, at, status, begins in events:
        if alert_id != alert:
            if began is not None:
                found.append(Episode(began, None))
            alert, began = alert_id, None
        if status == FIRING and (began is None or begins):
            began = at
        elif status == RESOLVED and began is not None:
            found.append(Episode(began, at))
            began = None
    if began is not None:
        found.append(Episode(began, None))
    return sorted(found, key=lambda episode: episode.began_at)


class Curve:
    """What past episodes of one name say, made once and asked for many alerts."""

    def __init__(self, episodes: Sequence[Episode], *, now: datetime) -> None:
        ended = [episode.seconds(now=now) for episode in episodes if episode.ended_at is not None]
        going_on = [episode.seconds(now=now) for episode in episodes if episode.ended_at is None]
        self.ended = len(ended)
        self._nothing = Estimate(self.ended, None, 0.0, 0.0, 1.0)
        if self.ended < LEAST_EPISODES:
            return
        from scipy.stats import CensoredData, ecdf  # here, because it takes a second that few processes need to spend

        self._still = ecdf(CensoredData(uncensored=np.array(ended), right=np.array(going_on))).sf
        with (
            warnings.catch_warnings()
        ):  # before the first end and after the last there is no interval; `_at` allows for it
            warnings.simplefilter("ignore", RuntimeWarning)
            self._interval = self._still.confidence_interval(confidence_level=CONFIDENCE, method="log-log")

    def estimate(self, *, lasted: timedelta = timedelta(0)) -> Estimate:
        """Return the estimate for an alert that has been firing for `lasted` already."""
        if self.ended < LEAST_EPISODES:
            return self._nothing
        still = _at(self._still, lasted.total_seconds()) if lasted else 1.0
        if still <= 0:  # it has lasted longer than any before
            return self._nothing
        chosen, hold = HOLDS[-1], None
        for candidate in HOLDS:
            if candidate > lasted and 1 - _at(self._still, candidate.total_seconds()) / still >= LEAST_SHARE:
                chosen = hold = candidate
                break
        seconds = chosen.total_seconds()
        curves = (self._still, self._interval.high, self._interval.low)
        share, low, high = (min(max(1 - _at(curve, seconds) / still, 0.0), 1.0) for curve in curves)
        return Estimate(self.ended, hold, share, min(low, share), max(high, share))


def estimate(episodes: Sequence[Episode], *, lasted: timedelta = timedelta(0), now: datetime) -> Estimate:
    """Return the estimate for an alert that has been firing for `lasted` already, from past episodes of its name."""
    return Curve(episodes, now=now).estimate(lasted=lasted)


def _at(curve: object, seconds: float) -> float:
    """Return a curve's value; where its interval is not defined, because all or none had ended, the curve says nothing: 0 or 1."""
    value = float(curve.evaluate(seconds))  # type: ignore[attr-defined]
    return value if np.isfinite(value) else 0.0


def cost(episodes: Sequence[Episode], *, now: datetime) -> Cost:
    """Return what holding by this rule would have done to the episodes, in their order, knowing at each only what had ended before."""
    held = spared = late = 0
    delay = timedelta(0)
    for number, episode in enumerate(episodes):
        known = [e for e in episodes[:number] if e.ended_at is not None and e.ended_at <= episode.began_at]
        if len(known) < LEAST_EPISODES:
            continue
        lengths = np.array([e.seconds(now=now) for e in known])
        hold = next((h for h in HOLDS if np.mean(lengths <= h.total_seconds()) >= LEAST_SHARE), None)
        if hold is None:
            continue
        held += 1
        if episode.seconds(now=now) <= hold.total_seconds():
            spared += 1
        else:
            late += 1
            delay += hold
    return Cost(held, spared, late, delay)
