"""What was read or worked out within the minute: a page's tabs and filters, and several people, ask for the same again and again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import datetime
from threading import Lock
from typing import Any, Generic, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet

_made: list[Recent[Any]] = []


T = TypeVar("T")


class Recent(Generic[T]):
    """The newest `most` results of this process, each good for the minute of its `now`; the one not asked for longest goes first.

    Whoever gets a result must not change it.
    """

    def __init__(self, *, most: int) -> None:
        self.most = most
        self._results: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = Lock()
        _made.append(self)

    def get(self, key: Hashable, make: Callable[[], T], *, now: datetime) -> T:
        """Return the result that the key has in this minute, made if there is none. Two that ask at once may both make it."""
        key = (minute(now), key)
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
        made = make()
        with self._lock:
            self._results[key] = made
            while len(self._results) > self.most:
                self._results.popitem(last=False)
        return made

    def forget(self) -> None:
        """Drop every result."""
        with self._lock:
            self._results.clear()


def minute(now: datetime) -> datetime:
    """Return the beginning of the minute: what pages that share results call now."""
    return now.replace(second=0, microsecond=0)


def rows_of(found: QuerySet[Any, Any]) -> Hashable:
    """Return what tells one query's rows from another's: its SQL with its values."""
    try:
        sql, params = found.query.sql_with_params()
    except EmptyResultSet:
        return ""
    return sql, repr(params)


def forget_all() -> None:
    """Drop every result of every kind: for tests, whose rows change within the minute."""
    for one in _made:
        one.forget()
