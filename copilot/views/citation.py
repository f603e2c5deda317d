"""One citation beside the text: the item whole, with the lines marked that a sentence rests on."""

from dataclasses import replace

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from copilot.evidence.bundle import Evidence, EvidenceBundle, Kind
from copilot.known import known_of
from copilot.views.access import incident_of, may_see
from copilot.views.cited_lines import cited_lines
from copilot.views.evidence_cards import Card, card

LONGEST_SAID = 2000  # characters of a sentence


@may_see
@require_GET
@never_cache
def citation(request: HttpRequest, pk: int, evidence_id: str) -> HttpResponse:
    """Show one item for the panel beside the text, or inside an answer (?in=message id); ?said= is the sentence that cites it."""
    known = known_of(incident_of(request, pk))
    item = known.bundle.get(evidence_id) if known.bundle else None
    if item is None or known.bundle is None:
        raise Http404(f"{known.incident.reference} has no evidence {evidence_id}.")
    inside = request.GET.get("in", "")
    said = request.GET.get("said", "")[:LONGEST_SAID]
    shown = cited_card(item, bundle=known.bundle, said=said, place=f"-{inside}" if inside.isdecimal() else "-beside")
    context = {"incident": known.incident, "card": shown, "whole": True, "inside": bool(inside)}
    return render(request, "copilot/evidence/citation.html", context)


def cited_card(item: Evidence, *, bundle: EvidenceBundle, said: str, place: str) -> Card:
    """Return an item whole, with the lines that a sentence rests on; those of a file are all cited unless some fit better."""
    shown = card(item, bundle=bundle, whole=True)
    if item.kind is Kind.ATTACHED:
        lines = item.detail.get("lines", ())
        marked = cited_lines(said, [str(line["text"]) for line in lines]) or range(len(lines))
        return replace(shown, place=place, marked=frozenset(int(lines[each]["number"]) for each in marked))
    return replace(shown, place=place, marked=cited_lines(said, [line.body for line in shown.lines] or shown.excerpt))
