import dataclasses

import numpy as np
import pytest

from incidents.localization import calibration, confidence
from incidents.localization.suspects import Grounds, Modality, Ranking, Suspect

CLEAR = Grounds(9.0, 0.5, 2, frozenset(Modality), 800, has_baseline=True)


def ranking(*scores: float) -> Ranking:
    suspects = tuple(Suspect(f"service-{place}", score, (), "") for place, score in enumerate(scores))
    return Ranking(suspects, (), margin=0.0, missing=(), edges=(), next_check="")


@pytest.mark.parametrize(
    "less",
    [
        dataclasses.replace(CLEAR, second=4.0),
        dataclasses.replace(CLEAR, first=2.0),
        dataclasses.replace(CLEAR, modalities=1),
        dataclasses.replace(CLEAR, requests=20),
        dataclasses.replace(CLEAR, requests=0),
    ],
)
def test_less_to_go_by_is_less_sure(less: Grounds) -> None:
    assert confidence.confidence(less) < confidence.confidence(CLEAR)


def test_confidences_fall_and_add_up_to_at_most_one() -> None:
    for grounds in (CLEAR, dataclasses.replace(CLEAR, second=8.5, requests=0)):
        stated = confidence.stated(ranking(0.45, 0.44, 0.05), grounds)
        sure = [suspect.confidence for suspect in stated.suspects]
        assert sure == sorted(sure, reverse=True)
        assert sum(sure) <= 1
        assert stated.lead == pytest.approx(sure[0] - sure[1])


def test_it_names_a_cause_only_where_the_evidence_separates_it() -> None:
    assert confidence.stands_out(confidence.stated(ranking(0.8, 0.05), CLEAR))
    alike = dataclasses.replace(CLEAR, second=8.0)
    assert not confidence.stands_out(confidence.stated(ranking(0.45, 0.4), alike))
    assert not confidence.stands_out(confidence.stated(ranking(0.0, 0.0), None))
    assert not confidence.stands_out(ranking())


def test_reliability_and_its_error() -> None:
    stated = np.array([0.1, 0.1, 0.9, 0.9, 1.0])
    bins = calibration.reliability(stated, np.array([False, False, True, True, False]))
    assert [(one.low, one.cases) for one in bins] == [(0.0, 2), (0.8, 3)]
    assert bins[1].came_true == pytest.approx(2 / 3)
    assert calibration.calibration_error(bins) == pytest.approx((2 * 0.1 + 3 * (2.8 / 3 - 2 / 3)) / 5)
    assert calibration.calibration_error([]) == 0


def outcomes(system: str, *, seed: int, count: int = 300) -> list[calibration.Outcome]:
    """Rankings that are right as often as a wide margin over the runner-up says."""
    source = np.random.default_rng(seed)
    found = []
    for second in source.uniform(0, 9, count):
        grounds = dataclasses.replace(CLEAR, second=float(second))
        chance = 1 - second / 9
        found.append(
            calibration.Outcome(
                system, dataclasses.replace(ranking(0.6, 0.1), grounds=grounds), bool(source.random() < chance)
            )
        )
    return found


def test_a_system_left_out_is_calibrated_by_the_others() -> None:
    held = outcomes("a", seed=1) + outcomes("b", seed=2)
    right = np.array([one.right for one in held])
    assert calibration.calibration_error(calibration.reliability(calibration.left_out(held), right)) < 0.1
    with pytest.raises(ValueError, match="two"):
        calibration.left_out(outcomes("a", seed=1))
    silent = calibration.Outcome("a", ranking(0.0), right=False)
    assert calibration.told([silent]) == []


def test_what_holds_the_first_down_gives_nobody_else_more() -> None:
    stated = confidence.held(confidence.stated(ranking(0.8, 0.15), CLEAR), at_most=0.5)
    first, second = (suspect.confidence for suspect in stated.suspects)
    assert first == 0.5
    assert second <= 0.2
    assert stated.lead == first - second
