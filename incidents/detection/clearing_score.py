"""How good the chance that a departure clears by itself is: said when each departure was detected, compared with when it was over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from incidents.detection.anomaly import Episode
from incidents.detection.baseline import find_episodes
from incidents.detection.clearing import Past, clears_within
from incidents.telemetry.datamodel import MetricSeries, Window


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of one departure when it was detected: its chance to be over within the time asked, and whether it was."""

    share: float
    cleared: bool


@dataclass(frozen=True, slots=True)
class ClearingScore:
    """How what was said compares. `brier` is the mean squared error (0 is perfect), `brier_of_rate` that of always saying the mean.

    `precision` and `recall` are of "it clears", said from a chance of one half on; NaN where nothing was said or nothing cleared.
    """

    departures: int
    cleared: float
    brier: float
    brier_of_rate: float
    precision: float
    recall: float


def said_of(series: MetricSeries, *, within: timedelta) -> list[Said]:
    """Return what was said of each departure of a series, by those before it. The last one may not have ended: it did not clear if it went on."""
    window = Window(_utc(series.times[0]), _utc(series.times[-1] + 1.0))
    earlier: list[Episode] = []
    said = []
    for one in find_episodes([series], window=window):
        past = [
            Past(before.ended_at - before.started_at, score=before.score)
            for before in earlier
            if before.ended_at and before.direction == one.direction
        ]
        share = clears_within(
            within,
            lasted=one.detected_at - one.started_at,
            past=past,
            score=one.early_score or one.score,
            is_fading=any(
                f.at <= one.detected_at < f.until_at <= f.back_at <= one.detected_at + within for f in one.fading
            ),
        ).share
        earlier.append(one)
        until = one.detected_at + within
        if one.ended_at is not None or until <= window.end:  # else nobody knows
            said.append(Said(share, one.ended_at is not None and one.ended_at <= until))
    return said


def score(said: Sequence[Said]) -> ClearingScore:
    """Add up what was said of at least one departure."""
    share = np.array([one.share for one in said])
    cleared = np.array([one.cleared for one in said])
    called = share >= 0.5
    return ClearingScore(
        departures=len(said),
        cleared=float(cleared.mean()),
        brier=float(((share - cleared) ** 2).mean()),
        brier_of_rate=float(((cleared.mean() - cleared) ** 2).mean()),
        precision=float(cleared[called].mean()) if called.any() else float("nan"),
        recall=float(called[cleared].mean()) if cleared.any() else float("nan"),
    )


def table(series: Iterable[MetricSeries], *, asked: Sequence[timedelta]) -> list[tuple[timedelta, ClearingScore]]:
    """Return the score for each time asked of which anything was said."""
    every = list(series)
    found = [(within, [one for each in every for one in said_of(each, within=within)]) for within in asked]
    return [(within, score(said)) for within, said in found if said]


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), tz=UTC)
