"""Lets kept deliveries go: after two weeks, and earlier what nobody could use, so that a sender of rubbish fills no disk."""

from datetime import datetime, timedelta

from django.db import connection

KEPT = timedelta(days=14)
MOST_UNUSABLE = 200  # a source, the newest
EVENTS_KEPT = timedelta(days=400)
AT_A_TIME = 20_000
OLD = """
    DELETE FROM incidents_rawevent WHERE id IN (SELECT id FROM incidents_rawevent WHERE received_at < %s LIMIT %s)
"""
UNUSABLE = """
    DELETE FROM incidents_rawevent WHERE id IN (
        SELECT id FROM (
            SELECT id, row_number() OVER (PARTITION BY source_id ORDER BY received_at DESC) AS place
            FROM incidents_rawevent WHERE alerts = 0 AND problem <> ''
        ) ranked WHERE place > %s LIMIT %s
    )
"""
OLD_EVENTS = """
    DELETE FROM incidents_alertevent WHERE id IN (SELECT id FROM incidents_alertevent WHERE received_at < %s LIMIT %s)
"""


def drop_old(*, now: datetime) -> int:
    """Delete what is too old, at most 20,000 rows of each kind a call, and return how many went."""
    with connection.cursor() as cursor:
        cursor.execute(OLD, [now - KEPT, AT_A_TIME])
        gone = int(cursor.rowcount)
        cursor.execute(UNUSABLE, [MOST_UNUSABLE, AT_A_TIME])
        gone += int(cursor.rowcount)
        cursor.execute(OLD_EVENTS, [now - EVENTS_KEPT, AT_A_TIME])
        return gone + int(cursor.rowcount)
