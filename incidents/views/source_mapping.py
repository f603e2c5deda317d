"""Settings, sources: the mapping of a generic source, tried on its last payload while it is written; and single deliveries."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from incidents.intake import source_listing, sources
from incidents.intake.alerts import read_again
from incidents.intake.documents import MalformedDocument, mask_document, read_json
from incidents.intake.formats import Delivery, generic
from incidents.intake.refusals import Refused
from incidents.models import AlertSource, RawEvent

may_manage = permission_required("incidents.manage_sources", raise_exception=True)


def sample_of(source: AlertSource, number: str = "") -> RawEvent | None:
    """Return the delivery that a mapping is tried on: the one with this number, else the last that came."""
    found = source.raw_events.all()
    return found.filter(pk=int(number)).first() if number.isdecimal() and len(number) < 18 else found.first()


def fields_of(
    source: AlertSource, mapping: Mapping[str, str], *, now: datetime, sample: str = ""
) -> list[dict[str, Any]]:
    """Return, field by field, the expression and what it finds in the sample, or what is wrong."""
    kept = {name: mapping.get(name, "").strip() for name in sources.fields_of(source)}
    raw = sample_of(source, sample)
    shown: dict[str, generic.Field] = {}
    if raw is not None:
        try:
            document = mask_document(read_json(bytes(raw.body)))
        except MalformedDocument:
            document = None
        is_change = source.kind == AlertSource.Kind.GENERIC_CHANGE
        usable = {name: expression for name, expression in kept.items() if not _fault(expression, name, source)}
        shown = {one.name: one for one in generic.trial(document, usable, is_change=is_change, now=now)}
    return [
        {
            "name": name,
            "expression": expression,
            "default": sources.fields_of(source)[name],
            "error": _fault(expression, name, source) or (shown[name].error if name in shown else ""),
            "value": shown[name].value if name in shown else "",
        }
        for name, expression in kept.items()
    ]


def _fault(expression: str, name: str, source: AlertSource) -> str:
    try:
        generic.checked({name: expression}, fields=sources.fields_of(source))
    except generic.BadExpression as error:
        return str(error)
    return ""


@may_manage
@require_POST
def source_mapping_try(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what the mapping in the editor finds in a payload, without saving it."""
    source = _generic_source(pk)
    fields = fields_of(source, _given(request, source), now=timezone.now(), sample=request.POST.get("sample", ""))
    return render(request, "incidents/source_mapping_rows.html", {"fields": fields})


@may_manage
@require_POST
def source_mapping_save(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep a mapping; one with an expression that is none is refused, and the editor says which."""
    source = _generic_source(pk)
    try:
        sources.set_mapping(source, _given(request, source))
    except sources.BadSource as error:
        messages.error(request, f"Not saved. {error}")
        return redirect("source-page", pk=pk)
    sources.save(source)
    messages.success(
        request, "The mapping is saved. Deliveries from now on are read with it; earlier ones can be read again."
    )
    return redirect("source-page", pk=pk)


@may_manage
@require_GET
def source_delivery(request: HttpRequest, pk: int, delivery_id: int) -> HttpResponse:
    """One delivery: its body as it came, secrets masked, and what could not be used of it."""
    raw = get_object_or_404(RawEvent.objects.select_related("source"), pk=delivery_id, source_id=pk)
    body, is_cut = source_listing.body_of(raw)
    return render(
        request,
        "incidents/source_delivery.html",
        {"source": raw.source, "raw": raw, "body": _indented(body) if not is_cut else body, "is_cut": is_cut},
    )


@may_manage
@require_POST
def source_delivery_again(request: HttpRequest, pk: int, delivery_id: int) -> HttpResponse:
    """Take a kept delivery in again, read with the mapping of now."""
    raw = get_object_or_404(RawEvent.objects.select_related("source"), pk=delivery_id, source_id=pk)
    kept = Delivery(bytes(raw.body), content_type=raw.content_type, event=raw.event)
    try:
        receipt = read_again(raw.source, kept, now=timezone.now())
    except Refused as refused:
        messages.error(request, f"It still cannot be used. {refused}")
    else:
        messages.success(
            request, f"Read again: {receipt.alerts} alerts, {receipt.changes} changes, {receipt.refused} refused."
        )
    return redirect("source-delivery", pk=pk, delivery_id=delivery_id)


def _generic_source(pk: int) -> AlertSource:
    source = get_object_or_404(AlertSource, pk=pk)
    if not sources.has_mapping(source):
        raise Http404(f"{source.name} needs no mapping: its format is known.")
    return source


def _given(request: HttpRequest, source: AlertSource) -> dict[str, str]:
    return {name: request.POST.get(f"map-{name}", "").strip() for name in sources.fields_of(source)}


def _indented(body: str) -> str:
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return body
