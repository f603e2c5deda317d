"""Whether a departure will clear by itself soon: from how long it has lasted, how its height runs, and what earlier ones of its series did.

What is known of no series is that what lasted long lasts on: of departures that have lasted s, the share that goes on for t more is
about (s / (s + t)) to a power. It counts as some past departures; the series' own then speak for themselves, and so does a height on
its way back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

# The power: of 587 departures of public series, the share that went on for t = s, 2 s, 4 s and 10 s more gives 0.61 to 0.65, at any s.
LASTS_ON = 0.63
# The general law counts as so many departures: on the public series the error grows with more, and with fewer three earlier ones would be
# trusted too far. A height that is falling back counts as so many that cleared in time: of such departures a fifth more cleared than
# the law says, be the time short or long.
USUAL_WEIGHT = 2.0
FADING_WEIGHT = 5.0
# Milder departures say nothing of a graver one; this much graver is still alike.
AS_GRAVE = 1.25
NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier departure of the series: how long it lasted, or has lasted so far where its end was not seen, and how far out it was."""

    lasted: timedelta
    has_ended: bool = True
    score: float = float("inf")


@dataclass(frozen=True, slots=True)
class Clearing:
    """The probability, 0 to 1, that a departure ends by itself within `within`, its 95 % interval, and on how many earlier ones it rests."""

    within: timedelta
    share: float
    low: float
    high: float
    known: int


def clears_within(
    within: timedelta, *, lasted: timedelta, past: Sequence[Past], score: float = 0.0, is_fading: bool = False
) -> Clearing:
    """Return how probably a departure that has lasted `lasted` is over after `within` more.

    Only earlier ones that lasted as long and were about as far out (`score`) are like it; one whose end was not seen counts once it
    outlasted that time. `is_fading` says that its height, going on as it does, is back in the usual range by then.
    """
    until = lasted + within
    alike = [
        one
        for one in past
        if one.lasted > lasted and one.score * AS_GRAVE >= score and (one.has_ended or one.lasted >= until)
    ]
    ended = sum(one.has_ended and one.lasted <= until for one in alike)
    usual = 1.0 - (lasted / until) ** LASTS_ON if until else 1.0
    told = FADING_WEIGHT if is_fading else 0.0
    trials = len(alike) + USUAL_WEIGHT + told
    share = (ended + USUAL_WEIGHT * usual + told) / trials
    low, high = _wilson(share, trials)
    return Clearing(within, share, low, high, len(alike))


def _wilson(share: float, trials: float) -> tuple[float, float]:
    """Return the 95 % interval of a share of so many trials. Source: Wilson 1927."""
    square = NORMAL_95 * NORMAL_95
    middle = (share + square / (2.0 * trials)) / (1.0 + square / trials)
    half = NORMAL_95 / (1.0 + square / trials) * (share * (1.0 - share) / trials + square / (4.0 * trials**2)) ** 0.5
    return max(middle - half, 0.0), min(middle + half, 1.0)
