"""What each series taught so far, and how surprising its next sample is: streaming, causal, one pass, small enough to keep.

A sample is compared with three profiles (hour of the day; hour of a working day or of a weekend; phase of the series' own season)
by level and spread, and with the places that the series visited before (`novelty`). Each comparison becomes a probability on the
series' own history (`tails`), so that a score means the same on every series. Source of the parts: see the modules.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from incidents.detection import novelty, profiles, seasons, tails
from incidents.detection.news import News

DAY, WEEK_DAYS, HOURS = 86_400.0, 7, 24
WORKING_DAYS = 5
MONDAY = 4 * DAY  # the epoch was a Thursday; days are counted in UTC
OWN_PHASES = 24
# Fewer samples say nothing; a day has shown each hour, two weeks each weekday twice.
USABLE_SAMPLES = 30
BETTER_AFTER, FULL_AFTER = DAY, 14 * DAY
# Slow moments (mean, variance, step) forget after so many samples: a week of five-minute samples.
SLOW_MEMORY = 2_000.0
# What stands in for a phase never seen is the level of the last few samples.
RECENT_GAIN = 0.2
# No spread is smaller than a thousandth of the level: exporters round.
RELATIVE_FLOOR, ABSOLUTE_FLOOR = 1e-3, 1e-9
# Surprises below this (in spreads, in cells) are all alike.
LEAST_DEVIATION, LEAST_NOVELTY = 2.0**-6, 2.0**-4
# Departures last some ten samples, each as extreme as the next: so many extreme samples are one event.
SAMPLES_PER_EVENT = 10.0
# The own season is heard when it halves the usual error of day and week: else it only adds its own noise.
OWN_SKILL = 0.5
# Beyond this a value is an exporter's mistake, and its square would not be a number any more.
LARGEST = 1e30
NOTHING = -50.0  # nats: what is not judged surprises nobody


# A short history counts as this long: else what is the largest of fifty samples would be an alarm, fifty times a day.
LEAST_TRIES = 300.0


class Maturity(StrEnum):
    """How much a series has taught."""

    NEW = "new"  # fewer than 30 samples: not judged
    USABLE = "usable"
    BETTER = "better"  # a day
    FULL = "full"  # two weeks


STATE = np.dtype(
    [
        ("samples", np.float64),
        ("first_at", np.float64),
        ("last_at", np.float64),
        ("last", np.float64),
        ("mean", np.float64),
        ("variance", np.float64),
        ("step", np.float64),
        ("recent", np.float64),
        ("shared", np.float64, (3,)),
        ("peak", np.float64),
        ("since_peak", np.float64),
        ("day", profiles.profile_dtype(HOURS)),
        ("week", profiles.profile_dtype(2 * HOURS)),
        ("own", profiles.profile_dtype(OWN_PHASES)),
        ("tail_day", tails.TAIL_DTYPE),
        ("tail_week", tails.TAIL_DTYPE),
        ("tail_own", tails.TAIL_DTYPE),
        ("tail_novelty", tails.TAIL_DTYPE),
        ("season", seasons.SEASON_DTYPE),
        ("visited", np.uint8, (novelty.BYTES,)),
    ]
)
_SCALARS = (
    "samples",
    "first_at",
    "last_at",
    "last",
    "mean",
    "variance",
    "step",
    "recent",
    "shared",
)
_PROFILES = ("day", "week", "own")


@dataclass(frozen=True)
class Judgement:
    """One step's verdict on each row, arrays of shape (rows,).

    `score` in [0, 1] is the share that this departure is of all as extreme ones, itself included, that usual behaviour alone would
    show in a history as long as the known one; NaN for no sample or too little history. `expected` and `spread` are in the
    series' own unit, `is_new_place` says that rarity of place, not distance from the usual level, decided. `news` is the score where it
    is higher than any within the cool-down, after an alarm clearly so, else 0: one alarm an episode comes of it.
    """

    score: NDArray[np.float64]
    expected: NDArray[np.float64]
    spread: NDArray[np.float64]
    is_new_place: NDArray[np.bool_]
    news: NDArray[np.float64]


def _tries(tail: tails.Tails) -> NDArray[np.float64]:
    """Return the logarithm of how many samples a series had to surprise by chance, shape (rows,)."""
    tries: NDArray[np.float64] = np.log(np.maximum(tail.samples, LEAST_TRIES))
    return tries


@dataclass(frozen=True, slots=True)
class Band:
    """Between what a series usually is at one time of its season, in its own unit; `level` is the middle."""

    low: float
    level: float
    high: float


# A band is as wide as what is usual: three mean deviations hold 98 of 100 samples of a bell curve. An hour of the day is
# known when two visits of an hour by the minute, or a day's 12 by five minutes on ten days, have shown it.
BAND_SPREADS = 3.0
LEAST_VISITS = 120.0


def band_at(state: NDArray[Any], at: float) -> Band | None:
    """Return what one series (one element of STATE) usually is at a time (epoch seconds); None while that is not known."""
    hour = int(at % DAY // 3600.0)
    weekend = (at - MONDAY) // DAY % WEEK_DAYS >= WORKING_DAYS
    choices = (("week", 1, hour + HOURS * int(weekend)), ("day", 0, hour))
    known = [
        (float(state["shared"][number]), name, phase)
        for name, number, phase in choices
        if state[name]["visits"][phase] >= LEAST_VISITS
    ]
    if not known:
        return None
    _, name, phase = min(known)
    level = float(state[name]["level"][phase])
    wide = BAND_SPREADS * float(state[name]["spread"][phase]) + RELATIVE_FLOOR * abs(level)
    return Band(level - wide, level, level + wide)


def maturity_of(samples: float, known_seconds: float) -> Maturity:
    """Say how much a series has taught with so many samples over so long."""
    if samples < USABLE_SAMPLES:
        return Maturity.NEW
    if known_seconds >= FULL_AFTER:
        return Maturity.FULL
    return Maturity.BETTER if known_seconds >= BETTER_AFTER else Maturity.USABLE


class Learned:
    """The learned state of many series, one row each; feed it samples in the order of their time."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        for name in _SCALARS:
            setattr(self, name, np.zeros((rows, *STATE[name].shape)))
        self.profiles = {
            "day": profiles.Profiles(rows, HOURS),
            "week": profiles.Profiles(rows, 2 * HOURS),
            "own": profiles.Profiles(rows, OWN_PHASES),
        }
        self.tails = {name: tails.Tails(rows, lowest=LEAST_DEVIATION) for name in _PROFILES}
        self.tails["novelty"] = tails.Tails(rows, lowest=LEAST_NOVELTY)
        self.seasons = seasons.Seasons(rows)
        self.novelty = novelty.Novelty(rows)
        self.news = News(rows)

    samples: NDArray[np.float64]
    first_at: NDArray[np.float64]
    last_at: NDArray[np.float64]
    last: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    step: NDArray[np.float64]
    recent: NDArray[np.float64]
    shared: NDArray[np.float64]

    def advance(self, at: NDArray[np.float64], values: NDArray[np.float64], worse: NDArray[np.int8]) -> Judgement:
        """Judge one sample of each row by what was learned before it, then learn from it.

        `at` (epoch seconds) and `values` have shape (rows,); a value that is not finite, or that no telemetry means, is a gap and changes
        nothing. `worse` is
        1 where only more is worse, -1 where only less is, 0 where both are.
        """
        given = np.abs(values) < LARGEST  # not where it is NaN
        self._begin(given, at, values)
        value = np.where(given, values, self.last)
        moment = np.where(given, at, self.last_at)
        floor = RELATIVE_FLOOR * np.abs(self.mean) + ABSOLUTE_FLOOR
        judged = given & (self.samples >= USABLE_SAMPLES)
        rarity, expected, spread = self._seasonal(moment, value, given=given, worse=worse, floor=floor)
        place = self._place(value, judged=judged, worse=worse, floor=floor)
        by_place = place > rarity
        score = self._score(np.maximum(rarity, place))
        self._learn(moment, value, given)
        return Judgement(
            np.where(judged, score, np.nan),
            expected,
            spread,
            by_place,
            self.news.advance(np.where(judged, score, 0.0), given),
        )

    def _begin(self, given: NDArray[np.bool_], at: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        new = given & (self.samples == 0)
        for name in ("last", "mean", "recent"):
            getattr(self, name)[new] = values[new]
        self.first_at[new] = self.last_at[new] = at[new]

    def _phases(self, moment: NDArray[np.float64]) -> dict[str, NDArray[np.intp]]:
        hour = (moment % DAY // 3600.0).astype(np.intp)
        weekend = (moment - MONDAY) // DAY % WEEK_DAYS >= WORKING_DAYS
        with np.errstate(invalid="ignore"):
            turn = self.samples / self.seasons.period % 1.0
        own = np.minimum(np.nan_to_num(turn) * OWN_PHASES, OWN_PHASES - 1).astype(np.intp)
        return {"day": hour, "week": hour + HOURS * weekend.astype(np.intp), "own": own}

    def _seasonal(
        self,
        moment: NDArray[np.float64],
        value: NDArray[np.float64],
        *,
        given: NDArray[np.bool_],
        worse: NDArray[np.int8],
        floor: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the mean rarity (nats above chance in the known history) over the profiles that know this phase, and what the best expects."""
        total, said = np.zeros(self.rows), np.zeros(self.rows)
        expected, spread, best = self.recent.copy(), np.sqrt(self.variance) + floor, np.full(self.rows, np.inf)
        ready = given & (self.samples >= USABLE_SAMPLES)
        skilled = self.shared[:, 2] < OWN_SKILL * np.minimum(self.shared[:, 0], self.shared[:, 1])
        for number, (name, phase) in enumerate(self._phases(moment).items()):
            profile, tail, shared = self.profiles[name], self.tails[name], self.shared[:, number]
            in_season = given if name != "own" else given & np.isfinite(self.seasons.period)
            if not in_season.any():
                continue
            level, width = profile.expect(phase, shared_spread=shared, floor=floor)
            known = profile.known(phase)
            level = np.where(known, level, self.recent)
            deviation = np.where(in_season, np.abs(value - level), 0.0)
            harmful = np.where(worse * (value - level) < 0, 0.0, deviation)
            place = tail.place(harmful / width)
            counts = in_season & ready & known
            rarity = np.where(counts & tail.known, tail.rarity(place) - _tries(tail), 0.0)
            heard = counts & tail.known & (skilled if name == "own" else True)
            total += np.where(heard, rarity, 0.0)
            said += heard
            tail.add(place, counts)
            tail.renew(counts)
            better = known & in_season & (shared < best)
            expected, spread = np.where(better, level, expected), np.where(better, width, spread)
            best = np.where(better, shared, best)
            profile.learn(phase, value, which=in_season, deviation=deviation)
            gain = np.where(in_season, np.maximum(1.0 / (self.samples + 1.0), 1.0 / SLOW_MEMORY), 0.0)
            self.shared[:, number] += gain * (deviation - shared)
        return np.where(said > 0, total / np.maximum(said, 1.0), NOTHING), expected, spread

    def _place(
        self,
        value: NDArray[np.float64],
        *,
        judged: NDArray[np.bool_],
        worse: NDArray[np.int8],
        floor: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return how rare it is to be this far from any place visited before, in nats above chance in the known history."""
        tail = self.tails["novelty"]
        away = value - self.mean
        cell = self.novelty.cell(away / (np.sqrt(self.variance) + floor), (value - self.last) / (self.step + floor))
        distance = np.where(worse * away < 0, 0.0, self.novelty.distance(cell))
        place = tail.place(distance)
        # The first samples are all new: they say nothing of how often something is.
        counts = judged & (self.samples >= 2 * USABLE_SAMPLES)
        rarity = np.where(counts & tail.known, tail.rarity(place) - _tries(tail), NOTHING)
        tail.add(place, counts)
        tail.renew(counts)
        self.novelty.visit(cell, judged)
        return rarity

    def _score(self, surprise: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1.0 / (1.0 + np.exp(-np.maximum(surprise, NOTHING)) / SAMPLES_PER_EVENT)

    def _learn(self, moment: NDArray[np.float64], value: NDArray[np.float64], given: NDArray[np.bool_]) -> None:
        gain = np.where(given, np.maximum(1.0 / (self.samples + 1.0), 1.0 / SLOW_MEMORY), 0.0)
        away = value - self.mean
        self.mean += gain * away
        self.variance += gain * (away * away - self.variance)
        self.step += gain * (np.abs(value - self.last) - self.step)
        self.recent += np.where(given, RECENT_GAIN, 0.0) * (value - self.recent)
        self.last = value
        self.last_at = np.maximum(self.last_at, moment)
        changed = self.seasons.keep(value, self.samples, given)
        if len(changed):
            self.profiles["own"].clear(changed)
            self.shared[changed, 2] = self.shared[changed, 0]
            self.tails["own"].clear(changed)
        self.samples += given

    def maturity(self, row: int) -> Maturity:
        """Say how much a row has taught."""
        return maturity_of(float(self.samples[row]), float(self.last_at[row] - self.first_at[row]))

    def pack(self) -> NDArray[Any]:
        """Return the whole state as a structured array of STATE, shape (rows,): one element's bytes are one series' memory."""
        packed = np.zeros(self.rows, dtype=STATE)
        for name in _SCALARS:
            packed[name] = getattr(self, name)
        for name in _PROFILES:
            self.profiles[name].pack(packed[name])
        for name, tail in self.tails.items():
            tail.pack(packed[f"tail_{name}"])
        packed["peak"], packed["since_peak"] = self.news.peak, self.news.since_peak
        self.seasons.pack(packed["season"])
        packed["visited"] = self.novelty.pack()
        return packed

    @classmethod
    def unpack(cls, packed: NDArray[Any]) -> "Learned":
        """Return what `pack` wrote down, ready to go on."""
        learned = cls(len(packed))
        for name in _SCALARS:
            setattr(learned, name, packed[name].copy())
        for name in _PROFILES:
            learned.profiles[name].unpack(packed[name])
        for name, tail in learned.tails.items():
            tail.unpack(packed[f"tail_{name}"])
        learned.news.peak, learned.news.since_peak = packed["peak"].copy(), packed["since_peak"].copy()
        learned.seasons.unpack(packed["season"])
        learned.novelty.unpack(packed["visited"])
        return learned
