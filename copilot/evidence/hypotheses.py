"""Turns a ranking into hypotheses: the verdict is decided here, by code, from scores and margin."""

from collections.abc import Sequence

from copilot.evidence.bundle import Evidence, Hypothesis, Role
from incidents.localization.suspects import Ranking

LIKELY_SCORE = 0.5  # more than all others together
LIKELY_MARGIN = 0.2
SHOWN = 3


def hypotheses_of(ranking: Ranking, items: Sequence[Evidence]) -> tuple[Hypothesis, ...]:
    """Return at most three suspects as hypotheses, likeliest first, then those ruled out."""
    found = []
    for rank, suspect in enumerate(ranking.suspects[:SHOWN]):
        likely = rank == 0 and suspect.score >= LIKELY_SCORE and ranking.margin >= LIKELY_MARGIN
        found.append(
            Hypothesis(
                service=suspect.service,
                sentence=suspect.reason,
                score=round(suspect.score, 2),
                verdict="likely" if likely else "possible",
                supporting=_ids(items, suspect.service, Role.CAUSE, Role.RIVAL, Role.SYMPTOM),
                opposing=_ids(items, suspect.service, Role.AGAINST),
            )
        )
    ruled_out = [
        Hypothesis(
            service=ruled.service,
            sentence=ruled.reason,
            score=0.0,
            verdict="ruled out",
            supporting=(),
            opposing=_ids(items, ruled.service, Role.AGAINST) or _ids(items, ruled.service, Role.SYMPTOM),
        )
        for ruled in ranking.ruled_out[:SHOWN]
    ]
    return (*found, *ruled_out)


def _ids(items: Sequence[Evidence], service: str, *roles: Role) -> tuple[str, ...]:
    return tuple(item.id for item in items if item.service == service and item.role in roles)
