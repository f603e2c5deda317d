from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from incidents.noise import survival
from incidents.noise.survival import Episode

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def episodes(*seconds: float, going_on: tuple[float, ...] = ()) -> list[Episode]:
    ended = [
        Episode(NOW - timedelta(hours=n + 2), NOW - timedelta(hours=n + 2) + timedelta(seconds=s))
        for n, s in enumerate(seconds)
    ]
    return [*ended, *(Episode(NOW - timedelta(seconds=s), None) for s in going_on)]


def test_the_shortest_hold_that_spares_nine_in_ten() -> None:
    found = survival.estimate(episodes(*[100] * 19, 1_000), now=NOW)
    assert (found.hold, round(found.share, 3), found.episodes) == (timedelta(seconds=120), 0.95, 20)
    assert found.low < 0.95 < found.high


def test_episodes_that_go_on_count_as_long_as_they_have_lasted() -> None:
    without = survival.estimate(episodes(*[100] * 20), now=NOW)
    with_long = survival.estimate(episodes(*[100] * 20, going_on=(5_000,) * 5), now=NOW)
    with_new = survival.estimate(episodes(*[100] * 20, going_on=(1,) * 500), now=NOW)
    assert without.hold == with_new.hold == timedelta(seconds=120)
    assert with_long.hold is None
    assert with_long.share == pytest.approx(0.8)


def test_the_estimate_is_the_product_limit() -> None:
    """Against Kaplan and Meier's formula, written out."""
    dice = np.random.default_rng(3)
    lengths = dice.exponential(120, 60)
    ended, going_on = lengths[:45], lengths[45:] / 2
    alive = 1.0
    for at in sorted(ended):
        if at <= 300:
            at_risk = (ended >= at).sum() + (going_on >= at).sum()
            alive *= 1 - 1 / at_risk
    found = survival.estimate(episodes(*ended, going_on=tuple(going_on)), now=NOW)
    if found.hold is None:
        assert found.share == pytest.approx(1 - alive, abs=1e-4)
    else:
        assert found.share >= 0.9


def test_having_lasted_longer_than_any_before_is_no_reason_to_wait() -> None:
    assert survival.estimate(episodes(*[100] * 30), lasted=timedelta(seconds=101), now=NOW).hold is None


def test_no_episodes() -> None:
    assert survival.estimate([], now=NOW) == survival.Estimate(0, None, 0.0, 0.0, 1.0)


def test_episodes_are_read_from_events() -> None:
    def at(minute: int) -> datetime:
        return NOW + timedelta(minutes=minute)

    events = [
        (1, at(0), "firing", True),
        (1, at(1), "firing", False),  # a repeat
        (1, at(3), "resolved", False),
        (1, at(4), "resolved", False),
        (1, at(5), "firing", True),
        (1, at(9), "firing", True),  # the end of the one before was never told
        (2, at(2), "resolved", False),  # nor the beginning of this
        (2, at(6), "firing", False),
    ]
    assert survival.episodes_of(events) == [Episode(at(0), at(3)), Episode(at(6), None), Episode(at(9), None)]


def test_the_cost_is_what_holding_would_have_done_knowing_only_the_past() -> None:
    past = sorted(episodes(*[30] * 5, 2_000, *[30] * 44), key=lambda e: e.began_at)
    found = survival.cost(past, now=NOW)
    assert (found.held, found.spared, found.late) == (30, 29, 1)
    assert found.delay == timedelta(seconds=30)
