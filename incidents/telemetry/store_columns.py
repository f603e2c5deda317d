"""Columns to and from PostgreSQL in its binary formats: between NumPy and the server no loop in Python touches a row.

They go in by COPY and come out as one array a column: the server sends a COPY's rows one by one, an array at once (measured: a
quarter of a million spans cost 1 s of processor time as rows and 0.02 s as arrays).
Sources: PostgreSQL documentation, COPY, "Binary Format": a 19-byte header, then each row as a 16-bit count of fields and each
field as a 32-bit length and its bytes, all big-endian; -1 as the count ends it. Arrays (array_send): 20 bytes about one
dimension, then each element as a 32-bit length and its bytes.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
ARRAY_HEADER = 20
Columns = Mapping[str, str]  # name → NumPy type: ">i8", ">f8", ">i2", "?" or "V16" (uuid)


def _row_type(columns: Columns) -> np.dtype[np.void]:
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in columns.items():
        fields += [(f"length of {name}", ">i4"), (name, kind)]
    return np.dtype(fields)


def pack(columns: Columns, values: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Return the columns, each of shape (n,), as a binary COPY stream."""
    return HEADER + _rows(columns, values, fields=len(columns)).tobytes() + TRAILER


def pack_with_last(columns: Columns, values: Mapping[str, NDArray[np.generic]], *, last: Sequence[bytes]) -> bytes:
    """Return the columns, each of shape (n,), and behind them one of n values of any length, as a binary COPY stream."""
    rows = _rows(columns, values, fields=len(columns) + 1)
    lengths = np.array([len(value) for value in last], dtype=">i4")
    parts = [b""] * (3 * len(last))
    parts[::3] = rows.view(f"V{rows.itemsize}").tolist()
    parts[1::3] = lengths.view("V4").tolist()
    parts[2::3] = last
    return b"".join((HEADER, *parts, TRAILER))


def _rows(columns: Columns, values: Mapping[str, NDArray[np.generic]], *, fields: int) -> NDArray[np.void]:
    rows = np.zeros(len(next(iter(values.values()))), dtype=_row_type(columns))
    rows["fields"] = fields
    for name, kind in columns.items():
        rows[f"length of {name}"] = np.dtype(kind).itemsize
        rows[name] = values[name]
    return rows


def store(
    connection: psycopg.Connection,
    columns: Columns,
    values: Mapping[str, NDArray[np.generic]],
    *,
    table: sql.Composable,
    last: tuple[str, Sequence[bytes]] | None = None,
) -> None:
    """Append the columns, each of shape (n,), to the table, and with them (name, n values) of a column of text or bytes."""
    names = sql.SQL(", ").join(map(sql.Identifier, [*columns, last[0]] if last else columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(table, names)
    packed = pack_with_last(columns, values, last=last[1]) if last else pack(columns, values)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(packed)


def fetch(
    connection: psycopg.Connection, columns: Columns, *, source: sql.Composable
) -> dict[str, NDArray[np.generic]]:
    """Return the columns, each of shape (n,), of what `source` selects: `table WHERE condition`. None of them may be NULL."""
    aggregates = sql.SQL(", ").join(sql.SQL("array_agg({})").format(sql.Identifier(name)) for name in columns)
    with connection.cursor(binary=True) as cursor:
        cursor.execute(sql.SQL("SELECT {} FROM {}").format(aggregates, source))
        result = cursor.pgresult
        if result is None:
            raise psycopg.InternalError("the server sent no result")
        sent = [result.get_value(0, number) for number in range(len(columns))]
    return {name: _elements(array, kind) for (name, kind), array in zip(columns.items(), sent, strict=True)}


def _elements(array: bytes | None, kind: str) -> NDArray[np.generic]:
    if array is None:
        return np.empty(0, dtype=kind)
    elements = np.frombuffer(array, dtype=[("length", ">i4"), ("element", kind)], offset=ARRAY_HEADER)
    return np.ascontiguousarray(elements["element"])
