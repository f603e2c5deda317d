"""Rows to and from PostgreSQL's binary COPY format: rows of fixed width pass between NumPy and the server without a loop.

Source: PostgreSQL documentation, COPY, "Binary Format": a 19-byte header, then each row as a 16-bit count of fields and each
field as a 32-bit length and its bytes, all big-endian; -1 as the count ends it.
"""

from collections.abc import Mapping

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
Columns = Mapping[str, str]  # name → NumPy type: ">i8", ">f8", ">i2", "?" or "V16" (uuid)


def _row_type(columns: Columns) -> np.dtype[np.void]:
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in columns.items():
        fields += [(f"length of {name}", ">i4"), (name, kind)]
    return np.dtype(fields)


def pack(columns: Columns, values: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Return the columns, each of shape (n,), as a binary COPY stream."""
    rows = np.zeros(len(next(iter(values.values()))), dtype=_row_type(columns))
    rows["fields"] = len(columns)
    for name, kind in columns.items():
        rows[f"length of {name}"] = np.dtype(kind).itemsize
        rows[name] = values[name]
    return HEADER + rows.tobytes() + TRAILER


def fetch(connection: psycopg.Connection, query: sql.Composable, columns: Columns) -> NDArray[np.void]:
    """Return the query's rows as a structured array whose fields are the columns; none of them may be NULL."""
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(query)) as copy,
    ):
        stream = b"".join(copy)
    return np.frombuffer(
        stream,
        dtype=_row_type(columns),
        offset=len(HEADER),
        count=(len(stream) - len(HEADER) - len(TRAILER)) // _row_type(columns).itemsize,
    )


def store(
    connection: psycopg.Connection,
    columns: Columns,
    values: Mapping[str, NDArray[np.generic]],
    *,
    table: sql.Composable,
) -> None:
    """Append the columns, each of shape (n,), to the table."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(table, names)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(pack(columns, values))
