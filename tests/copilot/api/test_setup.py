"""Sources, services, teams, rules and notifications, set up by a program."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from copilot.models import IdempotentReply
from incidents.intake import tokens
from incidents.models import AlertSource, GroupingRule, Notification, Service, ServiceEdge, Team
from tests import cast
from tests.copilot.api.caller import Caller
from tests.incidents.alerting import alert

pytestmark = pytest.mark.django_db
ALERTS = {"kind": "generic", "mapping": {"name": "title", "service": "app"}}


def said(answer: Any) -> str:
    return f"{answer.status_code} {answer.json()['detail']}"


def test_a_source_is_added_with_a_token_that_works_and_is_shown_once() -> None:
    api = Caller("SRE")
    made = api("POST", "/sources", {"name": "Shop  alerts", **ALERTS}, Idempotency_Key="a")
    assert (made.status_code, made.json()["name"], made.json()["mapping"]) == (201, "Shop alerts", ALERTS["mapping"])
    source = tokens.source_of(made.json()["token"], now=timezone.now())
    assert source is not None
    assert source.pk == made.json()["id"]
    again = api("POST", "/sources", {"name": "Shop  alerts", **ALERTS}, Idempotency_Key="a")
    assert (again["Idempotency-Replayed"], again.json()["token"]) == ("true", None)
    assert made.json()["token"] not in str(IdempotentReply.objects.get().body)
    assert "token" not in api("GET", f"/sources/{source.pk}").json()


def test_a_sources_tokens_rotate() -> None:
    api = Caller("SRE")
    made = api("POST", "/sources", {"name": "Shop", "kind": "alertmanager"}).json()
    path = f"/sources/{made['id']}/tokens"
    second = api("POST", path).json()
    assert second["token"].startswith(second["beginning"])
    first = api("GET", path).json()["items"][1]
    assert api("DELETE", f"{path}/{first['id']}").status_code == 204
    assert tokens.source_of(made["token"], now=timezone.now()) is None
    assert tokens.source_of(second["token"], now=timezone.now()) is not None
    for _ in range(4):
        api("POST", path)
    assert said(api("POST", path)).startswith("409 5 tokens are valid already")
    assert api("DELETE", f"{path}/999999").status_code == 404


def test_deliveries_are_signed_from_the_first_secret_on() -> None:
    api = Caller("SRE")
    number = api("POST", "/sources", {"name": "Shop", "kind": "alertmanager"}).json()["id"]
    path = f"/sources/{number}/signing-secrets"
    assert api("POST", path).json()["signing_secret"].startswith("whsec_")
    api("POST", path)
    assert api("GET", f"/sources/{number}").json()["is_signed"] is True
    assert api("DELETE", f"{path}?keep_newest=true").status_code == 204
    assert len(AlertSource.objects.get().signing_secrets) == 1
    api("DELETE", path)
    assert api("GET", f"/sources/{number}").json()["is_signed"] is False


def test_a_source_changes_whole_or_not_at_all_and_only_as_it_was_read() -> None:
    api = Caller("SRE")
    number = api("POST", "/sources", {"name": "Shop", **ALERTS}).json()["id"]
    tag = api("GET", f"/sources/{number}")["ETag"]
    changed = api("PATCH", f"/sources/{number}", {"is_enabled": False, "most_per_minute": 60}, If_Match=tag)
    assert (changed.json()["is_enabled"], changed.json()["most_per_minute"]) == (False, 60)
    assert api("PATCH", f"/sources/{number}", {"name": "Other"}, If_Match=tag).status_code == 412
    for change, words in (
        ({"name": " "}, "a name of 1 to 100"),
        ({"most_per_minute": 0}, "0 deliveries a minute"),
        ({"name": "Other", "mapping": {"name": "a["}}, "a["),
        ({"mapping": {"colour": "red"}}, "is no field"),
    ):
        assert words in said(api("PATCH", f"/sources/{number}", change))
    assert api("GET", f"/sources/{number}").json()["name"] == "Shop"
    known = api("POST", "/sources", {"name": "Alertmanager", "kind": "alertmanager"}).json()["id"]
    assert "needs no mapping" in said(api("PATCH", f"/sources/{known}", {"mapping": {"name": "x"}}))
    assert "already" in said(api("POST", "/sources", {"name": "Shop", "kind": "generic"}))


def test_a_team_owns_services() -> None:
    api = Caller("SRE")
    mira = cast.mira()
    body = {"name": "Payments", "members": [mira.username], "services": ["ledger", "cards"], "time_zone": "Asia/Tokyo"}
    team = api("POST", "/teams", body).json()
    assert (team["members"], team["services"], team["works_from"]) == ([mira.username], ["cards", "ledger"], "09:00")
    tag = api("GET", f"/teams/{team['id']}")["ETag"]
    assert api("PUT", f"/teams/{team['id']}", {**body, "services": ["cards"]}, If_Match=tag).json()["services"] == [
        "cards"
    ]
    assert api("PUT", f"/teams/{team['id']}", body, If_Match=tag).status_code == 412
    assert Service.objects.get(name="ledger").owner is None
    assert api("PATCH", "/services", {"name": "ledger", "owner": "Payments"}).json()["owner"] == "Payments"
    assert api("GET", "/services?name=ledger").json()["items"][0]["owner"] == "Payments"
    for wrong, words in (
        ({"time_zone": "Mars"}, "time zone"),
        ({"members": ["nobody"]}, "nobody"),
        ({"name": ""}, "name"),
    ):
        assert words in said(api("POST", "/teams", {**body, "name": "Other", **wrong}))
    assert said(api("PATCH", "/services", {"name": "ledger", "owner": "Mars"})).startswith("422")
    assert api("DELETE", f"/teams/{team['id']}").status_code == 204
    assert not Team.objects.exists()


def test_calls_are_said_by_people_or_left_to_spans() -> None:
    api = Caller("SRE")
    call = {"caller": "cart", "callee": "db", "origin": "added"}
    assert api("PUT", "/calls", call).json()["origin"] == "added"
    assert api("PUT", "/calls", {**call, "origin": "removed"}).status_code == 200
    assert [row["origin"] for row in api("GET", "/calls").json()["items"]] == ["removed"]
    api("PUT", "/calls", {**call, "origin": "spans"})
    assert ServiceEdge.objects.get().origin == "spans"
    assert "two different" in said(api("PUT", "/calls", {**call, "callee": "cart"}))
    assert "Nothing says" in said(api("PUT", "/calls", {"caller": "a", "callee": "b", "origin": "removed"}))


def test_a_rule_is_tried_kept_and_put_in_order() -> None:
    api = Caller("SRE")
    now = timezone.now()
    for minute in range(3):
        then = now - timedelta(minutes=minute)
        alert(f"Errors {minute}", starts_at=then, first_received_at=then, last_received_at=then)
    body = {"name": "By service", "group_by": ["service"], "state": "on"}
    tried = api("POST", "/rules/preview", body).json()
    assert (tried["alerts"], tried["would_be"]) == (3, 1)
    assert tried["sentence"].startswith("Would have grouped these 3 alerts into 1 incident")
    assert not GroupingRule.objects.exists()
    first = api("POST", "/rules", body).json()
    second = api("POST", "/rules", {**body, "name": "Payments", "matchers": {"service": "pay*"}}).json()
    assert (first["place"], second["place"], first["created_by"]) == (0, 1, api.user.username)
    moved = api("PUT", f"/rules/{second['id']}?place=0", {**body, "name": "Payments first"})
    assert (moved.json()["place"], moved.json()["name"], moved.json()["matchers"]) == (0, "Payments first", {})
    for wrong, words in (
        ({"window_minutes": 0}, "0 minutes"),
        ({"group_by": [], "matchers": {}}, "every alert would be one"),
        ({"matchers": {"a=b": "c"}}, "A label holds no ="),
    ):
        assert words in said(api("POST", "/rules", {**body, "name": "Third", **wrong}))
    assert "already" in said(api("POST", "/rules", body))
    assert api("DELETE", f"/rules/{first['id']}").status_code == 204
    assert api("GET", f"/rules/{first['id']}").status_code == 404


def test_people_follow_and_are_told() -> None:
    api, other = Caller("viewer"), Caller("viewer")
    incident = cast.incident()
    hidden = cast.incident(is_restricted=True)
    for one in (incident, hidden):
        Notification.objects.create(user=api.user, incident=one, text="It grew worse", created_at=timezone.now())
    assert [row["incident"] for row in api("GET", "/notifications?unread=true").json()["items"]] == [incident.pk]
    assert api("POST", "/notifications/read").status_code == 204
    assert api("GET", "/notifications?unread=true").json()["items"] == []
    watch = api("POST", "/watches", {"incident": incident.pk}).json()
    assert other("DELETE", f"/watches/{watch['id']}").status_code == 404
    assert api("POST", "/watches", {"incident": hidden.pk}).status_code == 404
    assert said(api("POST", "/watches", {"incident": incident.pk, "service": "db"})).startswith("422")
    assert [row["id"] for row in api("GET", "/watches").json()["items"]] == [watch["id"]]
    assert api("DELETE", f"/watches/{watch['id']}").status_code == 204
    assert said(api("POST", "/channels", {"kind": "email", "target": "nobody"})).startswith("422")
    assert api("GET", "/channels").json()["items"] == []


def test_only_those_who_set_up_may() -> None:
    responder, reader = Caller("responder"), Caller("SRE", scopes=("read",))
    for api in (responder, reader):
        for method, path, body in (
            ("POST", "/sources", {"name": "Shop", "kind": "generic"}),
            ("POST", "/teams", {"name": "Shop"}),
            ("PUT", "/calls", {"caller": "a", "callee": "b", "origin": "added"}),
            ("POST", "/rules", {"name": "All", "group_by": ["service"]}),
        ):
            assert api(method, path, body).status_code == 403, path
