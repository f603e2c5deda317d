"""How right the checker is, on all claims at once: what it lets pass must be true of what it cites, and what is true must pass."""

from collections import Counter

import pytest

from copilot.answers.claims import Verdict
from tests.copilot.answers.corpus import reading

LEAST = 0.97  # of all claims together
LEAST_OF_A_BATCH = 0.93  # of the smallest, some 30 true ones: two missed
HARDER = ("harder-1", "harder-2", "harder-3", "harder-4", "harder-5", "model")


@pytest.fixture(scope="module")
def judged() -> list[reading.Judged]:
    return reading.judged("claims")


def test_the_corpus_is_large_and_has_no_claim_twice() -> None:
    claims = [claim for name in ("claims", *HARDER) for claim in reading.claims(name)]
    assert len(claims) >= 860
    assert max(Counter((bundle, tuple(cites), text) for bundle, _, cites, text in claims).values()) == 1


def require(rows: list[reading.Judged], *, precision: float, recall: float) -> None:
    wrong = "\n".join(
        row.told for row in rows if (row.label is Verdict.SUPPORTED) is not (row.verdict is Verdict.SUPPORTED)
    )
    for name, (part, whole), least in (
        ("precision", reading.precision(rows), precision),
        ("recall", reading.recall(rows), recall),
    ):
        assert part / whole >= least, f"{name} {part / whole:.3f}\n{wrong}"


def test_what_passes_is_true_and_what_is_true_passes(judged: list[reading.Judged]) -> None:
    require(judged, precision=LEAST, recall=LEAST)


def test_of_all_claims_together() -> None:
    require([row for name in ("claims", *HARDER) for row in reading.judged(name)], precision=LEAST, recall=LEAST)


@pytest.mark.parametrize("name", HARDER)
def test_of_harder_claims_no_more_are_missed(name: str) -> None:
    rows = reading.judged(name)
    require(rows, precision=LEAST_OF_A_BATCH, recall=LEAST_OF_A_BATCH)
    assert not [row.told for row in rows if row.verdict is Verdict.STRUCK and row.label is Verdict.SUPPORTED]


def test_contradictions_are_struck_out_and_nothing_true_is(judged: list[reading.Judged]) -> None:
    struck = [row for row in judged if row.verdict is Verdict.STRUCK]
    assert not [row.told for row in struck if row.label is Verdict.SUPPORTED]
    contradicting = [row for row in judged if row.label is Verdict.STRUCK]
    missed = [row.told for row in contradicting if row.verdict is not Verdict.STRUCK]
    assert len(missed) <= (1 - LEAST) * len(contradicting) + 1, "\n".join(missed)
