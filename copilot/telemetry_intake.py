"""Takes telemetry past what Django does for people's pages: an ASGI application around another one.

Senders have no session, no cookie and no page, and under ASGI each middleware costs a request two changes of thread: for a
batch of 512 spans that was a fifth of the work.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse

from copilot.body_limit import Application, Message, Receive, Send
from incidents import api
from incidents.intake.otlp import MOST_AT_ONCE

View = Callable[[HttpRequest], HttpResponse]
VIEWS: dict[str, View] = {"/v1/traces": api.traces, "/v1/logs": api.logs, "/v1/metrics": api.metrics}


class TelemetryIntake:
    """Answers the OTLP paths with their views, and leaves every other request to the application inside."""

    def __init__(self, application: Application) -> None:
        self.application = application
        # One more than are stored at once, so that somebody is there to send the others away.
        self._threads = ThreadPoolExecutor(MOST_AT_ONCE + 1, thread_name_prefix="intake")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        view = VIEWS.get(scope["path"])
        if view is None:
            await self.application(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return
        request = ASGIRequest(scope, BytesIO(body))
        answer = sync_to_async(_answer, thread_sensitive=False, executor=self._threads)
        response = await answer(view, request)
        headers = [(name.lower().encode(), value.encode("latin1")) for name, value in response.items()]
        headers.append((b"content-length", b"%d" % len(response.content)))
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": response.content})


async def _body(receive: Receive) -> bytes | None:
    """Return the request's whole body, None when its sender has gone."""
    parts: list[Any] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _answer(view: View, request: HttpRequest) -> HttpResponse:
    """Return the view's answer; the thread's database connection is not kept for the next request, as after any other."""
    try:
        return view(request)
    finally:
        close_old_connections()
