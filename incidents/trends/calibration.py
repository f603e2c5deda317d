"""Whether what the co-pilot stated came true: its chances against the causes that people confirmed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from incidents.localization.calibration import Bin, calibration_error, reliability
from incidents.localization.evaluation import wilson
from incidents.localization.recalibration import Recalibration, recalibration
from incidents.models import ConfirmedCause
from incidents.models.incident import IncidentQuerySet
from incidents.trends.population import Choice, timed

ENOUGH = 20  # resolved incidents; below, no error is stated
MOST = 2_000
RESAMPLES = 1_000
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Told:
    """One resolved incident: what was shown, and localization's own chance, both in [0, 1], and whether that suspect was it."""

    incident: int
    at: datetime
    stated: float
    chance: float
    right: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A bin of the reliability diagram with the 95 % Wilson interval of the share that came true."""

    bin: Bin
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Error:
    """The expected calibration error in [0, 1] of n incidents, with the 95 % interval of 1,000 resamples."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Month:
    """One UTC month, named by its first day: how many, the mean stated, and the share that came true; `error` None below 20."""

    first: datetime
    n: int
    stated: float
    came_true: float
    error: Error | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the choice's stated confidences came true. `silent` counts confirmed causes of incidents in which nobody had been suspected.

    `resolved` is how many resolved incidents there are, with a confirmed cause or without.
    """

    told: tuple[Told, ...]
    silent: int
    resolved: int
    steps: tuple[Step, ...]
    error: Error | None
    months: tuple[Month, ...]
    recalibration: Recalibration


def calibration(visible: IncidentQuerySet, choice: Choice) -> Calibration:
    """Return how what was stated of the choice's incidents came true; the newest 2,000."""
    found = timed(visible, choice)
    confirmed = ConfirmedCause.objects.filter(incident__in=found.values("pk"))
    told = _told(
        confirmed.filter(stated_confidence__isnull=False, stated_chance__isnull=False).order_by("-confirmed_at")
    )
    stated, right = _columns(told)
    steps = tuple(Step(one, *wilson(round(one.came_true * one.cases), one.cases)) for one in reliability(stated, right))
    months: dict[datetime, list[Told]] = defaultdict(list)
    for one in told:
        months[datetime(one.at.year, one.at.month, 1, tzinfo=UTC)].append(one)
    return Calibration(
        told=told,
        silent=confirmed.filter(stated_confidence=None).count(),
        resolved=found.exclude(resolved_at=None).count(),
        steps=steps if told else (),
        error=_error(stated, right),
        months=tuple(_month(first, months[first]) for first in sorted(months)),
        recalibration=_recalibrated(told),
    )


def in_use(*, now: datetime) -> Recalibration:
    """Return the correction that the record of live incidents supports until `now`, made-up ones and false alarms left out."""
    live = ConfirmedCause.objects.filter(incident__source="live", incident__is_demo=False, incident__merged_into=None)
    known = live.exclude(incident__cause="false-alarm").filter(confirmed_at__lte=now, stated_chance__isnull=False)
    return _recalibrated(_told(known.order_by("-confirmed_at")))


def _told(newest_first: QuerySet[ConfirmedCause]) -> tuple[Told, ...]:
    """Return the newest 2,000 in the order of time."""
    return tuple(
        Told(
            row.incident_id, row.confirmed_at, row.stated_confidence or 0.0, row.stated_chance or 0.0, row.is_as_stated
        )
        for row in reversed(newest_first[:MOST])
    )


def _columns(told: Sequence[Told]) -> tuple[Floats, NDArray[np.bool_]]:
    return np.array([one.stated for one in told], dtype=np.float64), np.array(
        [one.right for one in told], dtype=np.bool_
    )


def _recalibrated(told: Sequence[Told]) -> Recalibration:
    _, right = _columns(told)
    return recalibration(np.array([one.chance for one in told], dtype=np.float64), right)


def _error(stated: Floats, right: NDArray[np.bool_]) -> Error | None:
    """Return the error with its interval, None for too few. The resamples are the same at each call: a page must not flicker."""
    count = len(stated)
    if count < ENOUGH:
        return None
    dice = np.random.default_rng(0)
    picked = dice.integers(0, count, size=(RESAMPLES, count))
    again = [calibration_error(reliability(stated[rows], right[rows])) for rows in picked]
    low, high = np.quantile(again, (0.025, 0.975))
    return Error(calibration_error(reliability(stated, right)), float(low), float(high), count)


def _month(first: datetime, told: Sequence[Told]) -> Month:
    stated, right = _columns(told)
    return Month(first, len(told), float(stated.mean()), float(right.mean()), _error(stated, right))
