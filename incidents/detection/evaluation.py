"""How good detection is by the protocol of the Numenta Anomaly Benchmark: early in a labelled window is right, elsewhere is wrong.

Per window the earliest alarm earns up to 1 (at the window's left edge; nearly 0 at its right), no alarm costs 1; an alarm outside
costs up to 0.11 (less shortly after a window). The first 15 % of a series, at most 750 samples, are not judged. 0 is a detector
that never says anything, 100 one that is right at once everywhere. Source: Lavin and Ahmad 2015, arXiv:1510.03336.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from incidents.detection import backtest
from incidents.detection.news import ALARM
from incidents.telemetry import series_file

FALSE_ALARM = 0.11
PROBATION_SHARE, PROBATION_SAMPLES = 0.15, 750
WORST_DISTANCE = 3.0  # window widths after a window: from here on a false alarm costs all of FALSE_ALARM
DRAWS, SEED = 2_000, 7


class EvaluationError(Exception):
    """Data that cannot be evaluated. Says which file, and what is expected."""


@dataclass(frozen=True)
class Outcome:
    """One series' result. `points` is on the protocol's scale, before it is normalised; `missed` windows had no alarm."""

    name: str
    points: float
    windows: int
    missed: int
    false_alarms: int
    samples: int


@dataclass(frozen=True)
class Score:
    """A group's result: `value` normalised to 0…100, with a 95 % interval over series drawn anew; None where there is no window."""

    name: str
    series: int
    windows: int
    hit: int
    false_alarms: int
    value: float | None
    interval: tuple[float, float] | None


def find_series(folder: Path) -> dict[str, series_file.SeriesFile]:
    """Return the series below `folder`/data by their relative path. Raises EvaluationError when there is none."""
    root = folder / "data"
    paths = sorted(root.rglob("*.csv"))
    if not paths:
        raise EvaluationError(f"{root} holds no CSV file. Give a folder that holds data/GROUP/NAME.csv.")
    return {path.relative_to(root).as_posix(): series_file.read(path) for path in paths}


def find_windows(folder: Path) -> dict[str, list[list[str]]] | None:
    """Return the labelled windows (first and last time stamp) by series, or None where the folder has no labels."""
    path = folder / "labels" / "combined_windows.json"
    if not path.is_file():
        return None
    try:
        windows: dict[str, list[list[str]]] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EvaluationError(f"{path} is no JSON: {error}") from error
    return windows


def judge(
    name: str,
    series: series_file.SeriesFile,
    news: NDArray[np.float64],
    windows: Sequence[Sequence[str]],
    *,
    threshold: float = ALARM,
) -> Outcome:
    """Return the result of one series: `news` ≥ `threshold`, shape (n,), are its alarms."""
    spans = [_span(name, series, window) for window in windows]
    probation = int(min(PROBATION_SHARE * len(news), PROBATION_SAMPLES))
    alarms = np.flatnonzero(news >= threshold)
    alarms = alarms[alarms >= probation]
    points, missed = 0.0, 0
    inside = np.zeros(len(alarms), dtype=np.bool_)
    for first, last in spans:
        within = (alarms >= first) & (alarms <= last)
        inside |= within
        if within.any():
            points += _worth((alarms[within][0] - last - 1) / (last - first + 1)) / _worth(-1.0)
        else:
            points, missed = points - 1.0, missed + 1
    for alarm in alarms[~inside]:
        before = [(first, last) for first, last in spans if last < alarm]
        far = (alarm - before[-1][1]) / max(before[-1][1] - before[-1][0], 1) if before else np.inf
        points += FALSE_ALARM * (_worth(far) if far <= WORST_DISTANCE else -1.0)
    return Outcome(name, points, len(spans), missed, int((~inside).sum()), len(news))


def _worth(distance: float) -> float:
    """Return what an alarm is worth, -1 to 1, by its distance from a window's right edge in window widths."""
    return float(2.0 / (1.0 + np.exp(5.0 * distance)) - 1.0)


def _span(name: str, series: series_file.SeriesFile, window: Sequence[str]) -> tuple[int, int]:
    moments = [series_file.moment(text) for text in window]
    places = [np.flatnonzero(series.times == moment) for moment in moments]
    if len(places) != 2 or not all(len(place) for place in places):
        raise EvaluationError(f"{name}: its labelled window {list(window)} begins or ends at no sample of the series.")
    return int(places[0][0]), int(places[1][0])


def score(name: str, outcomes: Sequence[Outcome]) -> Score:
    """Add results up. The interval is of a bootstrap over series: how much the value depends on which series there are."""
    points = np.array([one.points for one in outcomes])
    windows = np.array([one.windows for one in outcomes], dtype=np.float64)
    drawn = np.random.default_rng(SEED).integers(0, len(outcomes), (DRAWS, len(outcomes)))
    value, interval = None, None
    if windows.sum():
        value = _normalised(points.sum(), windows.sum())
        total = windows[drawn].sum(axis=1)
        values = [_normalised(p, w) for p, w in zip(points[drawn].sum(axis=1), total, strict=True) if w]
        low, high = np.percentile(values, (2.5, 97.5))
        interval = float(low), float(high)
    return Score(
        name,
        len(outcomes),
        int(windows.sum()),
        int(windows.sum()) - sum(one.missed for one in outcomes),
        sum(one.false_alarms for one in outcomes),
        value,
        interval,
    )


def _normalised(points: float, windows: float) -> float:
    return float(100.0 * (points + windows) / (2.0 * windows))


def run(series: Mapping[str, series_file.SeriesFile]) -> dict[str, backtest.Backtest]:
    """Run the detector over all series, as in production: one sample after the other, its state stored and read in between."""
    said = backtest.run([backtest.Series(one.times, one.values) for one in series.values()])
    return dict(zip(series, said, strict=True))
