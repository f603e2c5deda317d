"""A claim as the page shows it: its sentence, its verdict's mark and word, and its chips."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from copilot.answers.claims import CheckedClaim, Verdict
from copilot.models import Claim

# Verdict → icon and the word for screen readers. A sentence that cites nothing has no verdict to show.
_MARKS = {
    Verdict.SUPPORTED: ("check", "Supported"),
    Verdict.UNVERIFIED: ("question", "Unverified"),
    Verdict.STRUCK: ("cross", "Struck out"),
}


@dataclass(frozen=True, slots=True)
class ShownClaim:
    """One sentence. `mark` is the icon's name and `word` what it means; `cites` are ids that exist."""

    text: str
    cites: tuple[str, ...]
    verdict: str
    mark: str
    word: str
    reason: str
    pk: int = 0  # 0 for a sentence that is no row: of the brief, or still being written
    feedback: tuple[tuple[str, str], ...] = ()  # (who, what they said of it)

    @property
    def said_of_it(self) -> str:
        """Return what people said of the sentence: "wrong: ada, mira; right: bo"."""
        words = dict.fromkeys(judgement for _, judgement in self.feedback)
        return "; ".join(f"{word}: {', '.join(who for who, said in self.feedback if said == word)}" for word in words)


def shown(claims: Sequence[CheckedClaim], *, known: Collection[str]) -> tuple[ShownClaim, ...]:
    """Return claims for the page; chips for ids outside `known` are left out, since they would lead nowhere."""
    return tuple(_shown(claim, known=known) for claim in claims)


def of_rows(rows: Sequence[Claim], *, known: Collection[str]) -> tuple[ShownClaim, ...]:
    """Return the stored claims of an answer for the page."""
    return tuple(
        replace(
            _shown(CheckedClaim(row.text, tuple(row.cites), Verdict(row.verdict), row.reason), known=known),
            pk=row.pk,
            feedback=tuple((each.user.get_username(), each.judgement) for each in row.feedback.all()),
        )
        for row in rows
    )


def _shown(claim: CheckedClaim, *, known: Collection[str]) -> ShownClaim:
    cites = tuple(cite for cite in claim.cites if cite in known)
    if not claim.cites and claim.verdict is Verdict.SUPPORTED:
        return ShownClaim(claim.text, (), "plain", "more", "Without citation", "")
    mark, word = _MARKS[claim.verdict]
    return ShownClaim(claim.text, cites, claim.verdict, mark, word, claim.reason)
