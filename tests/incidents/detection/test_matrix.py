import numpy as np

from incidents.detection.matrix import matrices
from incidents.detection.signals import SignalKind
from incidents.telemetry.datamodel import MetricSeries, SeriesKey
from tests.incidents.detection.streams import START, stream


def test_series_alike_share_a_matrix() -> None:
    series = [stream(np.ones(30), "duration_p95", service=name) for name in "abc"]
    series += [stream(np.ones(30), "process.cpu.utilization", service=name, step=60) for name in "ab"]
    built = matrices(series)
    assert sorted((m.meaning.kind, m.step, m.values.shape) for m in built) == [
        (SignalKind.DURATION, 10.0, (3, 30)),
        (SignalKind.RESOURCE, 60.0, (2, 30)),
    ]


def test_a_gap_is_nan_and_of_two_samples_in_one_step_the_earlier_stays() -> None:
    base = START.timestamp()
    times = base + np.array([0, 60, 120, 121, 180, 240, 300, 480.0])
    [built] = matrices([MetricSeries(SeriesKey("a", "cpu_usage"), times, np.arange(8.0))])
    assert built.step == 60
    np.testing.assert_array_equal(built.values[0], [0, 1, 2, 4, 5, 6, np.nan, np.nan, 7])


def test_too_short_a_series_is_left_out() -> None:
    assert not matrices([stream([1.0, 2.0], "cpu_usage")])
    assert not matrices([stream([], "duration_p95")])


def test_silence_counts_only_after_first_words_and_while_others_speak() -> None:
    late = stream(np.full(5, 2.0), "requests_per_second", service="late")
    late = MetricSeries(late.key, late.times + 30, late.values)  # steps 4 to 8
    other = stream(np.full(10, 2.0), "requests_per_second", service="other")
    [built] = matrices([late, other])
    row = built.values[built.keys.index(late.key)]
    np.testing.assert_array_equal(row, [np.nan] * 3 + [2.0] * 5 + [0.0] * 2)
