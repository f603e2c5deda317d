"""People: their roles, and who may never be removed. A role is a Django group; a person has one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from incidents.models import Team

SEE = frozenset({"incidents.view_incident", "runbooks.view_document", "runbooks.view_revision"})
RESPOND = frozenset({"incidents.respond_to_incident", "incidents.silence_alerts"})
SET_UP = frozenset({"incidents.manage_sources", "incidents.view_trends"})
CURATE = frozenset(
    {"runbooks.add_document", "runbooks.change_document", "runbooks.change_revision", "runbooks.approve_revision"}
)
OVERSEE = frozenset({"incidents.view_trends", "copilot.view_audit", "incidents.view_restricted_incident"})
UNMASK = frozenset({"copilot.unmask_personal_data"})
RULE = frozenset({"copilot.manage_people"})
LONGEST_NAME = 150


@dataclass(frozen=True, slots=True)
class Role:
    """What people of one kind may do; `summary` is for whoever gives the role."""

    name: str
    label: str
    summary: str
    permissions: frozenset[str]


ROLES = (
    Role("viewer", "Viewer", "reads incidents and runbooks", SEE),
    Role("responder", "Responder", "also works on incidents, asks the co-pilot, snoozes alerts", SEE | RESPOND),
    Role(
        "SRE",
        "SRE",
        "also curates runbooks, sets up sources, rules, services, operations, and may see personal data",
        SEE | RESPOND | SET_UP | CURATE | UNMASK,
    ),
    Role("manager", "Manager", "reads everything, restricted incidents, trends and the audit log too", SEE | OVERSEE),
    Role(
        "administrator",
        "Administrator",
        "everything, people included",
        SEE | RESPOND | SET_UP | CURATE | OVERSEE | UNMASK | RULE,
    ),
)
ADMINISTRATOR = "administrator"
_BY_NAME = {role.name: role for role in ROLES}


class PersonRefused(Exception):
    """What was asked for is not possible; the text says why and what to do instead."""


def role_of(user: User) -> str:
    """Return the person's role, "" without one; a superuser is an administrator."""
    if user.is_superuser:
        return ADMINISTRATOR
    held = {group.name for group in user.groups.all()}
    return next((role.name for role in reversed(ROLES) if role.name in held), "")


def add_person(*, username: str, email: str, full_name: str, role: str, teams: Sequence[str] = ()) -> User:
    """Make an account without a password, for a one-time sign-in link. Raises PersonRefused."""
    username = username.strip()
    try:
        User.username_validator(username)
        if email:
            validate_email(email)
    except ValidationError as error:
        raise PersonRefused(" ".join(error.messages)) from error
    if not username or len(username) > LONGEST_NAME:
        raise PersonRefused(f"Give a user name of 1 to {LONGEST_NAME} characters.")
    first, _, last = full_name.strip().partition(" ")
    try:
        with transaction.atomic():
            user = User.objects.create_user(username, email=email, first_name=first[:150], last_name=last[:150])
            give_role(user, role=role)
            set_teams(user, teams=teams)
    except IntegrityError as error:
        raise PersonRefused(f"There is a person {username!r} already. Choose another user name.") from error
    return user


def give_role(user: User, *, role: str) -> None:
    """Make this the person's only role. Raises PersonRefused when nobody would be left who can manage people."""
    group = group_of(role)
    with transaction.atomic():
        _lock()
        if role != ADMINISTRATOR:
            _require_another_administrator(user)
            if user.is_superuser:
                User.objects.filter(pk=user.pk).update(is_superuser=False, is_staff=False)
        others = user.groups.filter(name__in=_BY_NAME).exclude(pk=group.pk)
        user.groups.remove(*others)
        user.groups.add(group)


def set_teams(user: User, *, teams: Collection[str]) -> None:
    """Make the person a member of exactly these teams, by name. Raises PersonRefused for one that does not exist."""
    found = Team.objects.filter(name__in=teams)
    if missing := set(teams) - {team.name for team in found}:
        raise PersonRefused(f"There is no team {', '.join(sorted(missing))}. Make it first.")
    user.teams.set(found)


def deactivate(user: User) -> None:
    """End the person's access: sessions, tokens and sockets stop working. Raises PersonRefused for the last administrator."""
    with transaction.atomic():
        _lock()
        _require_another_administrator(user)
        User.objects.filter(pk=user.pk).update(is_active=False)


def reactivate(user: User) -> None:
    """Give a deactivated person access again, with the role as it was."""
    User.objects.filter(pk=user.pk).update(is_active=True)


def administrators() -> QuerySet[User]:
    """Return the active people who may manage people."""
    return User.objects.filter(Q(is_superuser=True) | Q(groups__name=ADMINISTRATOR), is_active=True).distinct()


def group_of(role: str) -> Group:
    """Return the role's group with its permissions, made when it is missing. Raises PersonRefused for an unknown role."""
    if role not in _BY_NAME:
        raise PersonRefused(f"There is no role {role!r}; the roles are {', '.join(_BY_NAME)}.")
    group, _ = Group.objects.get_or_create(name=role)
    wanted = Q(pk__in=())
    for permission in _BY_NAME[role].permissions:
        app, _, codename = permission.partition(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    if missing := Permission.objects.filter(wanted).exclude(group=group):
        group.permissions.add(*missing)
    return group


def _require_another_administrator(user: User) -> None:
    if administrators().filter(pk=user.pk).exists() and not administrators().exclude(pk=user.pk).exists():
        raise PersonRefused(
            f"{user.username} is the last administrator: nobody could manage people any more. Make somebody else one first."
        )


def _lock() -> None:
    """Let changes of administrators wait for each other, so that two cannot remove the last two."""
    list(Group.objects.select_for_update().filter(name=ADMINISTRATOR))
