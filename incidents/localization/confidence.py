"""How sure to be that the first suspect is the cause: a logistic model over three things that a person would weigh too.

The coefficients were fitted on 809 rankings of recorded outages with a known cause: 24 of boutique, 15 of trainticket, 20 of petshop and
the demo's 6, each as it is and in all `variations`; every system weighs the same, ridge 1. `manage.py evaluate localization --variations`
fits them anew with each system left out in turn, and prints how well the chances then stated came true.
Fitted again once few calls counted for less, the first coefficient came out at 1.94, the others the same: the more careful one stays.
"""

import math
from dataclasses import replace

from incidents.localization.suspects import Grounds, Ranking

# Each may only raise the confidence: log of how many times as much speaks for the first as for the second; whether a second kind of
# telemetry speaks for the first too; and how many requests were compared, on a logarithmic scale from none (0) to a thousand (1).
INTERCEPT, RATIO, AGREED, COMPARED = -1.34, 1.77, 0.71, 1.60
# However much was compared, odds beyond the square of what speaks for the first over the second are not stated.
AT_MOST = 2.0
# More requests make the medians no better in a way that matters here.
ENOUGH_REQUESTS = 1000
# Strength that stands beside each suspect's own, so that hardly anything is not infinitely more than nothing at all.
NOBODY = 1.0
# A cause is named when being wrong would be at least three times rarer than being right; then nobody else can come near.
NAMED = 0.75


def features(grounds: Grounds) -> tuple[float, float, float]:
    """Return what the model looks at, in the order of the coefficients."""
    compared = math.log10(min(max(grounds.requests, 1), ENOUGH_REQUESTS)) / math.log10(ENOUGH_REQUESTS)
    return (
        math.log((grounds.first + NOBODY) / (grounds.second + NOBODY)),
        float(grounds.modalities >= 2),
        compared,
    )


def confidence(grounds: Grounds) -> float:
    """Return the chance in (0, 1) that the first suspect is the cause."""
    ratio, agreed, compared = features(grounds)
    return min(_chance(INTERCEPT + RATIO * ratio + AGREED * agreed + COMPARED * compared), most(ratio))


def most(ratio: float) -> float:
    """Return the most that any model may state for a log ratio of first to second: two that are equally suspicious share the chance."""
    return _chance(AT_MOST * ratio)


def _chance(score: float) -> float:
    return 1 / (1 + math.exp(-score))


def stated(ranking: Ranking, grounds: Grounds | None) -> Ranking:
    """Return the ranking with the confidence of every suspect.

    What the first leaves is shared by the others, and by services that nobody looked at, as the blame is; nobody gets more than the first.
    """
    if grounds is None or grounds.first <= 0 or not ranking.suspects:
        return replace(ranking, grounds=grounds)
    first = confidence(grounds)
    rest = max(1.0 - ranking.suspects[0].score, 1e-9)
    sure = [first, *(min(first, (1 - first) * suspect.score / rest) for suspect in ranking.suspects[1:])]
    suspects = tuple(replace(suspect, confidence=share) for suspect, share in zip(ranking.suspects, sure, strict=True))
    return replace(ranking, suspects=suspects, lead=sure[0] - (sure[1] if len(sure) > 1 else 0.0), grounds=grounds)


def held(ranking: Ranking, *, at_most: float) -> Ranking:
    """Return the ranking with nobody's confidence above `at_most`: what is missing or speaks against the first is no point for the next."""
    suspects = tuple(replace(one, confidence=min(one.confidence, at_most)) for one in ranking.suspects)
    sure = [one.confidence for one in suspects[:2]] + [0.0, 0.0]
    return replace(ranking, suspects=suspects, lead=sure[0] - sure[1])


def stands_out(ranking: Ranking) -> bool:
    """Say whether the first suspect may be named as the cause, rather than as one of several possible ones."""
    return bool(ranking.suspects) and ranking.suspects[0].confidence >= NAMED
