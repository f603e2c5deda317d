"""The two promises: a blip never opens an incident, and a critical failure never waits, whatever the past says."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.detection.anomaly import Episode, Fading, Outlook, Transience
from incidents.detection.baseline import find_episodes
from incidents.detection.clearing import Past
from incidents.detection.correlation import group
from incidents.detection.outlook import LONGEST, STEP, judge, judge_all
from tests.incidents.detection.streams import at, episode, stream, whole

lengths = st.floats(min_value=60.0, max_value=400.0)
pasts = st.lists(
    st.builds(
        Past,
        lasted=st.floats(min_value=30.0, max_value=20_000.0).map(lambda seconds: timedelta(seconds=seconds)),
        has_ended=st.booleans(),
        score=st.floats(min_value=6.0, max_value=200.0),
    ),
    max_size=40,
)


def alike(seconds: list[float], *, score: float = 50.0) -> list[Past]:
    return [Past(timedelta(seconds=one), score=score) for one in seconds]


def outlook(one: Episode, past: list[Past], *, until: float) -> Outlook:
    return judge(one, past=past, until=at(until))


@settings(max_examples=150, deadline=None)
@given(past=st.lists(lengths, min_size=8, max_size=30), share=st.floats(min_value=0.2, max_value=0.99))
def test_what_is_like_its_past_is_a_blip_and_opens_nothing(past: list[float], share: float) -> None:
    one = episode(lasted=max(share * min(past), 31.0))
    [judged] = judge_all([one], until=at(1000), past={(one.key, one.direction): alike(past)})
    assert judged.outlook is not None
    assert judged.outlook.transience is Transience.BLIP
    assert not group([judged], edges=[])


@settings(max_examples=150, deadline=None)
@given(past=st.lists(lengths, min_size=0, max_size=30))
def test_what_outlasts_its_past_is_told_as_soon_as_it_did(past: list[float]) -> None:
    said = outlook(episode(), alike(past), until=1000)
    assert said.transience is Transience.SUSTAINED
    assert said.since_at <= max(at(30), at(max(past, default=0.0))) + STEP


@settings(max_examples=150, deadline=None)
@given(past=pasts, critical=st.floats(min_value=30.0, max_value=600.0), fading=st.booleans())
def test_a_critical_failure_is_told_no_later_than_it_is_one_whatever_the_past(
    past: list[Past], critical: float, fading: bool
) -> None:
    falls = (Fading(at(30), at(600), at(90)),) if fading else ()
    one = episode(critical_at=at(critical), fading=falls)
    [judged] = judge_all([one], until=at(1000), past={(one.key, one.direction): past})
    assert judged.outlook is not None
    assert judged.outlook.transience is Transience.CRITICAL
    [found] = group([judged], edges=[])
    assert found.opened_at <= at(critical)


@settings(max_examples=60, deadline=None)
@given(
    rate=st.floats(min_value=1.0, max_value=200.0),
    share=st.floats(min_value=0.55, max_value=1.0),
    bursts=st.integers(min_value=0, max_value=8),
    noise=st.integers(min_value=0, max_value=10_000),
)
def test_most_of_the_requests_failing_opens_at_the_first_sufficient_sample(
    rate: float, share: float, bursts: int, noise: int
) -> None:
    """Ten failed requests are enough, in one sample or three, and short bursts before make no difference."""
    begins = 60 + 40 * bursts
    shares = np.random.default_rng(noise).uniform(0.0, 0.005, begins + 30)
    for burst in range(bursts):
        shares[60 + 40 * burst : 66 + 40 * burst] = share
    shares[begins:] = share
    failing = stream(shares, "error_ratio")
    requests = stream(np.full(len(shares), rate), "requests_per_second")
    found = find_episodes([failing, requests], window=whole(failing))
    newest = max(
        (one for one in group(found, edges=[]) if one.started_at >= at(10.0 * begins)), key=lambda one: one.opened_at
    )
    needed = min(int(np.ceil(10.0 / (rate * share * 10.0))), 3)
    assert newest.opened_at <= at(10.0 * (begins + needed))


@settings(max_examples=100, deadline=None)
@given(past=pasts, first=st.floats(min_value=30.0, max_value=900.0), later=st.floats(min_value=0.0, max_value=900.0))
def test_what_was_said_is_not_taken_back_when_more_is_known(past: list[Past], first: float, later: float) -> None:
    early, late = outlook(episode(), past, until=first), outlook(episode(), past, until=first + later)
    if early.transience is Transience.SUSTAINED:
        assert (late.transience, late.since_at) == (early.transience, early.since_at)
    else:
        assert late.transience is Transience.BLIP or late.since_at > at(first)


def test_a_height_that_falls_back_in_the_first_minutes_waits_until_it_stays() -> None:
    falls = Fading(at(30), at(70), at(90))
    assert outlook(episode(fading=(falls,)), [], until=60).transience is Transience.BLIP
    assert outlook(episode(fading=(falls,)), [], until=90).since_at == at(70)
    slow = Fading(at(30), at(70), at(3000))
    assert outlook(episode(fading=(slow,)), [], until=60).transience is Transience.SUSTAINED


def test_a_graver_one_than_those_of_the_past_is_told_at_once() -> None:
    past = alike([120.0] * 20, score=10.0)
    assert outlook(episode(score=12.0), past, until=40).transience is Transience.BLIP
    assert outlook(episode(score=20.0), past, until=40).since_at == at(30)
    grows = episode(score=20.0, early_score=9.0, peaked_at=at(60))
    assert outlook(grows, past, until=80).since_at == at(60)


def test_nothing_is_a_blip_for_hours() -> None:
    said = outlook(episode(), alike([40_000.0 + one for one in range(0, 600, 2)]), until=30_000)
    assert said.since_at <= at(LONGEST.total_seconds())


@pytest.mark.parametrize("ended", [False, True])
def test_earlier_ones_in_the_same_look_are_past_to_later_ones(ended: bool) -> None:
    before = [episode(started=600.0 * one, lasted=90.0 if ended else None) for one in range(8)]
    *_, newest = judge_all([*before, episode(started=5000.0, lasted=80.0)], until=at(5070))
    assert newest.outlook is not None
    assert newest.outlook.clearing.known == (8 if ended else 0)
    assert (newest.outlook.transience is Transience.BLIP) == ended
