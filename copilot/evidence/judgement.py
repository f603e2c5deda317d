"""Decides, by rules, what may be said of the leading suspect: the calibrated chance, capped by what is missing and by what speaks against it."""

from collections.abc import Iterator, Sequence

from copilot.evidence.assessment import Assessment, Attempt, Cap, Certainty, Result
from copilot.evidence.refutation import Case, attempts, telling
from copilot.evidence.wording import joined, percent
from incidents.localization.confidence import NAMED
from incidents.localization.suspects import Modality

# What is missing can hide another cause: what is stated then stays below these, for one kind of telemetry and for two.
CAP_MISSING = {1: 0.9, 2: 0.8}
CAP_ONE_KIND = 0.85  # only one kind of telemetry speaks for it, though others were there
# Log lines repeat what users and other systems send: whoever can write them can point at anybody.
CAP_TEXT, TEXT_SHARE = 0.8, 0.8
CAP_REFUTED = {1: 0.5, 2: 0.3}
CAP_OPEN = {1: 0.9, 2: 0.8}
CONFIRMED = 0.9
# Unanswered, these leave room for another cause; the others refine.
DECISIVE = frozenset({"order", "before", "dependencies", "reach"})
LEAST_CONFIDENCE = 0.01
_TELEMETRY = (Modality.METRICS, Modality.TRACES, Modality.LOGS)


def assess(case: Case) -> Assessment:
    """Return the verdict on the leading suspect of a case, with what was tried to refute it and what stays open."""
    if not case.ranking.suspects or case.ranking.suspects[0].confidence < LEAST_CONFIDENCE:
        because = "Nothing beyond the usual was found in any service."
        return Assessment("", Certainty.INCONCLUSIVE, 0.0, 0.0, because, (), (), ("Which service is at fault?",))
    tried = attempts(case)
    caps = tuple(_caps(case, tried))
    calibrated = case.leader.confidence
    confidence = min([calibrated, *(cap.at_most for cap in caps)])
    certainty, because = _verdict(confidence, tried)
    return Assessment(
        service=case.leader.service,
        certainty=certainty,
        calibrated=round(calibrated, 3),
        confidence=round(confidence, 3),
        because=because,
        caps=tuple(cap for cap in caps if cap.at_most < calibrated),
        attempts=tried,
        questions=tuple(attempt.question for attempt in tried if attempt.result is not Result.WITHSTOOD),
    )


def _caps(case: Case, tried: Sequence[Attempt]) -> Iterator[Cap]:
    missing = [modality.value for modality in _TELEMETRY if modality in case.ranking.missing]
    if missing:
        yield Cap(CAP_MISSING[min(len(missing), 2)], f"there were no {joined(missing)} to look at")
    kinds = {one.modality for one in telling(case.leader)}
    if len(kinds) == 1 and len(missing) < 2:
        yield Cap(CAP_ONE_KIND, f"only {next(iter(kinds)).value} speak for it")
    if (share := text_share(case)) >= TEXT_SHARE:
        yield Cap(CAP_TEXT, f"{share:.0%} of what speaks for it is log text, which others can write")
    refuted = [attempt for attempt in tried if attempt.result is Result.REFUTED]
    if refuted:
        yield Cap(CAP_REFUTED[min(len(refuted), 2)], f"{len(refuted)} of {len(tried)} attempts refuted it")
    unanswered = [attempt for attempt in tried if attempt.result is Result.OPEN and attempt.check in DECISIVE]
    if unanswered:
        yield Cap(
            CAP_OPEN[min(len(unanswered), 2)],
            f"{len(unanswered)} attempt{'s' if len(unanswered) > 1 else ''} to refute it could not be answered",
        )


def text_share(case: Case) -> float:
    """Return the share in [0, 1] of the leader's evidence, by strength, that rests on the words of log lines."""
    found = telling(case.leader)
    total = sum(one.strength for one in found)
    return sum(one.strength for one in found if one.modality is Modality.LOGS) / total if total else 0.0


def _verdict(confidence: float, tried: Sequence[Attempt]) -> tuple[Certainty, str]:
    refuted = [attempt for attempt in tried if attempt.result is Result.REFUTED]
    if refuted:
        return Certainty.INCONCLUSIVE, f"{refuted[0].answer}"
    if confidence < NAMED:
        return (
            Certainty.INCONCLUSIVE,
            f"A chance of {percent(confidence)} is less than the {percent(NAMED)} that it takes.",
        )
    if confidence >= CONFIRMED and all(attempt.result is Result.WITHSTOOD for attempt in tried):
        return Certainty.CONFIRMED, f"It withstood all {len(tried)} attempts to refute it."
    withstood = sum(attempt.result is Result.WITHSTOOD for attempt in tried)
    return Certainty.LIKELY, f"It withstood {withstood} of {len(tried)} attempts to refute it; the others are open."
