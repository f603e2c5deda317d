"""Connections to the hot store's database, and its errors told as telemetry errors."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.datamodel import Window

MOST_CONNECTIONS = 4  # of one process
SECONDS_TO_CONNECT = 5
SECONDS_TO_ANSWER = 30
SECONDS_FOR_A_LOCK = 10


class StorageFull(TelemetryError):
    """The disk under the database is full. Reading still works; writing works again once there is space."""


@lru_cache(maxsize=16)
def database(dsn: str) -> "Database":
    """Return the process's connections to this database: stores come and go, one a task or view, and share them."""
    return Database(dsn)


class Database:
    """A few connections to one database, opened when they are first needed and again after a fork."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool: ConnectionPool[psycopg.Connection] | None = None
        self._owner = 0
        self._opening = threading.Lock()

    @contextmanager
    def connection(self, doing: str, window: Window | None = None) -> Iterator[psycopg.Connection]:
        """Lend a connection in autocommit mode. What goes wrong is raised as StorageFull or TelemetryError that says what was being done."""
        began = time.monotonic()
        try:
            with self._opened().connection() as connection:
                yield connection
        except psycopg.errors.DiskFull as error:
            raise StorageFull(
                f"The database at {self._host()} has no disk space left: {_first_line(error)}. Free space or shorten retention."
            ) from error
        except (psycopg.Error, PoolTimeout) as error:
            asked = f"{doing} from {window.start:%Y-%m-%d %H:%M:%S} to {window.end:%H:%M:%S} UTC" if window else doing
            raise TelemetryError(
                f"The database at {self._host()} could not {asked} ({time.monotonic() - began:.1f} s): {_first_line(error)}."
            ) from error

    def close(self) -> None:
        """Close the connections; they are opened again when one is needed."""
        if self._pool is not None and self._owner == os.getpid():
            self._pool.close()
        self._pool = None

    def _opened(self) -> "ConnectionPool[psycopg.Connection]":
        with self._opening:
            if self._pool is None or self._owner != os.getpid():
                self._owner = os.getpid()
                limits = f"-c statement_timeout={SECONDS_TO_ANSWER}s -c lock_timeout={SECONDS_FOR_A_LOCK}s"
                self._pool = ConnectionPool(
                    self._dsn,
                    min_size=0,
                    max_size=MOST_CONNECTIONS,
                    timeout=SECONDS_TO_CONNECT,
                    reconnect_timeout=SECONDS_TO_CONNECT,
                    check=ConnectionPool.check_connection,
                    kwargs={"autocommit": True, "connect_timeout": SECONDS_TO_CONNECT, "options": limits},
                    open=True,
                )
            return self._pool

    def _host(self) -> str:
        parts = conninfo_to_dict(self._dsn)
        return f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
