"""One scale for every signal: how far a change is from chance, times how much it matters.

A strength is robust standard deviations (at most `MAX_SIGMAS`) times a practical size in [0, 1], so that neither a tiny change
measured precisely nor a large change seen twice outranks one that is both. Strengths of different signals can be compared.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Beyond ten sigmas the normal tail says nothing any more; the practical size decides.
MAX_SIGMAS = 10.0
# Shares of requests differ by about a tenth between two healthy stretches of the same system (the mix of requests changes).
MIX_SPREAD = 0.1


def strength(sigmas: Floats, size: Floats) -> Floats:
    """Return sigmas, clipped to [0, 10], times size, clipped to [0, 1]; NaN counts as 0."""
    return np.nan_to_num(np.clip(sigmas, 0.0, MAX_SIGMAS)) * np.nan_to_num(np.clip(size, 0.0, 1.0))


def share_sigmas(
    count_after: Floats, total_after: Floats, count_before: Floats, total_before: Floats, *, spread: float = MIX_SPREAD
) -> Floats:
    """Return by how many standard deviations a share rose; negative when it fell. Totals must be above 0.

    The variance is the binomial one of both shares (add-one smoothed, Agresti and Caffo 2000) plus what healthy mixes differ by.
    """
    after = (count_after + 1) / (total_after + 2)
    before = (count_before + 1) / (total_before + 2)
    variance = after * (1 - after) / (total_after + 2) + before * (1 - before) / (total_before + 2) + spread**2
    raised: Floats = count_after / total_after - count_before / total_before
    return raised / np.sqrt(variance)


def distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct values, ascending. NumPy's own `unique` hashes whole numbers, which takes five times as long as sorting them."""
    ordered = np.sort(values)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


@dataclass(frozen=True)
class Grouped:
    """Values by group: `ids` ascending, `sizes`, and quantiles on demand, each of shape (groups,)."""

    ids: NDArray[np.int64]
    sizes: NDArray[np.int64]
    _starts: NDArray[np.int64]
    _sorted: Floats

    def quantile(self, quantile: float | Floats) -> Floats:
        """Return each group's quantile, the nearest rank; `quantile` is one number or one for each group."""
        ranks = np.floor((self.sizes - 1) * np.clip(quantile, 0.0, 1.0) + 0.5).astype(np.int64)
        found: Floats = self._sorted[self._starts + ranks]
        return found

    def above(self, levels: Floats) -> Floats:
        """Return how many of each group's values lie above its level, shape (groups,)."""
        group = np.repeat(np.arange(len(self.ids)), self.sizes)
        first = np.cumsum(self.sizes) - self.sizes
        values = self._sorted[np.arange(len(group)) - first[group] + self._starts[group]]
        counts: Floats = np.bincount(group[values > levels[group]], minlength=len(self.ids)).astype(np.float64)
        return counts

    def select(self, places: NDArray[np.int64]) -> "Grouped":
        """Return the groups at the places given."""
        return Grouped(self.ids[places], self.sizes[places], self._starts[places], self._sorted)


def grouped(groups: NDArray[np.int64], values: Floats) -> Grouped:
    """Return the values by group."""
    order = np.lexsort((values, groups))
    ids, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    return Grouped(ids, sizes, starts, values[order])
