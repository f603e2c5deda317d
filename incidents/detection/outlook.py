"""What a departure comes to: a blip that nobody is told of, one that lasts, or a critical failure that never waits.

It is a blip while it is sure enough (the interval's lower end) that it clears by itself soon. It stops being one at the first moment at
which that no longer holds, because it outlasted earlier ones or stopped falling back, and never becomes one again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from incidents.detection.anomaly import Direction, Episode, Outlook, Transience
from incidents.detection.clearing import Clearing, Past, clears_within
from incidents.telemetry.datamodel import SeriesKey

# "Will it be over by itself within…"
WITHIN = timedelta(minutes=10)
# A blip is more likely than not to clear by itself, as far as the 95 % interval says: that takes four earlier ones like it that all did,
# or a height that falls back within the first minutes. What is known of no series is never enough.
SURE = 0.5
# Looked at this often while it is a blip: as often as there are samples of requests.
STEP = timedelta(seconds=10)
LONGEST = timedelta(hours=3)  # a departure this long is no blip, whatever earlier ones did

Side = tuple[SeriesKey, Direction]


def judge(episode: Episode, *, past: Sequence[Past], until: datetime) -> Outlook:
    """Return what the episode comes to, as far as was known at `until`; `past` are earlier departures of its series the same way."""
    last = max(min(until, episode.ended_at or until), episode.detected_at)
    now = _clearing(episode, past, at=last)
    if episode.critical_at is not None and episode.critical_at <= last:
        return Outlook(Transience.CRITICAL, min(_stands_at(episode, past, last) or last, episode.critical_at), now)
    stands_at = _stands_at(episode, past, last)
    if stands_at is None:
        return Outlook(Transience.BLIP, episode.detected_at, now)
    return Outlook(Transience.SUSTAINED, stands_at, now)


def judge_all(
    episodes: Sequence[Episode], *, until: datetime, past: Mapping[Side, Sequence[Past]] | None = None
) -> list[Episode]:
    """Return the episodes with their outlooks. Earlier ones among them are past to later ones, beside those of `past`."""
    earlier: dict[Side, list[Episode]] = defaultdict(list)
    judged = []
    for episode in sorted(episodes, key=lambda one: (one.detected_at, one.key)):
        side = episode.key, episode.direction
        before = [Past(one.ended_at - one.started_at, score=one.score) for one in earlier[side] if one.ended_at]
        known = [*(past.get(side, ()) if past else ()), *before]
        judged.append(replace(episode, outlook=judge(episode, past=known, until=until)))
        earlier[side].append(episode)
    return judged


def _stands_at(episode: Episode, past: Sequence[Past], last: datetime) -> datetime | None:
    """Return the first moment at which it was no blip, None when there was none so far."""
    at = episode.detected_at
    while at <= last:
        if at - episode.started_at >= LONGEST or _clearing(episode, past, at=at).low < SURE:
            return at
        at += STEP
    return None


def _clearing(episode: Episode, past: Sequence[Past], *, at: datetime) -> Clearing:
    return clears_within(
        WITHIN,
        lasted=at - episode.started_at,
        past=past,
        score=_score(episode, at),
        is_fading=any(one.at <= at < one.until_at and one.back_at <= at + WITHIN for one in episode.fading),
    )


def _score(episode: Episode, at: datetime) -> float:
    """Return how far out it had been by then."""
    return episode.score if at >= episode.peaked_at or episode.early_score is None else episode.early_score
