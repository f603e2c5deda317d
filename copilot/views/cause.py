"""What an incident taught: the form that resolving asks, skippable, and what was tried, also while it goes on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from copilot import events, learning
from copilot.known import known_of
from copilot.views.access import incident_of, may_respond
from incidents import lifecycle
from incidents.lifecycle import NotPossible, WrongState
from incidents.models import ConfirmedCause, Incident, Lesson, Service

NO_SERVICE, ANOTHER = "-", "+"  # values of the choice beside the services' names, which never are these
TRIED_ROWS = 3
NOT_HELPFUL = ((Lesson.Kind.NO_HELP.value, "Did not help"), (Lesson.Kind.WORSE.value, "Made it worse"))


@dataclass(frozen=True, slots=True)
class Choice:
    """One service to choose; `chance` is "" for one that nobody suspected."""

    service: str
    chance: str
    why: str
    is_chosen: bool


@may_respond
@require_http_methods(["GET", "POST"])
@never_cache
def cause_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask what it was, what fixed it and what did not; on POST keep that, and resolve the incident if it goes on."""
    incident = incident_of(request, pk)
    if request.method == "GET":
        return render(request, "copilot/incident/cause.html", _context(incident))
    by, now = request.user.get_username(), timezone.now()
    try:
        with transaction.atomic():
            if request.POST.get("do") != "skip":
                _keep(incident, request.POST, by=by, now=now)
            if incident.status in lifecycle.ACTIVE:
                lifecycle.resolve(incident, by=by, now=now)
            events.publish(incident_id=pk, kind="incident.changed", payload={})
    except (NotPossible, WrongState) as error:
        messages.error(request, str(error))
        return render(request, "copilot/incident/cause.html", _context(incident, given=request.POST), status=400)
    return redirect(reverse("incident-page", args=[pk]) + "#learned")


@may_respond
@require_POST
def lesson(request: HttpRequest, pk: int, lesson_id: int) -> HttpResponse:
    """Record what was tried or who was not the cause (`lesson_id` 0), correct it, or take it back."""
    incident = incident_of(request, pk)
    by, now = request.user.get_username(), timezone.now()
    given = {name: request.POST.get(name, "") for name in ("kind", "text", "service")}
    try:
        if not lesson_id:
            lifecycle.add_lesson(incident, **given, by=by, now=now)
        else:
            found = get_object_or_404(Lesson.objects.select_related("incident"), pk=lesson_id, incident=incident)
            if request.POST.get("do") == "drop":
                lifecycle.drop_lesson(found, by=by, now=now)
            else:
                lifecycle.change_lesson(found, **given, by=by, now=now)
    except NotPossible as error:
        messages.error(request, str(error))
    else:
        events.publish(incident_id=pk, kind="incident.changed", payload={})
    return redirect(reverse("incident-page", args=[pk]) + "#learned")


def _keep(incident: Incident, given: Mapping[str, str], *, by: str, now: datetime) -> None:
    chosen = given.get("service", "")
    if not chosen and not given.get("family") and not given.get("kind"):
        raise NotPossible("Choose what it was, or resolve without saying.")
    service = {NO_SERVICE: "", ANOTHER: given.get("another", "").strip()}.get(chosen, chosen)
    if chosen == ANOTHER and not service:
        raise NotPossible("Write the other service's name, or choose one of those listed.")
    cause = lifecycle.Cause(service, given.get("family", ""), given.get("kind", ""), given.get("text", ""))
    learning.confirm(incident, cause=cause, by=by, now=now)
    tried = [("fixed", given.get("fixed", ""))]
    tried += [(given.get(f"outcome-{row}", ""), given.get(f"tried-{row}", "")) for row in range(1, TRIED_ROWS + 1)]
    for kind, text in tried:
        if text.strip():
            lifecycle.add_lesson(incident, kind=kind, text=text, service=service, by=by, now=now)


def _context(incident: Incident, *, given: Mapping[str, str] | None = None) -> dict[str, Any]:
    confirmed = ConfirmedCause.objects.filter(incident=incident).first()
    suspects = learning.suggestion(known_of(incident).bundle)
    chosen = _chosen(confirmed, suspects, given)
    family = confirmed.family if confirmed else next((s.family for s in suspects if s.service == chosen), "")
    given = given or {}
    return {
        "incident": incident,
        "is_active": incident.status in lifecycle.ACTIVE,
        "confirmed": confirmed,
        "choices": _choices(incident, suspects, chosen),
        "chosen": chosen,
        "another": given.get("another", ""),
        "families": [(value, label, value == (given.get("family") or family)) for value, label in _families()],
        "kinds": [(v, label, v == (given.get("kind") or incident.cause)) for v, label in Incident.Cause.choices],
        "text": given.get("text", incident.cause_text),
        "fixed": given.get("fixed", ""),
        "rows": [
            (row, given.get(f"tried-{row}", ""), given.get(f"outcome-{row}", "")) for row in range(1, TRIED_ROWS + 1)
        ],
        "outcomes": NOT_HELPFUL,
        "lessons": incident.lessons.all(),
        "services": Service.objects.values_list("name", flat=True)[:500],
    }


def _chosen(
    confirmed: ConfirmedCause | None, suspects: tuple[learning.Suggested, ...], given: Mapping[str, str] | None
) -> str:
    """Return the choice that is set when the form opens: what was sent, else what was confirmed, else the leading suspect."""
    if given and given.get("service"):
        return given["service"]
    if confirmed:
        return confirmed.service or NO_SERVICE
    return suspects[0].service if suspects else ""


def _choices(incident: Incident, suspects: tuple[learning.Suggested, ...], chosen: str) -> tuple[Choice, ...]:
    known = {one.service: one for one in suspects}
    names = list(dict.fromkeys([*known, *incident.services[:6]]))
    if chosen not in ("", NO_SERVICE, ANOTHER, *names):
        names.insert(0, chosen)
    return tuple(
        Choice(
            service=name,
            chance=f"{known[name].chance:.0%}" if name in known else "",
            why=known[name].why if name in known else "",
            is_chosen=name == chosen,
        )
        for name in names
    )


def _families() -> list[tuple[str, str]]:
    return [(str(value), str(label)) for value, label in ConfirmedCause.Family.choices]
