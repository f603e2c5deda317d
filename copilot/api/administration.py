"""For those who run the place: people and their roles, dead letters, names that are never held back, and one's own saved views."""

from datetime import datetime
from typing import Any, Literal

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema, Status

from copilot import events, operations, people, retrying
from copilot.api.access import MANAGE_PEOPLE, READ, READ_SOURCES, SET_UP, SILENCE, person
from copilot.api.paging import Paging, answer, page
from copilot.api.problems import Problem
from copilot.api.shapes import REFUSALS, PageShape, ProblemShape
from copilot.models import SavedView
from incidents.models import AlertSource, DeadLetter, NeverHold

router = Router(tags=["administration"])
Role = Literal["viewer", "responder", "SRE", "manager", "administrator"]


class PersonShape(Schema):
    """An account."""

    username: str
    full_name: str
    email: str
    role: str
    teams: list[str]
    is_active: bool


class PersonBody(Schema):
    """An account to make. The person signs in by the identity provider, or by a link from the people page."""

    username: str = Field(max_length=150)
    role: Role
    full_name: str = Field("", max_length=300)
    email: str = Field("", max_length=254)
    teams: list[str] = Field([], max_length=100)


class PersonChange(Schema):
    """What to change of an account; what is left out stays."""

    role: Role | None = None
    teams: list[str] | None = Field(None, max_length=100)
    is_active: bool | None = None


class DeadLetterShape(Schema):
    """A task that failed three times; nothing repeats it until somebody says so."""

    id: int
    task: str
    cause: str
    attempts: int
    failed_at: datetime
    retried_at: datetime | None


class NeverHoldBody(Schema):
    """A source's alert name that is never held back."""

    source: int
    name: str = Field(min_length=1, max_length=200)


class SavedViewShape(Schema):
    """Filters of a list under a name, yours or shared with everybody."""

    id: int
    page: str
    name: str
    query: str
    is_shared: bool
    owner: str


@router.get("/people", auth=MANAGE_PEOPLE, response={200: PageShape[PersonShape], REFUSALS: ProblemShape})
def list_people(request: HttpRequest, paging: Query[Paging]) -> Any:
    """List accounts with their roles and teams."""
    return answer(page(request, User.objects.prefetch_related("groups", "teams"), paging), _person)


@router.post("/people", auth=MANAGE_PEOPLE, response={201: PersonShape, REFUSALS: ProblemShape})
def add_person(request: HttpRequest, body: PersonBody) -> Any:
    """Make an account without a password."""
    try:
        made = people.add_person(
            username=body.username, email=body.email, full_name=body.full_name, role=body.role, teams=body.teams
        )
    except people.PersonRefused as error:
        raise Problem(422, str(error)) from error
    return Status(201, _person(made))


@router.patch("/people/{username}", auth=MANAGE_PEOPLE, response={200: PersonShape, REFUSALS: ProblemShape})
def change_person(request: HttpRequest, username: str, change: PersonChange) -> Any:
    """Give a person another role or teams, or end or restore access; open pages and tokens notice at once."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise Http404(f"There is no person {username!r}.")
    try:
        with transaction.atomic():
            if change.role is not None:
                people.give_role(user, role=change.role)
            if change.teams is not None:
                people.set_teams(user, teams=change.teams)
            if change.is_active is not None:
                (people.reactivate if change.is_active else people.deactivate)(user)
    except people.PersonRefused as error:
        raise Problem(409, str(error)) from error
    events.access_changed(user.pk)
    return _person(User.objects.get(pk=user.pk))


@router.get("/dead-letters", auth=READ_SOURCES, response={200: PageShape[DeadLetterShape], REFUSALS: ProblemShape})
def list_dead_letters(request: HttpRequest, paging: Query[Paging], waiting: bool = True) -> Any:
    """List what was given up on, the latest first; with `waiting=false` what was tried again too."""
    found = DeadLetter.objects.filter(retried_at=None) if waiting else DeadLetter.objects.all()
    return answer(page(request, found, paging, newest_by="failed_at"), _letter)


@router.post(
    "/dead-letters/{int:letter_id}/retry", auth=SET_UP, response={200: DeadLetterShape, REFUSALS: ProblemShape}
)
def retry_dead_letter(request: HttpRequest, letter_id: int) -> Any:
    """Have it tried again, once however often it is asked."""
    try:
        return _letter(retrying.try_again(letter_id, now=timezone.now()))
    except operations.NotThere as error:
        raise Http404(str(error)) from error


@router.get("/never-hold", auth=READ, response={200: PageShape[NeverHoldBody], REFUSALS: ProblemShape})
def list_never_held(request: HttpRequest, paging: Query[Paging]) -> Any:
    """List the alert names that are never held back, whatever their history says."""
    return answer(page(request, NeverHold.objects.all(), paging), _never_held)


@router.put("/never-hold", auth=SILENCE, response={200: NeverHoldBody, REFUSALS: ProblemShape})
def never_hold(request: HttpRequest, body: NeverHoldBody) -> Any:
    """Forbid holding alerts of one name back."""
    source = AlertSource.objects.filter(pk=body.source).first()
    if source is None:
        raise Problem(422, f"There is no source {body.source}.")
    known = {"created_by": person(request), "created_at": timezone.now()}
    return _never_held(NeverHold.objects.get_or_create(source=source, name=body.name, defaults=known)[0])


@router.delete("/never-hold", auth=SILENCE, response={204: None, REFUSALS: ProblemShape})
def allow_holding(request: HttpRequest, source: int, name: str) -> Any:
    """Let alerts of one name be held back again. Does nothing when they may."""
    NeverHold.objects.filter(source=source, name=name).delete()
    return Status(204, None)


@router.get("/saved-views", auth=READ, response={200: PageShape[SavedViewShape], REFUSALS: ProblemShape})
def list_saved_views(request: HttpRequest, paging: Query[Paging]) -> Any:
    """List your saved views and those that others share; `query` are the filters of the page's address."""
    found = SavedView.objects.filter(Q(user=person(request)) | Q(is_shared=True)).select_related("user")
    return answer(page(request, found, paging), _view)


def _person(user: User) -> PersonShape:
    return PersonShape(
        username=user.get_username(),
        full_name=user.get_full_name(),
        email=user.email,
        role=people.role_of(user),
        teams=sorted(team.name for team in user.teams.all()),
        is_active=user.is_active,
    )


def _letter(letter: DeadLetter) -> DeadLetterShape:
    return DeadLetterShape(
        **{name: getattr(letter, "pk" if name == "id" else name) for name in DeadLetterShape.model_fields}
    )


def _never_held(row: NeverHold) -> NeverHoldBody:
    return NeverHoldBody(source=row.source_id, name=row.name)


def _view(view: SavedView) -> SavedViewShape:
    return SavedViewShape(
        id=view.pk,
        page=view.page,
        name=view.name,
        query=view.query,
        is_shared=view.is_shared,
        owner=view.user.get_username(),
    )
