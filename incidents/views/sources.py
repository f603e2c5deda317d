"""Settings, sources: who sends alerts and changes here, how they are doing, their tokens and mappings, and what they sent."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from incidents.intake import signatures, source_listing, tokens
from incidents.models import AlertSource, SourceToken
from incidents.views.source_mapping import fields_of, has_mapping, sample_of
from incidents.views.source_snippets import snippet

may_manage = permission_required("incidents.manage_sources", raise_exception=True)
MOST_TOKENS = 5  # valid at once, while one replaces another
MOST_SECRETS = 2


class SourceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new source."""

    class Meta:
        model = AlertSource
        fields = ("name", "kind")


class ChangeForm(forms.ModelForm):  # type: ignore[type-arg]
    """What can be changed of one: its kind cannot, because its alerts are known by what that kind says."""

    most_per_minute = forms.IntegerField(min_value=1, max_value=1_000_000)

    class Meta:
        model = AlertSource
        fields = ("name", "most_per_minute", "is_enabled")


@may_manage
@require_GET
def source_list(request: HttpRequest) -> HttpResponse:
    """Every source and how it is doing, and how to add one."""
    return _list(request, SourceForm())


@may_manage
@require_POST
def source_add(request: HttpRequest) -> HttpResponse:
    """Add a source and show its token, this once."""
    form = SourceForm(request.POST, instance=AlertSource(created_at=timezone.now()))
    if not form.is_valid():
        return _list(request, form)
    source = form.save()
    return _page(request, source, token=tokens.issue(source, now=timezone.now()))


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
    form = ChangeForm(request.POST, instance=source)
    if not form.is_valid():
        return _page(request, AlertSource.objects.get(pk=pk), form=form)
    form.save()
    tokens.forget()
    messages.success(request, f"{source.name} is saved.")
    return redirect("source-page", pk=pk)


@may_manage
@require_POST
def source_token_add(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a further token and show it, this once; the others stay valid until they are revoked."""
    source = get_object_or_404(AlertSource, pk=pk)
    if source.tokens.filter(revoked_at=None).count() >= MOST_TOKENS:
        messages.error(request, f"{MOST_TOKENS} tokens are valid already: revoke one that is not used any more.")
        return redirect("source-page", pk=pk)
    return _page(request, source, token=tokens.issue(source, now=timezone.now()))


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
        secret = signatures.new_secret()
        source.signing_secrets = [tokens.seal(secret), *source.signing_secrets][:MOST_SECRETS]
        source.save(update_fields=["signing_secrets"])
        tokens.forget()
        return _page(request, source, secret=secret)
    source.signing_secrets = source.signing_secrets[:1] if what == "forget-old" else []
    source.save(update_fields=["signing_secrets"])
    tokens.forget()
    messages.success(
        request,
        "The older signing secret is forgotten." if what == "forget-old" else "Deliveries need no signature any more.",
    )
    return redirect("source-page", pk=pk)


def _list(request: HttpRequest, form: SourceForm) -> HttpResponse:
    now = timezone.now()
    context = {
        "rows": source_listing.rows(now=now),
        "states": source_listing.STATE_WORDS,
        "unknown": source_listing.unknown_senders(now=now),
        "form": form,
        "kinds": AlertSource.Kind.choices,
    }
    return render(request, "incidents/sources.html", context, status=400 if form.errors else 200)


def _page(
    request: HttpRequest, source: AlertSource, *, token: str = "", secret: str = "", form: ChangeForm | None = None
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
        "form": form or ChangeForm(instance=source),
        "is_new": not source.last_received_at,
    }
    if has_mapping(source):
        context |= {"fields": fields_of(source, dict(source.mapping), now=now), "sample": sample_of(source)}
    return render(request, "incidents/source.html", context, status=400 if form is not None else 200)
