import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from incidents.intake import drops
from incidents.models import AlertSource, Change, RawEvent, SourceToken
from incidents.views.source_snippets import SNIPPETS
from tests import cast
from tests.incidents.intake import senders

pytestmark = pytest.mark.django_db


def person(*permissions: str) -> User:
    made = User.objects.create_user("mira")
    made.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return made


@pytest.fixture
def browser() -> Client:
    """Somebody who may set up sources."""
    browser = Client()
    browser.force_login(person("manage_sources", "view_incident"))
    return browser


def said(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.mark.parametrize("kind", AlertSource.Kind.values)
def test_a_source_is_added_with_a_token_that_is_shown_once_and_works(browser: Client, kind: str) -> None:
    page = said(browser.post("/settings/sources/add/", {"name": "Shop", "kind": kind}))
    token = re.search(r'id="new-token">([0-9a-f]{32})<', page)
    assert token
    assert token.group(1) in page.split('id="snippet"')[1]
    source = AlertSource.objects.get()
    again = said(browser.get(f"/settings/sources/{source.pk}/"))
    assert token.group(1) not in again
    assert "THE-TOKEN" in again
    answer = Client().post(f"/in/{token.group(1)}", b"{}", content_type="application/json")
    assert answer.status_code in (202, 400)
    drops.flush()
    assert ("Receiving" if answer.status_code == 202 else "Refusing some") in said(browser.get("/settings/sources/"))


def test_there_is_a_snippet_for_every_kind() -> None:
    assert set(SNIPPETS) == set(AlertSource.Kind.values)


def test_nobody_else_sees_or_changes_sources() -> None:
    source, _ = senders.source()
    other = Client()
    other.force_login(person("view_incident", "respond_to_incident"))
    assert other.get("/settings/sources/").status_code == 403
    assert other.get(f"/settings/sources/{source.pk}/").status_code == 403
    for path in (
        "add/",
        f"{source.pk}/change/",
        f"{source.pk}/tokens/add/",
        f"{source.pk}/signing/",
        f"{source.pk}/mapping/",
    ):
        assert other.post(f"/settings/sources/{path}").status_code == 403
        assert Client().post(f"/settings/sources/{path}").status_code == 302


def test_reading_changes_nothing(browser: Client) -> None:
    source, _ = senders.source()
    for path in (
        "add/",
        f"{source.pk}/change/",
        f"{source.pk}/tokens/add/",
        f"{source.pk}/signing/",
        f"{source.pk}/mapping/",
    ):
        assert browser.get(f"/settings/sources/{path}").status_code == 405


def test_a_token_is_replaced_and_revoked(browser: Client) -> None:
    source, _ = senders.source()
    browser.post(f"/settings/sources/{source.pk}/tokens/add/")
    assert source.tokens.filter(revoked_at=None).count() == 2
    browser.post(f"/settings/sources/{source.pk}/tokens/{SourceToken.objects.last().pk}/revoke/")
    assert source.tokens.filter(revoked_at=None).count() == 1
    assert "revoked" in said(browser.get(f"/settings/sources/{source.pk}/"))


def test_a_signing_secret_is_shown_once_and_two_are_valid_while_one_replaces_the_other(browser: Client) -> None:
    source, _ = senders.source()
    path = f"/settings/sources/{source.pk}/signing/"
    shown = [re.search(r"whsec_[\w+/=]+", said(browser.post(path, {"what": "add"}))) for _ in range(3)]
    assert all(shown)
    source.refresh_from_db()
    assert len(source.signing_secrets) == 2
    assert "whsec_" not in said(browser.get(f"/settings/sources/{source.pk}/"))
    browser.post(path, {"what": "forget-old"})
    browser.post(path, {"what": "none"})
    source.refresh_from_db()
    assert source.signing_secrets == []


def delivered(source: AlertSource, body: bytes, **fields: Any) -> RawEvent:
    return RawEvent.objects.create(source=source, delivery_id="d", received_at=timezone.now(), body=body, **fields)


def test_a_mapping_is_tried_on_the_last_payload_while_it_is_written(browser: Client) -> None:
    source, _ = senders.source("generic")
    delivered(source, json.dumps({"check": {"title": "Disk full"}, "when": "soon"}).encode())
    path = f"/settings/sources/{source.pk}/mapping/"
    found = said(browser.post(f"{path}try/", {"map-name": "check.title", "map-at": "when", "map-service": "a..b"}))
    assert "Disk full" in found
    assert "no time" in found
    assert "a..b" in found
    assert source.mapping == {}
    browser.post(path, {"map-name": "check.title", "map-service": "a..b"})
    source.refresh_from_db()
    assert source.mapping == {}
    browser.post(path, {"map-name": "check.title"})
    source.refresh_from_db()
    assert source.mapping == {"name": "check.title"}


def test_a_delivery_is_shown_masked_and_escaped_and_can_be_read_again(browser: Client) -> None:
    source, _ = senders.source("generic")
    body = {"check": cast.HOSTILE, "password": "hunter2", "rtl": "\u202e"}
    raw = delivered(source, json.dumps(body).encode(), problem="item 0: no name was found; map `name`.")
    path = f"/settings/sources/{source.pk}/deliveries/{raw.pk}/"
    page = said(browser.get(path))
    assert "<script>window" not in page
    assert "&lt;script&gt;window" in page
    assert "hunter2" not in page
    assert "cannot be used" in said(browser.post(f"{path}again/", follow=True))
    AlertSource.objects.update(mapping={"name": "check"})
    assert "Read again: 1 alerts" in said(browser.post(f"{path}again/", follow=True))
    assert source.alerts.count() == 1


def test_what_a_header_or_the_address_said_is_known_when_it_is_read_again(browser: Client) -> None:
    _, token = senders.source("pagerduty")
    change = {"routing_key": token, "payload": {"summary": "Build 7 deployed", "source": "payments"}}
    post = {"content_type": "application/json"}
    assert browser.post("/v2/change/enqueue", json.dumps(change), **post).status_code == 202
    _, token = senders.source("github")
    deployed = json.dumps(senders.github("success", at=timezone.now()))
    header = {"headers": {"X-GitHub-Event": "deployment_status"}}
    assert browser.post(f"/in/{token}", deployed, **post, **header).status_code == 202
    assert Change.objects.count() == 2
    Change.objects.all().delete()
    for raw in RawEvent.objects.all():
        page = browser.post(f"/settings/sources/{raw.source_id}/deliveries/{raw.pk}/again/", follow=True)
        assert "Read again: 0 alerts, 1 changes, 0 refused." in said(page)
    assert Change.objects.count() == 2


def test_what_was_refused_is_counted_on_the_page(browser: Client) -> None:
    source, _ = senders.source()
    drops.count(what="deliveries", source=source.name, reason="rate limit", n=41, now=timezone.now())
    drops.flush()
    page = said(browser.get(f"/settings/sources/{source.pk}/"))
    assert "rate limit" in page
    assert "41 deliveries" in page
    assert "Refusing some" in page
