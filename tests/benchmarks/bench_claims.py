"""How right the checker of claims is on every labelled batch, how long a claim takes, and which false claims it lets pass."""

import time

import pytest

from copilot.answers.claims import Verdict
from copilot.answers.verification import check
from tests.copilot.answers.corpus import reading


@pytest.mark.parametrize(
    "name", ["claims", "harder-1", "harder-2", "harder-3", "harder-4", "harder-5", "model", "model-2"]
)
def test_how_right_the_checker_is(name: str) -> None:
    for where in {
        where for where, *_ in reading.claims(name)
    }:  # reading the evidence once is not timed: an answer has several claims
        for item in reading.bundle(where).items:
            check(item.statement, [item.id], reading.bundle(where))
    began = time.perf_counter()
    rows = reading.judged(name)
    each = (time.perf_counter() - began) / len(rows)
    parts = []
    for word, (part, whole) in (("precision", reading.precision(rows)), ("recall", reading.recall(rows))):
        low, high = reading.interval(part, whole)
        parts.append(f"{word} {part / whole:.2f} ({low:.2f} to {high:.2f})")
    contradicting = [row for row in rows if row.label is Verdict.STRUCK]
    missed = sum(row.verdict is not Verdict.STRUCK for row in contradicting)
    print(
        f"\n{name}: {len(rows)} claims, {', '.join(parts)}, {missed} of {len(contradicting)} contradictions not struck out,"
        f" {each * 1000:.2f} ms a claim; asked for: 0.97"
    )
    for row in rows:
        if row.verdict is Verdict.SUPPORTED and row.label is not Verdict.SUPPORTED:
            print(f"  passes: {row.told}")
