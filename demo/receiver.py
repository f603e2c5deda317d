"""A small OTLP/HTTP receiver that keeps what it gets as OTLP/JSON lines: what the demo's recordings are made with."""

import base64
import gzip
import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import uvicorn
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from incidents.telemetry.otlp import Signal

REQUESTS: dict[Signal, type[Message]] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
IDS = frozenset({"traceId", "spanId", "parentSpanId"})
START_SECONDS = 20.0


def _with_hex_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: base64.b64decode(inner).hex() if key in IDS else _with_hex_ids(inner) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_with_hex_ids(inner) for inner in value]
    return value


def to_json_line(signal: Signal, body: bytes) -> bytes:
    """Return a protobuf export request as one line of OTLP/JSON: enumerations are numbers and ids are hex, as it demands.

    Raises DecodeError when the bytes are no such request.
    """
    request = REQUESTS[signal].FromString(body)
    plain = json_format.MessageToDict(request, use_integers_for_enums=True)
    return json.dumps(_with_hex_ids(plain), separators=(",", ":"), ensure_ascii=False).encode()


class Receiver:
    """An OTLP/HTTP receiver on a free loopback port, as a context manager; `write(signal, line)` gets each request.

    Nothing is written until `listening` is set: a shop that warms up is not part of the recording.
    """

    def __init__(self, write: Callable[[Signal, bytes], None]) -> None:
        self.listening = threading.Event()
        self._write = write
        self._lock = threading.Lock()
        self._server = uvicorn.Server(
            uvicorn.Config(
                Starlette(routes=[Route("/v1/{signal}", self._receive, methods=["POST"])]),
                host="127.0.0.1",
                port=0,
                log_config=None,
                access_log=False,
                lifespan="off",
            )
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @property
    def url(self) -> str:
        """The base URL to export to."""
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def __enter__(self) -> "Receiver":
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise TimeoutError(f"The receiver did not start within {START_SECONDS:g} s.")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trail: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)

    async def _receive(self, request: Request) -> Response:
        name = request.path_params["signal"]
        signal = next((known for known in REQUESTS if known == name), None)
        if signal is None:
            raise HTTPException(404, f"no signal {name!r}; there are {', '.join(REQUESTS)}")
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        try:
            line = to_json_line(signal, body)
        except DecodeError as error:
            raise HTTPException(400, f"not an OTLP {signal} request in protobuf: {error}") from error
        if self.listening.is_set():
            with self._lock:
                self._write(signal, line)
        return Response(b"", media_type="application/x-protobuf")
