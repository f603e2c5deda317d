"""Refuses request bodies that are too long or too slow, while they arrive: an ASGI application around another one.

Bytes are counted as they come, so a body without Content-Length is refused as early as one that announces its length.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson
from django.utils import timezone

from incidents.intake import drops

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Count = Callable[[str, int], None]  # path, HTTP status

TOO_LARGE, TOO_SLOW = 413, 408
GOOGLE_CODES = {TOO_LARGE: 8, TOO_SLOW: 4}  # RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED
REASONS = {TOO_LARGE: "too large", TOO_SLOW: "too slow"}
SECONDS_FOR_BODY = 30.0
SECONDS_TO_DRAIN = 3.0
BYTES_TO_DRAIN = 256 * 1024 * 1024


def count(path: str, status: int) -> None:
    """Count a refused body beside all other drops."""
    drops.count_request(path, reason=REASONS[status], now=timezone.now())


class BodyLimit:
    """Answers 413 to a body of more than `limits[prefix]` bytes for the longest prefix of its path, `otherwise` for the rest; 408 after 30 s.

    Each refusal is given to `count`, in a thread.
    """

    def __init__(
        self,
        application: Application,
        *,
        limits: Mapping[str, int],
        otherwise: int,
        seconds: float = SECONDS_FOR_BODY,
        count: Count = count,
    ) -> None:
        self.application = application
        self.limits = sorted(limits.items(), key=lambda item: -len(item[0]))
        self.otherwise = otherwise
        self.seconds = seconds
        self.count = count

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        limit = next((limit for prefix, limit in self.limits if scope["path"].startswith(prefix)), self.otherwise)
        request = _Request(receive, send, limit=limit, deadline=asyncio.get_running_loop().time() + self.seconds)
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > limit:
            # A client that waits for "100 Continue" has sent nothing yet, and reading on would ask it to.
            await request.refuse(TOO_LARGE, drain=b"expect" not in headers)
        else:
            await self.application(scope, request.receive, request.send)
        if request.refused_with is not None:
            await asyncio.to_thread(self.count, scope["path"], request.refused_with)


class _Request:
    """One request's two channels, watched until its body is complete or refused."""

    def __init__(self, receive: Receive, send: Send, *, limit: int, deadline: float) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit
        self._deadline = deadline
        self._bytes = 0
        self._complete = False
        self._answered = False
        self.refused_with: int | None = None  # HTTP status

    async def receive(self) -> Message:
        """Pass on the next part of the body; once it is refused, the application hears that the client has gone."""
        if self.refused_with is not None:
            return {"type": "http.disconnect"}
        if self._complete:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._deadline - asyncio.get_running_loop().time())
        except TimeoutError:
            await self.refuse(TOO_SLOW, drain=False)
            return {"type": "http.disconnect"}
        self._bytes += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._bytes > self._limit:
            await self.refuse(TOO_LARGE, drain=not self._complete)
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Pass on the application's answer, unless the body was refused in between."""
        if self.refused_with is None:
            self._answered = True
            await self._send(message)

    async def refuse(self, status: int, *, drain: bool) -> None:
        """Answer at once, and end the connection after reading a little more: a client that is still sending would not see the answer."""
        self.refused_with = status
        if self._answered:
            return
        why = (
            f"The body is longer than {self._limit} bytes."
            if status == TOO_LARGE
            else "The body did not arrive in time."
        )
        body = orjson.dumps({"code": GOOGLE_CODES[status], "message": why})
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        if drain:
            await self._drain()
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(SECONDS_TO_DRAIN):
                read, more = 0, True
                while more and read < BYTES_TO_DRAIN:
                    message = await self._receive()
                    read += len(message.get("body", b""))
                    more = message.get("more_body", False)
        except TimeoutError:
            return
