"""What stands around every operation: the same key gets the same answer once, an unchanged thing is not sent again."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse
from django.utils import timezone
from ninja import Schema
from ninja.responses import NinjaJSONEncoder

from copilot import actor, api_tokens
from copilot.api.problems import Problem, problem
from copilot.models import ApiToken, IdempotentReply

KEPT = timedelta(days=1)
LONGEST_KEY = 200
SHOWN_ONCE = (
    "token",
    "signing_secret",
    "stands_for",
)  # fields that are kept nowhere, so not in the repeated answer either
View = Callable[..., HttpResponse]


def around(view: View) -> View:
    """Return the operation with Idempotency-Key on what changes, ETag and If-None-Match on what reads."""

    @wraps(view)
    def operation(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in actor.SAFE:
            return _tagged(request, view(request, *args, **kwargs))
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            return view(request, *args, **kwargs)
        if len(key) > LONGEST_KEY:
            return problem(400, f"An Idempotency-Key has at most {LONGEST_KEY} characters.")
        return _once(request, key, lambda: view(request, *args, **kwargs))

    return operation


def etag(shown: Schema) -> str:
    """Return the entity tag under which the API shows this."""
    return _tag(json.loads(json.dumps(shown.model_dump(), cls=NinjaJSONEncoder)))


def require_match(request: HttpRequest, shown: Callable[[], Schema]) -> None:
    """Raise Problem (412) when the request names a version by If-Match and the thing is another by now."""
    wanted = request.headers.get("If-Match", "")
    if wanted and wanted.strip() != "*" and etag(shown()) not in [tag.strip() for tag in wanted.split(",")]:
        raise Problem(412, "It was changed since you read it. Read it again, look at what changed, then repeat.")


def _tagged(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Add the ETag of the body; answer 304 when the sender has it."""
    if answer.status_code != 200 or not answer.get("Content-Type", "").startswith("application/json"):
        return answer
    tag = _tag(json.loads(answer.content))
    if tag in [each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")]:
        answer = HttpResponseNotModified()
    answer["ETag"] = tag
    answer["Cache-Control"] = "private, no-cache"
    return answer


def _once(request: HttpRequest, key: str, act: Callable[[], HttpResponse]) -> HttpResponse:
    """Act and keep the answer in one transaction; of two requests with a key, the second waits for the first and gets its answer."""
    now = timezone.now()
    token = _token_of(request, now=now)
    if token is None:
        return act()  # which answers 401
    asked = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode() + request.body).hexdigest()
    try:
        with transaction.atomic():
            IdempotentReply.objects.filter(token=token, created_at__lt=now - KEPT).delete()
            reply, is_new = IdempotentReply.objects.get_or_create(
                token=token, key=key, defaults={"request_sha256": asked, "created_at": now}
            )
            if not is_new:
                return _again(reply, asked=asked)
            answer = act()
            if answer.status_code >= 400:
                transaction.set_rollback(True)  # nothing was done; the key may be used again
                return answer
            body = _without_secrets(json.loads(answer.content)) if answer.content else None
            IdempotentReply.objects.filter(pk=reply.pk).update(status=answer.status_code, body=body)
    except OperationalError as error:
        if "lock timeout" not in str(error):
            raise
        return problem(409, "A request with this Idempotency-Key is still being worked on.", retry_after=5)
    return answer


def _without_secrets(body: Any) -> Any:
    return (
        {name: None if name in SHOWN_ONCE else value for name, value in body.items()}
        if isinstance(body, dict)
        else body
    )


def _again(reply: IdempotentReply, *, asked: str) -> HttpResponse:
    if reply.request_sha256 != asked:
        return problem(422, "This Idempotency-Key was used for another request. Take a new key for a new request.")
    status = reply.status or 200
    answer = HttpResponse(status=status) if reply.body is None else JsonResponse(reply.body, status=status, safe=False)
    answer["Idempotency-Replayed"] = "true"
    return answer


def _token_of(request: HttpRequest, *, now: datetime) -> ApiToken | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return api_tokens.find(token, now=now) if kind.lower() == "bearer" else None


def _tag(body: Any) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return f'"{hashlib.sha256(canonical.encode()).hexdigest()[:32]}"'
