"""What every service serves with: a span, a duration and a log line per request, a health check, and the switch for faults."""

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import NamedTuple

from opentelemetry import context, propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.shop.configuration import ServiceConfiguration
from demo.shop.telemetry import meter, tracer

Handler = Callable[[Request], Awaitable[Response]]
Switch = Callable[[bool], Awaitable[None]]
SECOND_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

log = logging.getLogger("shop.http")


class Operation(NamedTuple):
    """One thing that a service does: `path` is the template, such as "/products/{id}"."""

    method: str
    path: str
    handler: Handler


class _ServerSpan:
    """The span, the duration and, when it failed, the log line of one request."""

    durations = meter.create_histogram(
        "http.server.request.duration",
        unit="s",
        description="Time to answer a request.",
        explicit_bucket_boundaries_advisory=SECOND_BUCKETS,
    )

    def __init__(self, request: Request, operation: Operation) -> None:
        self._attributes: dict[str, str | int] = {"http.request.method": operation.method, "http.route": operation.path}
        self._span = tracer.start_span(
            f"{operation.method} {operation.path}",
            context=propagate.extract(dict(request.headers)),
            kind=SpanKind.SERVER,
            attributes={**self._attributes, "url.path": request.url.path},
        )
        self._started = time.perf_counter()
        self.status = 500  # until the handler has answered

    def __enter__(self) -> "_ServerSpan":
        self._token = context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trail: TracebackType | None
    ) -> None:
        if isinstance(error, HTTPException):
            self.status = error.status_code
        if isinstance(error, asyncio.CancelledError):
            self.status = 499  # the caller has gone
        self._attributes["http.response.status_code"] = self.status
        self._span.set_attribute("http.response.status_code", self.status)
        if self.status >= 500:
            self._fail(error)
        self.durations.record(time.perf_counter() - self._started, self._attributes)
        self._span.end()
        context.detach(self._token)

    def _fail(self, error: BaseException | None) -> None:
        name = f"{self._attributes['http.request.method']} {self._attributes['http.route']}"
        if error is None:
            self._span.set_status(Status(StatusCode.ERROR))
            log.error("%s answered %d", name, self.status)
        elif isinstance(error, HTTPException):
            self._span.set_status(Status(StatusCode.ERROR, error.detail))
            log.error("%s answered %d: %s", name, self.status, error.detail)
        else:
            self._span.set_attribute("error.type", type(error).__qualname__)
            self._span.add_event(
                "exception", {"exception.type": type(error).__qualname__, "exception.message": str(error)}
            )
            self._span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
            log.error("%s failed: %s: %s", name, type(error).__name__, error, exc_info=error)


def _route(operation: Operation) -> Route:
    async def endpoint(request: Request) -> Response:
        with _ServerSpan(request, operation) as span:
            response = await operation.handler(request)
            span.status = response.status_code
            return response

    return Route(operation.path, endpoint, methods=[operation.method])


def _switches(config: ServiceConfiguration, faults: Mapping[str, Switch]) -> Route:
    async def endpoint(request: Request) -> Response:
        given = request.headers.get("x-admin-token", "")
        local = request.client is not None and request.client.host in {"127.0.0.1", "::1"}
        if not local or not hmac.compare_digest(given.encode(), config.admin_token.encode()):
            raise HTTPException(403, "This address switches faults: it needs the shop's token, from this machine.")
        name = request.path_params["name"]
        if name not in faults:
            raise HTTPException(
                404, f"{config.service} has no fault {name!r}; it has {', '.join(sorted(faults)) or 'none'}."
            )
        await faults[name](request.path_params["state"] == "on")
        return JSONResponse({"fault": name, "state": request.path_params["state"]})

    return Route("/admin/faults/{name}/{state}", endpoint, methods=["POST"])


async def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _refused(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "internal error"
    return JSONResponse({"error": detail}, status_code=status)


def application(
    config: ServiceConfiguration,
    *,
    operations: Sequence[Operation],
    faults: Mapping[str, Switch] | None = None,
    resources: AbstractAsyncContextManager[None] | None = None,
) -> Starlette:
    """Return the ASGI application of one service; `resources` is entered before the first request and left after the last."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if resources is None:
            yield
            return
        async with resources:
            yield

    return Starlette(
        routes=[*map(_route, operations), Route("/health", _healthy), _switches(config, faults or {})],
        exception_handlers={HTTPException: _refused, Exception: _refused},
        lifespan=lifespan,
    )


def number(request: Request, name: str) -> int:
    """Return a whole number from the path or the query. Raises HTTPException 400 that names the field."""
    text = request.path_params.get(name) or request.query_params.get(name) or ""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise HTTPException(400, f"{name}={text[:40]!r}: give a whole number")
    return int(text)
