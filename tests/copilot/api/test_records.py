"""What else the API shows, and that its description is whole."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from copilot.api.site import api as site
from incidents.models import Alert, AlertSource, Change, Incident, Service, ServiceEdge, Silence, Team
from runbooks import curation
from runbooks.models import Document
from tests import cast
from tests.copilot.api.caller import Caller

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


def alert(name: str, incident: Incident | None = None, **changes: Any) -> Alert:
    source, _ = AlertSource.objects.get_or_create(
        name="shop", defaults={"kind": "generic", "created_at": NOW, "signing_secrets": ["whsec_hidden"]}
    )
    times = {"starts_at": NOW, "last_event_at": NOW, "first_received_at": NOW, "last_received_at": NOW}
    return Alert.objects.create(
        **{
            "source": source,
            "fingerprint": name,
            "name": name,
            "status": "firing",
            "incident": incident,
            **times,
            **changes,
        }
    )


def test_alerts_are_found_and_those_of_restricted_incidents_hidden() -> None:
    api = Caller()
    hidden = cast.incident(is_restricted=True)
    alert("Errors", quiet="held")
    shown = alert("Latency", cast.incident(), last_received_at=NOW + timedelta(minutes=1), labels={"zone": "eu"})
    secret = alert("Breach", hidden)
    assert [row["name"] for row in api("GET", "/alerts").json()["items"]] == ["Latency", "Errors"]
    assert [row["name"] for row in api("GET", "/alerts?quiet=true").json()["items"]] == ["Errors"]
    assert api("GET", f"/alerts/{shown.pk}").json()["labels"] == {"zone": "eu"}
    assert api("GET", f"/alerts/{secret.pk}").status_code == 404
    assert Caller("manager")("GET", f"/alerts/{secret.pk}").status_code == 200


def test_sources_are_for_those_who_set_them_up_and_never_show_a_secret() -> None:
    alert("Errors")
    assert Caller()("GET", "/sources").status_code == 403
    answer = Caller("SRE")("GET", "/sources")
    assert answer.json()["items"][0]["is_signed"] is True
    assert b"whsec" not in answer.content


def test_services_teams_changes_and_silences() -> None:
    api = Caller()
    cart = Service.objects.create(name="cart", first_seen_at=NOW, last_seen_at=NOW)
    db = Service.objects.create(name="db", first_seen_at=NOW, last_seen_at=NOW)
    ServiceEdge.objects.create(caller=cart, callee=db, last_seen_at=NOW)
    Team.objects.create(name="shop").members.add(api.user)
    Change.objects.create(at=NOW, service="cart", title="cart 2.0")
    silence = Silence.objects.create(
        kind="maintenance", reason="Move", matchers={"service": "db"}, starts_at=NOW, ends_at=NOW + timedelta(days=3650)
    )
    assert {row["name"]: row["calls"] for row in api("GET", "/services").json()["items"]} == {"cart": ["db"], "db": []}
    assert api("GET", "/teams").json()["items"][0]["members"] == [api.user.username]
    assert api("GET", "/changes?service=cart").json()["items"][0]["title"] == "cart 2.0"
    assert len(api("GET", "/silences?active=true").json()["items"]) == 1
    assert api("DELETE", f"/silences/{silence.pk}").status_code == 204
    assert api("GET", "/silences?active=true").json()["items"] == []


def test_a_silence_is_set_and_ended() -> None:
    api = Caller()
    ends = (timezone.now() + timedelta(hours=1)).isoformat()
    asked = {"kind": "maintenance", "reason": "Move", "matchers": {"service": "db-*"}, "ends_at": ends}
    made = api("POST", "/silences", asked)
    assert made.status_code == 201
    assert (made.json()["matchers"], made.json()["created_by"]) == ({"service": "db-*"}, api.user.username)
    silence = Silence.objects.get(pk=made.json()["id"])
    for faults, words in (
        ({"matchers": {}}, "without a matcher"),
        ({"matchers": {"service": "*"}}, "fits everything"),
        ({"matchers": {"a=b\nservice": "x"}}, "line break"),
        ({"matchers": {"service": ""}}, "label=value"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "later end"),
        ({"reason": " "}, "reason"),
    ):
        answer = api("POST", "/silences", {**asked, **faults})
        assert answer.status_code == 422
        assert words in answer.json()["detail"]
    assert api("DELETE", f"/silences/{silence.pk}").status_code == 204
    silence.refresh_from_db()
    assert silence.ended_early_at is not None
    assert Caller("viewer")("POST", "/silences", asked).status_code == 403


def test_runbooks_are_listed_read_and_searched() -> None:
    api = Caller("viewer")
    text = curation.Text(
        title="Pool exhausted", markdown="Restart the pooler.", services=("db",), tags=(), owner="", reviewed_on=None
    )
    somebody = cast.mira()
    revision = curation.draft(text, kind=Document.Kind.RUNBOOK, by=somebody, now=NOW)
    curation.approve(revision, by=somebody, now=NOW)
    slug = revision.document.slug
    [listed] = api("GET", "/runbooks").json()["items"]
    assert (listed["slug"], listed["state"], listed["markdown"]) == (slug, "approved", None)
    assert "Restart the pooler" in api("GET", f"/runbooks/{slug}").json()["markdown"]
    found = api("GET", "/runbooks/search?q=pooler").json()
    assert found["items"][0]["slug"] == slug
    assert api("GET", "/runbooks/search").status_code == 422


def test_trends_and_audit_are_for_managers() -> None:
    manager = Caller("manager")
    cast.incident(source="live")
    said = manager("GET", "/trends?start=2026-11-01T00:00:00Z&end=2026-11-30T00:00:00Z").json()
    assert {row["measure"] for row in said["measures"]} == {"detect", "acknowledge", "mitigate", "restore"}
    assert said["measures"][0]["verdict"] == "too few incidents to say"
    assert manager("GET", "/trends?start=2026-11-30T00:00:00Z&end=2026-11-01T00:00:00Z").status_code == 400
    entries = manager("GET", "/audit?table=incidents_incident").json()["items"]
    assert entries[0]["after"]["title"] == cast.TITLE
    for path in ("/trends", "/audit"):
        assert Caller("responder")("GET", path).status_code == 403


def test_every_operation_says_what_it_needs_and_how_it_refuses() -> None:
    schema = site.get_openapi_schema()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert operation["security"], (method, path)
            assert operation["summary"], (method, path)
            assert {"401", "403", "404", "422", "429"} <= {str(code) for code in operation["responses"]}, (method, path)
            assert Client().generic(method.upper(), re.sub(r"{[^}]+}", "1", path)).status_code == 401


def test_the_description_is_for_people_who_are_signed_in_and_comes_from_here() -> None:
    browser = Client()
    assert browser.get("/api/v1/docs").status_code == 302
    assert browser.get("/api/v1/openapi.json").status_code == 302
    browser.force_login(cast.mira())
    page = browser.get("/api/v1/docs").content.decode()
    assert "/static/ninja/swagger-ui-bundle.js" in page
    assert "http://" not in page
    assert "https://" not in page
    assert browser.get("/api/v1/openapi.json").json()["info"]["title"] == "Co-pilot"
