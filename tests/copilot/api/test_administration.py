"""People, dead letters, names that are never held back and saved views, for a program."""

import pytest
from django.utils import timezone

from copilot import people
from copilot.models import SavedView
from incidents.models import DeadLetter, NeverHold, OutboxMessage, Team
from tests import cast
from tests.copilot.api.caller import Caller
from tests.incidents.alerting import source

pytestmark = pytest.mark.django_db


def test_people_are_added_given_roles_and_lose_access() -> None:
    api = Caller("administrator")
    Team.objects.create(name="Shop")
    made = api("POST", "/people", {"username": "ada", "role": "responder", "full_name": "Ada L", "teams": ["Shop"]})
    assert made.status_code == 201
    assert (made.json()["role"], made.json()["teams"], made.json()["full_name"]) == ("responder", ["Shop"], "Ada L")
    changed = api("PATCH", "/people/ada", {"role": "SRE", "teams": [], "is_active": False}).json()
    assert (changed["role"], changed["teams"], changed["is_active"]) == ("SRE", [], False)
    assert {row["username"] for row in api("GET", "/people").json()["items"]} == {"ada", api.user.username}
    assert api("POST", "/people", {"username": "ada", "role": "viewer"}).status_code == 422
    assert api("PATCH", "/people/nobody", {"role": "viewer"}).status_code == 404
    last = api("PATCH", f"/people/{api.user.username}", {"role": "viewer"})
    assert last.status_code == 409
    api.user.refresh_from_db()
    assert people.role_of(api.user) == "administrator"
    for role in ("SRE", "manager"):
        assert Caller(role)("GET", "/people").status_code == 403


def test_a_dead_letter_is_tried_again_once() -> None:
    api = Caller("SRE")
    letter = DeadLetter.objects.create(
        task="incidents.tasks.deliver",
        arguments=[1],
        queue="intake",
        attempts=3,
        cause="gone",
        failed_at=timezone.now(),
    )
    assert [row["id"] for row in api("GET", "/dead-letters").json()["items"]] == [letter.pk]
    assert api("POST", f"/dead-letters/{letter.pk}/retry").json()["retried_at"]
    assert api("POST", f"/dead-letters/{letter.pk}/retry").status_code == 404
    assert OutboxMessage.objects.filter(task=letter.task).count() == 1
    assert api("GET", "/dead-letters").json()["items"] == []
    assert len(api("GET", "/dead-letters?waiting=false").json()["items"]) == 1
    assert Caller("responder")("GET", "/dead-letters").status_code == 403


def test_a_name_is_never_held_back_until_it_may_be_again() -> None:
    api, shop = Caller(), source("Shop")
    body = {"source": shop.pk, "name": "DiskFull"}
    for _ in range(2):
        assert api("PUT", "/never-hold", body).json() == body
    assert api("GET", "/never-hold").json()["items"] == [body]
    assert api("DELETE", f"/never-hold?source={shop.pk}&name=DiskFull").status_code == 204
    assert not NeverHold.objects.exists()
    assert api("PUT", "/never-hold", {**body, "source": 999_999}).status_code == 422
    assert Caller("viewer")("PUT", "/never-hold", body).status_code == 403


def test_saved_views_are_ones_own_and_shared_ones() -> None:
    api, mira = Caller("viewer"), cast.mira()
    SavedView.objects.create(user=mira, page="incidents", name="Mine", query="status=open")
    SavedView.objects.create(user=mira, page="incidents", name="Ours", query="severity=1", is_shared=True)
    assert [(row["name"], row["owner"]) for row in api("GET", "/saved-views").json()["items"]] == [
        ("Ours", mira.username)
    ]
