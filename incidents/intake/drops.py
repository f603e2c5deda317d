"""Counts what was refused or dropped, by reason and minute. Counting is cheap: a flood is written down once a second."""

import atexit
import logging
import threading
from collections import defaultdict
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError, connection

log = logging.getLogger(__name__)

WRITTEN_EVERY = timedelta(seconds=1)
AWAY = timedelta(seconds=10)  # after a write that failed no request waits for another try for so long
MOST_KEYS = 1_000  # different counts kept in memory; beyond, they are written at once
UPSERT = """
    INSERT INTO incidents_dropcount (minute_at, what, source, reason, count)
    VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (minute_at, what, source, reason) DO UPDATE SET count = incidents_dropcount.count + excluded.count
"""
WHAT = {"/in/": "deliveries", "/v2/": "deliveries", "/v1/": "telemetry"}  # what is sent to a path; "requests" to others
UNKNOWN = "unknown"  # whose
Key = tuple[datetime, str, str, str]
_lock = threading.Lock()
_counted: dict[Key, int] = defaultdict(int)
_failed_at: datetime | None = None
_written: dict[tuple[str, str, str], datetime] = {}  # when each kind of drop was last written by this process


def count(*, what: str, source: str, reason: str, n: int, now: datetime) -> None:
    """Count `n` refused or dropped records: `what` they are (alerts, changes, deliveries), whose, and why in a few words.

    Written at once, but for what repeats within a second, which waits for the next call, the next delivery or the process's end.
    Never raises: while the database is away the counts stay in memory.
    """
    kind = what[:30], source[:100], reason[:100]
    with _lock:
        _counted[now.replace(second=0, microsecond=0), *kind] += n
        last = _written.get(kind)
        is_due = last is None or abs(now - last) >= WRITTEN_EVERY or len(_counted) > MOST_KEYS
        is_away = _failed_at is not None and abs(now - _failed_at) < AWAY
    if is_due and not is_away:
        flush(now=now)


def count_request(path: str, *, reason: str, now: datetime) -> None:
    """Count a request that was refused before any view saw it, so nobody knows whose it is. The thread keeps no database connection."""
    what = next((what for prefix, what in WHAT.items() if path.startswith(prefix)), "requests")
    try:
        count(what=what, source=UNKNOWN, reason=reason, n=1, now=now)
    finally:
        connection.close()


def write_due(*, now: datetime) -> None:
    """Write what was counted if the last of it was written a second ago; costs nothing when nothing was counted."""
    if _counted and all(abs(now - at) >= WRITTEN_EVERY for at in _written.values()):
        flush(now=now)


def flush(*, now: datetime | None = None) -> None:
    """Write what was counted."""
    global _failed_at
    with _lock:
        _failed_at = None
        waiting = dict(_counted)
        _counted.clear()
        if now is not None:
            if len(_written) > MOST_KEYS:
                _written.clear()
            _written.update({key[1:]: now for key in waiting})
    if not waiting:
        return
    try:
        with connection.cursor() as cursor:
            cursor.executemany(UPSERT, [(*key, n) for key, n in sorted(waiting.items())])
    except (DatabaseError, InterfaceError) as error:
        log.warning("drop counts wait in memory: %s", str(error).strip().partition("\n")[0])
        with _lock:
            _failed_at = now
            if len(_counted) <= MOST_KEYS:
                for key, n in waiting.items():
                    _counted[key] += n


atexit.register(flush)
