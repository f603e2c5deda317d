"""Writes one batch of records into the hot store's tables, all of it or nothing."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from incidents.telemetry import span_series, store_columns
from incidents.telemetry.datamodel import (
    NANOSECONDS,
    LogRecord,
    MetricPoint,
    SeriesKey,
    SpanTable,
    TelemetryBatch,
    span_table,
)
from incidents.telemetry.store_schema import HOUR_NS, name_id, series_id
from incidents.telemetry.versions import Versions, merge

SPAN_COLUMNS = {
    "start_ns": ">i8",
    "duration_ns": ">i8",
    "span_id": ">i8",
    "parent_id": ">i8",
    "service_id": ">i8",
    "operation_id": ">i8",
    "trace_id": "V16",
    "kind": ">i2",
    "is_error": "?",
}
LOG_TYPES = ("int8", "int8", "int8", "uuid", "int2", "text", "text")
STATS_COLUMNS = {"bucket_ns": ">i8", "service_id": ">i8", "operation_id": ">i8"}
POINT_COLUMNS = {"series_id": ">i8", "time_ns": ">i8", "value": ">f8"}
CELL = np.dtype([("bin", "<i2"), ("count", "<i4"), ("errors", "<i4")])
MOST_KNOWN = 200_000
NEVER = 1 << 63


class Batch:
    """A batch with what follows from it: its request counts, and the partitions, names and series that it needs."""

    def __init__(self, records: TelemetryBatch, versions: Versions) -> None:
        self.records = records
        self.versions = versions
        self.spans = span_table(records.spans)
        self.cells = span_series.count(self.spans)
        self.names = {*self.spans.services, *self.spans.operations, *(r.service for r in records.logs)}
        self.series = {_series_of(p): p for p in records.points}

    def partitions(self) -> set[tuple[str, int]]:
        """Return the partitions that the records fall into, as (table, hours since the epoch)."""
        times = {
            "spans": self.spans.start_ns,
            "logs": np.array([r.time_ns for r in self.records.logs], dtype=np.int64),
            "points": np.array([p.time_ns for p in self.records.points], dtype=np.int64),
            "span_stats": self.cells.bucket * NANOSECONDS,
        }
        return {(table, hour) for table, found in times.items() for hour in np.unique(found // HOUR_NS).tolist()}


def _series_of(point: MetricPoint) -> int:
    return series_id(
        SeriesKey(point.service, point.name, point.attributes, point.unit), point.is_counter, point.instance
    )


class RowWriter:
    """Writes batches into one schema. It remembers which names, series and versions are stored, so that most writes only copy rows."""

    def __init__(self, *, schema: str) -> None:
        self.schema = schema
        self._known: set[int] = set()
        self._first_seen: dict[tuple[str, str], int] = {}

    def write(self, connection: psycopg.Connection, batch: Batch) -> None:
        """Write the batch in one transaction."""
        names = {name_id(name): name for name in batch.names}
        new_names = {key: name for key, name in names.items() if key not in self._known}
        new_series = {key: point for key, point in batch.series.items() if key not in self._known}
        with connection.transaction(), connection.cursor() as cursor:
            self._write_names(cursor, new_names, new_series)
            self._write_versions(cursor, batch.versions)
            self._copy_spans(connection, batch)
            self._copy(cursor, "logs", LOG_TYPES, _log_rows(batch.records.logs))
            self._copy_stats(connection, batch.cells)
            self._copy_points(connection, batch.records.points)
        if len(self._known) + len(self._first_seen) > MOST_KNOWN:
            self._known.clear()
            self._first_seen.clear()
        self._known.update(new_names, new_series)
        merge(self._first_seen, batch.versions)

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
            if time_ns < self._first_seen.get((service, version), NEVER):
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

    def _copy_spans(self, connection: psycopg.Connection, batch: Batch) -> None:
        if batch.records.spans:
            attributes = ("attributes", [s.attributes.encode() for s in batch.records.spans])
            table = sql.Identifier(self.schema, "spans")
            store_columns.store(connection, SPAN_COLUMNS, _span_columns(batch.spans), table=table, last=attributes)

    def _copy_stats(self, connection: psycopg.Connection, cells: span_series.SpanCells) -> None:
        if len(cells.bucket):
            values, packed = _stats_columns(cells)
            table = sql.Identifier(self.schema, "span_stats")
            store_columns.store(connection, STATS_COLUMNS, values, table=table, last=("cells", packed))

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


def _name_ids(names: Sequence[str]) -> NDArray[np.int64]:
    return np.array([name_id(name) for name in names], dtype=np.int64)


def _span_columns(spans: SpanTable) -> dict[str, NDArray[np.generic]]:
    return {
        "start_ns": spans.start_ns,
        "duration_ns": spans.duration_ns,
        "span_id": spans.span_id,
        "parent_id": spans.parent_id,
        "service_id": _name_ids(spans.services)[spans.service],
        "operation_id": _name_ids(spans.operations)[spans.operation],
        "trace_id": np.frombuffer(b"".join(spans.trace_ids), dtype="V16")[spans.trace],
        "kind": spans.kind,
        "is_error": spans.is_error,
    }


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


def _stats_columns(cells: span_series.SpanCells) -> tuple[dict[str, NDArray[np.generic]], list[bytes]]:
    """Return one row for each bucket, service and operation, with its cells packed; the cells come sorted by these."""
    packed = np.zeros(len(cells.bucket), dtype=CELL)
    packed["bin"], packed["count"], packed["errors"] = cells.bin, cells.count, cells.errors
    new = np.ones(len(packed), dtype=np.bool_)
    new[1:] = (np.diff(cells.bucket) != 0) | (np.diff(cells.service) != 0) | (np.diff(cells.operation) != 0)
    starts = np.flatnonzero(new)
    values: dict[str, NDArray[np.generic]] = {
        "bucket_ns": cells.bucket[starts] * NANOSECONDS,
        "service_id": _name_ids(cells.services)[cells.service[starts]],
        "operation_id": _name_ids(cells.operations)[cells.operation[starts]],
    }
    ends = [*starts[1:].tolist(), len(packed)]
    return values, [packed[low:high].tobytes() for low, high in zip(starts.tolist(), ends, strict=True)]
