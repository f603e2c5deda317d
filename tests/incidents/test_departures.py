from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models import F

from incidents import baselines, departures, lifecycle, monitoring
from incidents.detection import correlation
from incidents.detection.anomaly import Episode, Transience
from incidents.detection.learned import band_at
from incidents.models import Departure, Signal, SignalVerdict
from tests.incidents.detection.streams import episode
from tests.incidents.test_baselines import NOW, signal

pytestmark = pytest.mark.django_db


def test_a_departure_of_an_unknown_or_young_series_is_told() -> None:
    found = [episode(peaked_at=NOW, peak=0.31)]
    assert keys(departures.worth_telling(found, now=NOW)) == keys(found)
    signal()
    assert keys(departures.worth_telling(found, now=NOW)) == keys(found)


def test_what_is_usual_at_this_time_of_the_day_is_not_told_and_counted_once() -> None:
    known = signal()
    state = baselines.state_of(known)
    assert state is not None
    changed = state.copy()
    hour = NOW.hour
    changed["day"]["visits"][0, hour], changed["day"]["level"][0, hour] = 200.0, 0.30
    changed["day"]["spread"][0, hour] = 0.02
    Signal.objects.update(state=changed.tobytes())
    band = band_at(changed[0], NOW.timestamp())
    assert band is not None
    assert band.low == pytest.approx(0.24, abs=0.001)
    usual, worse = episode(peaked_at=NOW, peak=0.31), episode(peaked_at=NOW, peak=0.8)
    assert departures.worth_telling([usual], now=NOW) == []
    assert keys(departures.worth_telling([usual, worse], now=NOW)) == keys([worse])
    assert Signal.objects.get().silent_reason == "usual at this time"


def test_people_s_word_is_heeded_and_can_be_taken_back(django_user_model: type[User]) -> None:
    known, found = signal(), [episode(score=20.0)]
    someone = django_user_model.objects.create(username="someone")
    baselines.say(known.pk, verdict=SignalVerdict.Verdict.EXPECTED, score=20.0, by=someone.pk, now=NOW)
    assert departures.worth_telling(found, now=NOW) == []
    assert departures.worth_telling([episode(score=30.0)], now=NOW)
    baselines.say(known.pk, verdict=SignalVerdict.Verdict.NOT_INTERESTING, score=None, by=someone.pk, now=NOW)
    assert departures.worth_telling([episode(score=30.0)], now=NOW) == []
    baselines.say(known.pk, verdict=SignalVerdict.Verdict.INTERESTING, score=None, by=someone.pk, now=NOW)
    assert keys(departures.worth_telling(found, now=NOW)) == keys(found)
    assert SignalVerdict.objects.count() == 3


def keys(episodes: Sequence[Episode]) -> list[tuple[object, ...]]:
    return [(one.key, one.started_at, one.peak) for one in episodes]


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def departed(began: float, *, now: float, lasted: float | None = None, **fields: object) -> Episode:
    """A departure that began so many minutes after NOW and was detected one later."""
    return episode(
        started_at=at(began),
        detected_at=at(began + 1),
        peaked_at=min(at(began + 1), at(now)),
        ended_at=None if lasted is None or began + lasted > now else at(began + lasted),
        **fields,
    )


def told(began: float, *, now: float, lasted: float | None = None, **fields: object) -> bool:
    return bool(departures.worth_telling([departed(began, now=now, lasted=lasted, **fields)], now=at(now)))


@pytest.fixture
def flapping() -> Signal:
    """A signal that departed ten times for three minutes, which was not known to be usual at first."""
    known = signal()
    for number in range(10):
        began = -60.0 * (number + 1)
        told(began, now=began + 4, lasted=3)
    assert set(Departure.objects.values_list("ended_at", flat=True)) == {
        at(-60.0 * (number + 1) + 3) for number in range(10)
    }
    return known


def test_a_blip_is_kept_and_not_told_until_it_outlasts_those_before_it(flapping: Signal) -> None:
    assert not told(0, now=1)
    assert not told(0, now=2.5)
    row = Departure.objects.get(began_at=at(0))
    assert (row.transience, row.silent_reason, row.ended_at, row.clears_known) == (
        Transience.BLIP,
        departures.BLIP,
        None,
        10,
    )
    assert row.clears_share is not None
    assert row.clears_share > 0.8
    assert departures.waiting_since(now=at(3), back=timedelta(hours=3)) == at(0)
    assert monitoring.live_window(now=at(30)).start > at(0)  # nobody has seen it for long
    assert told(0, now=4)
    row.refresh_from_db()
    assert (row.transience, row.silent_reason, row.seen_at) == (Transience.SUSTAINED, "", at(4))
    assert departures.waiting_since(now=at(5), back=timedelta(hours=3)) is None


def test_a_tick_looks_back_to_the_start_of_a_blip_that_waits(flapping: Signal) -> None:
    Departure.objects.update(began_at=F("began_at") - timedelta(minutes=7.5))
    assert not told(0, now=10.4)
    assert monitoring.live_window(now=at(10.5)).start == at(-1)


def test_a_critical_failure_waits_for_no_past_and_no_hour_only_for_people_s_word(flapping: Signal) -> None:
    assert told(0, now=1, critical_at=at(1))
    baselines.say(flapping.pk, verdict=SignalVerdict.Verdict.NOT_INTERESTING, score=None, by=None, now=NOW)
    assert not told(0, now=1.5, critical_at=at(1))


def test_one_seen_again_is_one_row_whose_end_may_not_have_been_seen(flapping: Signal) -> None:
    told(0, now=2)
    told(0.5, now=3.5, score=31.0, peak=0.5)
    row = Departure.objects.get(began_at__gte=at(-1))
    assert (row.began_at, row.score, row.peak) == (at(0), 31.0, 0.5)
    told(60, now=62)
    assert Departure.objects.filter(began_at__gte=at(-1)).count() == 2


def test_departures_are_forgotten_when_they_say_nothing_of_today(flapping: Signal) -> None:
    assert departures.drop_old(now=NOW + departures.KEPT - timedelta(days=1)) == 0
    assert departures.drop_old(now=NOW + departures.KEPT) == 10


def test_what_an_incident_holds_says_whether_it_clears(flapping: Signal) -> None:
    now = at(3)
    [group] = correlation.group(departures.worth_telling([departed(0, now=3, critical_at=at(1))], now=now), edges=[])
    incident = lifecycle.open_or_join(group, source="live", now=now)
    [anomaly] = incident.anomalies.all()
    assert (anomaly.transience, anomaly.clears_known) == (Transience.CRITICAL, 0)
    assert anomaly.clears_share is not None
    before = anomaly.clears_share
    [group] = correlation.group(
        departures.worth_telling([departed(0, now=60, critical_at=at(1))], now=at(60)), edges=[]
    )
    lifecycle.open_or_join(group, source="live", now=at(60))
    anomaly.refresh_from_db()
    assert anomaly.clears_share is not None
    assert anomaly.clears_share < before
