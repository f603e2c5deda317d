"""Where alerts and changes come from: added, changed, given tokens and signing secrets, each shown once."""

from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from copilot.api.access import READ_SOURCES, SET_UP
from copilot.api.paging import Paging, answer, page
from copilot.api.problems import Problem
from copilot.api.replies import require_match
from copilot.api.setup_shapes import (
    NewSecretShape,
    NewSourceShape,
    NewTokenShape,
    SourceBody,
    SourceChange,
    SourceShape,
    TokenShape,
)
from copilot.api.shapes import REFUSALS, PageShape, ProblemShape
from incidents.intake import sources, tokens
from incidents.models import AlertSource, SourceToken

router = Router(tags=["sources"])


@router.get("/sources", auth=READ_SOURCES, response={200: PageShape[SourceShape], REFUSALS: ProblemShape})
def list_sources(request: HttpRequest, paging: Query[Paging]) -> Any:
    """List where alerts and changes come from, without any secret."""
    return answer(page(request, AlertSource.objects.all(), paging), _shown)


@router.get("/sources/{int:source_id}", auth=READ_SOURCES, response={200: SourceShape, REFUSALS: ProblemShape})
def get_source(request: HttpRequest, source_id: int) -> Any:
    """Read one source, without any secret."""
    return _shown(_source(source_id))


@router.post("/sources", auth=SET_UP, response={201: NewSourceShape, REFUSALS: ProblemShape})
def add_source(request: HttpRequest, body: SourceBody) -> Any:
    """Add a source. Its token is in this answer and cannot be read again."""
    try:
        with transaction.atomic():
            source, token = sources.add(name=body.name, kind=body.kind, now=timezone.now())
            if body.mapping:
                sources.set_mapping(source, body.mapping)
                sources.save(source)
    except sources.BadSource as error:
        raise Problem(422, str(error)) from error
    return Status(201, NewSourceShape(token=token, **_shown(source).model_dump()))


@router.patch("/sources/{int:source_id}", auth=SET_UP, response={200: SourceShape, REFUSALS: ProblemShape})
def change_source(request: HttpRequest, source_id: int, change: SourceChange) -> Any:
    """Rename a source, switch it off or on, change how much it may send or how it is read: all of it or nothing."""
    with transaction.atomic():
        source = _source(source_id, lock=True)
        require_match(request, lambda: _shown(source))
        try:
            if change.name is not None:
                sources.rename(source, change.name)
            if change.most_per_minute is not None:
                sources.set_limit(source, change.most_per_minute)
            if change.mapping is not None:
                sources.set_mapping(source, change.mapping)
        except sources.BadSource as error:
            raise Problem(422, str(error)) from error
        if change.is_enabled is not None:
            source.is_enabled = change.is_enabled
        sources.save(source)
    return _shown(source)


@router.get(
    "/sources/{int:source_id}/tokens", auth=READ_SOURCES, response={200: PageShape[TokenShape], REFUSALS: ProblemShape}
)
def list_source_tokens(request: HttpRequest, source_id: int, paging: Query[Paging]) -> Any:
    """List a source's tokens by their beginnings, the newest first."""
    return answer(page(request, _source(source_id).tokens.all(), paging, newest_by="created_at"), _token)


@router.post("/sources/{int:source_id}/tokens", auth=SET_UP, response={201: NewTokenShape, REFUSALS: ProblemShape})
def add_source_token(request: HttpRequest, source_id: int) -> Any:
    """Make a further token; the others stay valid until they are revoked. It is in this answer and cannot be read again."""
    source = _source(source_id)
    try:
        token = sources.add_token(source, now=timezone.now())
    except sources.BadSource as error:
        raise Problem(409, str(error)) from error
    return Status(201, NewTokenShape(token=token, **_token(sources.newest_token(source)).model_dump()))


@router.delete(
    "/sources/{int:source_id}/tokens/{int:token_id}", auth=SET_UP, response={204: None, REFUSALS: ProblemShape}
)
def revoke_source_token(request: HttpRequest, source_id: int, token_id: int) -> Any:
    """End a token's validity; deliveries with it are answered 401 from then on. Does nothing when it has ended."""
    found = _source(source_id).tokens.filter(pk=token_id).first()
    if found is None:
        raise Http404(f"Source {source_id} has no token {token_id}.")
    tokens.revoke(found, now=timezone.now())
    return Status(204, None)


@router.post(
    "/sources/{int:source_id}/signing-secrets", auth=SET_UP, response={201: NewSecretShape, REFUSALS: ProblemShape}
)
def add_signing_secret(request: HttpRequest, source_id: int) -> Any:
    """Make a signing secret: from now on deliveries must be signed with it or the one before it. It cannot be read again."""
    return Status(201, NewSecretShape(signing_secret=sources.add_signing_secret(_source(source_id))))


@router.delete("/sources/{int:source_id}/signing-secrets", auth=SET_UP, response={204: None, REFUSALS: ProblemShape})
def forget_signing_secrets(request: HttpRequest, source_id: int, keep_newest: bool = False) -> Any:
    """Forget the signing secrets, with `keep_newest` only the older one; without any, deliveries need no signature."""
    sources.forget_signing_secrets(_source(source_id), keep_newest=keep_newest)
    return Status(204, None)


def _source(source_id: int, *, lock: bool = False) -> AlertSource:
    found = (AlertSource.objects.select_for_update() if lock else AlertSource.objects).filter(pk=source_id).first()
    if found is None:
        raise Http404(f"There is no source {source_id}.")
    return found


def _shown(source: AlertSource) -> SourceShape:
    plain = {name: getattr(source, name) for name in SourceShape.model_fields if name != "is_signed"}
    return SourceShape(is_signed=bool(source.signing_secrets), **plain)


def _token(token: SourceToken) -> TokenShape:
    return TokenShape(**{name: getattr(token, name) for name in TokenShape.model_fields})
