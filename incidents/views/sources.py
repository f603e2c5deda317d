"""Settings, sources: who sends alerts and changes here, how they are doing, their tokens and mappings, and what they sent."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from incidents.intake import source_listing, sources, tokens
from incidents.models import AlertSource, SourceToken
from incidents.views.source_mapping import fields_of, sample_of
from incidents.views.source_snippets import snippet

may_manage = permission_required("incidents.manage_sources", raise_exception=True)


@may_manage
@require_GET
def source_list(request: HttpRequest) -> HttpResponse:
    """Every source and how it is doing, and how to add one."""
    return _list(request)


@may_manage
@require_POST
def source_add(request: HttpRequest) -> HttpResponse:
    """Add a source and show its token, this once."""
    name, kind = request.POST.get("name", ""), request.POST.get("kind", "")
    try:
        source, token = sources.add(name=name, kind=kind, now=timezone.now())
    except sources.BadSource as error:
        return _list(request, problem=str(error), name=name, kind=kind)
    return _page(request, source, token=token)


@may_manage
@require_GET
def source_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One source: what to configure, its tokens, what it sent and what was refused."""
    return _page(request, get_object_or_404(AlertSource, pk=pk))


@may_manage
@require_POST
def source_change(request: HttpRequest, pk: int) -> HttpResponse:
    """Rename a source, switch it off or on, or change how much it may send."""
    source = get_object_or_404(AlertSource, pk=pk)
    most = request.POST.get("most_per_minute", "")
    try:
        sources.rename(source, request.POST.get("name", ""))
        sources.set_limit(source, int(most) if most.isdecimal() and len(most) < 10 else 0)
    except sources.BadSource as error:
        return _page(request, AlertSource.objects.get(pk=pk), problem=str(error))
    source.is_enabled = "is_enabled" in request.POST
    sources.save(source)
    messages.success(request, f"{source.name} is saved.")
    return redirect("source-page", pk=pk)


@may_manage
@require_POST
def source_token_add(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a further token and show it, this once; the others stay valid until they are revoked."""
    source = get_object_or_404(AlertSource, pk=pk)
    try:
        token = sources.add_token(source, now=timezone.now())
    except sources.BadSource as error:
        messages.error(request, str(error))
        return redirect("source-page", pk=pk)
    return _page(request, source, token=token)


@may_manage
@require_POST
def source_token_revoke(request: HttpRequest, pk: int, token_id: int) -> HttpResponse:
    """End a token's validity."""
    token = get_object_or_404(SourceToken, pk=token_id, source_id=pk)
    tokens.revoke(token, now=timezone.now())
    messages.success(request, f"The token {token.beginning}… is revoked. Deliveries with it are answered 401.")
    return redirect("source-page", pk=pk)


@may_manage
@require_POST
def source_signing(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a signing secret and show it, this once, or forget the older one, or all."""
    source = get_object_or_404(AlertSource, pk=pk)
    what = request.POST.get("what", "")
    if what == "add":
        return _page(request, source, secret=sources.add_signing_secret(source))
    sources.forget_signing_secrets(source, keep_newest=what == "forget-old")
    messages.success(
        request,
        "The older signing secret is forgotten." if what == "forget-old" else "Deliveries need no signature any more.",
    )
    return redirect("source-page", pk=pk)


def _list(request: HttpRequest, *, problem: str = "", name: str = "", kind: str = "") -> HttpResponse:
    now = timezone.now()
    context = {
        "rows": source_listing.rows(now=now),
        "states": source_listing.STATE_WORDS,
        "unknown": source_listing.unknown_senders(now=now),
        "problem": problem,
        "name": name,
        "kind": kind,
        "kinds": AlertSource.Kind.choices,
    }
    return render(request, "incidents/sources.html", context, status=400 if problem else 200)


def _page(
    request: HttpRequest, source: AlertSource, *, token: str = "", secret: str = "", problem: str = ""
) -> HttpResponse:
    now = timezone.now()
    host = f"{request.scheme}://{request.get_host()}"
    context: dict[str, Any] = {
        "source": source,
        "row": next(row for row in source_listing.rows(now=now) if row.pk == source.pk),
        "states": source_listing.STATE_WORDS,
        "token": token,
        "secret": secret,
        "snippet": snippet(source.kind, host=host, token=token),
        "tokens": source.tokens.all()[:20],
        "refusals": source_listing.refusals(source, now=now),
        "deliveries": source_listing.deliveries(source),
        "problem": problem,
        "is_new": not source.last_received_at,
    }
    if sources.has_mapping(source):
        context |= {"fields": fields_of(source, dict(source.mapping), now=now), "sample": sample_of(source)}
    return render(request, "incidents/source.html", context, status=400 if problem else 200)
