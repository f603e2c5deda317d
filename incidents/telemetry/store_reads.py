"""Reads one window out of the hot store's tables, as columns wherever there may be many rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from incidents.telemetry import metric_series, span_series, store_columns, store_schema
from incidents.telemetry.datamodel import NANOSECONDS, LogRecord, SeriesKey, Span, SpanTable, Window
from incidents.telemetry.store_rows import CELL, POINT_COLUMNS, SPAN_COLUMNS
from incidents.telemetry.versions import Versions

MOST_SPANS = 2_000_000  # of one fetch; of more, whole traces are left out evenly
LEAST_SPAN_BYTES = 96  # of a row on disk: its head and its columns, the attributes empty
LONGEST_TRACE = 10_000
LOG_NUMBERS = {"time_ns": ">i8", "service_id": ">i8", "severity": ">i2", "span_id": ">i8", "trace_id": "V16"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads from one schema over one connection; `services` limits to those services, None means all."""

    connection: psycopg.Connection
    schema: str

    def stored_series(self, window: Window, services: Sequence[str] | None) -> Iterator[metric_series.StoredSeries]:
        """Yield the series of points as they were stored: totals still as totals, instances apart."""
        source = sql.SQL("{} WHERE ").format(self._table("points")) + _within("time_ns", window)
        if services is not None:
            source += sql.SQL(" AND series_id IN (SELECT id FROM {} WHERE service = ANY({}))").format(
                self._table("series"), sql.Literal(list(services))
            )
        columns = store_columns.fetch(self.connection, POINT_COLUMNS, source=source)
        ids = columns["series_id"].astype(np.int64)
        if not len(ids):
            return
        order = np.argsort(ids, kind="stable")
        ids, times = ids[order], columns["time_ns"].astype(np.int64)[order] / NANOSECONDS
        values = columns["value"].astype(np.float64)[order]
        first = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
        keys = self._series_keys(ids[first].tolist())
        for low, high in zip(first, np.append(first[1:], len(ids)), strict=True):
            yield metric_series.StoredSeries(
                *keys[int(ids[low])], *metric_series.in_order(times[low:high], values[low:high])
            )

    def _series_keys(self, ids: list[int]) -> dict[int, tuple[SeriesKey, bool, str]]:
        query = sql.SQL("SELECT id, service, name, attributes, unit, is_counter, instance FROM {} WHERE id = ANY(%s)")
        rows = self.connection.execute(query.format(self._table("series")), (ids,))
        return {row[0]: (SeriesKey(*row[1:5]), row[5], row[6]) for row in rows}

    def span_cells(self, window: Window, services: Sequence[str] | None) -> span_series.SpanCells:
        """Return the request counts of the window."""
        query = sql.SQL(
            "SELECT string_agg(int8send(bucket_ns) || int8send(service_id) || int8send(operation_id) || int8send(length(cells)), ''),"
            " string_agg(cells, '') FROM {} WHERE "
        ).format(self._table("span_stats"))
        with self.connection.cursor(binary=True) as cursor:
            found = cursor.execute(query + _within("bucket_ns", window) + _of_services(services)).fetchone()
        heads, cells = (value or b"" for value in found or (b"", b""))
        packed = np.frombuffer(cells, dtype=CELL)
        numbers = np.frombuffer(heads, dtype=">i8").astype(np.int64).reshape(-1, 4)
        repeats = numbers[:, 3] // CELL.itemsize
        services_found, service = self._vocabulary(numbers[:, 1])
        operations_found, operation = self._vocabulary(numbers[:, 2])
        return span_series.SpanCells(
            services_found,
            operations_found,
            np.repeat(numbers[:, 0] // NANOSECONDS, repeats),
            np.repeat(service, repeats),
            np.repeat(operation, repeats),
            packed["bin"].astype(np.int16),
            packed["count"].astype(np.int32),
            packed["errors"].astype(np.int32),
        )

    def spans(self, window: Window, services: Sequence[str] | None) -> SpanTable:
        """Return the spans that start in the window."""
        condition = _within("start_ns", window) + _of_services(services)
        condition += self._share(condition, window)
        source = sql.SQL("{} WHERE ").format(self._table("spans")) + condition
        rows = store_columns.fetch(self.connection, SPAN_COLUMNS, source=source)
        services_found, service = self._vocabulary(rows["service_id"].astype(np.int64))
        operations_found, operation = self._vocabulary(rows["operation_id"].astype(np.int64))
        trace_ids, trace = _numbered(rows["trace_id"])
        return SpanTable(
            services=services_found,
            operations=operations_found,
            trace_ids=trace_ids,
            trace=trace,
            span_id=rows["span_id"].astype(np.int64),
            parent_id=rows["parent_id"].astype(np.int64),
            service=service,
            operation=operation,
            kind=rows["kind"].astype(np.int8),
            start_ns=rows["start_ns"].astype(np.int64),
            duration_ns=rows["duration_ns"].astype(np.int64),
            is_error=rows["is_error"].astype(np.bool_),
        )

    def _share(self, condition: sql.Composable, window: Window) -> sql.Composable:
        """Return the condition that leaves out enough traces, whole ones, for the rest to fit."""
        if self._span_bytes(window) <= MOST_SPANS * LEAST_SPAN_BYTES:
            return sql.SQL("")  # they cannot be too many: no need to count them, which takes a fifth of reading them
        query = sql.SQL("SELECT count(*) FROM {} WHERE ").format(self._table("spans")) + condition
        row = self.connection.execute(query).fetchone()
        parts = -(-int(row[0]) // MOST_SPANS) if row else 1
        if parts <= 1:
            return sql.SQL("")
        # The last byte of a trace id is random whoever made it; the first ones may be a time.
        return sql.SQL(" AND mod(get_byte(uuid_send(trace_id), 15), {}) = 0").format(sql.Literal(parts))

    def _span_bytes(self, window: Window) -> int:
        """Return the size of the hours that the window touches."""
        hours = range(window.start_ns // store_schema.HOUR_NS, (window.end_ns - 1) // store_schema.HOUR_NS + 1)
        names = [f'"{self.schema}".{store_schema.partition_name("spans", hour)}' for hour in hours]
        query = "SELECT coalesce(sum(pg_relation_size(to_regclass(name))), 0) FROM unnest(%s::text[]) AS name"
        row = self.connection.execute(query, (names,)).fetchone()
        return int(row[0]) if row else 0

    def trace(self, trace_id: bytes) -> list[Span]:
        """Return one trace's spans by start."""
        query = sql.SQL(
            "SELECT uuid_send(trace_id), span_id, parent_id, service_id, operation_id, kind, start_ns, duration_ns, is_error, attributes"
            " FROM {} WHERE trace_id = %s ORDER BY start_ns, duration_ns DESC LIMIT {}"
        ).format(self._table("spans"), sql.Literal(LONGEST_TRACE))
        rows = self.connection.execute(query, (UUID(bytes=trace_id),), binary=True).fetchall()
        names = self._names([key for row in rows for key in row[3:5]])
        return [Span._make((*row[:3], names[row[3]], names[row[4]], *row[5:])) for row in rows]

    def logs(self, window: Window, services: Sequence[str] | None, *, limit: int) -> list[LogRecord]:
        """Return the newest log lines in time order."""
        # A trace id of zeros is none: OpenTelemetry forbids it.
        query = sql.SQL(
            "SELECT int8send(time_ns) || int8send(service_id) || int2send(severity) || int8send(span_id)"
            " || coalesce(uuid_send(trace_id), decode(repeat('00', 16), 'hex')), body, attributes FROM {} WHERE "
        ).format(self._table("logs"))
        query += _within("time_ns", window) + _of_services(services)
        query += sql.SQL(" ORDER BY time_ns DESC LIMIT {}").format(sql.Literal(limit))
        numbers, (bodies, attributes) = store_columns.fetch_texts(self.connection, LOG_NUMBERS, query=query)
        found, service = self._vocabulary(numbers["service_id"].astype(np.int64))
        lines = map(
            LogRecord,
            numbers["time_ns"].tolist(),
            [found[place] for place in service.tolist()],
            numbers["severity"].tolist(),
            bodies,
            [bytes(trace) if any(trace) else b"" for trace in numbers["trace_id"].tolist()],
            numbers["span_id"].tolist(),
            attributes,
        )
        return list(lines)[::-1]

    def versions(self) -> Versions:
        """Return when each version of each service was first seen."""
        query = sql.SQL("SELECT service, version, first_seen_ns FROM {}").format(self._table("service_versions"))
        return {(row[0], row[1]): row[2] for row in self.connection.execute(query)}

    def _vocabulary(self, ids: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int32]]:
        """Return the names behind the ids, and for each id the place of its name among them."""
        found, place = np.unique(ids, return_inverse=True)
        names = self._names(found.tolist())
        return [names[key] for key in found.tolist()], place.astype(np.int32)

    def _names(self, ids: Sequence[int]) -> Mapping[int, str]:
        query = sql.SQL("SELECT id, name FROM {} WHERE id = ANY(%s)").format(self._table("names"))
        return dict(self.connection.execute(query, (list(set(ids)),)).fetchall())

    def _table(self, table: str) -> sql.Identifier:
        return sql.Identifier(self.schema, table)


def _within(column: str, window: Window) -> sql.Composed:
    # Written out, not bound: the planner then leaves the other hours' partitions alone.
    return sql.SQL("{0} >= {1} AND {0} < {2}").format(
        sql.Identifier(column), sql.Literal(window.start_ns), sql.Literal(window.end_ns)
    )


def _of_services(services: Sequence[str] | None) -> sql.Composable:
    if services is None:
        return sql.SQL("")
    return sql.SQL(" AND service_id = ANY({}::int8[])").format(
        sql.Literal([store_schema.name_id(name) for name in services])
    )


def _numbered(trace_ids: NDArray[np.generic]) -> tuple[list[bytes], NDArray[np.int32]]:
    """Number the 16-byte ids: return each one once, and for each row which one it is."""
    halves = np.ascontiguousarray(trace_ids).view(">u8").reshape(-1, 2).astype(np.uint64)
    # The last half alone tells traces apart, as good as always: sorting by both takes twice as long.
    order = np.argsort(halves[:, 1], kind="stable")
    sorted_halves = halves[order]
    same = sorted_halves[1:] == sorted_halves[:-1]
    if (same[:, 1] & ~same[:, 0]).any():
        order = np.lexsort((halves[:, 1], halves[:, 0]))
        sorted_halves = halves[order]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (sorted_halves[1:] != sorted_halves[:-1]).any(axis=1)
    number = np.empty(len(order), dtype=np.int32)
    number[order] = np.cumsum(new) - 1
    return [bytes(trace_id) for trace_id in trace_ids[order[new]]], number
