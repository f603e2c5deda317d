"""How rare a surprise is on its own series: a tail probability that means the same whatever the series' unit or noise.

Each series keeps a histogram of its past surprises (quarter octaves of the surprise). Inside what was seen, the probability is the
empirical share of surprises at least as large (a conformal p-value: it is right whatever the distribution, as long as past and
present are exchangeable). Beyond the upper few percent, an exponential tail in the logarithm, a Pareto tail of the surprise, goes
on, with the mean excess that was seen. Source: Hill 1975 (tail index); Vovk et al. 2005 (conformal p-values).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 64
BINS_PER_OCTAVE = 4.0  # a quarter octave is finer than a tail known from some dozens of samples can tell apart
# The tail begins where this share of surprises is larger. Small, for the tail of a series with bursts begins late; a
# 14-day series by five minutes then has 120 samples in it.
TAIL_SHARE = 0.03
# A tail with few samples is believed to fall by half per half octave (in bins: 2), as if ten samples had said so.
USUAL_EXCESS = 2.0
USUAL_WEIGHT = 10.0
# Past this many samples, two weeks of minutes, each new one halves the weight of all: usual changes with the seasons.
MEMORY = 20_160.0
# The cumulated form is renewed with every sample while young, then with every 16th.
YOUNG_SAMPLES = 200
RENEWED_EVERY = 16
FEWEST = 30  # surprises before one can be judged

TAIL_DTYPE = [("counts", np.float32, (BINS,)), ("samples", np.float64)]


class Tails:
    """The tails of many series, one row each. `lowest` is the surprise, a power of two, where the first bin begins."""

    def __init__(self, rows: int, *, lowest: float) -> None:
        self._offset = float(np.log2(lowest))
        self._rows = np.arange(rows)
        self.counts = np.zeros((rows, BINS), dtype=np.float32)
        self.samples = np.zeros(rows)
        self._above = np.zeros((rows, BINS + 1), dtype=np.float32)
        self._from = np.full(rows, float(BINS))
        self._in_tail = np.zeros(rows)
        self._excess = np.full(rows, USUAL_EXCESS)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Say which rows have seen enough to be judged, shape (rows,)."""
        known: NDArray[np.bool_] = self.samples >= FEWEST
        return known

    def place(self, surprise: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where on the histogram surprises (≥ 0, shape (rows,)) lie, in bins; beyond the last bin it goes on, to a limit."""
        lowest = 2.0**self._offset
        place: NDArray[np.float64] = np.clip(
            (np.log2(surprise + lowest) - self._offset) * BINS_PER_OCTAVE, 0.0, 2.0 * BINS
        )
        return place

    def rarity(self, place: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return -log of the probability of a surprise at least as large, in nats, shape (rows,). Give finite places."""
        low = np.minimum(place, BINS - 1.0).astype(np.intp)
        part = np.minimum(place - low, 1.0)
        above = self._above[self._rows, low] * (1.0 - part) + self._above[self._rows, low + 1] * part
        inside = -np.log((above + 1.0) / (self.samples + 1.0))
        beyond = (place - self._from) / self._excess - np.log((self._in_tail + 1.0) / (self.samples + 1.0))
        rarity: NDArray[np.float64] = np.where(place <= self._from, inside, beyond)
        return rarity

    def add(self, place: NDArray[np.float64], which: NDArray[np.bool_]) -> None:
        """Remember the surprises of the rows of `which`."""
        rows = self._rows[which]
        self.counts[rows, np.minimum(place[rows], BINS - 1.0).astype(np.intp)] += 1.0
        self.samples[rows] += 1.0

    def renew(self, which: NDArray[np.bool_]) -> None:
        """Bring what `rarity` reads up to date, for the rows of `which` whose turn it is."""
        due = which & ((self.samples < YOUNG_SAMPLES) | (np.floor(self.samples) % RENEWED_EVERY == 0))
        if due.any():
            self.refresh(self._rows[due])

    def refresh(self, rows: NDArray[np.intp]) -> None:
        """Bring what `rarity` reads up to date for these rows."""
        full = rows[self.samples[rows] > MEMORY]
        self.counts[full] *= 0.5
        self.samples[full] = self.counts[full].sum(axis=1)
        above = np.zeros((len(rows), BINS + 1), dtype=np.float32)
        above[:, :-1] = np.cumsum(self.counts[rows][:, ::-1], axis=1)[:, ::-1]
        tail = np.minimum((above > TAIL_SHARE * self.samples[rows, None]).sum(axis=1), BINS)
        in_tail = above[np.arange(len(rows)), tail].astype(np.float64)
        # The mean excess is the area under the share of larger surprises, by the trapezium rule.
        later = np.arange(BINS + 1)[None, :] > tail[:, None]
        area = np.where(later, above, 0.0).sum(axis=1) + 0.5 * in_tail
        self._above[rows] = above
        self._from[rows] = tail
        self._in_tail[rows] = in_tail
        self._excess[rows] = (area + USUAL_EXCESS * USUAL_WEIGHT) / (in_tail + USUAL_WEIGHT)

    def clear(self, rows: NDArray[np.intp]) -> None:
        """Forget what these rows have seen."""
        self.counts[rows] = self.samples[rows] = 0.0
        self.refresh(rows)

    def pack(self, into: NDArray[Any]) -> None:
        """Write the rows' state into a structured array of TAIL_DTYPE."""
        into["counts"], into["samples"] = self.counts, self.samples

    def unpack(self, packed: NDArray[Any]) -> None:
        """Take the rows' state from a structured array of TAIL_DTYPE."""
        self.counts[:], self.samples[:] = packed["counts"], packed["samples"]
        self.refresh(self._rows)
