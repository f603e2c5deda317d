"""Roles, and who cannot be removed."""

import pytest
from django.contrib.auth.models import Group, User

from copilot import people
from incidents.models import Team
from tests import cast

pytestmark = pytest.mark.django_db


def test_the_migration_has_made_every_role_as_the_program_means_it() -> None:
    for role in people.ROLES:
        group = Group.objects.get(name=role.name)
        held = {f"{p.content_type.app_label}.{p.codename}" for p in group.permissions.select_related("content_type")}
        assert held == role.permissions


def test_each_role_may_what_it_should() -> None:
    asked = ("view_incident", "respond_to_incident", "manage_sources", "view_trends")
    may = {}
    for role in people.ROLES:
        somebody = cast.person(f"a-{role.name}", role.name)
        may[role.name] = {name for name in asked if somebody.has_perm(f"incidents.{name}")}
    assert may == {
        "viewer": {"view_incident"},
        "responder": {"view_incident", "respond_to_incident"},
        "SRE": {"view_incident", "respond_to_incident", "manage_sources", "view_trends"},
        "manager": {"view_incident", "view_trends"},
        "administrator": {"view_incident", "respond_to_incident", "manage_sources", "view_trends"},
    }


def test_a_new_person_has_a_role_teams_and_no_password() -> None:
    Team.objects.create(name="payments")
    noor = people.add_person(
        username="noor", email="noor@shop.example", full_name="Noor de Wit", role="SRE", teams=["payments"]
    )
    assert (people.role_of(noor), noor.get_full_name(), noor.has_usable_password()) == ("SRE", "Noor de Wit", False)
    assert Team.objects.get().members.get() == noor


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"username": "mira"}, "already"),
        ({"username": "a b"}, "valid username"),
        ({"username": ""}, "valid username"),
        ({"email": "nobody"}, "email"),
        ({"role": "king"}, "the roles are viewer"),
        ({"teams": ["ghosts"]}, "no team ghosts"),
    ],
)
def test_what_cannot_be_added_says_why_and_leaves_nothing(changes: dict[str, object], why: str) -> None:
    cast.mira()
    given = {"username": "noor", "email": "", "full_name": "", "role": "viewer", "teams": ()}
    with pytest.raises(people.PersonRefused, match=why):
        people.add_person(**{**given, **changes})  # type: ignore[arg-type]
    assert [user.username for user in User.objects.all()] == ["mira"]


def test_a_role_replaces_the_one_before() -> None:
    noor = cast.person("noor", "SRE")
    people.give_role(noor, role="viewer")
    assert [group.name for group in noor.groups.all()] == ["viewer"]


def test_the_last_administrator_stays() -> None:
    ada, root = cast.person("ada", "administrator"), User.objects.create_superuser("root")
    people.deactivate(root)
    for remove in (lambda: people.deactivate(ada), lambda: people.give_role(ada, role="viewer")):
        with pytest.raises(people.PersonRefused, match="last administrator"):
            remove()
    people.reactivate(root)
    people.give_role(ada, role="viewer")
    assert [user.username for user in people.administrators()] == ["root"]


def test_another_role_takes_a_superuser_s_rights() -> None:
    cast.person("ada", "administrator")
    root = User.objects.create_superuser("root")
    people.give_role(root, role="viewer")
    root.refresh_from_db()
    assert not root.is_superuser
    assert not root.is_staff
