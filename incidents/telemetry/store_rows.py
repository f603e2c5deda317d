"""Writes one batch of records into the hot store's tables, all of it or nothing."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from psycopg import sql

from incidents.telemetry import span_series, store_columns
from incidents.telemetry.datamodel import LogRecord, MetricPoint, SeriesKey, Span, TelemetryBatch, span_table
from incidents.telemetry.store_schema import HOUR_NS, name_id, series_id
from incidents.telemetry.versions import Versions

SPAN_TYPES = ("int8", "int8", "int8", "int8", "int8", "int8", "uuid", "int2", "bool", "text")
LOG_TYPES = ("int8", "int8", "int8", "uuid", "int2", "text", "text")
STATS_TYPES = ("int8", "int8", "int8", "bytea")
POINT_COLUMNS = {"series_id": ">i8", "time_ns": ">i8", "value": ">f8"}
CELL = np.dtype([("bin", "<i2"), ("count", "<i4"), ("errors", "<i4")])
MOST_KNOWN = 200_000


class Batch:
    """A batch with what follows from it: its request counts, and the partitions, names and series that it needs."""

    def __init__(self, records: TelemetryBatch, versions: Versions) -> None:
        self.records = records
        self.versions = versions
        self.cells = span_series.count(span_table(records.spans))
        self.names = (
            {s.service for s in records.spans}
            | {s.operation for s in records.spans}
            | {r.service for r in records.logs}
        )
        self.series = {_series_of(p): p for p in records.points}

    def partitions(self) -> set[tuple[str, int]]:
        """Return the partitions that the records fall into, as (table, hours since the epoch)."""
        times = {
            "spans": (s.start_ns for s in self.records.spans),
            "logs": (r.time_ns for r in self.records.logs),
            "points": (p.time_ns for p in self.records.points),
            "span_stats": (int(b) * 1_000_000_000 for b in np.unique(self.cells.bucket)),
        }
        return {(table, hour) for table, found in times.items() for hour in {time // HOUR_NS for time in found}}


def _series_of(point: MetricPoint) -> int:
    return series_id(
        SeriesKey(point.service, point.name, point.attributes, point.unit), point.is_counter, point.instance
    )


class RowWriter:
    """Writes batches into one schema. It remembers which names and series are stored, so that most writes only copy rows."""

    def __init__(self, *, schema: str) -> None:
        self.schema = schema
        self._known: set[int] = set()

    def write(self, connection: psycopg.Connection, batch: Batch) -> None:
        """Write the batch in one transaction."""
        names = {name_id(name): name for name in batch.names}
        new_names = {key: name for key, name in names.items() if key not in self._known}
        new_series = {key: point for key, point in batch.series.items() if key not in self._known}
        with connection.transaction(), connection.cursor() as cursor:
            self._write_names(cursor, new_names, new_series)
            self._write_versions(cursor, batch.versions)
            self._copy(cursor, "spans", SPAN_TYPES, _span_rows(batch.records.spans))
            self._copy(cursor, "logs", LOG_TYPES, _log_rows(batch.records.logs))
            self._copy(cursor, "span_stats", STATS_TYPES, _stats_rows(batch.cells))
            self._copy_points(connection, batch.records.points)
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        self._known.update(new_names, new_series)

    def _write_names(self, cursor: psycopg.Cursor[Any], names: dict[int, str], series: dict[int, MetricPoint]) -> None:
        # In the order of their ids: two writers that add the same ones wait for each other, never in a circle.
        if names:
            ids = sorted(names)
            cursor.execute(
                self._sql(
                    "INSERT INTO {} SELECT * FROM unnest(%s::int8[], %s::text[]) ON CONFLICT DO NOTHING", "names"
                ),
                (ids, [names[key] for key in ids]),
            )
        if series:
            statement = self._sql("INSERT INTO {} VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING", "series")
            cursor.executemany(
                statement,
                [
                    (key, p.service, p.name, p.attributes, p.unit, p.is_counter, p.instance)
                    for key, p in sorted(series.items())
                ],
            )

    def _write_versions(self, cursor: psycopg.Cursor[Any], versions: Versions) -> None:
        statement = self._sql(
            "INSERT INTO {} AS known VALUES (%s, %s, %s) ON CONFLICT (service, version) DO UPDATE SET first_seen_ns = excluded.first_seen_ns"
            " WHERE excluded.first_seen_ns < known.first_seen_ns",
            "service_versions",
        )
        for (service, version), time_ns in sorted(versions.items()):
            cursor.execute(statement, (service, version, time_ns))

    def _copy(
        self, cursor: psycopg.Cursor[Any], table: str, types: Sequence[str], rows: Iterable[Sequence[object]]
    ) -> None:
        rows = iter(rows)
        first = next(rows, None)
        if first is None:
            return
        with cursor.copy(self._sql("COPY {} FROM STDIN (FORMAT BINARY)", table)) as copy:
            copy.set_types(types)
            copy.write_row(first)
            for row in rows:
                copy.write_row(row)

    def _copy_points(self, connection: psycopg.Connection, points: Sequence[MetricPoint]) -> None:
        if points:
            values = {
                "series_id": np.array([_series_of(p) for p in points], dtype=np.int64),
                "time_ns": np.array([p.time_ns for p in points], dtype=np.int64),
                "value": np.array([p.value for p in points], dtype=np.float64),
            }
            store_columns.store(connection, POINT_COLUMNS, values, table=sql.Identifier(self.schema, "points"))

    def _sql(self, statement: str, table: str) -> sql.Composed:
        return sql.SQL(statement).format(sql.Identifier(self.schema, table))


def _span_rows(spans: Sequence[Span]) -> Iterator[Sequence[object]]:
    for trace_id, span_id, parent_id, service, operation, kind, start_ns, duration_ns, is_error, attributes in spans:
        yield (
            start_ns,
            duration_ns,
            span_id,
            parent_id,
            name_id(service),
            name_id(operation),
            UUID(bytes=trace_id),
            kind,
            is_error,
            attributes,
        )


def _log_rows(logs: Sequence[LogRecord]) -> Iterator[Sequence[object]]:
    for time_ns, service, severity, body, trace_id, span_id, attributes in logs:
        yield (
            time_ns,
            name_id(service),
            span_id,
            UUID(bytes=trace_id) if trace_id else None,
            severity,
            body,
            attributes,
        )


def _stats_rows(cells: span_series.SpanCells) -> Iterator[Sequence[object]]:
    """Yield one row for each bucket, service and operation; the cells come sorted by these."""
    if not len(cells.bucket):
        return
    packed = np.zeros(len(cells.bucket), dtype=CELL)
    packed["bin"], packed["count"], packed["errors"] = cells.bin, cells.count, cells.errors
    new = np.ones(len(packed), dtype=np.bool_)
    new[1:] = (np.diff(cells.bucket) != 0) | (np.diff(cells.service) != 0) | (np.diff(cells.operation) != 0)
    starts = np.flatnonzero(new)
    for low, high in zip(starts.tolist(), [*starts[1:].tolist(), len(packed)], strict=True):
        yield (
            int(cells.bucket[low]) * 1_000_000_000,
            name_id(cells.services[cells.service[low]]),
            name_id(cells.operations[cells.operation[low]]),
            packed[low:high].tobytes(),
        )
