"""Departures of live series, as they are found: judged by earlier ones of their series, kept as rows, and held back when nobody need be told.

A blip opens nothing while it is one; nor does a departure that is usual at this time of the day or week, one that people called expected, or
one of a series that they called not interesting. A critical failure waits for none of this but people's word. Each held back is counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Window
from django.db.models.functions import RowNumber

from incidents.baselines import LIVE, digest_of, state_of
from incidents.detection.anomaly import Episode, Transience
from incidents.detection.clearing import Past
from incidents.detection.learned import band_at
from incidents.detection.outlook import Side, judge_all
from incidents.intake import drops
from incidents.models import Departure, Signal
from incidents.models.judged import JUDGED

# A departure a little worse than one that people expected is expected as well.
EXPECTED_MARGIN = 1.25
# A departure seen again may seem to begin a little earlier or later, as the window moves.
SAME_GAP = timedelta(minutes=2)
# A lasting one is written anew this often, and is not seen any more when no look found it for so long.
RENEWED_AFTER, LOST_AFTER = timedelta(minutes=1), timedelta(minutes=3)
# Earlier ones that count, a series; rows written, a look; how long they are kept.
MOST_PAST, MOST_WRITTEN, KEPT = 50, 2_000, timedelta(days=90)
BLIP = "a blip so far"
_CHANGING = ("ended_at", "seen_at", "peak", "score", "silent_reason", *JUDGED)


@dataclass(frozen=True)
class _Found:
    """An episode of a learned signal, and why nobody is told of it, "" when they are."""

    episode: Episode
    signal: Signal
    reason: str


def worth_telling(episodes: Sequence[Episode], *, now: datetime) -> list[Episode]:
    """Return the episodes that may open an incident, judged by what is known of their series. All are kept as departures."""
    if not episodes:
        return []
    wanted = {digest_of(one.key) for one in episodes}
    signals = {one.digest: one for one in Signal.objects.filter(source=LIVE, digest__in=wanted)}
    rows = _rows([one.pk for one in signals.values()])
    told, found = [], []
    for episode in judge_all(episodes, until=now, past=_past(episodes, signals, rows)):
        signal = signals.get(digest_of(episode.key))
        reason = _reason_to_be_silent(episode, signal)
        if signal is not None:
            found.append(_Found(episode, signal, reason))
        if not reason:
            told.append(episode)
    _count(found, now=now)
    _keep(found, rows, now=now)
    return told


def waiting_since(*, now: datetime, back: timedelta) -> datetime | None:
    """Return since when the oldest blip lasts that may yet become more, at most `back` ago; None when there is none."""
    lasting = Departure.objects.filter(
        transience=Transience.BLIP.value, ended_at=None, seen_at__gte=now - LOST_AFTER, began_at__gte=now - back
    )
    return lasting.order_by("began_at").values_list("began_at", flat=True).first()


def drop_old(*, now: datetime) -> int:
    """Let departures go that say nothing of today any more; return how many."""
    return Departure.objects.filter(seen_at__lt=now - KEPT).delete()[0]


_Rows = Mapping[tuple[int, str], Sequence[Departure]]


def _rows(signals: Sequence[int]) -> _Rows:
    """Return the newest departures of the signals by (signal, direction), newest first."""
    ranked = Departure.objects.filter(signal__in=signals).annotate(
        place=Window(RowNumber(), partition_by=(F("signal"), F("direction")), order_by=F("began_at").desc())
    )
    found: dict[tuple[int, str], list[Departure]] = defaultdict(list)
    for row in ranked.filter(place__lte=MOST_PAST):
        found[row.signal_id, row.direction].append(row)
    return found


def _past(episodes: Iterable[Episode], signals: Mapping[str, Signal], rows: _Rows) -> dict[Side, list[Past]]:
    """Return the departures from before these episodes, by series and direction."""
    first: dict[Side, datetime] = {}
    for episode in episodes:
        side = episode.key, episode.direction
        first[side] = min(first.get(side, episode.started_at), episode.started_at)
    past: dict[Side, list[Past]] = {}
    for side, began_at in first.items():
        signal = signals.get(digest_of(side[0]))
        if signal is not None:
            past[side] = [
                Past((row.ended_at or row.seen_at) - row.began_at, row.ended_at is not None, row.score)
                for row in rows.get((signal.pk, side[1].value), ())
                if (row.ended_at or row.seen_at) < began_at - SAME_GAP
            ]
    return past


def _reason_to_be_silent(episode: Episode, signal: Signal | None) -> str:
    if signal is not None and not signal.is_interesting:
        return "not interesting to people"
    expected = None if signal is None else signal.expected_up_to
    if expected is not None and episode.score <= EXPECTED_MARGIN * expected:
        return "expected by people"
    if episode.opens_at is None:
        return BLIP
    if signal is None or episode.critical_at is not None:
        return ""
    state = state_of(signal)
    band = None if state is None else band_at(state[0], episode.peaked_at.timestamp())
    return "usual at this time" if band and band.low <= episode.peak <= band.high else ""


def _count(found: Sequence[_Found], *, now: datetime) -> None:
    """Count each departure that nobody is told of once: each look finds it again."""
    for one in found:
        if not one.reason or one.signal.silent_from_at == one.episode.started_at:
            continue
        Signal.objects.filter(pk=one.signal.pk).update(silent_from_at=one.episode.started_at, silent_reason=one.reason)
        drops.count(what="departures", source=LIVE, reason=one.reason, n=1, now=now)


def _keep(found: Sequence[_Found], rows: _Rows, *, now: datetime) -> None:
    """Write what is new or has changed, at most so many rows: in a storm the next look goes on."""
    new, changed = [], []
    for one in found:
        row = _departure(one, now=now)
        held = next((held for held in rows.get((row.signal_id, row.direction), ()) if _is_same(held, row)), None)
        if held is None:
            new.append(row)
        elif _is_news(held, row):
            for name in _CHANGING:
                setattr(held, name, getattr(row, name))
            changed.append(held)
    Departure.objects.bulk_create(new[:MOST_WRITTEN], ignore_conflicts=True)
    Departure.objects.bulk_update(changed[:MOST_WRITTEN], _CHANGING)


def _departure(one: _Found, *, now: datetime) -> Departure:
    episode = one.episode
    row = Departure(
        signal=one.signal,
        direction=episode.direction.value,
        began_at=episode.started_at,
        detected_at=episode.detected_at,
        ended_at=episode.ended_at,
        seen_at=episode.ended_at or now,
        usual_low=episode.usual_low,
        usual_high=episode.usual_high,
        peak=episode.peak,
        score=episode.score,
        silent_reason=one.reason,
    )
    row.take(episode.outlook)
    return row


def _is_same(held: Departure, row: Departure) -> bool:
    """Say whether the row is the held departure seen again."""
    return row.began_at <= (held.ended_at or held.seen_at) + SAME_GAP and held.began_at <= row.seen_at + SAME_GAP


def _is_news(held: Departure, row: Departure) -> bool:
    if held.ended_at is None and row.seen_at - held.seen_at >= RENEWED_AFTER:
        return True
    return (held.ended_at, held.transience, held.silent_reason) != (row.ended_at, row.transience, row.silent_reason)
