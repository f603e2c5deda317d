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
from incidents.detection import clearing_score
from incidents.detection.learned import Learned
from incidents.detection.outlook import WITHIN
from incidents.models import Signal
from incidents.telemetry.datamodel import MetricPoint, TelemetryBatch, to_ns
from incidents.telemetry.store import HotStore
from tests.incidents.detection.streams import stream
from tests.incidents.detection.test_forecast import DRIFTS, backtested

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


def test_forecasts_of_what_fills_up() -> None:
    print()
    for kind in DRIFTS:
        forecasts, held, lead = backtested(kind, series=60)
        print(f"{kind}: {forecasts} forecasts, {held / forecasts:.0%} held, made {lead:.1f} h ahead in the median")


SHAPES = {
    "short bursts now and then": lambda noise: noise.uniform(60.0, 240.0),
    "a plateau of half an hour each time": lambda noise: noise.uniform(1_200.0, 2_400.0),
    "short ones, and one in five for an hour": lambda noise: noise.choice((120.0, 3_600.0), p=(0.8, 0.2)),
    "lengths of all scales": lambda noise: float(np.clip(60.0 * noise.pareto(0.63), 60.0, 7_200.0)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_whether_departures_of_made_up_shapes_clear(shape: str) -> None:
    """Thirty series with some dozen departures each, in samples of ten seconds."""
    said = []
    for seed in range(30):
        noise = np.random.default_rng(seed)
        values = 0.2 * np.exp(0.05 * noise.standard_normal(8_640))
        place = 200
        while place < len(values) - 100:
            length = int(SHAPES[shape](noise) / 10.0)
            fades = noise.random() < 0.3
            height = np.geomspace(30.0, 1.0, length) if fades else np.full(length, noise.uniform(4.0, 12.0))
            part = values[place : place + length]
            part *= height[: len(part)]
            place += length + int(noise.uniform(300.0, 700.0))
        said += clearing_score.said_of(stream(values), within=WITHIN)
    one = clearing_score.score(said)
    print(
        f"\n{shape}: {one.departures} departures, {one.cleared:.0%} clear within ten minutes; Brier score {one.brier:.3f}"
        f" (always the mean: {one.brier_of_rate:.3f}); said so: right in {one.precision:.0%}, {one.recall:.0%} of those that did"
    )
