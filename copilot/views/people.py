"""People: who there is, what they may do, and the link that lets a new person in."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from copilot import events, people, signin
from copilot.views.access import may_manage_people
from incidents.models import Team

SHOWN = 500


@dataclass(frozen=True, slots=True)
class ShownPerson:
    """One row of the list."""

    pk: int
    username: str
    full_name: str
    email: str
    role: str
    teams: tuple[str, ...]
    is_active: bool
    last_login: datetime | None
    is_self: bool


@may_manage_people
@require_GET
def people_list(request: HttpRequest) -> HttpResponse:
    """Show everybody, active people first."""
    return _page(request)


@may_manage_people
@never_cache
@require_http_methods(["POST"])
def person_add(request: HttpRequest) -> HttpResponse:
    """Add a person and show the link that signs them in once."""
    given = request.POST
    try:
        user = people.add_person(
            username=given.get("username", ""),
            email=given.get("email", "").strip(),
            full_name=given.get("full_name", ""),
            role=given.get("role", ""),
            teams=given.getlist("teams"),
        )
    except people.PersonRefused as refused:
        return _page(request, problem=str(refused), status=400)
    return _page(request, invited=user, link=_link(request, user))


@may_manage_people
@never_cache
@require_POST
def person_link(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a new one-time sign-in link for somebody who has lost theirs."""
    user = get_object_or_404(User, pk=pk, is_active=True)
    return _page(request, invited=user, link=_link(request, user))


@may_manage_people
@require_POST
def person_change(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a person another role and teams; their open pages notice at once."""
    role, teams = request.POST.get("role", ""), request.POST.getlist("teams")

    def change(user: User) -> str:
        people.give_role(user, role=role)
        people.set_teams(user, teams=teams)
        return f"{user.username} is {role} now."

    return _do(request, pk, change)


@may_manage_people
@require_POST
def person_deactivate(request: HttpRequest, pk: int) -> HttpResponse:
    """End a person's access."""

    def change(user: User) -> str:
        people.deactivate(user)
        return f"{user.username} has no access any more: sessions, sockets and tokens have ended."

    return _do(request, pk, change)


@may_manage_people
@require_POST
def person_reactivate(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a deactivated person access again."""

    def change(user: User) -> str:
        people.reactivate(user)
        return f"{user.username} has access again."

    return _do(request, pk, change)


def _do(request: HttpRequest, pk: int, change: Callable[[User], str]) -> HttpResponse:
    user = get_object_or_404(User, pk=pk)
    try:
        messages.success(request, change(user))
    except people.PersonRefused as refused:
        return _page(request, problem=str(refused), status=409)
    events.access_changed(pk)
    return redirect("people")


def _link(request: HttpRequest, user: User) -> str:
    return request.build_absolute_uri(signin.create_link(user, now=timezone.now()))


def _page(
    request: HttpRequest, *, problem: str = "", invited: User | None = None, link: str = "", status: int = 200
) -> HttpResponse:
    everybody = User.objects.prefetch_related("groups", "teams").order_by("-is_active", "username")[:SHOWN]
    context = {
        "shown": _shown(everybody, viewer=request.user.pk),
        "roles": people.ROLES,
        "teams": list(Team.objects.values_list("name", flat=True)),
        "problem": problem,
        "invited": invited.username if invited else "",
        "link": link,
        "given": request.POST if problem else {},
    }
    return render(request, "copilot/people.html", context, status=status)


def _shown(everybody: Iterable[User], *, viewer: int | None) -> tuple[ShownPerson, ...]:
    return tuple(
        ShownPerson(
            pk=user.pk,
            username=user.username,
            full_name=user.get_full_name(),
            email=user.email,
            role=people.role_of(user),
            teams=tuple(team.name for team in user.teams.all()),
            is_active=user.is_active,
            last_login=user.last_login,
            is_self=user.pk == viewer,
        )
        for user in everybody
    )
