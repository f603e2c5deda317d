"""Turns a ranking into hypotheses, each with what speaks for and against it; the assessment says whether the first is likely."""

from collections.abc import Sequence

from copilot.evidence.assessment import Assessment, Certainty, Result
from copilot.evidence.bundle import Evidence, Hypothesis, Kind, Role
from copilot.evidence.findings import said
from incidents.localization.suspects import Finding, Modality, Ranking, RuledOut, Suspect

LEAST_SCORE = 0.05  # below it a suspect is only noise
SHOWN = 3
FINDINGS_SAID = 2


def hypotheses_of(ranking: Ranking, items: Sequence[Evidence], assessment: Assessment) -> tuple[Hypothesis, ...]:
    """Return at most three suspects as hypotheses, likeliest first, then those ruled out; the ranking's confidences are what may be stated."""
    found = []
    refuting = tuple(dict.fromkeys(cite for one in assessment.ended(Result.REFUTED) for cite in one.cites))
    for rank, suspect in enumerate(s for s in ranking.suspects[:SHOWN] if s.score >= LEAST_SCORE):
        likely = rank == 0 and assessment.certainty is not Certainty.INCONCLUSIVE
        opposing = _ids(items, suspect.service, Role.AGAINST)
        found.append(
            Hypothesis(
                service=suspect.service,
                sentence=sentence_of(suspect),
                confidence=round(suspect.confidence, 3),
                verdict="likely" if likely else "possible",
                supporting=(
                    *_ids(items, suspect.service, Role.CAUSE, Role.RIVAL, Role.SYMPTOM),
                    *_causes_before(items, suspect.service),
                ),
                opposing=tuple(dict.fromkeys((*opposing, *refuting))) if rank == 0 else opposing,
            )
        )
    ruled_out = [
        Hypothesis(
            service=ruled.service,
            sentence=_explained(ruled),
            confidence=0.0,
            verdict="ruled out",
            supporting=(),
            opposing=_against(items, ruled),
        )
        for ruled in ranking.ruled_out[:SHOWN]
    ]
    return (*found, *ruled_out)


def sentence_of(suspect: Suspect) -> str:
    """Return the strongest findings of a suspect in a sentence, one of each modality first, its change last."""
    strongest = varied([f for f in suspect.findings if f.modality is not Modality.CHANGES], limit=FINDINGS_SAID)
    changes = [f for f in suspect.findings if f.modality is Modality.CHANGES][:1]
    return "; ".join(said(finding) for finding in (*strongest, *changes)) or suspect.reason


def varied(findings: Sequence[Finding], *, limit: int) -> list[Finding]:
    """Return the strongest findings, each modality's strongest before anyone's second: three views beat three of one."""
    ordered = sorted(findings, key=lambda finding: -finding.strength)
    first = {finding.modality: finding for finding in reversed(ordered)}
    chosen = sorted(first.values(), key=lambda finding: -finding.strength)
    return (chosen + [finding for finding in ordered if finding not in chosen])[:limit]


def _explained(ruled: RuledOut) -> str:
    """Return why a service is not the cause: what explains its trouble elsewhere."""
    if ruled.finding is None or ruled.finding.service == ruled.service:
        return ruled.reason
    return f"what it shows is explained by {ruled.finding.service}, where {said(ruled.finding)}"


def _against(items: Sequence[Evidence], ruled: RuledOut) -> tuple[str, ...]:
    own = _ids(items, ruled.service, Role.AGAINST)
    elsewhere = _ids(items, ruled.finding.service, Role.CAUSE, Role.AGAINST)[:2] if ruled.finding else ()
    return own or elsewhere or _ids(items, ruled.service, Role.SYMPTOM)


def _ids(items: Sequence[Evidence], service: str, *roles: Role) -> tuple[str, ...]:
    return tuple(item.id for item in items if item.service == service and item.role in roles)


def _causes_before(items: Sequence[Evidence], service: str) -> tuple[str, ...]:
    """Return the ids of similar incidents whose confirmed cause was the service."""
    return tuple(item.id for item in items if item.kind is Kind.PRECEDENT and item.detail.get("cause") == service)
