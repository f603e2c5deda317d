"""Whether stated confidences come true: reliability, expected calibration error, and the fit with each system left out in turn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from incidents.localization.confidence import features, most
from incidents.localization.significance import Floats
from incidents.localization.suspects import Ranking

BINS = 5
RIDGE = 1.0
# What all cases together weigh against the ridge: the variations of one outage are not independent of each other.
EFFECTIVE_CASES = 60.0


@dataclass(frozen=True)
class Outcome:
    """One ranking with a known cause; `right` when the first suspect was it."""

    system: str
    ranking: Ranking
    right: bool


@dataclass(frozen=True)
class Bin:
    """Of the cases with a confidence in [low, high): how many, their mean confidence, and the share that was right."""

    low: float
    high: float
    cases: int
    stated: float
    came_true: float


def told(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes in which a suspect was given any confidence at all: the rest claims nothing."""
    return [one for one in outcomes if one.ranking.grounds is not None and one.ranking.grounds.first > 0]


def reliability(stated: Floats, right: NDArray[np.bool_]) -> list[Bin]:
    """Return the bins that hold a case, of five of equal width; both arguments have shape (cases,)."""
    place = np.minimum((stated * BINS).astype(np.int64), BINS - 1)
    return [
        Bin(one / BINS, (one + 1) / BINS, int(some.sum()), float(stated[some].mean()), float(right[some].mean()))
        for one in range(BINS)
        if (some := place == one).any()
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error: the mean distance of stated and true, by cases. Source: Naeini et al. 2015."""
    total = sum(one.cases for one in bins)
    return sum(one.cases * abs(one.stated - one.came_true) for one in bins) / total if total else 0.0


def left_out(outcomes: Sequence[Outcome]) -> Floats:
    """Return, shape (outcomes,), the confidence by a fit on the other systems. Raises ValueError with fewer than two systems."""
    systems = np.array([one.system for one in outcomes])
    if len(set(systems.tolist())) < 2:
        raise ValueError("Leaving a system out needs two of them: name the folders of several systems.")
    looked_at = np.array([features(one.ranking.grounds) for one in outcomes if one.ranking.grounds])
    right = np.array([one.right for one in outcomes], dtype=np.float64)
    stated = np.zeros(len(outcomes))
    for system in sorted(set(systems.tolist())):
        held = systems == system
        stated[held] = _chance(fit(looked_at[~held], right[~held], systems[~held]), looked_at[held])
    return np.minimum(stated, [most(float(ratio)) for ratio in looked_at[:, 0]])


def fit(looked_at: Floats, right: Floats, systems: NDArray[np.str_]) -> Floats:
    """Return intercept and coefficients, none of these below 0; each system weighs the same."""
    names, of_case, counts = np.unique(systems, return_inverse=True, return_counts=True)
    weight = EFFECTIVE_CASES / (len(names) * counts[of_case])
    table = np.column_stack([np.ones(len(looked_at)), looked_at])

    def loss(parameters: Floats) -> tuple[float, Floats]:
        score = table @ parameters
        value = float(
            (weight * (np.logaddexp(0, score) - right * score)).sum() + RIDGE / 2 * (parameters[1:] ** 2).sum()
        )
        slope = table.T @ (weight * (_logistic(score) - right))
        slope[1:] += RIDGE * parameters[1:]
        return value, slope

    bounds = [(None, None), *[(0.0, None)] * looked_at.shape[1]]
    found = minimize(loss, np.zeros(table.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x, dtype=np.float64)


def _chance(parameters: Floats, looked_at: Floats) -> Floats:
    return _logistic(parameters[0] + looked_at @ parameters[1:])


def _logistic(score: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-score)))
