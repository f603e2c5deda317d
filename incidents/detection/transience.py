"""Tell what lasts from a blip: an episode begins only when enough samples stay out of range, and ends when it is calm again."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A blip of one or two samples never becomes an episode, however far out it is, unless most of many requests fail in it.
FEWEST_SAMPLES = 3
FEWEST_LONG_SAMPLES = 2
# How long a departure must last otherwise; a critical one (most requests of somebody fail) needs the fewest samples only.
SUSTAINED_SECONDS = 50.0
# Quiet this long, and this many samples, ends an episode; silence (no samples) this long ends it as well.
CALM_SECONDS = 60.0
CALM_SAMPLES = 3
LOST_SECONDS = 180.0
LOST_STEPS = 6
# Before it is confirmed, a departure survives one usual sample between unusual ones, not two.
FORGIVEN_SAMPLES = 1
# Back below this score is usual again. A height falls back when it is at most half of what it was and fell with each of the last samples.
WARM = 3.0
FALLEN_TO = 0.5
FALLS = 2


@dataclass(frozen=True, slots=True)
class Run:
    """One sustained departure of one row. All fields but `row`, `sign` and `peak_score` are columns.

    `sign` is 1 when it went up and -1 when down; `ended` is the first column that was calm again, None while it lasts; `critical` the
    first at which enough requests had failed to wait no longer, None when they never did. `early_score` is the highest until `confirmed`;
    `fading` are the columns since at which its height was falling back, each with the column at which it would be usual again.
    """

    row: int
    sign: int
    started: int
    confirmed: int
    peaked: int
    ended: int | None
    peak_score: float
    early_score: float
    critical: int | None
    fading: tuple[tuple[int, float], ...]


class Tracker:
    """Follows many rows through time, one column at a time, keeping no memory of columns to come.

    `step` is the sampling step in seconds. After each `advance`, `inside` (shape (rows,)) says which rows are in a departure,
    confirmed or not, and `started` since which column.
    """

    def __init__(self, rows: int, *, step: float) -> None:
        # A sample that tells of as long as a departure must last is no moment's whim: two of them are enough.
        fewest = FEWEST_LONG_SAMPLES if step >= SUSTAINED_SECONDS else FEWEST_SAMPLES
        self.needed = max(fewest, math.ceil(SUSTAINED_SECONDS / step))
        self.calm = max(CALM_SAMPLES, math.ceil(CALM_SECONDS / step))
        self.lost = max(LOST_STEPS, math.ceil(LOST_SECONDS / step))
        self.inside = np.zeros(rows, dtype=np.bool_)
        self.confirmed = np.full(rows, -1, dtype=np.int64)
        self.started = np.full(rows, -1, dtype=np.int64)
        self.sign = np.zeros(rows, dtype=np.int64)
        self._peaked = np.full(rows, -1, dtype=np.int64)
        self._peak = np.zeros(rows)
        self._hits = np.zeros(rows, dtype=np.int64)
        self._evidence = np.zeros(rows)
        self._critical = np.full(rows, -1, dtype=np.int64)
        self._early = np.zeros(rows)
        self._before = np.zeros(rows)
        self._falls = np.zeros(rows, dtype=np.int64)
        self._fading: dict[int, list[tuple[int, float]]] = {}
        self._calm_from = np.full(rows, -1, dtype=np.int64)
        self._misses = np.zeros(rows, dtype=np.int64)
        self._seen = np.full(rows, -1, dtype=np.int64)
        self._closed: list[Run] = []

    def advance(
        self,
        column: int,
        *,
        score: NDArray[np.float64],
        hot: NDArray[np.bool_],
        warm: NDArray[np.bool_],
        critical: NDArray[np.float64],
    ) -> None:
        """Take in one column, each array of shape (rows,). `score` is signed, NaN without a sample.

        `hot` samples are out of range, `warm` ones not yet back in it (hot ones are warm too). `critical` says how grave
        hot ones are: 0 not; those of a departure add up, and FEWEST_SAMPLES are enough to wait no longer.
        """
        sampled = np.isfinite(score)
        sign = np.where(score < 0, -1, 1)
        same_way = sign == self.sign
        flips = self.inside & (self.confirmed < 0) & hot & ~same_way
        self._forget(flips)
        begins = ~self.inside & hot
        self._begin(begins, column, sign)
        goes_on = self.inside & sampled & (hot | (warm & (self.confirmed >= 0))) & (sign == self.sign)
        misses = self.inside & sampled & ~goes_on
        self._hits[goes_on & hot] += 1
        self._evidence[goes_on] += critical[goes_on]
        self._misses[goes_on] = 0
        self._calm_from[goes_on] = -1
        self._calm_from[misses & (self._calm_from < 0)] = column
        self._misses[misses] += 1
        self._seen[self.inside & sampled] = column
        self._follow(column, np.abs(np.nan_to_num(score)), goes_on)
        self._confirm(column, goes_on)
        self._finish(column)

    def runs(self) -> list[Run]:
        """Return every confirmed departure so far, those that last included."""
        lasting = [self._run(int(row), None) for row in np.flatnonzero(self.inside & (self.confirmed >= 0))]
        return sorted([*self._closed, *lasting], key=lambda run: (run.confirmed, run.row))

    def _follow(self, column: int, height: NDArray[np.float64], goes_on: NDArray[np.bool_]) -> None:
        """Keep the peak, and since when the height has fallen."""
        higher = goes_on & (height > self._peak)
        self._peak[higher] = height[higher]
        self._peaked[higher] = column
        falls = height < self._before
        self._falls[goes_on] = np.where(falls, self._falls + 1, 0)[goes_on]
        self._before[goes_on] = height[goes_on]
        low = goes_on & (self._falls >= FALLS) & (height <= FALLEN_TO * self._peak)
        for row in np.flatnonzero(low):
            # As it fell since the peak, so it goes on: by the same factor with each column.
            rate = np.log(self._peak[row] / height[row]) / (column - self._peaked[row])
            back = column + max(float(np.log(height[row] / WARM) / rate), 0.0)
            self._fading.setdefault(int(row), []).append((column, back))

    def _confirm(self, column: int, goes_on: NDArray[np.bool_]) -> None:
        grave = goes_on & (self._evidence >= FEWEST_SAMPLES)
        self._critical[grave & (self._critical < 0)] = column
        confirmed = goes_on & (self.confirmed < 0) & ((self._hits >= self.needed) | grave)
        self.confirmed[confirmed] = column
        self._early[confirmed] = self._peak[confirmed]

    def _begin(self, rows: NDArray[np.bool_], column: int, sign: NDArray[np.int64]) -> None:
        self.inside[rows] = True
        self.started[rows] = column
        self.confirmed[rows] = -1
        self.sign[rows] = sign[rows]
        self._peak[rows] = 0.0
        self._hits[rows] = self._evidence[rows] = self._misses[rows] = self._falls[rows] = 0
        self._before[rows] = 0.0
        self._critical[rows] = -1
        for row in np.flatnonzero(rows):
            self._fading.pop(int(row), None)
        self._calm_from[rows] = -1

    def _forget(self, rows: NDArray[np.bool_]) -> None:
        self.inside[rows] = False
        self.confirmed[rows] = -1

    def _finish(self, column: int) -> None:
        unconfirmed = self.inside & (self.confirmed < 0)
        lost = self.inside & (column - self._seen >= self.lost)
        self._forget(unconfirmed & ((self._misses > FORGIVEN_SAMPLES) | lost))
        over = self.inside & (self.confirmed >= 0) & ((self._misses >= self.calm) | lost)
        for row in np.flatnonzero(over):
            ended = self._calm_from[row] if self._calm_from[row] >= 0 else self._seen[row]
            self._closed.append(self._run(int(row), int(ended)))
        self._forget(over)

    def _run(self, row: int, ended: int | None) -> Run:
        return Run(
            row=row,
            sign=int(self.sign[row]),
            started=int(self.started[row]),
            confirmed=int(self.confirmed[row]),
            peaked=int(self._peaked[row]),
            ended=ended,
            peak_score=float(self._peak[row]),
            early_score=float(self._early[row]),
            critical=int(self._critical[row]) if self._critical[row] >= 0 else None,
            fading=tuple(one for one in self._fading.get(row, ()) if one[0] >= self.confirmed[row]),
        )
