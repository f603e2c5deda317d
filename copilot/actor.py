"""Who changes rows: a signed-in person while their request runs, otherwise the co-pilot. The audit triggers read it from the session.

The name belongs to a database connection that the next request will use. So it is taken off before the connection goes back, and
a connection that it cannot be taken off is thrown away.
"""

from collections.abc import Callable
from contextvars import ContextVar

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_acting: ContextVar[bool] = ContextVar("acting", default=False)


def begin(username: str) -> None:
    """Say that what this request changes from here on is changed by this person."""
    _acting.set(True)
    _name(username)


def end() -> None:
    """Say that the person has ended; what follows on this connection is the program's again."""
    if not _acting.get():
        return
    _acting.set(False)
    if connection.connection is None:
        return
    try:
        _name("")
    except DatabaseError:
        connection.connection.close()
        connection.close()


def _name(username: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('copilot.actor', %s, false)", [username])


class ActingPerson:
    """Middleware: a signed-in person is the actor of whatever an unsafe request changes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in SAFE:
            return self.get_response(request)
        if request.user.is_authenticated:
            begin(request.user.get_username())
        try:
            return self.get_response(request)
        finally:
            end()
