"""How right the checker is, on all claims at once: what it lets pass must be true of what it cites, and what is true must pass."""

from collections import Counter
from pathlib import Path

import pytest

from copilot.answers.claims import Verdict
from copilot.answers.verification import check
from tests.copilot.answers.corpus.bundles import BUNDLES

LABELS = {"ok": Verdict.SUPPORTED, "no": Verdict.UNVERIFIED, "bad": Verdict.STRUCK}
LEAST = 0.97


def corpus() -> list[tuple[str, Verdict, list[str], str]]:
    lines = (Path(__file__).parent / "claims.txt").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|", 3)] for line in lines if not line.startswith("#")]
    return [(bundle, LABELS[label], cites.split(), text) for bundle, label, cites, text in rows]


@pytest.fixture(scope="module")
def judged() -> list[tuple[Verdict, Verdict, str]]:
    """(label, the checker's verdict, claim with the reason) of every claim."""
    found = []
    for bundle, label, cites, text in corpus():
        said = check(text, cites, BUNDLES[bundle])
        found.append((label, said.verdict, f"{bundle} {cites}: {text} → {said.verdict.value} {said.reason}"))
    return found


def test_the_corpus_is_large_and_has_no_claim_twice() -> None:
    claims = corpus()
    assert len(claims) >= 300
    assert max(Counter((bundle, tuple(cites), text) for bundle, _, cites, text in claims).values()) == 1


def test_what_passes_is_true_and_what_is_true_passes(judged: list[tuple[Verdict, Verdict, str]]) -> None:
    passed = [row for row in judged if row[1] is Verdict.SUPPORTED]
    true = [row for row in judged if row[0] is Verdict.SUPPORTED]
    both = [row for row in passed if row[0] is Verdict.SUPPORTED]
    wrong = "\n".join(row[2] for row in judged if (row[0] is Verdict.SUPPORTED) is not (row[1] is Verdict.SUPPORTED))
    precision, recall = len(both) / len(passed), len(both) / len(true)
    assert precision >= LEAST, f"precision {precision:.3f}\n{wrong}"
    assert recall >= LEAST, f"recall {recall:.3f}\n{wrong}"


def test_contradictions_are_struck_out_and_nothing_true_is(judged: list[tuple[Verdict, Verdict, str]]) -> None:
    struck = [row for row in judged if row[1] is Verdict.STRUCK]
    assert not [row[2] for row in struck if row[0] is Verdict.SUPPORTED]
    contradicting = [row for row in judged if row[0] is Verdict.STRUCK]
    missed = [row[2] for row in contradicting if row[1] is not Verdict.STRUCK]
    assert len(missed) <= (1 - LEAST) * len(contradicting) + 1, "\n".join(missed)
