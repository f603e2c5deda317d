"""Runs the intake's few statements with plans that the server keeps: planning the upsert anew took four times as long as running it.

Django sends every statement with its values written into it, which the server has to plan each time.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection

PREPARE_FROM = 3  # times that a connection has run a statement before the server keeps its plan


def run(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run a statement of ours on Django's connection, in its transaction, and return its rows; none if it has no RETURNING.

    Raises Django's DatabaseError and its kind.
    """
    connection.ensure_connection()
    raw = connection.connection
    raw.prepare_threshold = PREPARE_FROM  # without effect on Django's own cursors, which bind values themselves
    with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []
