"""The people page, and the link that it makes."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from copilot.models import AuditEntry
from incidents.models import Team
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(cast.person("ada", "administrator"))
    return client


def test_a_person_is_added_and_comes_in_by_the_link_that_is_shown_once(browser: Client) -> None:
    Team.objects.create(name="shop")
    given = {"username": "noor", "email": "noor@shop.example", "full_name": "Noor", "role": "SRE", "teams": ["shop"]}
    page = browser.post("/settings/people/add/", given).content.decode()
    [link] = re.findall(r"http://testserver(/sign-in/[^<]+)<", page)
    assert link not in browser.get("/settings/people/").content.decode()
    noor = Client()
    assert noor.post(link).status_code == 302
    assert noor.get("/settings/operations/").status_code == 200
    entry = AuditEntry.objects.get(table="auth_user", action="insert", row_id=str(User.objects.get(username="noor").pk))
    assert entry.actor == "ada"


def test_what_is_refused_keeps_what_was_typed(browser: Client) -> None:
    answer = browser.post("/settings/people/add/", {"username": "ada", "role": "viewer", "full_name": "Ada B"})
    assert answer.status_code == 400
    assert "There is a person" in answer.content.decode()
    assert "Ada B" in answer.content.decode()


def test_roles_teams_and_access_change(browser: Client) -> None:
    noor = cast.person("noor", "viewer")
    Team.objects.create(name="shop")
    browser.post(f"/settings/people/{noor.pk}/change/", {"role": "responder", "teams": ["shop"]})
    assert [group.name for group in noor.groups.all()] == ["responder"]
    assert Team.objects.get().members.get() == noor
    session = Client()
    session.force_login(noor)
    browser.post(f"/settings/people/{noor.pk}/deactivate/")
    assert session.get("/incidents/").status_code == 302
    browser.post(f"/settings/people/{noor.pk}/reactivate/")
    assert User.objects.get(pk=noor.pk).is_active


def test_the_last_administrator_is_kept(browser: Client) -> None:
    ada = User.objects.get(username="ada")
    answer = browser.post(f"/settings/people/{ada.pk}/deactivate/")
    assert (answer.status_code, "last administrator" in answer.content.decode()) == (409, True)
