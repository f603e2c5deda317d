"""The built-in hot store: recent telemetry in PostgreSQL, a schema of its own for live data and for each replay."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import psycopg
from psycopg import sql

from incidents.telemetry import metric_series, span_series, store_schema, versions
from incidents.telemetry.backend import TelemetryError
from incidents.telemetry.datamodel import (
    ChangeRecord,
    LogRecord,
    MetricSeries,
    Span,
    SpanTable,
    TelemetryBatch,
    Window,
    from_ns,
    to_ns,
)
from incidents.telemetry.otlp import Decoded
from incidents.telemetry.store_connection import StorageFull, database
from incidents.telemetry.store_reads import Reader
from incidents.telemetry.store_rows import Batch, RowWriter

__all__ = ["LIVE", "HotStore", "StorageFull"]

LIVE = "telemetry"
MOST_NEW_PARTITIONS = 2_000  # of one write: three weeks in four tables


class HotStore:
    """A TelemetryBackend on one schema of a PostgreSQL database. Safe to share between threads; connects at its first use."""

    def __init__(self, dsn: str, *, schema: str = LIVE) -> None:
        if not store_schema.SCHEMA_NAME.fullmatch(schema):
            raise ValueError(f"{schema!r} cannot be a hot store's name: use a letter, then up to 50 of a-z, 0-9 and _.")
        self.schema = schema
        self._database = database(dsn)
        self._rows = RowWriter(schema=schema)
        self._partitions: set[tuple[str, int]] = set()

    @property
    def name(self) -> str:
        """What people call it."""
        return "built-in store" if self.schema == LIVE else f"built-in store, {self.schema}"

    def prepare(self) -> None:
        """Create the schema and its tables where they are missing; safe when several processes do so at once."""
        with self._database.connection("create the tables") as connection:
            store_schema.create(connection, schema=self.schema)

    def close(self) -> None:
        """Close the process's connections to this database; they are opened again when one is needed."""
        self._database.close()

    def write(self, records: Decoded | TelemetryBatch) -> None:
        """Store the records, all or none; when this returns they are committed. Raises StorageFull and other TelemetryErrors."""
        batch = Batch(records.batch, records.versions) if isinstance(records, Decoded) else Batch(records, {})
        with self._database.connection("write") as connection:
            try:
                self._write(connection, batch)
            except psycopg.errors.CheckViolation:
                # Another process dropped an hour that this one still takes for present.
                self._partitions.clear()
                self._write(connection, batch)

    def _write(self, connection: psycopg.Connection, batch: Batch) -> None:
        missing = batch.partitions() - self._partitions
        if len(missing) > MOST_NEW_PARTITIONS:
            raise TelemetryError(
                f"The records are spread over {len(missing)} hours and tables; at most {MOST_NEW_PARTITIONS} in one write."
            )
        if missing:
            store_schema.add_partitions(connection, schema=self.schema, wanted=missing)
            self._partitions |= missing
        self._rows.write(connection, batch)

    def drop_older_than(self, cutoff: datetime) -> int:
        """Drop the hours that ended before the cutoff, and return how many partitions that were."""
        with self._database.connection(f"drop what is older than {cutoff}") as connection:
            old = [
                name
                for name, _, hour in store_schema.partitions(connection, schema=self.schema)
                if (hour + 1) * store_schema.HOUR_NS <= to_ns(cutoff)
            ]
            for name in old:
                connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(self.schema, name)))
            self._partitions.clear()
        return len(old)

    def drop_schema(self) -> None:
        """Delete everything that this store holds, its tables included."""
        with self._database.connection("drop the schema") as connection:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(self.schema)))
        self._partitions.clear()
        self._rows = RowWriter(schema=self.schema)

    def window(self) -> Window | None:
        """Return from the first record held to just after the last one; None when it is empty."""
        with self._database.connection("find the first and last record") as connection:
            held = [p for p in store_schema.partitions(connection, schema=self.schema) if p[1] != "span_stats"]
            low = self._extreme(connection, held, "min")
            high = self._extreme(connection, held[::-1], "max")
        return None if low is None or high is None else Window(from_ns(low), from_ns(high + 1_000))

    def _extreme(
        self, connection: psycopg.Connection, held: Sequence[tuple[str, str, int]], which: Literal["min", "max"]
    ) -> int | None:
        """Return the earliest or latest time: it lies in the first hour, from this end, in which any table holds something."""
        found: list[int] = []
        decided: int | None = None
        for partition, table, hour in held:
            if decided is not None and hour != decided:
                break
            query = sql.SQL("SELECT {}({}) FROM {}").format(
                sql.SQL(which), sql.Identifier(store_schema.PARTITIONED[table]), sql.Identifier(self.schema, partition)
            )
            row = connection.execute(query).fetchone()
            if row and row[0] is not None:
                found.append(row[0])
                decided = hour
        return None if not found else min(found) if which == "min" else max(found)

    def span_count(self) -> int:
        """Return how many spans are held."""
        with self._database.connection("count the spans") as connection:
            row = connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(self.schema, "spans"))
            ).fetchone()
        return int(row[0]) if row else 0

    def fetch_metrics(self, window: Window, *, services: Sequence[str] | None = None) -> list[MetricSeries]:
        """Return every series with a sample in the window, those derived from spans included."""
        with self._database.connection("fetch metrics", window) as connection:
            reader = Reader(connection, self.schema)
            found = metric_series.series(reader.stored_series(window, services))
            return found + span_series.series(reader.span_cells(window, services), window=window)

    def fetch_spans(self, window: Window, *, services: Sequence[str] | None = None) -> SpanTable:
        """Return the spans that start in the window; of more than two million, an even share of whole traces."""
        with self._database.connection("fetch spans", window) as connection:
            return Reader(connection, self.schema).spans(window, services)

    def fetch_trace(self, trace_id: bytes) -> list[Span]:
        """Return one trace's spans by start, at most 10,000; empty when it is unknown."""
        with self._database.connection(f"fetch trace {trace_id.hex()}") as connection:
            return Reader(connection, self.schema).trace(trace_id) if len(trace_id) == 16 else []

    def fetch_logs(
        self, window: Window, *, services: Sequence[str] | None = None, limit: int = 50_000
    ) -> list[LogRecord]:
        """Return the log lines in the window in time order; at most `limit`, the newest when there are more."""
        with self._database.connection("fetch logs", window) as connection:
            return Reader(connection, self.schema).logs(window, services, limit=limit)

    def fetch_changes(self, window: Window) -> list[ChangeRecord]:
        """Return the versions first seen in the window that followed another one."""
        with self._database.connection("fetch changes", window) as connection:
            return versions.changes(Reader(connection, self.schema).versions(), window=window)
