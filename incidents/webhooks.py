"""Where alerting and delivery systems send to: `/in/` and `/in/TOKEN` for every kind, `/v2/enqueue` for those that speak PagerDuty."""

import logging
from datetime import datetime
from http import HTTPStatus

import orjson
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from incidents.intake import allowance, drops, signatures, tokens
from incidents.intake.alerts import MOST_BYTES, Receipt, database_or_refusal, receive
from incidents.intake.documents import MalformedDocument, read_json
from incidents.intake.formats import Delivery
from incidents.intake.formats.pagerduty import CHANGE
from incidents.intake.refusals import Refused
from incidents.models import AlertSource

log = logging.getLogger(__name__)

EVENT_HEADERS = ("X-GitHub-Event", "X-Gitlab-Event")
ID_HEADERS = (signatures.ID, "X-GitHub-Delivery", "X-Gitlab-Event-UUID", "Idempotency-Key")
HIDDEN = b"[token]"


@csrf_exempt
@login_not_required
def deliver(request: HttpRequest, token: str = "") -> HttpResponse:
    """Takes a delivery from the source whose token is in the address or the headers; answers 202 once it is committed."""
    return _answered(request, token=token, event="")


@csrf_exempt
@login_not_required
def pagerduty_event(request: HttpRequest) -> HttpResponse:
    """Takes an event as PagerDuty's Events API v2 does; the routing key is the source's token."""
    return _answered(request, token="", event="event")


@csrf_exempt
@login_not_required
def pagerduty_change(request: HttpRequest) -> HttpResponse:
    """Takes a change event as PagerDuty's Events API v2 does."""
    return _answered(request, token="", event=CHANGE)


def busy(request: HttpRequest) -> HttpResponse:
    """Turns a delivery away because so many wait for the database that this one would only wait longer."""
    refused = Refused(503, "Many deliveries wait already; send this one again.", reason="busy", retry_after=1)
    drops.count(what="deliveries", source=drops.UNKNOWN, reason=refused.reason, n=1, now=timezone.now())
    return _refusal(refused, as_pagerduty=request.path.startswith("/v2/"))


def _answered(request: HttpRequest, *, token: str, event: str) -> HttpResponse:
    now = timezone.now()
    name = drops.UNKNOWN
    try:
        _require_post(request)
        body = request.read()
        if event:  # PagerDuty's format names its source within
            token, body = _routing_key(body)
        with database_or_refusal():
            source = _source(request, token=token, now=now)
            name = source.name
            if not source.is_enabled:
                raise Refused(403, f"{name} is switched off in the settings.", reason="switched off")
            allowance.spend(source, now=now)
            _require_signature(source, request, body, now=now)
            allowance.require_room(now=now)
        receipt = receive(source, _delivery(request, body, event=event), now=now)
    except Refused as refused:
        if refused.status != HTTPStatus.METHOD_NOT_ALLOWED:
            drops.count(what="deliveries", source=name, reason=refused.reason, n=1, now=now)
        return _refusal(refused, as_pagerduty=bool(event))
    return _acknowledgement(receipt, as_pagerduty=bool(event))


def _require_post(request: HttpRequest) -> None:
    if request.method != "POST":
        raise Refused(405, f"{request.method} is not supported here: deliver with POST.", reason="method")
    if request.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise Refused(415, "Compressed bodies are not taken here: send it plain.", reason="compressed")
    length = request.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > MOST_BYTES:
        raise Refused(413, f"The body has {length} bytes; at most {MOST_BYTES} are taken.", reason="too large")


def _routing_key(body: bytes) -> tuple[str, bytes]:
    """Return the routing key, and the body without it: tokens are kept nowhere."""
    try:
        document = read_json(body)
    except MalformedDocument as malformed:
        raise Refused(400, str(malformed), reason="unusable body") from malformed
    key = document.get("routing_key") if isinstance(document, dict) else None
    if not isinstance(key, str) or not key:
        raise Refused(400, "`routing_key` is missing: it is the source's token.", reason="no token")
    return key, body.replace(key.encode("utf-8", "surrogatepass"), HIDDEN)


def _source(request: HttpRequest, *, token: str, now: datetime) -> AlertSource:
    source = tokens.source_of(token or tokens.token_in(request.headers), now=now)
    if source is None:
        raise Refused(
            401,
            "The token is missing, unknown or revoked. Send the source's own as `Authorization: Bearer …` or in the address.",
            reason="token",
        )
    return source


def _require_signature(source: AlertSource, request: HttpRequest, body: bytes, *, now: datetime) -> None:
    if not source.signing_secrets:
        return
    try:
        secrets = [tokens.unseal(kept) for kept in source.signing_secrets]
    except tokens.UndecipherableSecret as error:
        raise Refused(503, str(error), reason="signing secret", retry_after=300) from error
    signatures.require(body, headers=request.headers, secrets=secrets, now=now)


def _delivery(request: HttpRequest, body: bytes, *, event: str) -> Delivery:
    headers = request.headers
    return Delivery(
        body=body,
        content_type=headers.get("Content-Type", ""),
        id=next((headers[name] for name in ID_HEADERS if headers.get(name)), ""),
        event=event or next((headers[name] for name in EVENT_HEADERS if headers.get(name)), ""),
    )


def _acknowledgement(receipt: Receipt, *, as_pagerduty: bool) -> HttpResponse:
    if receipt.is_duplicate:
        answer: dict[str, object] = {
            "status": "duplicate",
            "message": "This delivery came before; nothing was changed.",
        }
        return _json(answer, status=HTTPStatus.OK)
    if as_pagerduty:
        answer = {"status": "success", "message": receipt.ignored or "Event processed"}
        if receipt.fingerprint:
            answer["dedup_key"] = receipt.fingerprint
        return _json(answer, status=HTTPStatus.ACCEPTED)
    answer = {"status": "accepted", "alerts": receipt.alerts, "changes": receipt.changes}
    if receipt.refused:
        answer["refused"] = receipt.refused
    if receipt.problems:
        answer["problems"] = list(receipt.problems)
    if receipt.ignored:
        answer["ignored"] = receipt.ignored
    return _json(answer, status=HTTPStatus.ACCEPTED)


def _refusal(refused: Refused, *, as_pagerduty: bool) -> HttpResponse:
    if refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("a delivery was refused with %d: %s", refused.status, refused)
    answer: dict[str, object] = {"status": "refused", "message": str(refused)}
    if as_pagerduty:
        answer = {"status": "invalid event", "message": "Event object is invalid", "errors": [str(refused)]}
    response = _json(answer, status=refused.status)
    # Django would log the address, which may hold the token.
    response._has_been_logged = True  # type: ignore[attr-defined]
    if refused.retry_after:
        response["Retry-After"] = str(refused.retry_after)
    if refused.status == HTTPStatus.METHOD_NOT_ALLOWED:
        response["Allow"] = "POST"
    if refused.status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def _json(answer: dict[str, object], *, status: int) -> HttpResponse:
    return HttpResponse(orjson.dumps(answer), status=status, content_type="application/json")
