"""What the API answers when something is wrong: problem details, RFC 9457."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError

from incidents import lifecycle

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """An operation refuses: `status` for the program, `detail` for the person who reads its log."""

    def __init__(self, status: int, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after


def problem(status: int, detail: str, *, retry_after: int | None = None, errors: Any = None) -> HttpResponse:
    """Return a refusal. `errors` are a body's or a query's faults, one by one."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors is not None:
        body["errors"] = errors
    answer = JsonResponse(body, status=status, content_type=CONTENT_TYPE)
    if retry_after is not None:
        answer["Retry-After"] = str(retry_after)
    if status == HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = "Bearer"
    return answer


def install(api: NinjaAPI) -> None:
    """Make every refusal of the API a problem."""
    handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
        Problem: lambda _, exc: problem(exc.status, exc.detail, retry_after=exc.retry_after),
        Http404: lambda _, exc: problem(404, str(exc) or "There is nothing here."),
        PermissionDenied: lambda _, exc: problem(403, str(exc) or "This is not allowed."),
        AuthenticationError: lambda *_: problem(
            401, "Send `Authorization: Bearer …` with a token that works: make one under Settings, API tokens."
        ),
        Throttled: lambda _, exc: problem(
            429, "Too many requests with this token.", retry_after=max(1, round(exc.wait or 1))
        ),
        HttpError: lambda _, exc: problem(exc.status_code, str(exc)),
        ValidationError: lambda _, exc: problem(
            422, "Something in the request is not as it should be; `errors` names each place.", errors=exc.errors
        ),
        lifecycle.WrongState: lambda _, exc: problem(409, str(exc)),
        lifecycle.NotPossible: lambda _, exc: problem(422, str(exc)),
    }
    for exception, handler in handlers.items():
        api.add_exception_handler(exception, handler)
