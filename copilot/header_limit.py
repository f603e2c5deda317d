"""The web server's HTTP protocol with a limit it lacks: a request's headers must be complete within 20 seconds.

Without it, a client that sends a byte a second holds a connection for as long as it likes.
"""

import asyncio
from typing import Any

from django.utils import timezone
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from incidents.intake import drops

SECONDS_FOR_HEADERS = 20.0
TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: 44\r\n\r\n"
    b"The request's headers did not come in time.\n"
)


class PromptHttpProtocol(HttpToolsProtocol):
    """Answers 408 and closes when headers take too long, of the first request as of later ones on the same connection."""

    _headers_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._headers_came()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Wait for the headers of a further request; those of the first are waited for already."""
        super().on_message_begin()
        if self._headers_due is None:
            self._await_headers()

    def on_headers_complete(self) -> None:
        """Stop waiting: what follows is the body, which the application limits."""
        self._headers_came()
        super().on_headers_complete()

    def _await_headers(self) -> None:
        self._headers_due = self.loop.call_later(SECONDS_FOR_HEADERS, self._refuse)

    def _headers_came(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _refuse(self) -> None:
        self._headers_due = None
        if not self.transport.is_closing():
            has_begun = (
                self.headers is not None
            )  # one that has sent nothing, as browsers do in advance, expects no answer
            if has_begun and (self.cycle is None or self.cycle.response_complete):
                self.transport.write(TOO_SLOW)
                self.loop.run_in_executor(None, _count, self.url.decode("latin1"))
            self.transport.close()


def _count(path: str) -> None:
    drops.count_request(path, reason="headers too slow", now=timezone.now())
