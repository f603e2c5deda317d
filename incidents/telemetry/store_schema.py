"""The hot store's tables: one PostgreSQL schema, records partitioned by the hour in which they began.

Hours, because the window that an incident looks at then lies in one or two small partitions whose indexes stay in memory,
and because old data goes with the hour, not with the day. Times are nanoseconds since the epoch, exact as OTLP sends them.
Names and series are kept once, under 64-bit hashes of themselves, so that two writers agree on ids without asking each other.
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import psycopg
from psycopg import sql

from incidents.telemetry.datamodel import NANOSECONDS, SeriesKey

HOUR_NS = 3_600 * NANOSECONDS
PARTITIONED = {"spans": "start_ns", "logs": "time_ns", "points": "time_ns", "span_stats": "bucket_ns"}
SCHEMA_NAME = re.compile(r"[a-z][a-z0-9_]{0,50}")
TABLES = """
CREATE TABLE IF NOT EXISTS names (id int8 PRIMARY KEY, name text NOT NULL);
CREATE TABLE IF NOT EXISTS series (
    id int8 PRIMARY KEY, service text NOT NULL, name text NOT NULL, attributes text NOT NULL, unit text NOT NULL,
    is_counter bool NOT NULL, instance text NOT NULL);
CREATE INDEX IF NOT EXISTS series_by_service ON series (service);
CREATE TABLE IF NOT EXISTS service_versions (
    service text NOT NULL, version text NOT NULL, first_seen_ns int8 NOT NULL, PRIMARY KEY (service, version));
CREATE TABLE IF NOT EXISTS spans (
    start_ns int8 NOT NULL, duration_ns int8 NOT NULL, span_id int8 NOT NULL, parent_id int8 NOT NULL, service_id int8 NOT NULL,
    operation_id int8 NOT NULL, trace_id uuid NOT NULL, kind int2 NOT NULL, is_error bool NOT NULL, attributes text NOT NULL
) PARTITION BY RANGE (start_ns);
CREATE INDEX IF NOT EXISTS spans_by_time ON spans USING brin (start_ns) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX IF NOT EXISTS spans_by_trace ON spans (trace_id);
CREATE TABLE IF NOT EXISTS logs (
    time_ns int8 NOT NULL, service_id int8 NOT NULL, span_id int8 NOT NULL, trace_id uuid, severity int2 NOT NULL,
    body text NOT NULL, attributes text NOT NULL
) PARTITION BY RANGE (time_ns);
CREATE INDEX IF NOT EXISTS logs_by_time ON logs USING brin (time_ns) WITH (pages_per_range = 16, autosummarize = on);
CREATE TABLE IF NOT EXISTS points (series_id int8 NOT NULL, time_ns int8 NOT NULL, value float8 NOT NULL) PARTITION BY RANGE (time_ns);
CREATE INDEX IF NOT EXISTS points_by_time ON points USING brin (time_ns) WITH (pages_per_range = 16, autosummarize = on);
CREATE TABLE IF NOT EXISTS span_stats (
    bucket_ns int8 NOT NULL, service_id int8 NOT NULL, operation_id int8 NOT NULL, cells bytea NOT NULL
) PARTITION BY RANGE (bucket_ns);
CREATE INDEX IF NOT EXISTS span_stats_by_time ON span_stats USING brin (bucket_ns) WITH (pages_per_range = 16, autosummarize = on);
COMMENT ON TABLE span_stats IS 'Requests of one write, by the end of their 10 s bucket; cells: (bin int2, count int4, errors int4) little-endian';
"""


@lru_cache(maxsize=65_536)
def name_id(name: str) -> int:
    """Return the 64-bit id under which a name is kept."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


@lru_cache(maxsize=65_536)
def series_id(key: SeriesKey, is_counter: bool, instance: str) -> int:
    """Return the 64-bit id under which a series is kept."""
    return name_id("\x1f".join((*key, "counter" if is_counter else "gauge", instance)))


def create(connection: psycopg.Connection, *, schema: str) -> None:
    """Create the schema and its tables where they are missing; several processes may do so at once."""
    with connection.transaction():
        _lock(connection, schema=schema)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(schema)))
        connection.execute(TABLES)


def _lock(connection: psycopg.Connection, *, schema: str) -> None:
    """Wait until no other process changes this schema's tables; the transaction's end lets go."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('telemetry tables'), hashtext(%s))", (schema,))


def add_partitions(connection: psycopg.Connection, *, schema: str, wanted: Iterable[tuple[str, int]]) -> None:
    """Create partitions, given as (table, hours since the epoch), in a transaction of their own: writers wait only for that."""
    with connection.transaction():
        _lock(connection, schema=schema)
        for table, hour in sorted(wanted):
            connection.execute(
                sql.SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier(schema, partition_name(table, hour)),
                    sql.Identifier(schema, table),
                    sql.Literal(hour * HOUR_NS),
                    sql.Literal((hour + 1) * HOUR_NS),
                )
            )


def partition_name(table: str, hour: int) -> str:
    """Return a partition's name: its table and the UTC hour in which its records began."""
    return f"{table}_{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hour):%Y%m%d%H}"


def partitions(
    connection: psycopg.Connection, *, schema: str, tables: Collection[str] = tuple(PARTITIONED)
) -> list[tuple[str, str, int]]:
    """Return (partition, table, hours since the epoch) of every partition, oldest first."""
    rows = connection.execute(
        "SELECT c.relname, p.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent"
        " JOIN pg_namespace n ON n.oid = p.relnamespace WHERE n.nspname = %s AND p.relname = ANY(%s) AND p.relkind = 'p'",
        (schema, list(tables)),
    )
    found = []
    for partition, table in rows:
        began = datetime.strptime(partition[-10:], "%Y%m%d%H").replace(tzinfo=UTC)
        found.append((partition, table, int(began.timestamp()) // 3_600))
    return sorted(found, key=lambda row: (row[2], row[1]))
