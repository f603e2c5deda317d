"""Chances are corrected only by enough resolved incidents, and only when that states newer ones better."""

import numpy as np
import pytest

from incidents.localization.recalibration import ENOUGH, NOTHING, Recalibration, apply, recalibration
from incidents.localization.suspects import Ranking, Suspect


def record(count: int, *, power: float, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Chances of which a share, chance ** power, came true: 1 is honest, more is too sure."""
    dice = np.random.default_rng(seed)
    chances = dice.uniform(0.3, 0.98, count)
    return chances, dice.random(count) < chances**power


def test_too_few_change_nothing() -> None:
    found = recalibration(*record(ENOUGH - 1, power=4))
    assert not found.in_use
    assert found.because.startswith(f"{ENOUGH - 1} of the {ENOUGH}")
    assert found.corrected(0.9) == 0.9
    assert NOTHING.corrected(0.4) == 0.4


def test_nothing_is_learned_from_a_record_without_mistakes() -> None:
    found = recalibration(np.full(200, 0.9), np.ones(200, dtype=np.bool_))
    assert not found.in_use
    assert "15 that did not" in found.because


def test_a_record_that_was_too_sure_lowers_the_chance() -> None:
    found = recalibration(*record(600, power=4))
    assert found.in_use
    assert 0.3 < found.corrected(0.8) < 0.6  # 0.8 ** 4 is 0.41
    assert found.corrected(0.95) > found.corrected(0.8)


def test_an_honest_record_is_hardly_bent() -> None:
    for seed in range(5):
        found = recalibration(*record(400, power=1, seed=seed))
        assert abs(found.corrected(0.8) - 0.8) < 0.08


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_certainty_is_never_stated(chance: float) -> None:
    assert 0 < recalibration(*record(600, power=4)).corrected(chance) < 1


def test_what_the_first_leaves_is_shared_by_the_others() -> None:
    suspects = (Suspect("a", 0.8, (), "", 0.9), Suspect("b", 0.1, (), "", 0.06), Suspect("c", 0.1, (), "", 0.04))
    ranking = Ranking(suspects, (), 0.7, (), (), "", lead=0.84)
    assert apply(ranking, NOTHING) is ranking
    found = apply(ranking, Recalibration(True, "", 100, intercept=-1.0, slope=1.0))
    first, second, third = (one.confidence for one in found.suspects)
    assert first < 0.9
    assert first + second + third <= 1
    assert second / third == pytest.approx(1.5)
    assert found.lead == pytest.approx(first - second)
