"""Signing in and out over HTTP."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from copilot import signin
from tests import cast

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough password"


@pytest.fixture(autouse=True)
def quick_hashing(settings: Any) -> None:
    """Eleven honest hashes would take seconds."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def test_nobody_is_in_without_signing_in(client: Client) -> None:
    for path in (
        "/incidents/",
        "/incidents/1/",
        "/incidents/1/events/",
        "/runbooks/",
        "/account/",
        "/incidents/1/evidence/E1/",
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/login/?next={path}")


def test_a_password_leads_to_where_one_wanted_to_go(client: Client) -> None:
    cast.mira(PASSWORD)
    answer = client.post("/login/", {"username": "mira", "password": PASSWORD, "next": "/incidents/7/"})
    assert answer.headers["Location"] == "/incidents/7/"


def test_never_to_another_site(client: Client) -> None:
    cast.mira(PASSWORD)
    answer = client.post("/login/", {"username": "mira", "password": PASSWORD, "next": "https://evil.invalid/"})
    assert answer.headers["Location"] == "/incidents/"


def test_the_eleventh_wrong_password_is_not_looked_at(client: Client) -> None:
    cast.mira(PASSWORD)
    for left in range(9, -1, -1):
        said = client.post("/login/", {"username": "mira", "password": "wrong"}).content.decode()
        assert "do not match" in said
        assert (f"{left} {'try' if left == 1 else 'tries'} left" in said) == (left <= 5)
    said = client.post("/login/", {"username": "mira", "password": PASSWORD}).content.decode()
    assert "Too many wrong passwords" in said


def test_a_link_is_used_up_by_a_press_not_by_a_look(client: Client) -> None:
    link = signin.create_link(cast.mira(), now=timezone.now())
    assert client.get(link).status_code == 200
    assert client.get(link).status_code == 200
    assert client.post(link).headers["Location"] == "/incidents/"
    assert client.get("/incidents/").status_code == 200
    client.logout()
    assert client.get(link).status_code == 410
    assert "used already" in client.post(link).content.decode()


def test_signing_out_needs_a_press(client: Client) -> None:
    client.force_login(cast.mira())
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/").headers["Location"] == "/login/"
    assert client.get("/incidents/").status_code == 302


def test_choices_are_kept_in_this_browser(client: Client) -> None:
    client.force_login(cast.mira())
    client.post("/account/choose/", {"theme": "dark", "shortcuts": "off"})
    said = client.get("/account/").content.decode()
    assert 'data-theme="dark"' in said
    assert 'data-shortcuts="off"' in said
    client.post("/account/choose/", {"theme": '"><script>'})
    assert 'data-theme="dark"' in client.get("/account/").content.decode()


@pytest.mark.parametrize(
    ("wanted", "landed"),
    [
        ("/incidents/7/", "/incidents/7/"),
        ("//evil.example/", "/incidents/"),
        ("https://evil.example/", "/incidents/"),
        ("", "/incidents/"),
    ],
)
def test_a_link_leads_to_a_page_of_this_site_only(client: Client, wanted: str, landed: str) -> None:
    link = signin.create_link(User.objects.create_user("noor"), now=timezone.now())
    assert client.post(f"{link}?next={wanted}").headers["Location"] == landed
