from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.contrib.auth.models import User

from incidents import baselines
from incidents.detection.learned import Maturity, band_at
from incidents.models import Signal, SignalVerdict
from incidents.telemetry.datamodel import MetricSeries, SeriesKey, Window
from incidents.telemetry.recording import Recording
from tests.incidents.detection.streams import episode

NOW = datetime(2026, 3, 14, 12, 0, 30, tzinfo=UTC)
KEY = SeriesKey("checkout", "error_ratio", "{}", "")
pytestmark = pytest.mark.django_db


class Store(Recording):
    """A source that holds a fixed set of series."""

    def __init__(self, series: Sequence[MetricSeries]) -> None:
        self.held = series

    def fetch_metrics(self, window: Window, *, services: Sequence[str] | None = None) -> list[MetricSeries]:
        return [part for one in self.held if len((part := one.between(window)).times)]


def series(minutes: int, *, key: SeriesKey = KEY, until: datetime = NOW, usual: float = 0.1) -> MetricSeries:
    """Samples each ten seconds, with a little noise."""
    count = minutes * 6
    times = until.timestamp() + np.linspace(-10.0 * (count - 1), 0.0, count)
    return MetricSeries(key, times, usual + 0.01 * np.random.default_rng(1).standard_normal(count))


def test_whole_minutes_are_learned_once_and_kept() -> None:
    store = Store([series(100)])
    assert baselines.learn(store, now=NOW) == 100
    assert baselines.learn(store, now=NOW) == 0
    signal = Signal.objects.get()
    assert (signal.key, signal.samples, signal.maturity) == (KEY, 100, Maturity.USABLE)
    assert signal.learned_until_at == NOW.replace(second=0)
    assert signal.score is not None
    later = NOW + timedelta(minutes=5)
    assert baselines.learn(Store([series(110, until=later)]), now=later) == 5
    signal.refresh_from_db()
    assert signal.samples == 105


def test_learning_in_two_halves_is_learning_at_once() -> None:
    whole = series(90)
    halves = Store([MetricSeries(KEY, whole.times[:270], whole.values[:270])])
    baselines.learn(halves, now=datetime.fromtimestamp(whole.times[269], tz=UTC) + timedelta(seconds=20))
    baselines.learn(Store([whole]), now=NOW)
    twice = baselines.state_of(Signal.objects.get())
    Signal.objects.all().delete()
    baselines.learn(Store([whole]), now=NOW)
    once = baselines.state_of(Signal.objects.get())
    assert twice is not None
    assert once is not None
    for name in ("samples", "mean", "variance", "recent"):
        assert twice[0][name] == pytest.approx(once[0][name])
    assert (twice[0]["visited"] == once[0]["visited"]).all()


def test_after_a_long_standstill_it_goes_on_where_it_was() -> None:
    baselines.learn(Store([series(30)]), now=NOW)
    later = NOW + timedelta(hours=30)
    parts = [series(60, until=later - timedelta(hours=5)), series(60, until=later)]
    whole = MetricSeries(
        KEY, np.concatenate([one.times for one in parts]), np.concatenate([one.values for one in parts])
    )
    assert baselines.learn(Store([whole]), now=later) == 60 + 60 + 1  # the older hour lies across two minutes' edges
    assert Signal.objects.get().learned_until_at == later.replace(second=0)


def test_what_another_process_learned_meanwhile_stays() -> None:
    baselines.learn(Store([series(60)]), now=NOW)
    Signal.objects.update(learned_until_at=NOW + timedelta(minutes=3), samples=1)
    assert baselines.learn(Store([series(60)]), now=NOW) == 0
    assert Signal.objects.get().samples == 1


def test_series_that_mean_nothing_by_themselves_are_not_learned() -> None:
    odd = SeriesKey("checkout", "http_duration_seconds_sum", "{}", "s")
    assert baselines.learn(Store([series(60, key=odd)]), now=NOW) == 0
    assert not Signal.objects.exists()


def signal(**fields: object) -> Signal:
    baselines.learn(Store([series(119)]), now=NOW)
    Signal.objects.update(**fields)
    return Signal.objects.get()


def test_a_departure_of_an_unknown_or_young_series_is_told() -> None:
    found = [episode(peaked_at=NOW, peak=0.31)]
    assert baselines.worth_telling(found, now=NOW) == found
    signal()
    assert baselines.worth_telling(found, now=NOW) == found


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
    assert baselines.worth_telling([usual], now=NOW) == []
    assert baselines.worth_telling([usual, worse], now=NOW) == [worse]
    assert Signal.objects.get().silent_reason == "usual at this time"


def test_people_s_word_is_heeded_and_can_be_taken_back(django_user_model: type[User]) -> None:
    known, found = signal(), [episode(score=20.0)]
    someone = django_user_model.objects.create(username="someone")
    baselines.say(known.pk, verdict=SignalVerdict.Verdict.EXPECTED, score=20.0, by=someone.pk, now=NOW)
    assert baselines.worth_telling(found, now=NOW) == []
    assert baselines.worth_telling([episode(score=30.0)], now=NOW)
    baselines.say(known.pk, verdict=SignalVerdict.Verdict.NOT_INTERESTING, score=None, by=someone.pk, now=NOW)
    assert baselines.worth_telling([episode(score=30.0)], now=NOW) == []
    baselines.say(known.pk, verdict=SignalVerdict.Verdict.INTERESTING, score=None, by=someone.pk, now=NOW)
    assert baselines.worth_telling(found, now=NOW) == found
    assert SignalVerdict.objects.count() == 3


def test_signals_that_are_gone_for_a_month_are_forgotten() -> None:
    signal()
    assert baselines.drop_old(now=NOW + timedelta(days=29)) == 0
    assert baselines.drop_old(now=NOW + timedelta(days=31)) == 1
