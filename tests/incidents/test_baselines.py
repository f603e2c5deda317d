from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from incidents import baselines
from incidents.detection.learned import Maturity
from incidents.models import Signal
from incidents.telemetry.datamodel import MetricSeries, SeriesKey, Window
from incidents.telemetry.recording import Recording

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


def test_signals_that_are_gone_for_a_month_are_forgotten() -> None:
    signal()
    assert baselines.drop_old(now=NOW + timedelta(days=29)) == 0
    assert baselines.drop_old(now=NOW + timedelta(days=31)) == 1
