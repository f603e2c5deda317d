"""The service catalog: services and their owners, who calls whom, teams with their people and office hours."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from copilot.api.access import READ, SET_UP
from copilot.api.paging import Paging, answer, page
from copilot.api.problems import Problem
from copilot.api.replies import require_match
from copilot.api.setup_shapes import (
    CallBody,
    CallShape,
    ServiceChange,
    ServiceShape,
    TeamBody,
    TeamShape,
)
from copilot.api.shapes import REFUSALS, PageShape, ProblemShape
from incidents import catalog
from incidents.models import Service, ServiceEdge, Team

router = Router(tags=["services and teams"])


@router.get("/services", auth=READ, response={200: PageShape[ServiceShape], REFUSALS: ProblemShape})
def list_services(request: HttpRequest, paging: Query[Paging], name: str = "") -> Any:
    """List services with whom they call; with `name`, the one of that name."""
    found = Service.objects.select_related("owner").prefetch_related("calls__callee")
    if name:
        found = found.filter(name=name)
    return answer(page(request, found, paging), _service)


@router.patch("/services", auth=SET_UP, response={200: ServiceShape, REFUSALS: ProblemShape})
def change_service(request: HttpRequest, change: ServiceChange) -> Any:
    """Say which team owns a service; that stands above what its telemetry says."""
    found = Service.objects.select_related("owner").filter(name=change.name).first()
    if found is None:
        raise Http404(f"There is no service {change.name!r}.")
    require_match(request, lambda: _service(found))
    owner = Team.objects.filter(name=change.owner).first() if change.owner else None
    if change.owner and owner is None:
        raise Problem(422, f"There is no team {change.owner!r}.")
    found.owner = owner
    found.save(update_fields=["owner"])
    return _service(found)


@router.get("/calls", auth=READ, response={200: PageShape[CallShape], REFUSALS: ProblemShape})
def list_calls(request: HttpRequest, paging: Query[Paging]) -> Any:
    """List who calls whom: what spans showed, and what people said of it."""
    return answer(page(request, ServiceEdge.objects.select_related("caller", "callee"), paging), _call)


@router.put("/calls", auth=SET_UP, response={200: CallShape, REFUSALS: ProblemShape})
def set_call(request: HttpRequest, body: CallBody) -> Any:
    """Say that one service calls another, that it does not, or let spans decide again."""
    edge = catalog.set_call(body.caller, body.callee, origin=ServiceEdge.Origin(body.origin), now=timezone.now())
    return _call(edge)


@router.get("/teams", auth=READ, response={200: PageShape[TeamShape], REFUSALS: ProblemShape})
def list_teams(request: HttpRequest, paging: Query[Paging]) -> Any:
    """List teams with their people and services."""
    return answer(page(request, Team.objects.prefetch_related("members", "services"), paging), _team)


@router.get("/teams/{int:team_id}", auth=READ, response={200: TeamShape, REFUSALS: ProblemShape})
def get_team(request: HttpRequest, team_id: int) -> Any:
    """Read one team."""
    return _team(_found(team_id))


@router.post("/teams", auth=SET_UP, response={201: TeamShape, REFUSALS: ProblemShape})
def add_team(request: HttpRequest, body: TeamBody) -> Any:
    """Make a team."""
    return Status(201, _saved(Team(), body))


@router.put("/teams/{int:team_id}", auth=SET_UP, response={200: TeamShape, REFUSALS: ProblemShape})
def set_team(request: HttpRequest, team_id: int, body: TeamBody) -> Any:
    """Make a team what the body says, members and services too."""
    with transaction.atomic():
        team = _found(team_id, lock=True)
        require_match(request, lambda: _team(team))
        return _saved(team, body)


@router.delete("/teams/{int:team_id}", auth=SET_UP, response={204: None, REFUSALS: ProblemShape})
def delete_team(request: HttpRequest, team_id: int) -> Any:
    """Delete a team; its services and incidents then belong to none."""
    _found(team_id).delete()
    return Status(204, None)


def _saved(team: Team, body: TeamBody) -> TeamShape:
    members = list(User.objects.filter(username__in=body.members, is_active=True))
    if unknown := sorted(set(body.members) - {member.username for member in members}):
        raise Problem(422, f"There is no active person {unknown[0]!r}.")
    wanted = catalog.WantedTeam(
        name=body.name,
        time_zone=body.time_zone,
        works_from=body.works_from,
        works_until=body.works_until,
        members=members,
        services=body.services,
    )
    catalog.save_team(team, wanted, now=timezone.now())
    return _team(_found(team.pk))


def _found(team_id: int, *, lock: bool = False) -> Team:
    found = (Team.objects.select_for_update() if lock else Team.objects).filter(pk=team_id).first()
    if found is None:
        raise Http404(f"There is no team {team_id}.")
    return found


def _service(service: Service) -> ServiceShape:
    return ServiceShape(
        name=service.name,
        environment=service.environment,
        team=service.team,
        owner=service.owner.name if service.owner else None,
        version=service.version,
        calls=sorted(edge.callee.name for edge in service.calls.all() if edge.origin != "removed"),
        last_seen_at=service.last_seen_at,
    )


def _call(edge: ServiceEdge) -> CallShape:
    return CallShape(
        caller=edge.caller.name, callee=edge.callee.name, origin=edge.origin, last_seen_at=edge.last_seen_at
    )


def _team(team: Team) -> TeamShape:
    return TeamShape(
        id=team.pk,
        name=team.name,
        members=sorted(member.get_username() for member in team.members.all()),
        services=sorted(service.name for service in team.services.all()),
        time_zone=team.time_zone,
        works_from=team.works_from.isoformat(timespec="minutes"),
        works_until=team.works_until.isoformat(timespec="minutes"),
    )
