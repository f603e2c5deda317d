"""Teams: who is in one, when they work, and which services they own."""

from zoneinfo import available_timezones

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from incidents import catalog
from incidents.lifecycle import NotPossible
from incidents.models import Service, Team

may_see = permission_required("incidents.view_incident", raise_exception=True)
may_set_up = permission_required("incidents.manage_sources", raise_exception=True)

MOST_PEOPLE = 1_000


@may_see
@require_GET
@never_cache
def team_list(request: HttpRequest) -> HttpResponse:
    """Show the teams, and a form for a new one."""
    return _page(request, team=None)


@may_set_up
@require_GET
@never_cache
def team_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the teams with one in the form."""
    return _page(request, team=get_object_or_404(Team, pk=pk))


@may_set_up
@require_POST
def team_save(request: HttpRequest) -> HttpResponse:
    """Save a team with its members and services, new or known."""
    given = request.POST.get("pk", "")
    team = get_object_or_404(Team, pk=int(given[:18])) if given.isdigit() else Team()
    wanted = catalog.WantedTeam(
        name=request.POST.get("name", ""),
        time_zone=request.POST.get("time_zone", "UTC"),
        works_from=request.POST.get("works_from", ""),
        works_until=request.POST.get("works_until", ""),
        members=User.objects.filter(pk__in=_numbers(request, "member"), is_active=True),
        services=request.POST.get("services", "").split(","),
    )
    try:
        catalog.save_team(team, wanted, now=timezone.now())
    except NotPossible as error:
        return _page(request, team=team, problem=str(error))
    messages.success(request, f"Team {team} is saved.")
    return redirect("team-list")


@may_set_up
@require_POST
def team_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a team; its services and incidents then belong to none."""
    team = get_object_or_404(Team, pk=pk)
    team.delete()
    messages.success(request, f"Team {team.name} is deleted; its services and incidents belong to no team now.")
    return redirect("team-list")


def _numbers(request: HttpRequest, name: str) -> list[int]:
    return [int(value[:18]) for value in request.POST.getlist(name) if value.isdigit()]


def _page(request: HttpRequest, *, team: Team | None, problem: str = "") -> HttpResponse:
    teams = Team.objects.prefetch_related(
        Prefetch("members", User.objects.order_by("username")), Prefetch("services", Service.objects.order_by("name"))
    )
    is_saved = team is not None and team.pk is not None
    context = {
        "teams": teams,
        "team": team,
        "members": set(team.members.values_list("pk", flat=True)) if team and is_saved else set(),
        "owned": ", ".join(team.services.values_list("name", flat=True)) if team and is_saved else "",
        "people": User.objects.filter(is_active=True).order_by("username")[:MOST_PEOPLE],
        "zones": sorted(available_timezones()),
        "problem": problem,
        "tab": "teams",
    }
    return render(request, "incidents/teams.html", context, status=400 if problem else 200)
