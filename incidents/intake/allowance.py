"""How much a source may send: a token bucket in PostgreSQL that every web process takes shares from, so no process needs another.

A share is used up in memory; so a source that stays within its rate costs one statement in dozens of deliveries, and one that
does not is refused without any.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from incidents.intake import outbox
from incidents.intake.refusals import Refused
from incidents.models import AlertSource

BURST_SECONDS = 100  # of the rate: 600 a minute allow a burst of 1,000
SHARE_SECONDS = 2  # of the rate that one process takes at a time, at least one delivery
SHARE_LASTS = timedelta(seconds=10)  # what a process has not used by then is forgotten
LONGEST = timedelta(minutes=1)  # a clock that was set back must not keep a share for hours
MOST_WAITING = 20_000  # tasks in the outbox; above, deliveries are turned away until workers have caught up
DEPTH_EVERY = timedelta(seconds=2)
FILL = """
    INSERT INTO incidents_intakeallowance (source_id, "left", counted_at) VALUES (%s, %s, %s)
    ON CONFLICT (source_id) DO NOTHING
"""
TELL = "incidents.tasks.tell_of_flood"
TOLD_FOR = timedelta(hours=1)  # a source that floods on is told of again after this
CLAIM_TELLING = """
    UPDATE incidents_intakeallowance SET told_at = %(now)s
    WHERE source_id = %(source)s AND (told_at IS NULL OR told_at <= %(before)s)
"""
TAKE = """
    WITH before AS (
        SELECT source_id,
               least(%(burst)s, "left" + greatest(extract(epoch FROM %(now)s - counted_at), 0)::float8 * %(rate)s) AS there
        FROM incidents_intakeallowance WHERE source_id = %(source)s FOR UPDATE
    )
    UPDATE incidents_intakeallowance a
    SET "left" = before.there - least(%(wanted)s, floor(before.there)), counted_at = greatest(a.counted_at, %(now)s)
    FROM before WHERE a.source_id = before.source_id
    RETURNING before.there
"""


@dataclass
class _Share:
    """What one process may still take of a source's deliveries until then; a refusal is that there is nothing until then."""

    left: int
    until: datetime
    rate: int
    is_refusal: bool = False


_lock = threading.Lock()
_shares: dict[int, _Share] = {}
_depth: tuple[datetime, int] | None = None


def spend(source: AlertSource, *, now: datetime) -> None:
    """Take one delivery from what the source may send. Raises Refused (429) with the seconds after which there is room again."""
    with _lock:
        share = _shares.get(source.pk)
        if share is None or share.rate != source.most_per_minute or not _lasts(share, now=now):
            share = _take(source, now=now)
            _shares[source.pk] = share
        if share.left > 0:
            share.left -= 1
            return
    seconds = max(1, round((share.until - now).total_seconds()))
    raise Refused(
        429,
        f"{source.name} sends more than {source.most_per_minute} deliveries a minute; send again after {seconds} s.",
        reason="rate limit",
        retry_after=seconds,
    )


def _lasts(share: _Share, *, now: datetime) -> bool:
    """Whether a share may still be used, or is known to be empty; one that is used up is asked for anew at once."""
    return (share.left > 0 or share.is_refusal) and now < share.until <= now + LONGEST


def _take(source: AlertSource, *, now: datetime) -> _Share:
    per_second = max(source.most_per_minute, 1) / 60
    burst, wanted = per_second * BURST_SECONDS, max(1, int(per_second * SHARE_SECONDS))
    with connection.cursor() as cursor:
        cursor.execute(FILL, [source.pk, burst, now])
        given: dict[str, float | datetime] = {
            "source": source.pk,
            "burst": burst,
            "now": now,
            "rate": per_second,
            "wanted": wanted,
        }
        cursor.execute(TAKE, given)
        row = cursor.fetchone()
    there = float(row[0]) if row else 0.0
    taken = min(wanted, int(there))
    if taken > 0:
        return _Share(taken, now + SHARE_LASTS, source.most_per_minute)
    _tell(source, now=now)
    pause = min(LONGEST, timedelta(seconds=max(1.0, (1 - there) / per_second)))
    return _Share(0, now + pause, source.most_per_minute, is_refusal=True)


def _tell(source: AlertSource, *, now: datetime) -> None:
    """Have those who set sources up told, once however many processes refuse; safe to call at each refusal that asks the database."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(CLAIM_TELLING, {"source": source.pk, "now": now, "before": now - TOLD_FOR})
        if cursor.rowcount:
            outbox.enqueue(task=TELL, arguments=[source.pk], queue="intake")


def require_room(*, now: datetime) -> None:
    """Raise Refused (503) while so many tasks wait that further deliveries would only wait longer; looked at every two seconds."""
    global _depth
    with _lock:
        if _depth is None or abs(now - _depth[0]) >= DEPTH_EVERY:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM (SELECT 1 FROM incidents_outboxmessage LIMIT %s) waiting", [MOST_WAITING + 1]
                )
                _depth = now, cursor.fetchone()[0]
        waiting = _depth[1]
    if waiting > MOST_WAITING:
        raise Refused(
            503,
            f"More than {MOST_WAITING} tasks wait for workers; send this delivery again in 30 s.",
            reason="outbox full",
            retry_after=30,
        )


def forget() -> None:
    """Forget this process's shares and what it knows of the outbox, for example because the rows were deleted."""
    global _depth
    with _lock:
        _shares.clear()
        _depth = None
