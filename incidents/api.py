"""OTLP over HTTP: /v1/traces, /v1/logs, /v1/metrics. Source: OpenTelemetry protocol specification, OTLP/HTTP."""

import hmac
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped,unused-ignore]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from incidents.intake import drops
from incidents.intake.otlp import ENCODINGS, Receipt, RefusedRequest, encoding_of, receive
from incidents.telemetry.otlp import Encoding, Signal

log = logging.getLogger(__name__)

RESPONSES: dict[Signal, Any] = {
    "traces": ExportTraceServiceResponse,
    "logs": ExportLogsServiceResponse,
    "metrics": ExportMetricsServiceResponse,
}
REJECTED: dict[Signal, tuple[str, str]] = {
    "traces": ("rejectedSpans", "rejected_spans"),
    "logs": ("rejectedLogRecords", "rejected_log_records"),
}
REJECTED["metrics"] = ("rejectedDataPoints", "rejected_data_points")
CONTENT_TYPES = {encoding: content_type for content_type, encoding in ENCODINGS.items()}
# google.rpc.Code for each HTTP status: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
CODES = {400: 3, 401: 16, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}
REASONS = {
    400: "unusable body",
    401: "token",
    413: "too large",
    415: "encoding",
    429: "busy",
    503: "not stored",
}  # counted
RECORDS: dict[Signal, str] = {"traces": "spans", "logs": "log records", "metrics": "data points"}


def _endpoint(signal: Signal) -> Callable[[HttpRequest], HttpResponse]:
    @csrf_exempt
    @login_not_required
    def view(request: HttpRequest) -> HttpResponse:
        encoding: Encoding = "json"
        try:
            _check_sender(request)
            encoding = encoding_of(request.headers.get("Content-Type", ""))
            compression = request.headers.get("Content-Encoding", "")
            # read(), because request.body has a limit of its own, made for forms
            receipt = receive(signal, request.read(), encoding=encoding, compression=compression, now=timezone.now())
        except RefusedRequest as refused:
            return _refusal(refused, signal=signal, encoding=encoding)
        return _acknowledgement(receipt, signal=signal, encoding=encoding)

    view.__name__ = signal
    view.__doc__ = f"Takes an OTLP export request of {signal}."
    return view


traces = _endpoint("traces")
logs = _endpoint("logs")
metrics = _endpoint("metrics")


def _check_sender(request: HttpRequest) -> None:
    if request.method != "POST":
        raise RefusedRequest(
            HTTPStatus.METHOD_NOT_ALLOWED, f"{request.method} is not supported here: export with POST."
        )
    if settings.OTLP_TOKEN:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {settings.OTLP_TOKEN}".encode()):
            raise RefusedRequest(
                HTTPStatus.UNAUTHORIZED,
                "Send the header `Authorization: Bearer …` with the value of COPILOT_OTLP_TOKEN.",
            )


def _acknowledgement(receipt: Receipt, *, signal: Signal, encoding: Encoding) -> HttpResponse:
    if receipt.rejected:
        drops.count(
            what=RECORDS[signal], source=drops.UNKNOWN, reason="unusable record", n=receipt.rejected, now=timezone.now()
        )
    in_json, in_protobuf = REJECTED[signal]
    if encoding == "json":
        partial = (
            {"partialSuccess": {in_json: str(receipt.rejected), "errorMessage": receipt.reason}}
            if receipt.rejected
            else {}
        )
        body = orjson.dumps(partial)
    else:
        message = RESPONSES[signal]()
        if receipt.rejected:
            setattr(message.partial_success, in_protobuf, receipt.rejected)
            message.partial_success.error_message = receipt.reason
        body = message.SerializeToString()
    return HttpResponse(body, content_type=CONTENT_TYPES[encoding])


def _refusal(refused: RefusedRequest, *, signal: Signal, encoding: Encoding) -> HttpResponse:
    if refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("OTLP %s refused with %d: %s", signal, refused.status, refused)
    if reason := REASONS.get(refused.status):
        drops.count(what="telemetry", source=drops.UNKNOWN, reason=reason, n=1, now=timezone.now())
    code, text = CODES[refused.status], str(refused)
    body = (
        orjson.dumps({"code": code, "message": text})
        if encoding == "json"
        else Status(code=code, message=text).SerializeToString()
    )
    response = HttpResponse(body, status=refused.status, content_type=CONTENT_TYPES[encoding])
    if refused.retry_after:
        response["Retry-After"] = str(refused.retry_after)
    if refused.status == HTTPStatus.METHOD_NOT_ALLOWED:
        response["Allow"] = "POST"
    if refused.status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response
