"""The board of incidents: what needs somebody now, what is watched, what is snoozed, what is over; and acting from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from copilot import events
from copilot.views.access import incident_of, may_respond, may_see
from copilot.views.board_filters import (
    ACTIVE,
    NOBODY,
    OVER,
    SOURCES,
    STATUSES,
    Filters,
    cursor_of,
    filtered,
    filters,
    older_than,
)
from copilot.views.board_rows import Row, rows
from incidents import lifecycle
from incidents.lifecycle.snoozing import snooze, wake
from incidents.models import Incident, Service, Team
from incidents.models.incident import IncidentQuerySet

SHOWN_ACTIVE = 50  # in each section; more are an overload that filters answer better than scrolling
A_PAGE = 25
COUNTED = 1_000  # beyond, the page says "1,000+"
NAMES_SHOWN, NAMES_SECONDS = 300, 60
SNOOZES = ((30, "30 minutes"), (60, "1 hour"), (240, "4 hours"), (480, "8 hours"))
_SECTIONS = (
    ("needs", "Needs you", "Newest first; the order does not jump while you read"),
    ("watching", "Watching", "Mitigated, not yet resolved"),
    ("snoozed", "Snoozed", "Back when the time has come"),
)
_STATUS_LABELS = {"": "All", "active": "Active", "resolved": "Resolved"}
_MORE_STATUSES = {
    "open": "Not acknowledged",
    "acknowledged": "Acknowledged",
    "mitigated": "Mitigated",
    "closed": "Closed",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """One button of a filter: where it leads and whether it is on."""

    label: str
    query: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the board. `has_more` says that not all that belong there are shown."""

    key: str
    title: str
    note: str
    rows: tuple[Row, ...]
    has_more: bool


@may_see
@require_GET
@never_cache
def incident_list(request: HttpRequest) -> HttpResponse:
    """Show the board, or, before there is any incident, how to send telemetry here."""
    if not Incident.objects.exists():
        return render(
            request, "copilot/empty.html", {"endpoint": _endpoint(request), "services": Service.objects.count()}
        )
    now = timezone.now()
    chosen = filters(request.GET)
    visible = Incident.objects.visible_to(request.user)
    found = filtered(visible, chosen).select_related("team").order_by("-opened_at", "-pk")
    sections = _sections(found, chosen, now=now)
    over, older = _over(found, chosen, request.GET.get("before", ""))
    context = {
        "sections": sections,
        "needs_you": next((section.rows for section in sections if section.key == "needs"), ()),
        "watching": next((section.rows for section in sections if section.key == "watching"), ()),
        "resolved": rows(over, now=now),
        "older": chosen.query(before=older) if older else "",
        "newest": chosen.query() if request.GET.get("before") else "",
        "shows_active": chosen.get("status") not in {"resolved", "closed"},
        "shows_over": chosen.get("status") in {"", "resolved", "closed"},
        "statuses": _status_filters(chosen, visible),
        "severities": _severity_filters(chosen),
        "chosen": chosen,
        "snoozes": SNOOZES,
        **_choices(),
    }
    return render(request, "copilot/incidents.html", context)


def _sections(found: IncidentQuerySet, chosen: Filters, *, now: datetime) -> tuple[Section, ...]:
    """Return the active incidents by what they ask for, the newest first."""
    states = STATUSES[chosen.get("status")]
    snoozed, awake = Q(snoozed_until_at__gt=now), Q(snoozed_until_at=None) | Q(snoozed_until_at__lte=now)
    belong = {
        "needs": (awake, ACTIVE),
        "watching": (awake, (Incident.Status.MITIGATED,)),
        "snoozed": (snoozed, (*ACTIVE, Incident.Status.MITIGATED)),
    }
    here: dict[str, list[Incident]] = {}
    for key, (condition, statuses) in belong.items():
        wanted = [status for status in statuses if status in states]
        here[key] = list(found.filter(condition, status__in=wanted)[: SHOWN_ACTIVE + 1]) if wanted else []
    shown = {row.pk: row for row in rows([one for some in here.values() for one in some[:SHOWN_ACTIVE]], now=now)}
    return tuple(
        Section(
            key,
            title,
            note,
            tuple(shown[one.pk] for one in here[key][:SHOWN_ACTIVE]),
            len(here[key]) > SHOWN_ACTIVE,
        )
        for key, title, note in _SECTIONS
    )


def _over(found: IncidentQuerySet, chosen: Filters, cursor: str) -> tuple[list[Incident], str]:
    """Return a page of those that are over, and the cursor of the next page, "" after the last."""
    here = [status for status in STATUSES[chosen.get("status")] if status in OVER]
    if not here:
        return [], ""
    page = list(older_than(found.filter(status__in=here), cursor)[: A_PAGE + 1])
    return page[:A_PAGE], cursor_of(page[A_PAGE - 1]) if len(page) > A_PAGE else ""


def _status_filters(chosen: Filters, visible: IncidentQuerySet) -> tuple[Filter, ...]:
    active = visible.filter(status__in=STATUSES["active"])[: COUNTED + 1].count()
    counts = {"active": f" {COUNTED:,}+" if active > COUNTED else f" {active}"}
    return tuple(
        Filter(label + counts.get(name, ""), chosen.query(status=name), chosen.get("status") == name)
        for name, label in _STATUS_LABELS.items()
    )


def _severity_filters(chosen: Filters) -> tuple[Filter, ...]:
    # Pressing the one that is on takes it off.
    on = chosen.get("severity")
    return tuple(Filter(f"SEV {n}", chosen.query(severity="" if on == n else n), on == n) for n in "1234")


def _choices() -> dict[str, Any]:
    """Return what the filters offer; names are as they were within a minute."""
    services = cache.get_or_set("board-services", _services, NAMES_SECONDS)
    people = cache.get_or_set("board-people", _people, NAMES_SECONDS)
    return {
        "services_known": services,
        "teams_known": Team.objects.values_list("name", flat=True)[:NAMES_SHOWN],
        "people_known": [NOBODY, *(people or ())],
        "causes": [(value or "unknown", str(label)) for value, label in Incident.Cause.choices],
        "sources": SOURCES.items(),
        "more_statuses": _MORE_STATUSES.items(),
    }


def _services() -> list[str]:
    return list(Service.objects.values_list("name", flat=True)[:NAMES_SHOWN])


def _people() -> list[str]:
    held = User.objects.filter(is_active=True).order_by("username")
    return list(held.values_list("username", flat=True)[:NAMES_SHOWN])


@may_respond
@require_POST
def board_action(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Acknowledge, mitigate, resolve, snooze or wake; a script gets 204 or 409 with why not, a form gets the board again."""
    incident = incident_of(request, pk)
    if verb not in {"acknowledge", "mitigate", "resolve", "snooze", "wake"}:
        raise Http404(f"No action {verb!r} on the board.")
    if verb in {"snooze", "wake"} and not request.user.has_perm("incidents.silence_alerts"):
        raise PermissionDenied("Snoozing needs the permission to silence alerts.")
    try:
        _act(request, incident, verb, now=timezone.now())
    except (lifecycle.WrongState, ValueError) as refusal:
        problem = str(refusal)
    else:
        problem = ""
        events.publish(incident_id=pk, kind="incident.changed", payload={})
    if request.headers.get("X-Requested-With") == "fetch":
        status = 409 if problem else 204
        return HttpResponse(problem, status=status, content_type="text/plain; charset=utf-8")
    if problem:
        messages.error(request, problem)
    return redirect(reverse("incident-list") + filters(_from_query(request.POST.get("back", ""))).query())


def _act(request: HttpRequest, incident: Incident, verb: str, *, now: datetime) -> None:
    by = User.objects.get(username=request.user.get_username())
    if verb == "snooze":
        text = request.POST.get("minutes", "60")
        if text not in {str(minutes) for minutes, _ in SNOOZES}:
            raise ValueError(f"Choose how long: {', '.join(label for _, label in SNOOZES)}.")
        snooze(incident, until=now + timedelta(minutes=int(text)), by=by, now=now)
    elif verb == "wake":
        wake(incident, by=by, now=now)
    else:
        acts = {
            "acknowledge": lifecycle.acknowledge,
            "mitigate": lifecycle.mitigate,
            "resolve": lifecycle.resolve,
        }
        acts[verb](incident, by=by.get_username(), now=now)


def _from_query(text: str) -> dict[str, str]:
    return QueryDict(text.removeprefix("?")[:2000]).dict()


def _endpoint(request: HttpRequest) -> str:
    return f"{request.scheme}://{request.get_host()}"
