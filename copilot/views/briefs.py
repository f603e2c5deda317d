"""Briefs to read out and copy: for who joins, for the next shift, for stakeholders; and publishing a status update."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from copilot import handover
from copilot.known import known_of
from copilot.views.access import incident_of, may_respond, may_see
from incidents import teamwork
from incidents.lifecycle import NotPossible

TEXT_LENGTH = 10_000


@may_see
@require_GET
@never_cache
def briefs_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the three briefs as they are at this moment."""
    return _page(request, pk)


@may_respond
@require_POST
def publish_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep a status update; with doubts about what it says it is shown again, and goes out when somebody says that they have checked it."""
    incident = incident_of(request, pk)
    text = request.POST.get("text", "")[:TEXT_LENGTH].strip()
    now = timezone.now()
    known = known_of(incident)
    doubts = handover.doubts(text, handover.Subject(incident, known.bundle, known.brief), now=now)
    if doubts and request.POST.get("checked") != "1":
        return _page(request, pk, text=text, doubts=doubts)
    try:
        teamwork.publish_update(incident, text=text, by=request.user.get_username(), now=now)
    except NotPossible as error:
        messages.error(request, str(error))
        return redirect("incident-briefs", pk=pk)
    messages.success(request, "Published: it is in the timeline, and who follows the incident is told.")
    return redirect("incident-briefs", pk=pk)


def _page(request: HttpRequest, pk: int, *, text: str = "", doubts: tuple[str, ...] = ()) -> HttpResponse:
    known, now = known_of(incident_of(request, pk)), timezone.now()
    subject = handover.Subject(known.incident, known.bundle, known.brief)
    context = {
        "incident": known.incident,
        "read_in": handover.read_in(subject, now=now),
        "handover": handover.handover(subject, now=now),
        "draft": text or handover.stakeholder_draft(subject, now=now),
        "doubts": doubts,
        "updates": known.incident.status_updates.exclude(published_at=None)[:20],
        "written_at": now,
    }
    return render(request, "copilot/incident/briefs.html", context, status=400 if doubts else 200)
