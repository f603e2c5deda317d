"""Times with intervals: against scipy where scipy has the same, against known answers and simulated truths elsewhere."""

import warnings

import numpy as np
import pytest
from scipy import stats

from incidents import mttr
from incidents.mttr import ENOUGH, Durations, Measure, Moments, Verdict

NAN = float("nan")


def durations(minutes: object, going_on: object = ()) -> Durations:
    """Times in minutes; those at the positions of `going_on` are not over."""
    values = np.asarray(minutes, dtype=np.float64)
    is_over = np.ones(len(values), dtype=bool)
    is_over[list(going_on)] = False  # type: ignore[call-overload]
    return Durations(values, is_over)


def lognormal(seed: int, n: int, *, median: float = 40.0, sigma: float = 0.9) -> Durations:
    return durations(np.random.default_rng(seed).lognormal(np.log(median), sigma, n))


def test_the_four_times_and_what_ends_them() -> None:
    moments = Moments(
        started=np.array([0.0, 0.0, 0.0]),
        opened=np.array([120.0, 60.0, 30.0]),
        acknowledged=np.array([300.0, NAN, NAN]),
        mitigated=np.array([900.0, NAN, NAN]),
        resolved=np.array([1800.0, 600.0, NAN]),
    )

    def found(measure: Measure) -> list[tuple[float, bool]]:
        times = moments.durations(measure, now=3600.0)
        return list(zip(times.minutes.tolist(), times.is_over.tolist(), strict=True))

    assert found(Measure.DETECT) == [(2.0, True), (1.0, True), (0.5, True)]
    # Nobody acknowledged the second, but somebody resolved it; the third waits still.
    assert found(Measure.ACKNOWLEDGE) == [(3.0, True), (9.0, True), (59.5, False)]
    assert found(Measure.MITIGATE) == [(15.0, True), (10.0, True), (60.0, False)]
    assert found(Measure.RESTORE) == [(30.0, True), (10.0, True), (60.0, False)]


@pytest.mark.parametrize("n", [3, 12, 400])
def test_the_curve_is_that_of_scipy(n: int) -> None:
    dice = np.random.default_rng(n)
    minutes, going_on = np.round(dice.lognormal(3, 1, n), 1), dice.random(n) < 0.2
    theirs = stats.ecdf(stats.CensoredData.right_censored(minutes, going_on)).sf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it has no band where nothing is left, and says so
        band = theirs.confidence_interval(method="log-log")
    ours = mttr.survival(Durations(minutes, ~going_on))
    at = np.searchsorted(theirs.quantiles, ours.minutes[1:])
    np.testing.assert_allclose(ours.share[1:], theirs.probabilities[at])
    inside = ours.share[1:] > 0
    np.testing.assert_allclose(ours.low[1:][inside], band.low.probabilities[at][inside])
    np.testing.assert_allclose(ours.high[1:][inside], band.high.probabilities[at][inside])


@pytest.mark.parametrize("n", [7, 8, 21])
def test_without_open_incidents_it_is_the_ordinary_median(n: int) -> None:
    times = lognormal(5, n)
    found = mttr.quantile(times)
    assert found is not None
    assert found.minutes == pytest.approx(np.median(times.minutes))
    assert found.low < found.minutes < found.high < np.inf


def test_too_few_is_no_number() -> None:
    assert mttr.quantile(lognormal(1, ENOUGH - 1)) is None
    assert mttr.difference(lognormal(1, 40), lognormal(2, ENOUGH - 1)).verdict is Verdict.TOO_FEW


def test_open_incidents_make_the_median_longer_not_shorter() -> None:
    over = [5, 10, 15, 20, 25, 30, 35, 40]
    without, with_open = mttr.quantile(durations(over)), mttr.quantile(durations([*over, 200, 300], going_on=(8, 9)))
    assert without is not None
    assert with_open is not None
    assert with_open.minutes > without.minutes
    assert with_open.going_on == 2


def test_when_most_go_on_there_is_only_a_lower_limit() -> None:
    found = mttr.quantile(durations([5, 9, 60, 60, 60, 60, 60, 60], going_on=range(2, 8)))
    assert found is not None
    assert found.minutes == found.high == np.inf
    assert found.low == 5.0


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    for n in (10, 40):
        held = 0
        for seed in range(400):
            found = mttr.quantile(lognormal(seed, n, median=40))
            assert found is not None
            held += found.low <= 40 <= found.high
        assert held / 400 >= 0.92


def test_a_difference_is_said_only_when_it_is_clear() -> None:
    assert mttr.difference(lognormal(1, 80, median=60), lognormal(2, 80, median=30)).verdict is Verdict.FELL
    assert mttr.difference(lognormal(1, 80, median=30), lognormal(2, 80, median=60)).verdict is Verdict.ROSE
    same = mttr.difference(lognormal(3, 80), lognormal(4, 80))
    assert same.verdict is Verdict.NOT_CLEAR
    assert same.p is not None
    assert same.p >= 0.05
    assert mttr.difference(durations([5.0] * 10), durations([5.0] * 10)).verdict is Verdict.NOT_CLEAR
    nobody = durations([5.0] * 10, going_on=range(10))
    assert mttr.difference(nobody, nobody).verdict is Verdict.NOT_CLEAR


def test_a_change_is_found_near_its_place() -> None:
    before, after = lognormal(11, 120, median=60), lognormal(12, 120, median=25)
    both = Durations(np.concatenate((before.minutes, after.minutes)), np.ones(240, dtype=bool))
    (change,) = mttr.changes(both)
    assert abs(change.position - 120) <= 15
    assert change.difference.verdict is Verdict.FELL


def test_without_a_change_there_is_hardly_ever_a_mark() -> None:
    assert sum(bool(mttr.changes(lognormal(seed, 120))) for seed in range(150)) <= 3


@pytest.mark.parametrize("n", [0, 5, 35])
def test_short_series_get_no_mark(n: int) -> None:
    assert mttr.changes(lognormal(1, n)) == ()


def test_equal_times_and_very_many() -> None:
    assert mttr.changes(durations([10.0] * 200)) == ()
    found = mttr.changes(
        Durations(
            np.concatenate((lognormal(1, 3_000, median=60).minutes, lognormal(2, 3_000, median=40).minutes)),
            np.ones(6_000, dtype=bool),
        )
    )
    assert len(found) == 1
    assert abs(found[0].position - 3_000) < 200


def test_the_histogram_counts_every_finished_incident_once() -> None:
    counts = mttr.histogram(durations([0, 1, 1.5, 60, 61, 20_000, 5], going_on=[6]))
    assert sum(counts) == 6
    assert counts[0] == 2
    assert counts[mttr.EDGES.index(60)] == 1
    assert counts[-1] == 1
