"""Runs the streaming detector over whole series, sample by sample, as if they came in now: nothing later is ever known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from incidents.detection.learned import STATE, Learned, Maturity
from incidents.detection.news import ALARM

# The state goes through its stored form this often, as it does in a process that is restarted.
STORED_EVERY = 2_000
AT_ONCE = 512  # series


@dataclass(frozen=True)
class Series:
    """What to run over: `times` in epoch seconds, `values` (NaN is a gap), both of shape (n,); `worse` as `Learned.advance` has it."""

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    worse: int = 0


@dataclass(frozen=True)
class Backtest:
    """What the detector said of one series at each sample, arrays of shape (n,): see `learned.Judgement`. `maturity` is at the end."""

    score: NDArray[np.float64]
    news: NDArray[np.float64]
    expected: NDArray[np.float64]
    spread: NDArray[np.float64]
    maturity: Maturity
    period_samples: float | None

    @property
    def alarms(self) -> NDArray[np.intp]:
        """The samples that would have raised an alarm."""
        return np.flatnonzero(self.news >= ALARM)


def run(series: Sequence[Series]) -> list[Backtest]:
    """Return what the detector says of each series. Their times need not agree; each series' own must be in order."""
    return [said for start in range(0, len(series), AT_ONCE) for said in _run(series[start : start + AT_ONCE])]


def _run(series: Sequence[Series]) -> list[Backtest]:
    longest = max(len(one.values) for one in series)
    shape = (longest, len(series))
    times, values = np.zeros(shape), np.full(shape, np.nan)
    for row, one in enumerate(series):
        times[: len(one.times), row] = one.times
        values[: len(one.values), row] = one.values
    score, news, expected, spread = (np.full(shape, np.nan) for _ in range(4))
    worse = np.array([one.worse for one in series], dtype=np.int8)
    learned = Learned(len(series))
    for column in range(longest):
        if column % STORED_EVERY == STORED_EVERY - 1:
            learned = Learned.unpack(np.frombuffer(learned.pack().tobytes(), dtype=STATE))
        said = learned.advance(times[column], values[column], worse)
        score[column], news[column], expected[column], spread[column] = (
            said.score,
            said.news,
            said.expected,
            said.spread,
        )
    found = []
    for row, one in enumerate(series):
        end = len(one.values)
        period = float(learned.seasons.period[row])
        found.append(
            Backtest(
                score[:end, row],
                news[:end, row],
                expected[:end, row],
                spread[:end, row],
                learned.maturity(row),
                period if np.isfinite(period) else None,
            )
        )
    return found
