"""What a token on a page stands for: in no page before somebody who may see it asks."""

from dataclasses import replace

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from copilot.evidence import hiding
from copilot.models import AuditEntry, Unmasking
from copilot.privacy import vault
from incidents.models import Incident
from tests import cast

pytestmark = pytest.mark.django_db
CALLER = "203.0.113.9"


@pytest.fixture
def incident() -> Incident:
    """An incident whose evidence names a caller."""
    made = cast.incident()
    found = [replace(each, statement=f"{each.statement} Caller {CALLER}.") for each in cast.evidence()]
    pseudonyms = vault.of_incident(made.pk)
    cast.investigated(made, items=tuple(hiding.item(each, pseudonyms) for each in found))
    return made


def browser(role: str) -> Client:
    client = Client()
    client.force_login(cast.person(role.lower(), role))
    return client


@pytest.mark.parametrize("role", ["viewer", "responder", "manager", "SRE", "administrator"])
def test_no_page_holds_the_value(incident: Incident, role: str) -> None:
    client, may = browser(role), role in ("SRE", "administrator")
    for path in ("", "evidence/E1/", "citation/E1/", "part/explanation/"):
        shown = client.get(f"/incidents/{incident.pk}/{path}").content.decode()
        assert "‹ip-1›" in shown
        assert CALLER not in shown
        assert ('id="unmask"' in shown) is (may and path in ("", "evidence/E1/"))
    asked = client.post(f"/incidents/{incident.pk}/unmask/", {"token": "‹ip-1›", "reason": "blocking it"})
    assert asked.status_code == (200 if may else 403)
    assert (CALLER in asked.content.decode()) is may
    assert Unmasking.objects.count() == may
    if may:
        assert asked.json() == {"stands_for": CALLER}
        assert "no-store" in asked.headers["Cache-Control"]
        assert AuditEntry.objects.get(table="copilot_unmasking").actor == role.lower()


def test_what_cannot_be_shown_says_why(incident: Incident, settings: Settings) -> None:
    client, path = browser("SRE"), f"/incidents/{incident.pk}/unmask/"
    assert client.post(path, {"token": "‹ip-7›", "reason": "looking"}).status_code == 404
    assert "why you need" in client.post(path, {"token": "‹ip-1›"}).json()["detail"]
    settings.SECRET_KEY = "another, much longer than the first one was, and not the one that sealed it"
    client = Client()
    client.force_login(cast.person("ada", "administrator"))
    kept = client.post(path, {"token": "‹ip-1›", "reason": "looking"})
    assert kept.status_code == 503
    assert "SECRET_KEY was changed" in kept.json()["detail"]
    assert not Unmasking.objects.exists()


def test_the_audit_page_finds_who_looked_at_an_incident(incident: Incident) -> None:
    browser("SRE").post(f"/incidents/{incident.pk}/unmask/", {"token": "‹ip-1›", "reason": "blocking it"})
    shown = browser("administrator").get("/settings/audit/", {"incident": str(incident.pk)}).content.decode()
    assert "look at personal data" in shown
    assert "blocking it" in shown
