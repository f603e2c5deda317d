"""Each series' own usual range, and the stretches in which it left it.

The usual value is the median of the samples before, the spread their median absolute deviation; both ignore up to half of the
samples being odd, and samples of a departure are kept out, so a long outage does not become usual. Source: Leys et al. 2013
(MAD); scales and floors by kind of signal (`signals.to_scale`) keep constant, tiny and rarely used series from exploding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from incidents.detection.anomaly import Direction, Episode, Fading
from incidents.detection.matrix import SeriesMatrix, matrices
from incidents.detection.outlook import judge_all
from incidents.detection.signals import SignalKind, counts_requests, from_scale, is_derived, is_share, to_scale
from incidents.detection.transience import FEWEST_SAMPLES as ENOUGH
from incidents.detection.transience import WARM, Run, Tracker
from incidents.telemetry.datamodel import MetricSeries, Window

# How far back the usual range looks, in samples and at most in seconds; what callers should fetch before their window.
HISTORY_SAMPLES = 180
HISTORY = timedelta(hours=1)
# Fewer samples than this say nothing of what is usual; a share of failures needs fewer, for its usual value is near 0.
FEWEST_SAMPLES = 10
FEWEST_SAMPLES_OF_SHARES = 5
# A sample is out of range beyond HOT robust standard deviations, and back in range below WARM. Six, because hundreds of
# series with heavy tails are watched every ten seconds.
HOT = 6.0
# A range known from n samples is widened by 1 + 6/n, roughly what a t distribution asks for in the far tail.
SMALL_SAMPLE = 6.0
# Usual ranges are renewed with every sample while young, then at every sixth step.
YOUNG_SAMPLES = 30
RENEWED_EVERY = 6
# A departure this long is the new usual.
ADAPTED_AFTER = timedelta(hours=3)
ROWS_AT_ONCE = 4096

MAD_TO_SIGMA = 1.4826
# Least spread believed, by kind: 8 % of a duration, the Poisson spread of a count, one percentage point of failures.
LEAST_SPREAD = {SignalKind.DURATION: 0.08, SignalKind.TRAFFIC: 1.0, SignalKind.ERRORS: 0.01, SignalKind.SUCCESS: 0.01}
RELATIVE_SPREAD = 0.05  # of resources and others: of their usual size
ABSOLUTE_SPREAD = 0.5  # of counts, connections, things that come in wholes
ABSOLUTE_SPREAD_OF_SHARES = 0.02
# Least step that matters to anybody: half as slow again, two percentage points of failures, 30 % of the traffic.
LEAST_STEP = {SignalKind.DURATION: float(np.log(1.5)), SignalKind.ERRORS: 0.02, SignalKind.SUCCESS: 0.02}
LEAST_STEP_OF_TRAFFIC = 1.0 - float(np.sqrt(0.7))
# A slowness that just began cannot show requests older than itself, give or take two samples: longer ones are connections that
# were held open (long polls, streams), and say nothing about now.
PLAUSIBLE_STEPS = 2
# Critical: at least a quarter of the requests fail and at least two requests in each sample. When it is most of them, no more samples
# are needed than hold so many failures: on a busy service the first.
CRITICAL_SHARE = 0.25
CRITICAL_FAILURES = 2.0
MOST, MANY_FAILURES = 0.5, 10.0


@dataclass
class _Usual:
    """What is usual for each row now: centre and spread on the comparing scale, and from how many samples it is known."""

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    count: NDArray[np.int64]

    def renew(self, rows: NDArray[np.intp], history: NDArray[np.float64]) -> None:
        """Set the rows from their history, shape (len(rows), columns)."""
        ordered = np.sort(history, axis=1)  # NaN goes last
        count = np.isfinite(ordered).sum(axis=1)
        centre = _middle(ordered, count)
        self.centre[rows] = centre
        self.spread[rows] = MAD_TO_SIGMA * _middle(np.sort(np.abs(history - centre[:, None]), axis=1), count)
        self.count[rows] = count


def _middle(ordered: NDArray[np.float64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the median of each row's first `count` values, NaN where there are none."""
    if not ordered.shape[1]:
        return np.full(len(ordered), np.nan)
    rows = np.arange(len(ordered))
    low = ordered[rows, np.maximum((count - 1) // 2, 0)]
    high = ordered[rows, np.minimum(count // 2, ordered.shape[1] - 1)]
    return np.where(count > 0, (low + high) / 2.0, np.nan)


def find_episodes(series: Sequence[MetricSeries], *, window: Window) -> list[Episode]:
    """Return the departures from the usual range that were confirmed inside the window, by the time they were.

    Give each series with its history before the window (`HISTORY` is enough); a decision rests on samples up to its own time
    only, so a longer series never changes an earlier decision. Samples missing or not finite are skipped. Series with less
    than 10 samples of history (5 for shares of failures) are not judged yet.
    """
    episodes = []
    for matrix in matrices(series):
        for start in range(0, len(matrix.keys), ROWS_AT_ONCE):
            episodes += _search(_rows(matrix, slice(start, start + ROWS_AT_ONCE)), window)
    return judge_all(episodes, until=window.end)


def _rows(matrix: SeriesMatrix, rows: slice) -> SeriesMatrix:
    return SeriesMatrix(
        matrix.meaning,
        matrix.step,
        matrix.first,
        matrix.keys[rows],
        matrix.times[rows],
        matrix.values[rows],
        matrix.requests[rows],
    )


def _search(matrix: SeriesMatrix, window: Window) -> list[Episode]:
    scaled = to_scale(matrix.meaning, np.where(matrix.times <= window.end.timestamp(), matrix.values, np.nan))
    clean = scaled.copy()
    rows = len(matrix.keys)
    usual = _Usual(np.full(rows, np.nan), np.full(rows, np.nan), np.zeros(rows, dtype=np.int64))
    tracker = Tracker(rows, step=matrix.step)
    ranges: dict[tuple[int, int], tuple[float, float]] = {}
    adapted = ADAPTED_AFTER.total_seconds() / matrix.step
    look_back = (
        min(HISTORY_SAMPLES, int(HISTORY.total_seconds() / matrix.step) or 1) if matrix.step <= 60 else HISTORY_SAMPLES
    )
    begin, end = _columns(matrix, window)
    for column in range(begin, end):
        due = usual.count < YOUNG_SAMPLES
        if column == begin or (matrix.first + column) % RENEWED_EVERY == 0:
            due[:] = True
        due &= ~tracker.inside | (column - tracker.started >= adapted)
        if due.any():
            which = np.flatnonzero(due)
            usual.renew(which, clean[which, max(0, column - look_back) : column])
        spread = _spread(matrix, usual, column)
        value = scaled[:, column]
        score = (value - usual.centre) / spread
        hot, critical = _out_of_range(matrix, usual, score, value=value, requests=matrix.requests[:, column])
        if matrix.meaning.kind is SignalKind.DURATION:
            lasted = np.where(tracker.inside, column - tracker.started, 0)
            hot &= matrix.values[:, column] * matrix.meaning.factor <= (lasted + PLAUSIBLE_STEPS) * matrix.step
        tracker.advance(column, score=score, hot=hot, warm=hot | (np.abs(score) >= WARM), critical=critical)
        for row in np.flatnonzero(tracker.inside & (tracker.started == column)):
            wide = WARM * spread[row]
            ranges[int(row), column] = (float(usual.centre[row] - wide), float(usual.centre[row] + wide))
        clean[tracker.inside & (column - tracker.started < adapted), column] = np.nan
    return [_episode(matrix, run, ranges[run.row, run.started]) for run in tracker.runs()]


def _columns(matrix: SeriesMatrix, window: Window) -> tuple[int, int]:
    """Return the first and one past the last column whose samples are all inside the window."""
    columns = matrix.values.shape[1]
    begin = round(window.start.timestamp() / matrix.step) - matrix.first
    end = int(np.ceil(window.end.timestamp() / matrix.step)) - matrix.first + 1
    return min(max(begin, 0), columns), min(max(end, 0), columns)


def _spread(matrix: SeriesMatrix, usual: _Usual, column: int) -> NDArray[np.float64]:
    """Return each row's spread at this column, shape (rows,): the measured one, floored, and widened for a short history."""
    kind = matrix.meaning.kind
    if kind in (SignalKind.ERRORS, SignalKind.SUCCESS):
        # What chance alone does to a share of so many requests.
        share = np.clip(usual.centre, 0.01, 0.99)
        chance = np.sqrt(share * (1.0 - share) / np.maximum(matrix.requests[:, column], 1.0))
        floor = np.fmax(chance, LEAST_SPREAD[kind])
    elif kind in LEAST_SPREAD:
        floor = np.full(len(usual.centre), LEAST_SPREAD[kind])
    else:
        floor = np.maximum(RELATIVE_SPREAD * np.abs(usual.centre), _absolute_spread(matrix, usual.centre))
    return np.maximum(usual.spread, floor) * (1.0 + SMALL_SAMPLE / np.maximum(usual.count, 1))


def _absolute_spread(matrix: SeriesMatrix, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the least spread, shape (rows,), that does not depend on size: something for shares and for whole numbers."""
    shares = matrix.meaning.factor != 1.0 or np.array([is_share(key) for key in matrix.keys])
    return np.where(shares, ABSOLUTE_SPREAD_OF_SHARES, np.where(centre == np.rint(centre), ABSOLUTE_SPREAD, 1e-12))


def _out_of_range(
    matrix: SeriesMatrix,
    usual: _Usual,
    score: NDArray[np.float64],
    *,
    value: NDArray[np.float64],
    requests: NDArray[np.float64],
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which rows, given one column's values on the comparing scale, are out of range, and how critically (see `Tracker`)."""
    kind = matrix.meaning.kind
    shares = kind in (SignalKind.ERRORS, SignalKind.SUCCESS)
    known = usual.count >= (FEWEST_SAMPLES_OF_SHARES if shares else FEWEST_SAMPLES)
    away = score if kind not in (SignalKind.TRAFFIC, SignalKind.OTHER) else np.abs(score)
    least = LEAST_STEP.get(kind, 0.0) if kind is not SignalKind.TRAFFIC else LEAST_STEP_OF_TRAFFIC * usual.centre
    hot = known & (away >= HOT) & (np.abs(value - usual.centre) >= least)
    if not shares:
        return hot, np.zeros(len(hot))
    failures = value * requests
    few = failures < CRITICAL_FAILURES  # not where nothing says how many requests there were
    grave = hot & (value >= CRITICAL_SHARE) & ~few
    of_requests = np.array([counts_requests(key) for key in matrix.keys])
    most = grave & of_requests & (value >= MOST) & np.isfinite(failures)
    return hot, np.where(most, np.maximum(ENOUGH * failures / MANY_FAILURES, 1.0), grave.astype(np.float64))


def _episode(matrix: SeriesMatrix, run: Run, usual: tuple[float, float]) -> Episode:
    key, read_as, times = matrix.keys[run.row], matrix.meaning, matrix.times[run.row]
    up = run.sign > 0
    if read_as.kind is SignalKind.SUCCESS:
        up = not up
    low, high = sorted(from_scale(read_as, bound) for bound in usual)
    # A bucket's time is its end: the departure began somewhere inside it, its start is the safe side.
    began = float(times[run.started]) - (matrix.step if is_derived(key) else 0.0)
    return Episode(
        key=key,
        direction=Direction.UP if up else Direction.DOWN,
        started_at=_utc(began),
        detected_at=_utc(float(times[run.confirmed])),
        peaked_at=_utc(float(times[run.peaked])),
        ended_at=None if run.ended is None else _utc(float(times[run.ended])),
        usual_low=low,
        usual_high=high,
        peak=float(matrix.values[run.row, run.peaked]),
        score=run.peak_score,
        early_score=run.early_score,
        critical_at=None if run.critical is None else _utc(float(times[run.critical])),
        fading=tuple(
            Fading(
                at=_utc(float(times[column])),
                until_at=_utc(float(times[column]) + matrix.step),
                back_at=_utc(float(times[column]) + (back - column) * matrix.step),
            )
            for column, back in run.fading
        ),
    )


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
