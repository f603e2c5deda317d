"""The verdict on the leading suspect as the page shows it: what was tried to refute it, how that ended, and what limits the confidence."""

from dataclasses import dataclass

from copilot.evidence.assessment import Assessment, Certainty, Result
from copilot.evidence.bundle import EvidenceBundle
from copilot.evidence.wording import percent

WORDS = {
    Certainty.CONFIRMED: "Confirmed",
    Certainty.LIKELY: "Likely",
    Certainty.INCONCLUSIVE: "Inconclusive",
}
# Result → icon, and the word that repeats its colour.
_MARKS = {
    Result.WITHSTOOD: ("check", "No"),
    Result.REFUTED: ("cross", "Yes, which speaks against it"),
    Result.OPEN: ("question", "Not answered"),
}
_ORDER = (Result.REFUTED, Result.OPEN, Result.WITHSTOOD)


@dataclass(frozen=True, slots=True)
class ShownAttempt:
    """One attempt to refute; `mark` is the icon's name."""

    result: str
    mark: str
    word: str
    question: str
    answer: str
    cites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShownAssessment:
    """Plain values for `copilot/incident/assessment.html`. `caps` are sentences."""

    service: str
    word: str
    because: str
    calibrated: str
    uncorrected: str
    confidence: str
    caps: tuple[str, ...]
    attempts: tuple[ShownAttempt, ...]
    next_check: str


def shown_assessment(bundle: EvidenceBundle) -> ShownAssessment | None:
    """Return the verdict for the page, what speaks against it first; None where there was none or nobody is suspected."""
    found = bundle.assessment
    if found is None or not found.service:
        return None
    known = {item.id for item in bundle.items}
    attempts = sorted(found.attempts, key=lambda attempt: _ORDER.index(attempt.result))
    return ShownAssessment(
        service=found.service,
        word=WORDS[found.certainty],
        because=found.because,
        calibrated=percent(found.calibrated),
        uncorrected=_uncorrected(found),
        confidence=percent(found.confidence),
        caps=tuple(f"At most {percent(cap.at_most)}: {cap.reason}." for cap in found.caps),
        attempts=tuple(
            ShownAttempt(
                result=attempt.result.value,
                mark=_MARKS[attempt.result][0],
                word=_MARKS[attempt.result][1],
                question=attempt.question,
                answer=attempt.answer,
                cites=tuple(cite for cite in attempt.cites if cite in known),
            )
            for attempt in attempts
        ),
        next_check=bundle.next_check,
    )


def _uncorrected(found: Assessment) -> str:
    """Return the chance before the record of resolved incidents corrected it, "" where it did not."""
    if found.uncorrected is None or percent(found.uncorrected) == percent(found.calibrated):
        return ""
    return percent(found.uncorrected)


def held_down(assessment: Assessment) -> str:
    """Return what keeps the confidence below the calibrated one, "" for nothing."""
    lowest = min(assessment.caps, key=lambda cap: cap.at_most, default=None)
    return f"Held down from {percent(assessment.calibrated)} because {lowest.reason}." if lowest else ""
