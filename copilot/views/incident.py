"""An incident's page, its live parts, and what a person can do there."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from copilot import events, pipeline
from copilot.known import known_of
from copilot.views import reading
from copilot.views.access import incident_of, may_respond, may_see
from copilot.views.conversation import asked_of, conversation, follow_from
from copilot.views.evidence_cards import card
from copilot.views.response import response_of
from copilot.views.timeline import timeline_of
from copilot.views.verdict import verdict_of
from incidents import lifecycle
from incidents.models import Incident, Lesson

NOTE_LENGTH = 500
# Parts of the page that are fetched again when something happened.
PARTS = {
    "verdict": "copilot/incident/verdict.html",
    "explanation": "copilot/incident/explanation.html",
    "timeline": "copilot/incident/timeline.html",
    "response": "copilot/incident/response.html",
    "prompts": "copilot/chat/prompts.html",
}


@may_see
@require_GET
@never_cache
def incident_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the whole incident."""
    incident = incident_of(request, pk)
    # Where the page stands is read before what it shows: what happens in between is heard twice, never missed.
    after = follow_from(pk, newest=incident.last_event_number)
    known = known_of(incident)
    linked = request.GET.get("message", "")
    since = int(linked) if linked.isascii() and linked.isdecimal() and len(linked) < 18 else 0
    context = {
        **_context(request, incident),
        "after": after,
        "is_ready": known.bundle is not None,
        "has_failed": known.has_failed,
        "messages_shown": conversation(pk, known=known.evidence, since=since),
        "model": reading.model_status(),
    }
    return render(request, "copilot/incident.html", context)


@may_see
@require_GET
@never_cache
def incident_part(request: HttpRequest, pk: int, part: str) -> HttpResponse:
    """Show one part of the page anew."""
    if part not in PARTS:
        raise Http404(f"No part {part!r}; there are {', '.join(PARTS)}.")
    return render(request, PARTS[part], _context(request, incident_of(request, pk)))


@may_see
@require_GET
@never_cache
def incident_events(request: HttpRequest, pk: int) -> JsonResponse:
    """Return the events after ?after=N: what a page reads while its socket is down."""
    try:
        after = int(request.GET.get("after", "0"))
    except ValueError as error:
        raise BadRequest(
            "after: give the number of the last event that the page has, for example ?after=12."
        ) from error
    incident_of(request, pk)
    found = events.since(incident_id=pk, number=max(0, min(after, 2**62)))
    return JsonResponse({"events": [events.as_json(number=e.number, kind=e.kind, payload=e.payload) for e in found]})


@may_see
@require_GET
def evidence_page(request: HttpRequest, pk: int, evidence_id: str) -> HttpResponse:
    """Show one evidence item whole: a large chart, every line kept, the whole trace, and the query that found it."""
    known = known_of(incident_of(request, pk))
    item = known.bundle.get(evidence_id) if known.bundle else None
    if item is None or known.bundle is None:
        raise Http404(f"{known.incident.reference} has no evidence {evidence_id}.")
    # An item of a former look stands before those that are shown now.
    ids = [*(former.id for former in known.bundle.earlier), *(other.id for other in known.bundle.items)]
    place = ids.index(item.id)
    context = {
        "incident": known.incident,
        "card": card(item, bundle=known.bundle, whole=True),
        "claims": reading.claims_citing(known.brief, evidence_id, known=known.evidence_ids),
        "earlier": ids[place - 1] if place else "",
        "later": ids[place + 1] if place + 1 < len(ids) else "",
        "whole": True,
    }
    return render(request, "copilot/evidence_page.html", context)


@may_respond
@require_POST
def incident_action(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Acknowledge, mitigate, resolve, close, reopen, investigate again or add a note; then show the page again."""
    incident = incident_of(request, pk)
    by, now = request.user.get_username(), timezone.now()
    if verb == "note":
        text = request.POST.get("text", "").strip()[:NOTE_LENGTH]
        how = request.POST.get("kind", "")
        if text and how in Lesson.Kind.values:
            lifecycle.add_lesson(incident, kind=how, text=text, by=by, now=now)
            events.publish(incident_id=pk, kind="incident.changed", payload={})
        elif text:
            lifecycle.add_note(incident, text=text, by=by, now=now)
            events.publish(incident_id=pk, kind="timeline.added", payload={})
        return redirect(reverse("incident-page", args=[pk]) + "#timeline")
    if verb == "investigate":
        pipeline.request_again(pk, now=now)
        events.publish(incident_id=pk, kind="incident.changed", payload={})
        return redirect("incident-page", pk=pk)
    acts = {
        "acknowledge": lifecycle.acknowledge,
        "mitigate": lifecycle.mitigate,
        "resolve": lifecycle.resolve,
        "close": lifecycle.close,
        "reopen": lifecycle.reopen,
    }
    if verb not in acts:
        raise Http404(f"No action {verb!r}; there are {', '.join(acts)}, investigate and note.")
    try:
        acts[verb](incident, by=by, now=now)
    except lifecycle.WrongState as error:
        messages.error(request, str(error))
    else:
        events.publish(incident_id=pk, kind="incident.changed", payload={})
    return redirect("incident-list") if request.POST.get("next") == "list" else redirect("incident-page", pk=pk)


def _context(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    """Return what the page's parts show: now, or at the minute of the past that the address names."""
    now = timezone.now()
    timeline = timeline_of(incident, query=request.GET.dict())
    known = known_of(incident, at=timeline.then.at if timeline.then else None)
    return {
        "incident": incident,
        "known": known,
        "verdict": verdict_of(incident, bundle=known.bundle, brief=known.brief, now=now, then=timeline.then),
        "explanation": reading.explanation(known.bundle, known.brief, seconds=known.seconds),
        "timeline": timeline,
        "response": response_of(incident, user=request.user),
        "prompts": reading.suggested_questions(known.bundle, asked=asked_of(incident.pk)),
    }
