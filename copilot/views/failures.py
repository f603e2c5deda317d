"""What is answered when a view fails: why, whether to come again, and an id that stands in the log beside the traceback."""

import logging
import secrets
import sys
from dataclasses import dataclass

from django.db import DataError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from psycopg import errors

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5
PROGRAMS = ("/api/", "/in/", "/v1/", "/v2/")  # they read JSON, whatever they say they accept
FULL = (errors.DiskFull, errors.IoError)


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, for whoever asked."""

    status: int
    title: str
    detail: str


BROKEN = Failure(
    500, "Something failed here", "It is a fault of this program. Whoever runs it finds the cause under the id."
)
AWAY = Failure(
    503, "The database does not answer", f"Nothing was changed. Come again in {RETRY_SECONDS} seconds; nothing is lost."
)
STORAGE_FULL = Failure(
    503, "Storage full", "Nothing was changed. Reading works; writing does again when there is room."
)
NUL = Failure(400, "That cannot be stored", "The request holds a NUL character. Send it without.")


def failed(request: HttpRequest) -> HttpResponse:
    """Answer for the exception that is being handled; nothing here needs the database."""
    failure = _failure_of(sys.exc_info()[1])
    error_id = secrets.token_hex(6)
    logger.error("error id %s: %s %s answered %d", error_id, request.method, request.path, failure.status)
    wants_json = request.path.startswith(PROGRAMS) or "application/json" in request.headers.get("Accept", "")
    answer: HttpResponse
    if wants_json:
        body = {"type": "about:blank", "title": failure.title, "status": failure.status, "detail": failure.detail}
        answer = JsonResponse(
            {**body, "instance": f"urn:error:{error_id}"},
            status=failure.status,
            content_type="application/problem+json",
        )
    else:
        shown = {"failure": failure, "error_id": error_id}
        answer = render(None, "failure.html", shown, status=failure.status)
    if failure.status == 503:
        answer["Retry-After"] = str(RETRY_SECONDS)
    return answer


def _failure_of(error: BaseException | None) -> Failure:
    if isinstance(error, DataError) and "NUL" in str(error):
        return NUL
    if isinstance(error, OperationalError | InterfaceError):
        return STORAGE_FULL if isinstance(error.__cause__, FULL) else AWAY
    return BROKEN
