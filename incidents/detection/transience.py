"""Tell what lasts from a blip: an episode begins only when enough samples stay out of range, and ends when it is calm again."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A blip of one or two samples never becomes an episode, however far out it is.
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


@dataclass(frozen=True, slots=True)
class Run:
    """One sustained departure of one row. All fields but `row`, `sign` and `peak_score` are columns.

    `sign` is 1 when it went up and -1 when down; `ended` is the first column that was calm again, None while it lasts.
    """

    row: int
    sign: int
    started: int
    confirmed: int
    peaked: int
    ended: int | None
    peak_score: float


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
        self._critical_hits = np.zeros(rows, dtype=np.int64)
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
        critical: NDArray[np.bool_],
    ) -> None:
        """Take in one column, each array of shape (rows,). `score` is signed, NaN without a sample.

        `hot` samples are out of range, `warm` ones not yet back in it (hot ones are warm too), `critical` ones hot and grave.
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
        self._critical_hits[goes_on & critical] += 1
        self._misses[goes_on] = 0
        self._calm_from[goes_on] = -1
        self._calm_from[misses & (self._calm_from < 0)] = column
        self._misses[misses] += 1
        self._seen[self.inside & sampled] = column
        higher = goes_on & (np.abs(np.nan_to_num(score)) > self._peak)
        self._peak[higher] = np.abs(score[higher])
        self._peaked[higher] = column
        unconfirmed = self.inside & (self.confirmed < 0)
        enough = (self._hits >= self.needed) | (self._critical_hits >= FEWEST_SAMPLES)
        self.confirmed[unconfirmed & enough & goes_on] = column
        self._finish(column)

    def runs(self) -> list[Run]:
        """Return every confirmed departure so far, those that last included."""
        lasting = [self._run(int(row), None) for row in np.flatnonzero(self.inside & (self.confirmed >= 0))]
        return sorted([*self._closed, *lasting], key=lambda run: (run.confirmed, run.row))

    def _begin(self, rows: NDArray[np.bool_], column: int, sign: NDArray[np.int64]) -> None:
        self.inside[rows] = True
        self.started[rows] = column
        self.confirmed[rows] = -1
        self.sign[rows] = sign[rows]
        self._peak[rows] = 0.0
        self._hits[rows] = self._critical_hits[rows] = self._misses[rows] = 0
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
        )
