"""Takes telemetry, alerts and changes past what Django does for people's pages: an ASGI application around another one.

Senders have no session, no cookie and no page, and under ASGI each middleware costs a request two changes of thread: for a
batch of 512 spans that was a fifth of the work.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.exception import convert_exception_to_response
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.http import parse_header_parameters

from copilot.body_limit import Application, Message, Receive, Send
from incidents import api, webhooks
from incidents.intake import drops
from incidents.intake.otlp import MOST_AT_ONCE

View = Callable[[HttpRequest], HttpResponse]
VIEWS: dict[str, View] = {"/v1/traces": api.traces, "/v1/logs": api.logs, "/v1/metrics": api.metrics}
WEBHOOKS: dict[str, View] = {
    "/in/": webhooks.deliver,
    "/v2/enqueue": webhooks.pagerduty_event,
    "/v2/change/enqueue": webhooks.pagerduty_change,
}
DELIVERERS = 32  # threads: they read deliveries and wait for the one that writes for all
MOST_WAITING = 200  # deliveries of one process, those being stored included
SECRET_ADDRESS, SHOWN_AS = "/in/", "/in/…"


class TelemetryIntake:
    """Answers the paths of telemetry and webhooks with their views, and leaves every other request to the application inside.

    Each of the two has threads of its own, so that a flood of one leaves the other alone.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        # One more than are stored at once, so that somebody is there to send the others away.
        self._threads = ThreadPoolExecutor(MOST_AT_ONCE + 1, thread_name_prefix="intake")
        self._deliverers = ThreadPoolExecutor(DELIVERERS, thread_name_prefix="webhooks")
        self._deliveries = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if view := VIEWS.get(path):
            await self._run(view, self._threads, scope, receive, send)
        elif view := _webhook(path):
            await self._deliver(view, scope, receive, send)
        elif error := _fault_in_headers(scope):
            answer = sync_to_async(_unreadable, thread_sensitive=False, executor=self._threads)
            await _send(await answer(error), send)
        else:
            await self.application(scope, receive, send)

    async def _deliver(self, view: View, scope: Message, receive: Receive, send: Send) -> None:
        """Run a webhook unless too many wait already: they would hold their bodies in memory until the database is back."""
        if self._deliveries >= MOST_WAITING:
            await self._run(webhooks.busy, self._threads, scope, receive, send)
            return
        self._deliveries += 1
        try:
            await self._run(view, self._deliverers, scope, receive, send)
        finally:
            self._deliveries -= 1

    async def _run(self, view: View, threads: ThreadPoolExecutor, scope: Message, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            return
        answer = sync_to_async(_answer, thread_sensitive=False, executor=threads)
        await _send(await answer(view, scope, body), send)


async def _send(response: HttpResponse, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode("latin1")) for name, value in response.items()]
    headers.append((b"content-length", b"%d" % len(response.content)))
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})


def _webhook(path: str) -> View | None:
    """Return the view of a webhook's path. Whatever is below `/in/` is taken for a secret: no log of unknown pages may show it."""
    found = WEBHOOKS.get(path)
    if found is None and path.startswith(SECRET_ADDRESS):
        return partial(webhooks.deliver, token=path.removeprefix(SECRET_ADDRESS).removesuffix("/"))
    return found


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


def _answer(view: View, scope: Message, body: bytes) -> HttpResponse:
    """Return the view's answer, or what Django answers when it fails; the thread's database connection is not kept, as after any request."""
    try:
        if error := _fault_in_headers(scope):
            return _unreadable(error)
        request = ASGIRequest(_without_secrets(scope), BytesIO(body))
        return cast(HttpResponse, convert_exception_to_response(view)(request))
    finally:
        close_old_connections()


def _without_secrets(scope: Message) -> Message:
    """Return the request with nothing in its address that a log or an error page must not show; the views need none of it."""
    path = SHOWN_AS if scope["path"].startswith(SECRET_ADDRESS) else scope["path"]
    return {**scope, "path": path, "query_string": b""}


def _fault_in_headers(scope: Message) -> Exception | None:
    """Return what Django would fail on: it decodes the Content-Type as that itself says, in an encoding that need not exist."""
    given = b",".join(value for name, value in scope["headers"] if name == b"content-type")
    try:
        parse_header_parameters(given.decode("latin1") if b"*" in given else "")
    except (ValueError, LookupError) as error:
        return error
    return None


def _unreadable(error: Exception) -> HttpResponse:
    drops.count(what="requests", source=drops.UNKNOWN, reason="unreadable headers", n=1, now=timezone.now())
    return HttpResponse(f"The request's headers cannot be read: {error}\n", status=400, content_type="text/plain")
