"""What each live series taught, kept as rows: learned minute by minute from the hot store, asked when a departure is found."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import psycopg
from django.db import connection, transaction
from numpy.typing import NDArray

from incidents.detection.baseline import MAD_TO_SIGMA
from incidents.detection.learned import BAND_SPREADS, STATE, Learned, band_at
from incidents.detection.signals import SignalKind, is_limit_of, meaning
from incidents.intake import drops
from incidents.models import Signal, SignalVerdict
from incidents.telemetry.backend import TelemetryBackend
from incidents.telemetry.datamodel import MetricSeries, SeriesKey, Window

LIVE = "live"
STEP = timedelta(minutes=1)
# Exporters send every few seconds: a minute is complete only after this.
SETTLE = timedelta(seconds=15)
# After it stood still, learning goes back to where it was, in parts, as far as the hot store usually holds; some parts a run, so that
# a run ends, and the next goes on. A new installation begins with one part.
PART, LONGEST_AWAY, MOST_PARTS = timedelta(hours=2), timedelta(hours=72), 4
MOST_SIGNALS = 20_000
AT_ONCE = 4_096
WRITTEN_AT_ONCE = 1_000
# Minutes before one that are its usual range where its hour is not known yet, and the fewest of them that say something.
HOUR_BEFORE, LEAST_BEFORE = 60, 10
WORSE = {
    SignalKind.ERRORS: 1,
    SignalKind.SUCCESS: -1,
    SignalKind.DURATION: 1,
    SignalKind.RESOURCE: 1,
    SignalKind.TRAFFIC: 0,
    SignalKind.OTHER: 0,
}


@dataclass(frozen=True)
class _Minutes:
    """Series by the minute: `values` has shape (minutes, series), NaN where a minute has no sample; `ends` are epoch seconds."""

    keys: tuple[SeriesKey, ...]
    ends: NDArray[np.float64]
    values: NDArray[np.float64]


def learn(store: TelemetryBackend, *, now: datetime) -> int:
    """Learn from every whole minute that was not learned yet. Return how many samples were taken in.

    Safe to run twice at once: each row takes a minute only once. Raises TelemetryError when the source cannot answer.
    """
    end = _minute(now - SETTLE)
    newest = (
        Signal.objects.filter(source=LIVE)
        .order_by("-learned_until_at")
        .values_list("learned_until_at", flat=True)
        .first()
    )
    begin = max(newest or end - PART, end - LONGEST_AWAY)
    taken = parts = 0
    while begin < end and parts < MOST_PARTS:
        until = min(begin + PART, end)
        found = _learn_part(store, begin, until, now=now)
        taken, parts, begin = taken + found, parts + (found > 0), until
    return taken


def _learn_part(store: TelemetryBackend, begin: datetime, end: datetime, *, now: datetime) -> int:
    # A window ends before its end, and the sample at the full minute belongs to the minute before it.
    window = Window(begin, end + timedelta(seconds=1))
    series = [one for one in store.fetch_metrics(window) if meaning(one.key.name, one.key.unit)]
    if len(series) > MOST_SIGNALS:
        drops.count(what="signals", source=LIVE, reason="too many to learn", n=len(series) - MOST_SIGNALS, now=now)
    minutes = _by_minute(series[:MOST_SIGNALS], begin=begin, end=end)
    for start in range(0, len(minutes.keys), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        _learn(_Minutes(minutes.keys[part], minutes.ends, minutes.values[:, part]))
    return int(np.isfinite(minutes.values).sum())


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _by_minute(series: Sequence[MetricSeries], *, begin: datetime, end: datetime) -> _Minutes:
    """Return the mean of each minute."""
    count = int((end - begin) / STEP)
    values = np.full((count, len(series)), np.nan)
    for column, one in enumerate(series):
        # A sample is dated at the end of what it tells of: the one at the full minute belongs to the minute before.
        minute = np.ceil((one.times - begin.timestamp()) / STEP.total_seconds()).astype(np.int64) - 1
        good = np.isfinite(one.values) & (minute >= 0) & (minute < count)
        samples = np.bincount(minute[good], minlength=count)
        total = np.bincount(minute[good], weights=one.values[good], minlength=count)
        values[samples > 0, column] = total[samples > 0] / samples[samples > 0]
    ends = begin.timestamp() + np.linspace(STEP.total_seconds(), count * STEP.total_seconds(), count)
    return _Minutes(tuple(one.key for one in series), ends, values)


def _learn(minutes: _Minutes) -> None:
    digests = [digest_of(key) for key in minutes.keys]
    known = {
        row[0]: row[1:]
        for row in Signal.objects.filter(source=LIVE, digest__in=digests).values_list(
            "digest", "state", "learned_until_at"
        )
    }
    packed = Learned(len(digests)).pack()
    until = np.zeros(len(digests))
    for place, digest in enumerate(digests):
        state, learned_until_at = known.get(digest, (None, None))
        # A state of another version of the program is learned anew.
        if state is not None and len(state) == STATE.itemsize:
            packed[place] = np.frombuffer(bytes(state), dtype=STATE)[0]
        if learned_until_at is not None:
            until[place] = learned_until_at.timestamp()
    learned = Learned.unpack(packed)
    worse = np.array([_worse(key) for key in minutes.keys], dtype=np.int8)
    score = np.full(len(digests), np.nan)
    for end, values in zip(minutes.ends, minutes.values, strict=True):
        said = learned.advance(np.full(len(digests), end), np.where(end > until, values, np.nan), worse)
        score = np.where(np.isfinite(said.score), said.score, score)
    _keep(minutes, digests, learned, score, until=until)


def _worse(key: SeriesKey) -> int:
    read_as = meaning(key.name, key.unit)
    return WORSE[read_as.kind] if read_as else 0


_WRITE = """
INSERT INTO incidents_signal (source, digest, service, name, attributes, unit, state, first_learned_at, learned_until_at,
    samples, score, is_interesting, silent_reason)
SELECT 'live', d, sv, n, a, u, st, to_timestamp(f), to_timestamp(l), s, sc, TRUE, ''
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %b::bytea[], %s::float8[], %s::float8[],
    %s::bigint[], %s::float8[]) AS new(d, sv, n, a, u, st, f, l, s, sc)
ORDER BY d
ON CONFLICT (source, digest) DO UPDATE SET state = excluded.state, learned_until_at = excluded.learned_until_at,
    samples = excluded.samples, score = excluded.score
WHERE incidents_signal.learned_until_at < excluded.learned_until_at
"""


def _keep(
    minutes: _Minutes,
    digests: Sequence[str],
    learned: Learned,
    score: NDArray[np.float64],
    *,
    until: NDArray[np.float64],
) -> None:
    """Write the rows that took in a sample. A row that another process brought further stays as that process left it."""
    packed = learned.pack()
    changed = np.flatnonzero((learned.samples > 0) & (learned.last_at > until))
    with transaction.atomic():
        for start in range(0, len(changed), WRITTEN_AT_ONCE):
            rows = changed[start : start + WRITTEN_AT_ONCE].tolist()
            _write(minutes, digests, learned, score, packed=packed, rows=rows)


def _write(
    minutes: _Minutes,
    digests: Sequence[str],
    learned: Learned,
    score: NDArray[np.float64],
    *,
    packed: NDArray[np.void],
    rows: Sequence[int],
) -> None:
    columns: list[list[object]] = [
        [digests[row] for row in rows],
        [minutes.keys[row].service[:200] for row in rows],
        [minutes.keys[row].name[:300] for row in rows],
        [minutes.keys[row].attributes for row in rows],
        [minutes.keys[row].unit[:50] for row in rows],
        [packed[row].tobytes() for row in rows],
        learned.first_at[rows].tolist(),
        learned.last_at[rows].tolist(),
        learned.samples[rows].astype(int).tolist(),
        [None if np.isnan(one) else float(one) for one in score[rows]],
    ]
    # Bound by the server, the states as they are: written out as text they would be twice as large and slow.
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(_WRITE, columns)


def digest_of(key: SeriesKey) -> str:
    """Return what a series is found by, 32 characters."""
    return hashlib.blake2b("\x00".join(key).encode(), digest_size=16).hexdigest()


def state_of(signal: Signal) -> NDArray[np.void] | None:
    """Return what a signal taught, None when another version of the program wrote it down."""
    if len(signal.state) != STATE.itemsize:
        return None
    state: NDArray[np.void] = np.frombuffer(bytes(signal.state), dtype=STATE)
    return state


@dataclass(frozen=True)
class Watched:
    """A signal by the minute beside what is usual then, arrays of shape (minutes,), NaN where it is not known; times are epoch seconds.

    Usual is what the same hour was on other days where that is `by_hour`, else the hour before. `limit` is what another series of the
    service says is the most that this one may reach, NaN where none does.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    expected: NDArray[np.float64]
    spread: NDArray[np.float64]
    by_hour: NDArray[np.bool_]
    limit: float


def watched(store: TelemetryBackend, signal: Signal, *, now: datetime, back: timedelta) -> Watched:
    """Return a signal's newest minutes. Raises TelemetryError when the source cannot answer."""
    end = _minute(now)
    begin = end - back - HOUR_BEFORE * STEP
    found = store.fetch_metrics(Window(begin, end + timedelta(seconds=1)), services=[signal.service])
    minutes = _by_minute([one for one in found if digest_of(one.key) == signal.digest], begin=begin, end=end)
    values = minutes.values[:, 0] if len(minutes.keys) else np.full(len(minutes.ends), np.nan)
    state = state_of(signal)
    shown = slice(HOUR_BEFORE, None)
    bands = [None if state is None else band_at(state[0], at) for at in minutes.ends[shown].tolist()]
    by_hour = np.array([band is not None for band in bands])
    level, spread = _hour_before(values)
    limits = [one.values[-1] for one in found if is_limit_of(one.key, signal.key)]
    return Watched(
        minutes.ends[shown],
        values[shown],
        np.where(by_hour, [band.level if band else np.nan for band in bands], level),
        np.where(by_hour, [(band.high - band.level) / BAND_SPREADS if band else np.nan for band in bands], spread),
        by_hour,
        float(limits[0]) if limits else np.nan,
    )


def _hour_before(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the level and spread (robust) of the 60 minutes before each minute but the first 60; NaN where too few are known."""
    before = np.lib.stride_tricks.sliding_window_view(values, HOUR_BEFORE)[:-1]
    enough = np.isfinite(before).sum(axis=1) >= LEAST_BEFORE
    level, spread = np.full(len(before), np.nan), np.full(len(before), np.nan)
    level[enough] = np.nanmedian(before[enough], axis=1)
    spread[enough] = MAD_TO_SIGMA * np.nanmedian(np.abs(before[enough] - level[enough, None]), axis=1)
    return level, spread


def say(signal_id: int, *, verdict: str, score: float | None, by: int | None, now: datetime) -> None:
    """Remember what somebody said of a signal's departure, and heed it from now on. `score` is that departure's."""
    with transaction.atomic():
        signal = Signal.objects.select_for_update().get(pk=signal_id)
        SignalVerdict.objects.create(signal=signal, verdict=verdict, score=score, said_at=now, said_by_id=by)
        if verdict == SignalVerdict.Verdict.EXPECTED and score is not None:
            signal.expected_up_to = max(signal.expected_up_to or 0.0, score)
        elif verdict == SignalVerdict.Verdict.NOT_INTERESTING:
            signal.is_interesting = False
        elif verdict == SignalVerdict.Verdict.INTERESTING:
            signal.is_interesting, signal.expected_up_to = True, None
        signal.save(update_fields=["expected_up_to", "is_interesting"])


def drop_old(*, now: datetime, older_than: timedelta = timedelta(days=30)) -> int:
    """Let signals go that have shown nothing for so long; return how many."""
    return Signal.objects.filter(learned_until_at__lt=now - older_than).delete()[0]
