"""Whether a departure will clear by itself soon: from how long it has lasted, and how long earlier ones of its series did.

What is known of no series is that what lasted long lasts on: of departures that have lasted s, the share that ends within t more is
about t / (s + t). It counts as some past departures; the series' own then speak for themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

# The general law counts as so many departures.
USUAL_WEIGHT = 5.0
NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier departure of the series: how long it lasted, or has lasted so far where it has not ended."""

    lasted: timedelta
    has_ended: bool = True


@dataclass(frozen=True, slots=True)
class Clearing:
    """The probability, 0 to 1, that a departure ends by itself within `within`, its 95 % interval, and on how many earlier ones it rests."""

    within: timedelta
    share: float
    low: float
    high: float
    known: int


def clears_within(within: timedelta, *, lasted: timedelta, past: Sequence[Past], is_critical: bool = False) -> Clearing:
    """Return how probably a departure that has lasted `lasted` is over after `within` more.

    Only earlier ones that lasted as long are like it; one of them that still goes on counts once it outlasted that time. A critical
    failure never waits for its end: its share is 0, whatever the past.
    """
    if is_critical:
        return Clearing(within, 0.0, 0.0, 0.0, 0)
    until = lasted + within
    alike = [one for one in past if one.lasted > lasted and (one.has_ended or one.lasted >= until)]
    ended = sum(one.has_ended and one.lasted <= until for one in alike)
    usual = within / until if until else 1.0
    trials = len(alike) + USUAL_WEIGHT
    share = (ended + USUAL_WEIGHT * usual) / trials
    low, high = _wilson(share, trials)
    return Clearing(within, share, low, high, len(alike))


def _wilson(share: float, trials: float) -> tuple[float, float]:
    """Return the 95 % interval of a share of so many trials. Source: Wilson 1927."""
    square = NORMAL_95 * NORMAL_95
    middle = (share + square / (2.0 * trials)) / (1.0 + square / trials)
    half = NORMAL_95 / (1.0 + square / trials) * (share * (1.0 - share) / trials + square / (4.0 * trials**2)) ** 0.5
    return max(middle - half, 0.0), min(middle + half, 1.0)
