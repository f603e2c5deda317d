"""How many samples a second the detector judges on one core, next to plain n-sigma, and how long 10,000 live series take a minute."""

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np
import pytest
from django.conf import settings
from django.utils import timezone
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from incidents import baselines
from incidents.detection.learned import Learned
from incidents.models import Signal
from incidents.telemetry.datamodel import MetricPoint, TelemetryBatch, to_ns
from incidents.telemetry.store import HotStore

SERIES, WARM_UP, STEPS = 10_000, 300, 60
TARGET_PER_SECOND, TARGET_SECONDS = 300_000, 10.0
PEER_SAMPLES = 5_000


def values(seed: int) -> NDArray[np.float64]:
    return 100.0 + 10.0 * np.random.default_rng(seed).standard_normal(SERIES)


def per_second(step: Callable[[int], object]) -> float:
    """Run the steps on one core; return samples a second of this process's own time."""
    with threadpool_limits(1):
        for number in range(WARM_UP):
            step(number)
        began = time.process_time()
        for number in range(WARM_UP, WARM_UP + STEPS):
            step(number)
        return SERIES * STEPS / (time.process_time() - began)


def test_samples_a_second_next_to_n_sigma() -> None:
    learned, both_ways = Learned(SERIES), np.zeros(SERIES, dtype=np.int8)
    ours = per_second(
        lambda number: learned.advance(np.full(SERIES, 1_772_409_600.0 + 300.0 * number), values(number), both_ways)
    )
    mean, variance = np.zeros(SERIES), np.ones(SERIES)

    def n_sigma(number: int) -> NDArray[np.bool_]:
        away = values(number) - mean
        found: NDArray[np.bool_] = np.abs(away) > 3.0 * np.sqrt(variance)
        mean[:] += 0.01 * away
        variance[:] += 0.01 * (away * away - variance)
        return found

    plain = per_second(n_sigma)
    print(
        f"\nlearned: {ours:,.0f} samples/s (target {TARGET_PER_SECOND:,}); n-sigma {plain:,.0f}, {plain / ours:.0f} times as many"
    )
    if importlib.util.find_spec("river"):
        peer = river_per_second()
        print(f"river HalfSpaceTrees: {peer:,.0f} samples/s; learned judges {ours / peer:.0f} times as many")
    else:
        print("river is not installed: pip install river, to compare with it")


def river_per_second() -> float:
    trees = importlib.import_module("river.anomaly").HalfSpaceTrees(seed=1)
    samples = [{"x": float(value)} for value in values(1)[:PEER_SAMPLES] / 200.0]
    began = time.process_time()
    for sample in samples:
        trees.score_one(sample)
        trees.learn_one(sample)
    return PEER_SAMPLES / (time.process_time() - began)


@pytest.fixture
def store() -> Iterator[HotStore]:
    held = HotStore(settings.DATABASE_URL, schema="replay_bench_detection")
    held.prepare()
    yield held
    held.drop_schema()


@pytest.mark.django_db
def test_a_minute_of_ten_thousand_live_series(store: HotStore) -> None:
    end = timezone.now().replace(second=30, microsecond=0)
    noise = np.random.default_rng(1)
    for sample in range(6 * 3):
        at = to_ns(end - timedelta(seconds=10 * sample))
        store.write(
            TelemetryBatch(
                points=[
                    MetricPoint(at, f"service-{number % 200}", f"gauge.{number // 200}", "{}", "1", float(one))
                    for number, one in enumerate(100.0 + noise.standard_normal(SERIES))
                ]
            )
        )
    baselines.learn(store, now=end - timedelta(minutes=1))
    began, own = time.perf_counter(), time.process_time()
    taken = baselines.learn(store, now=end)
    seconds, own = time.perf_counter() - began, time.process_time() - own
    size = sum(len(state) for state in Signal.objects.values_list("state", flat=True)[:100]) / 100
    print(
        f"\n{taken:,} series learned and scored in {seconds:.1f} s, {own:.1f} s of it this process (target {TARGET_SECONDS:.0f} s),"
        f" read from the hot store and kept, {size:,.0f} bytes each"
    )
    assert taken == SERIES
