"""Corrects stated chances by what turned out, once enough incidents are resolved with a confirmed cause. Plain Python."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from incidents.localization.significance import Floats
from incidents.localization.suspects import Ranking

ENOUGH = 100  # resolved incidents with a stated chance and a confirmed cause
ENOUGH_EACH = 15  # of these that turned out right, and as many wrong: else there is nothing to tell the two apart by
LEARNED_SHARE = 2 / 3  # the older part, on which the correction is tried; the newer part judges it
RIDGE = 1.0  # pulls towards changing nothing
SUREST = 0.99  # a chance is never stated beyond this, nor below its complement


@dataclass(frozen=True, slots=True)
class Recalibration:
    """The correction p' = σ(intercept + slope · logit p), used only when `in_use`; `because` says why or why not, in a sentence."""

    in_use: bool
    because: str
    cases: int
    intercept: float = 0.0
    slope: float = 1.0

    def corrected(self, chance: float) -> float:
        """Return the chance as the record says it comes true, in [0, 1]; unchanged while not in use."""
        return _corrected(np.array([chance]), self.intercept, self.slope).item() if self.in_use else chance


NOTHING = Recalibration(False, f"0 of {ENOUGH} resolved incidents have a confirmed cause.", 0)


def recalibration(chances: Floats, right: NDArray[np.bool_]) -> Recalibration:
    """Return the correction for chances in [0, 1] and whether each came true, both of shape (cases,) in the order of time.

    It is used when there are enough, and when one learned on the older two thirds stated the newer third better (by the mean logarithmic
    loss) than no correction. Source: Platt 1999.
    """
    count, hits = len(chances), int(right.sum())
    if count < ENOUGH:
        return Recalibration(False, f"{count} of the {ENOUGH} resolved incidents that it takes have one.", count)
    if min(hits, count - hits) < ENOUGH_EACH:
        said = f"{hits} of {count} came true: it takes at least {ENOUGH_EACH} that did and {ENOUGH_EACH} that did not."
        return Recalibration(False, said, count)
    older = int(count * LEARNED_SHARE)
    learned = _fit(chances[:older], right[:older])
    newer, came_true = chances[older:], right[older:]
    before, after = _loss(newer, came_true), _loss(_corrected(newer, *learned), came_true)
    if after >= before:
        return Recalibration(
            False, f"Chances as stated fit the newest {len(newer)} incidents better than corrected.", count
        )
    intercept, slope = _fit(chances, right)
    said = f"Corrected chances fit the newest {len(newer)} incidents better: loss {after:.3f} instead of {before:.3f}."
    return Recalibration(True, said, count, intercept, slope)


def apply(ranking: Ranking, by: Recalibration) -> Ranking:
    """Return the ranking with the first suspect's chance corrected; what it leaves is shared by the others as before."""
    if not by.in_use or not ranking.suspects or ranking.suspects[0].confidence <= 0:
        return ranking
    first = ranking.suspects[0].confidence
    corrected = by.corrected(first)
    factor = (1 - corrected) / max(1 - first, 1e-9)
    others = [replace(one, confidence=min(corrected, one.confidence * factor)) for one in ranking.suspects[1:]]
    second = others[0].confidence if others else 0.0
    suspects = (replace(ranking.suspects[0], confidence=corrected), *others)
    return replace(ranking, suspects=suspects, lead=corrected - second)


def _fit(chances: Floats, right: NDArray[np.bool_]) -> tuple[float, float]:
    score = _logit(chances)

    def loss(parameters: Floats) -> float:
        stated = parameters[0] + parameters[1] * score
        away = parameters[0] ** 2 + (parameters[1] - 1) ** 2
        return float((np.logaddexp(0, stated) - right * stated).sum() + RIDGE / 2 * away)

    found = minimize(loss, np.array([0.0, 1.0]), method="L-BFGS-B", bounds=[(None, None), (0.0, None)])
    return float(found.x[0]), float(found.x[1])


def _corrected(chances: Floats, intercept: float, slope: float) -> Floats:
    return np.clip(1 / (1 + np.exp(-(intercept + slope * _logit(chances)))), 1 - SUREST, SUREST)


def _logit(chances: Floats) -> Floats:
    inside = np.clip(chances, 1 - SUREST, SUREST)
    return np.asarray(np.log(inside / (1 - inside)))


def _loss(stated: Floats, right: NDArray[np.bool_]) -> float:
    inside = np.clip(stated, 1 - SUREST, SUREST)
    return -math.fsum(np.where(right, np.log(inside), np.log(1 - inside))) / len(right)
