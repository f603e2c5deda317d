"""Whether a series has been here before: the pair of a sample's height and its step, among all pairs seen.

The plane of height and step is divided into cells. A pair's novelty is the distance to the nearest cell that was ever visited: a
spike that comes every day is new once, a value in a range that was always jumped over is new though it is no extreme.
"""

from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

# Heights and steps come as asinh of standard deviations: linear near 0, logarithmic far out. 56 × 32 cells of an eighth
# reach ±3.5 (17 standard deviations) and ±2 (27 usual steps); what is farther counts as the edge.
CELL = 0.125
HEIGHTS, STEPS = 56, 32
# A step of two usual ones is worth a height of one standard deviation.
STEP_WEIGHT = 0.5
BYTES = HEIGHTS * STEPS // 8
NOWHERE = 100  # cells: farther than any two are apart counts little more than far


@cache
def _distances() -> NDArray[np.uint8]:
    """Return the city-block distance in cells between any two cells, shape (cells, cells)."""
    height, step = np.divmod(np.arange(HEIGHTS * STEPS, dtype=np.int16), STEPS)
    apart: NDArray[np.uint8] = (abs(height[:, None] - height[None, :]) + abs(step[:, None] - step[None, :])).astype(
        np.uint8
    )
    return apart


class Novelty:
    """The cells that many series visited, one row each."""

    def __init__(self, rows: int) -> None:
        self._rows = np.arange(rows)
        self._nearest = np.full((rows, HEIGHTS * STEPS), NOWHERE, dtype=np.uint8)

    def cell(self, height: NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the cells of heights and steps (both in standard deviations, finite), shape (rows,)."""
        across = np.clip(np.arcsinh(height) / CELL + HEIGHTS / 2, 0, HEIGHTS - 1).astype(np.intp)
        along = np.clip(STEP_WEIGHT * np.arcsinh(step) / CELL + STEPS / 2, 0, STEPS - 1).astype(np.intp)
        cells: NDArray[np.intp] = across * STEPS + along
        return cells

    def distance(self, cell: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return how far from the nearest visited cell the rows' cells are, shape (rows,), on the scale of heights."""
        return CELL * self._nearest[self._rows, cell].astype(np.float64)

    def visit(self, cell: NDArray[np.intp], which: NDArray[np.bool_]) -> None:
        """Remember the cells of the rows of `which`."""
        rows = self._rows[which]
        new = rows[self._nearest[rows, cell[rows]] > 0]
        if len(new):
            self._nearest[new] = np.minimum(self._nearest[new], _distances()[cell[new]])

    def pack(self) -> NDArray[np.uint8]:
        """Return the visited cells as bits, shape (rows, BYTES)."""
        return np.packbits(self._nearest == 0, axis=1)

    def unpack(self, bits: NDArray[np.uint8]) -> None:
        """Take the visited cells from bits, shape (rows, BYTES)."""
        visited = np.unpackbits(bits, axis=1).reshape(-1, HEIGHTS, STEPS)
        distance = np.where(visited, np.uint8(0), np.uint8(NOWHERE))
        for plane in (distance.transpose(1, 0, 2), distance.transpose(2, 0, 1)):
            for way in (plane, plane[::-1]):  # there and back: city-block distances need one pass of each axis and way
                for before, here in pairwise(way):
                    np.minimum(here, before + np.uint8(1), out=here)
        self._nearest = np.minimum(distance, NOWHERE).reshape(-1, HEIGHTS * STEPS)
