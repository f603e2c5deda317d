"""The labelled claims, read; and how right the checker is about them."""

import json
from dataclasses import dataclass
from functools import cache
from math import sqrt
from pathlib import Path

from copilot.answers.claims import Verdict
from copilot.answers.verification import check
from copilot.evidence.bundle import EvidenceBundle, from_json
from tests.copilot.answers.corpus.bundles import BUNDLES
from tests.services import ROOT

LABELS = {"ok": Verdict.SUPPORTED, "no": Verdict.UNVERIFIED, "bad": Verdict.STRUCK}
Z = 1.96


@dataclass(frozen=True)
class Judged:
    """A claim's label and the checker's verdict; `told` is the claim with the reason."""

    label: Verdict
    verdict: Verdict
    told: str


def claims(name: str) -> list[tuple[str, Verdict, list[str], str]]:
    """Return bundle, label, cited ids and text of each claim in a file of this folder."""
    lines = (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if line and not line.startswith("#")]
    # A fifth cell says why it is labelled so.
    return [(bundle, LABELS[label], cites.split(), text) for bundle, label, cites, text, *_ in rows]


@cache
def bundle(name: str) -> EvidenceBundle:
    """Return the evidence of that name: a pinned recording's, or one made for the claims."""
    pinned = ROOT / "demo" / "pinned" / f"{name}.json"
    if name in BUNDLES or not pinned.exists():
        return BUNDLES[name]
    return from_json(json.loads(pinned.read_text(encoding="utf-8"))["evidence"])


def judged(name: str) -> list[Judged]:
    """Return what the checker says of every claim in a file."""
    found = []
    for where, label, cites, text in claims(name):
        said = check(text, cites, bundle(where))
        found.append(Judged(label, said.verdict, f"{where} {cites}: {text} → {said.verdict.value} {said.reason}"))
    return found


def precision(rows: list[Judged]) -> tuple[int, int]:
    """Return how many of those that pass are true, of how many."""
    passed = [row for row in rows if row.verdict is Verdict.SUPPORTED]
    return sum(row.label is Verdict.SUPPORTED for row in passed), len(passed)


def recall(rows: list[Judged]) -> tuple[int, int]:
    """Return how many of the true ones pass, of how many."""
    true = [row for row in rows if row.label is Verdict.SUPPORTED]
    return sum(row.verdict is Verdict.SUPPORTED for row in true), len(true)


def interval(part: int, whole: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    share, d = part / whole, 1 + Z * Z / whole
    middle, half = share + Z * Z / 2 / whole, Z * sqrt(share * (1 - share) / whole + Z * Z / 4 / whole**2)
    return (middle - half) / d, (middle + half) / d
