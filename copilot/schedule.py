"""The schedule, sent by one process at a time however many are started: the one that holds a lock of the database.

Another that waits takes over within seconds when that process ends, is cut off, or stands still.
"""

import logging
from typing import Any

import psycopg
from celery.beat import PersistentScheduler
from django.conf import settings

LOG = logging.getLogger(__name__)

LOCK = 0x5C4ED01E  # of PostgreSQL's advisory locks
STANDBY_SECONDS = 2.0
# A holder asks at every tick; one that has not for so long stands still, and the database takes the lock from it.
OPTIONS = "-c idle_session_timeout=30000 -c statement_timeout=5000"


class LockedScheduler(PersistentScheduler):
    """Sends what is due while this process holds the lock, and nothing while another does or the database is away."""

    _session: psycopg.Connection[Any] | None = None

    def tick(self, *args: Any, **more: Any) -> float:
        """Send one task that is due; return the seconds until the next call."""
        if not self._holds_lock():
            return STANDBY_SECONDS
        return float(super().tick(*args, **more))

    def close(self) -> None:
        """Let go of the lock and write down when each task was last sent."""
        self._let_go()
        super().close()

    def _holds_lock(self) -> bool:
        try:
            if self._session is not None:
                self._session.execute("SELECT 1")
                return True
            session = psycopg.connect(settings.DATABASE_URL, autocommit=True, connect_timeout=5, options=OPTIONS)
            self._session = session
            if session.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone() == (True,):
                LOG.info("schedule: this process sends what is due")
                return True
        except psycopg.Error as error:
            LOG.warning("schedule: nothing is sent until the database answers: %s", str(error).strip())
        self._let_go()
        return False

    def _let_go(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
