"""What people do with an incident besides moving it on: parts, tasks, details, merge and split, undo, watch, updates."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from copilot.views.access import incident_of, may_respond, may_see
from copilot.views.response import decisions_of
from incidents import lifecycle, teamwork
from incidents.lifecycle import NotPossible, WrongState
from incidents.models import GroupingDecision, Incident, IncidentTask, Service, Team

MERGE_CHOICES = 50
ALERTS_TO_SPLIT = 200

Change = Callable[[Incident, HttpRequest, dict[str, Any]], object]


@may_respond
@require_GET
@never_cache
def change_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the forms that set right what the record says, merge, split, and undo."""
    incident = incident_of(request, pk)
    others = Incident.objects.visible_to(request.user).filter(status__in=lifecycle.ACTIVE, source=incident.source)
    context = {
        "incident": incident,
        "causes": list(Incident.Cause.choices),
        "teams": Team.objects.all(),
        "services": Service.objects.values_list("name", flat=True)[:500],
        "others": others.exclude(pk=pk).order_by("-opened_at")[:MERGE_CHOICES],
        "alerts": incident.alerts.order_by("service", "name")[:ALERTS_TO_SPLIT],
        "decisions": decisions_of(incident),
        "severities": (1, 2, 3, 4),
    }
    return render(request, "copilot/incident/change.html", context)


@may_respond
@require_POST
def change(request: HttpRequest, pk: int, what: str) -> HttpResponse:
    """Set one thing right, then show the forms again."""
    if what not in _CHANGES:
        raise Http404(f"Nothing called {what!r} can be changed; there are {', '.join(_CHANGES)}.")
    incident = incident_of(request, pk)
    common = {"by": request.user.get_username(), "now": timezone.now()}
    try:
        result = _CHANGES[what](incident, request, common)
    except (NotPossible, WrongState) as error:
        messages.error(request, str(error))
        return redirect("incident-change", pk=pk)
    if what == "split" and isinstance(result, Incident):
        messages.success(request, f"{result.reference} was split off.")
    return redirect("incident-page", pk=pk)


@may_respond
@require_POST
def merge(request: HttpRequest, pk: int) -> HttpResponse:
    """Merge this incident into another one, and show that."""
    incident = incident_of(request, pk)
    number = request.POST.get("into", "").strip().upper().removeprefix("INC-")
    if not number.isdigit():
        messages.error(request, "Choose the incident that this one is part of, for example INC-12.")
        return redirect("incident-change", pk=pk)
    into = incident_of(request, int(number[:18]))
    try:
        lifecycle.merge(incident, into=into, by=request.user.get_username(), now=timezone.now())
    except (NotPossible, WrongState) as error:
        messages.error(request, str(error))
        return redirect("incident-change", pk=pk)
    messages.success(
        request, f"{incident.reference} is part of {into.reference} now. Undo it under “How it came together”."
    )
    return redirect("incident-page", pk=into.pk)


@may_respond
@require_POST
def undo(request: HttpRequest, pk: int, decision_id: int) -> HttpResponse:
    """Take a grouping decision back, and show the incident again."""
    incident = incident_of(request, pk)
    decision = get_object_or_404(GroupingDecision, pk=decision_id, incident=incident)
    try:
        other = lifecycle.undo(decision, by=request.user.get_username(), now=timezone.now())
    except (NotPossible, WrongState) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Undone, and remembered for the next such case. See {other.reference}.")
    return redirect(reverse("incident-page", args=[pk]) + "#response")


@may_respond
@require_POST
def role(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Take, give or leave a part: `take`, `leave`, `give` with a person's name."""
    incident = incident_of(request, pk)
    wanted, by, now = request.POST.get("role", ""), request.user.get_username(), timezone.now()
    me = get_object_or_404(User, pk=request.user.pk)
    try:
        if verb == "leave":
            teamwork.leave_role(incident, role=wanted, user=me, by=by, now=now)
        elif verb in ("take", "give"):
            user = me if verb == "take" else _person(request.POST.get("person", ""))
            teamwork.take_role(incident, role=wanted, user=user, by=by, now=now)
        else:
            raise Http404(f"No way {verb!r}; there are take, give and leave.")
    except (NotPossible, ValueError) as error:
        messages.error(request, str(error))
    return redirect(reverse("incident-page", args=[pk]) + "#response")


@may_respond
@require_POST
def task(request: HttpRequest, pk: int, task_id: int) -> HttpResponse:
    """Add a task (`task_id` 0), or tick one off, take the tick away, take it on."""
    incident = incident_of(request, pk)
    by, now = request.user.get_username(), timezone.now()
    me = get_object_or_404(User, pk=request.user.pk)
    try:
        if not task_id:
            later = request.POST.get("follow_up") == "1"
            teamwork.add_task(incident, text=request.POST.get("text", ""), by=by, now=now, is_follow_up=later)
        else:
            found = get_object_or_404(IncidentTask.objects.select_related("incident"), pk=task_id, incident=incident)
            if request.POST.get("do") == "mine":
                teamwork.assign_task(found, assignee=me, by=by, now=now)
            else:
                teamwork.finish_task(found, by=by, now=now, done=request.POST.get("do") != "again")
    except NotPossible as error:
        messages.error(request, str(error))
    return redirect(reverse("incident-page", args=[pk]) + "#response")


@may_see
@require_POST
def watch(request: HttpRequest, pk: int) -> HttpResponse:
    """Follow the incident, or no longer."""
    incident = incident_of(request, pk)
    me = get_object_or_404(User, pk=request.user.pk)
    if request.POST.get("watch") == "1":
        try:
            teamwork.watch(me, incident=incident, now=timezone.now())
        except NotPossible as error:
            messages.error(request, str(error))
    else:
        teamwork.unwatch(me, incident=incident)
    return redirect("incident-page", pk=pk)


def _person(name: str) -> User:
    """Return the person of that name who may respond. Raises NotPossible."""
    person = User.objects.filter(username=name.strip(), is_active=True).first()
    if person is None:
        raise NotPossible(f"There is nobody called “{name.strip()[:80]}” here. Names are as on the people page.")
    allowed = person.has_perm("incidents.respond_to_incident")
    if not allowed:
        raise NotPossible(f"{person.get_username()} may not respond to incidents; an administrator can change that.")
    return person


def _severity(incident: Incident, request: HttpRequest, common: dict[str, Any]) -> object:
    given = request.POST.get("severity", "")
    level = int(given) if given.isdigit() and len(given) == 1 else 0
    return lifecycle.set_severity(incident, severity=level, reason=request.POST.get("reason", ""), **common)


def _title(incident: Incident, request: HttpRequest, common: dict[str, Any]) -> object:
    return lifecycle.set_title(incident, title=request.POST.get("title", ""), **common)


def _services(incident: Incident, request: HttpRequest, common: dict[str, Any]) -> object:
    return lifecycle.set_services(incident, services=request.POST.get("services", "").split(","), **common)


def _tags(incident: Incident, request: HttpRequest, common: dict[str, Any]) -> object:
    return lifecycle.set_tags(incident, tags=request.POST.get("tags", "").split(","), **common)


def _cause(incident: Incident, request: HttpRequest, common: dict[str, Any]) -> object:
    cause, text = request.POST.get("cause", ""), request.POST.get("text", "")
    return lifecycle.set_cause(incident, cause=cause, text=text, **common)


def _team(incident: Incident, request: HttpRequest, common: dict[str, Any]) -> object:
    given = request.POST.get("team", "")
    team = Team.objects.filter(pk=int(given[:18])).first() if given.isdigit() else None
    return lifecycle.set_team(incident, team=team, **common)


def _restricted(incident: Incident, request: HttpRequest, common: dict[str, Any]) -> object:
    wanted = request.POST.get("restricted") == "1"
    me = request.user
    if wanted and isinstance(me, User) and not me.has_perm("incidents.view_restricted_incident"):
        # Whoever restricts it keeps part in it, or would lock themselves out.
        teamwork.take_role(incident, role="responder", user=me, **common)
    return lifecycle.restrict(incident, restricted=wanted, **common)


def _split(incident: Incident, request: HttpRequest, common: dict[str, Any]) -> object:
    alerts = [int(pk[:18]) for pk in request.POST.getlist("alert") if pk.isdigit()]
    return lifecycle.split(incident, alerts=alerts, services=request.POST.getlist("service"), **common)


_CHANGES: dict[str, Change] = {
    "severity": _severity,
    "title": _title,
    "services": _services,
    "tags": _tags,
    "cause": _cause,
    "team": _team,
    "restricted": _restricted,
    "split": _split,
}
