"""What a series usually is at this time of its season: level and spread per phase, learned one sample at a time.

A profile divides a season into phases of equal length. Its level is a mean whose memory grows to a hundred visits of a phase and
then forgets, and its spread is the mean distance from the level, drawn towards the series' own where a phase is little known.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# A phase forgets after a hundred visits, of five-minute samples eight days: that averages over a week and still tracks drift.
LEAST_GAIN = 0.01
# The series' own spread counts as five samples in each phase, and is believed down to a tenth: a phase that was never
# disturbed is not infinitely exact.
SHARED_WEIGHT = 5.0
LEAST_SPREAD_SHARE = 0.1


def profile_dtype(phases: int) -> list[Any]:
    """Return the structured type of one row's profile."""
    return [("level", np.float64, (phases,)), ("spread", np.float32, (phases,)), ("visits", np.float32, (phases,))]


class Profiles:
    """The profiles of many series, one row each, with `phases` phases."""

    def __init__(self, rows: int, phases: int) -> None:
        self._rows = np.arange(rows)
        self.level = np.zeros((rows, phases))
        self.spread = np.zeros((rows, phases))
        self.visits = np.zeros((rows, phases))

    def known(self, phase: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Say which rows have seen this phase before, shape (rows,)."""
        return self.visits[self._rows, phase] > 0

    def expect(
        self, phase: NDArray[np.intp], *, shared_spread: NDArray[np.float64], floor: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the usual level and spread at the rows' phases, shape (rows,) each; only meaningful where `known`."""
        visits = self.visits[self._rows, phase]
        own = self.spread[self._rows, phase]
        spread = (own * visits + SHARED_WEIGHT * shared_spread) / (visits + SHARED_WEIGHT)
        return self.level[self._rows, phase], np.maximum(spread, LEAST_SPREAD_SHARE * shared_spread) + floor

    def learn(
        self,
        phase: NDArray[np.intp],
        value: NDArray[np.float64],
        *,
        which: NDArray[np.bool_],
        deviation: NDArray[np.float64],
    ) -> None:
        """Take in the samples of the rows of `which`; `deviation` ≥ 0 is how far each was from what was expected."""
        rows = self._rows[which]
        at = phase[rows]
        visits = self.visits[rows, at]
        gain = np.maximum(1.0 / (visits + 1.0), LEAST_GAIN)
        self.level[rows, at] += gain * (value[rows] - self.level[rows, at])
        self.spread[rows, at] += gain * (deviation[rows] - self.spread[rows, at])
        self.visits[rows, at] = visits + 1.0

    def clear(self, rows: NDArray[np.intp]) -> None:
        """Forget what these rows learned: their season turned out to be another."""
        self.level[rows] = self.spread[rows] = self.visits[rows] = 0.0

    def pack(self, into: NDArray[Any]) -> None:
        """Write the rows' state into a structured array of `profile_dtype`."""
        into["level"], into["spread"], into["visits"] = self.level, self.spread, self.visits

    def unpack(self, packed: NDArray[Any]) -> None:
        """Take the rows' state from a structured array of `profile_dtype`."""
        self.level[:], self.spread[:], self.visits[:] = packed["level"], packed["spread"], packed["visits"]
