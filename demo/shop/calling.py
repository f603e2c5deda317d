"""Calls from one service to another: a client span, the W3C trace context passed on, time-outs, and failures with a name."""

from collections.abc import Mapping
from typing import Any

import httpx
from opentelemetry import propagate
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.exceptions import HTTPException

from demo.shop.telemetry import tracer


class DownstreamFailed(HTTPException):
    """A service that was called did not answer, or answered with an error of its own; becomes 502 or 504 for the caller."""


class Downstream:
    """Another service, by name and address.

    A refused connection is tried again for about three seconds, so a service that restarts is only slow for a moment.
    """

    def __init__(self, name: str, base_url: str, *, timeout_seconds: float) -> None:
        self.name = name
        self._timeout_seconds = timeout_seconds
        self._client = httpx.AsyncClient(
            base_url=base_url, timeout=timeout_seconds, transport=httpx.AsyncHTTPTransport(retries=4), trust_env=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def call(
        self,
        method: str,
        template: str,
        *,
        path: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> httpx.Response:
        """Call `template` with its {names} filled from `path` and return the answer, 4xx included.

        Only 5xx and silence are errors of the span: an unknown product or a declined card is an answer like any other.
        Raises DownstreamFailed.
        """
        url = template.format_map(path or {})
        attributes = {"http.request.method": method, "url.template": template, "server.address": self.name}
        with tracer.start_as_current_span(
            f"{method} {template}",
            kind=SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            headers: dict[str, str] = {}
            propagate.inject(headers)
            try:
                answer = await self._client.request(method, url, params=query, json=body, headers=headers)
            except httpx.TimeoutException as error:
                reason = f"{self.name} did not answer {method} {url} within {self._timeout_seconds:g} s"
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR, reason))
                raise DownstreamFailed(504, reason) from error
            except httpx.TransportError as error:
                reason = f"{self.name} could not be reached for {method} {url}: {type(error).__name__}"
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR, reason))
                raise DownstreamFailed(502, reason) from error
            span.set_attribute("http.response.status_code", answer.status_code)
            if answer.status_code >= 500:
                span.set_attribute("error.type", str(answer.status_code))
                span.set_status(Status(StatusCode.ERROR))
                raise DownstreamFailed(502, f"{self.name} answered {answer.status_code} to {method} {url}")
            return answer
