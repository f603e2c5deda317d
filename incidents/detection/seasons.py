"""Which season a series has beside day and week: found by autocorrelation in what was seen lately, now and then."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# What is kept of a series, in samples, and how often its season is looked for. Two full turns must fit.
KEPT = 512
LOOKED_FOR_EVERY = 256
SHORTEST, LONGEST = 8, KEPT // 2
# A season explains at least half of the variance; less, and its profile adds more noise than it takes away.
LEAST_CORRELATION = 0.5
# Each multiple of a season correlates as well: the first peak this close to the highest one is the season itself.
LEAST_OF_HIGHEST = 0.85
# A season found anew this close to the one in use is the same one.
SAME = 0.05
SEASON_DTYPE = [("kept", np.float32, (KEPT,)), ("period", np.float64)]


def find_periods(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the period of each row in samples, shape (rows,); NaN where there is none. `values` has shape (rows, n), NaN is a gap.

    The period is the first lag, after the autocorrelation first fell below zero, at which it peaks nearly as high as anywhere, refined by a
    parabola through its neighbours.
    """
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    centred = np.where(known, values - np.where(known, values, 0.0).sum(axis=1, keepdims=True) / count, 0.0)
    size = 2 * values.shape[1]
    power = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    lagged = np.fft.irfft(power, size, axis=1)[:, : LONGEST + 2]
    # Each lag rests on fewer pairs than the one before: without this, long seasons would look weaker than they are.
    pairs = 1.0 - np.arange(LONGEST + 2) / values.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = lagged / pairs / lagged[:, :1]
    fell = np.logical_or.accumulate(correlation < 0.0, axis=1)
    lags = np.arange(LONGEST + 2)
    candidates = np.where(fell & (lags >= SHORTEST) & (lags <= LONGEST), correlation, -np.inf)
    highest = candidates.max(axis=1, keepdims=True)
    is_high = candidates >= LEAST_OF_HIGHEST * np.where(np.isfinite(highest), highest, np.inf)
    is_high[:, 1:-1] &= (correlation[:, :-2] <= correlation[:, 1:-1]) & (correlation[:, 2:] <= correlation[:, 1:-1])
    best = np.argmax(is_high, axis=1)
    rows = np.arange(len(values))
    height = candidates[rows, best]
    inner = np.clip(best, 1, LONGEST)
    left, right = correlation[rows, inner - 1], correlation[rows, inner + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = 0.5 * (left - right) / (left - 2.0 * height + right)
    is_peak = is_high.any(axis=1) & (height >= LEAST_CORRELATION) & (best < LONGEST)
    return np.where(is_peak, best + np.clip(np.nan_to_num(shift), -0.5, 0.5), np.nan)


class Seasons:
    """The latest samples and the own season of many series, one row each. `period` is in samples, NaN while none is known."""

    def __init__(self, rows: int) -> None:
        self._rows = np.arange(rows)
        self.kept = np.full((rows, KEPT), np.nan, dtype=np.float32)
        self.period = np.full(rows, np.nan)

    def keep(self, value: NDArray[np.float64], seen: NDArray[np.float64], which: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Remember the rows' newest samples, the `seen`-th of each, and look for seasons where it is time. Return rows whose season changed."""
        rows = self._rows[which]
        self.kept[rows, seen[rows].astype(np.int64) % KEPT] = value[rows]
        due: NDArray[np.intp] = rows[(seen[rows] >= KEPT) & (seen[rows] % LOOKED_FOR_EVERY == 0)]
        if not len(due):
            return due
        first = seen[due].astype(np.int64) + 1
        order = (first[:, None] + np.arange(KEPT)[None, :]) % KEPT
        found = find_periods(np.take_along_axis(self.kept[due], order, axis=1).astype(np.float64))
        before = self.period[due]
        with np.errstate(invalid="ignore"):
            other = ~(np.abs(found / before - 1.0) <= SAME) & ~(np.isnan(found) & np.isnan(before))
        changed: NDArray[np.intp] = due[other]
        self.period[changed] = found[other]
        return changed

    def pack(self, into: NDArray[Any]) -> None:
        """Write the rows' state into a structured array of SEASON_DTYPE."""
        into["kept"], into["period"] = self.kept, self.period

    def unpack(self, packed: NDArray[Any]) -> None:
        """Take the rows' state from a structured array of SEASON_DTYPE."""
        self.kept[:], self.period[:] = packed["kept"], packed["period"]
