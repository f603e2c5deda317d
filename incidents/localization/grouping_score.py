"""Scores a grouping of log lines against the true one.

Source: Zhu et al. 2019 (grouping accuracy), Jiang et al. 2024 (F1 over groups, as defined in LogPub).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLED = 1_000
UPPER = 0.975  # of a two-sided 95 % interval


@dataclass(frozen=True)
class GroupingScore:
    """How well lines were grouped. `accuracy` is the share of lines whose group holds exactly the lines of their true group.

    `interval` is its 95 % interval over true groups drawn with replacement: lines of one group are right or wrong together.
    `f1` counts groups instead of lines.
    """

    accuracy: float
    interval: tuple[float, float]
    f1: float
    lines: int
    true_groups: int
    found_groups: int


def score(truth: Sequence[Hashable], found: Sequence[Hashable]) -> GroupingScore:
    """Return the score of a grouping, one label a line on both sides. Raises ValueError when there are no lines or unequally many."""
    if not truth or len(truth) != len(found):
        raise ValueError(f"{len(truth)} true labels and {len(found)} found ones: give one a line on both sides.")
    right_groups = {frozenset(lines) for lines in _lines_of(found)}
    true_groups = _lines_of(truth)
    sizes = np.array([len(lines) for lines in true_groups])
    right = np.array([frozenset(lines) in right_groups for lines in true_groups])
    drawn = np.random.default_rng(0).integers(len(sizes), size=(RESAMPLED, len(sizes)))
    shares = (sizes * right)[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return GroupingScore(
        accuracy=float((sizes * right).sum() / len(truth)),
        interval=(float(np.quantile(shares, 1 - UPPER)), float(np.quantile(shares, UPPER))),
        f1=float(2 * right.sum() / (len(true_groups) + len(right_groups))),
        lines=len(truth),
        true_groups=len(true_groups),
        found_groups=len(right_groups),
    )


def _lines_of(labels: Sequence[Hashable]) -> list[list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for line, label in enumerate(labels):
        groups.setdefault(label, []).append(line)
    return list(groups.values())
