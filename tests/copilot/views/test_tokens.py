"""A person's API tokens on the page."""

import re

import pytest
from django.test import Client

from copilot.models import ApiToken
from tests import cast

pytestmark = pytest.mark.django_db


def signed_in(name: str, role: str) -> Client:
    client = Client()
    client.force_login(cast.person(name, role))
    return client


def test_a_token_is_shown_once_works_and_ends_when_revoked() -> None:
    browser = signed_in("mira", "responder")
    page = browser.post("/settings/tokens/create/", {"name": "pipeline", "scopes": ["read"], "days": "30"})
    [token] = re.findall(r"cpa_[\w-]{43}", page.content.decode())
    assert token not in browser.get("/settings/tokens/").content.decode()
    row = ApiToken.objects.get()
    assert token not in (row.token_sha256, row.beginning)
    headers = {"Authorization": f"Bearer {token}"}
    assert Client().get("/api/v1/teams", headers=headers).status_code == 200
    browser.post(f"/settings/tokens/{row.pk}/revoke/")
    assert Client().get("/api/v1/teams", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"name": " ", "scopes": ["read"], "days": "30"}, "name of 1 to 80"),
        ({"name": "x", "days": "30"}, "at least one scope"),
        ({"name": "x", "scopes": ["rule"], "days": "30"}, "at least one scope"),
        ({"name": "x", "scopes": ["read"], "days": "99999"}, "A token works for"),
    ],
)
def test_what_cannot_be_made_says_why(given: dict[str, object], why: str) -> None:
    answer = signed_in("mira", "viewer").post("/settings/tokens/create/", given)
    assert (answer.status_code, why in answer.content.decode()) == (400, True)
    assert not ApiToken.objects.exists()


def test_only_those_who_manage_people_see_and_end_the_tokens_of_others() -> None:
    signed_in("mira", "viewer").post("/settings/tokens/create/", {"name": "hers", "scopes": ["read"], "days": "1"})
    other, administrator = signed_in("noor", "SRE"), signed_in("ada", "administrator")
    token = ApiToken.objects.get()
    assert "hers" not in other.get("/settings/tokens/").content.decode()
    other.post(f"/settings/tokens/{token.pk}/revoke/")
    assert ApiToken.objects.get().revoked_at is None
    assert "hers" in administrator.get("/settings/tokens/").content.decode()
    administrator.post(f"/settings/tokens/{token.pk}/revoke/")
    assert ApiToken.objects.get().revoked_at is not None
