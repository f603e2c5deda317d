"""Incidents over the API: found, paged, moved, changed only as read, and once."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from copilot.models import ApiToken, AuditEntry, IdempotentReply, StreamEvent
from incidents.models import GroupingDecision, Incident, IncidentTask, Team, TimelineEntry
from tests import cast
from tests.copilot.api.caller import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Caller:
    return Caller()


@pytest.fixture
def incident() -> Incident:
    return cast.incident()


def test_an_incident_reads_as_it_is(api: Caller, incident: Incident) -> None:
    answer = api("GET", f"/incidents/{incident.pk}")
    assert answer.status_code == 200
    said = answer.json()
    assert (said["reference"], said["status"], said["severity"]) == (incident.reference, "open", 1)
    assert said["acknowledged_at"] is None
    assert said["opened_at"].endswith("Z")


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [2, 1, 0]),
        ("status=open,resolved", [1, 0]),
        ("severity=1,3", [2, 0]),
        ("service=payments", [1]),
        ("team=shop", [2]),
        ("tag=pool,night", [2]),
        ("q=cart", [1]),
        ("opened_from=2026-11-22T02:48:00Z", [2, 1]),
        ("demo=true", [2]),
        ("status=open&severity=2", []),
    ],
)
def test_every_filter_finds(api: Caller, query: str, numbers: list[int]) -> None:
    shop = Team.objects.create(name="shop")
    minutes = [timedelta(minutes=n) for n in range(3)]
    made = [
        cast.incident(opened_at=cast.OPENED + minutes[0], services=["cart", "checkout"]),
        cast.incident(
            opened_at=cast.OPENED + minutes[1], status="resolved", severity=2, services=["payments"], title="The cart"
        ),
        cast.incident(
            opened_at=cast.OPENED + minutes[2],
            status="mitigated",
            severity=3,
            services=[],
            team=shop,
            tags=["pool", "night"],
            is_demo=True,
        ),
    ]
    found = [row["number"] for row in api("GET", f"/incidents?{query}").json()["items"]]
    assert found == [made[n].pk for n in numbers]
    reference = api("GET", f"/incidents?q=inc-{made[1].pk}").json()["items"]
    assert [row["number"] for row in reference] == [made[1].pk]


def test_pages_follow_each_other_without_gap_or_repeat_while_new_ones_come(api: Caller) -> None:
    same = [cast.incident(opened_at=cast.OPENED) for _ in range(7)]
    address, seen = "/incidents?limit=3", []
    while address:
        said = api("GET", address).json()
        seen += [row["number"] for row in said["items"]]
        address = said["next"]
        cast.incident(opened_at=cast.OPENED + timedelta(hours=1))
    assert seen == sorted((each.pk for each in same), reverse=True)


@pytest.mark.parametrize(
    "after", ["x", "bnVsbA==", "WzFd", "WyIyMDI2IiwieCJd", "WzEsIDIsIDNd", "WyIyMDI2LTk5LTk5IiwxXQ=="]
)
def test_a_cursor_of_somebody_s_own_making_is_refused(api: Caller, after: str) -> None:
    answer = api("GET", f"/incidents?after={after}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert "`next`" in answer.json()["detail"]


def test_a_life_through_the_api_writes_timeline_stream_and_audit(api: Caller, incident: Incident) -> None:
    for verb in ("acknowledge", "mitigate", "resolve", "close", "reopen"):
        assert api("POST", f"/incidents/{incident.pk}/{verb}").status_code == 200, verb
    name = api.user.username
    said = api("GET", f"/incidents/{incident.pk}/timeline").json()["items"]
    assert {entry["actor"] for entry in said} == {name}
    assert len(said) == StreamEvent.objects.filter(kind="incident.changed").count() == 5
    assert set(
        AuditEntry.objects.filter(table="incidents_incident", action="update").values_list("actor", flat=True)
    ) == {name}


def test_a_move_that_is_not_possible_says_so(api: Caller, incident: Incident) -> None:
    answer = api("POST", f"/incidents/{incident.pk}/close")
    assert answer.status_code == 409
    assert answer.json()["detail"].endswith("Resolve it first.")
    assert api("POST", f"/incidents/{incident.pk}/explode").status_code == 422
    assert not TimelineEntry.objects.exists()


def test_a_change_is_whole_or_not_at_all(api: Caller, incident: Incident) -> None:
    change = {"title": "Checkout is down", "tags": ["pool"], "severity": 2, "severity_reason": "only one shop"}
    answer = api("PATCH", f"/incidents/{incident.pk}", change)
    assert (answer.json()["title"], answer.json()["severity"]) == ("Checkout is down", 2)
    refused = api("PATCH", f"/incidents/{incident.pk}", {"title": "Another", "team": "ghosts"})
    assert (refused.status_code, "ghosts" in refused.json()["detail"]) == (422, True)
    assert Incident.objects.get().title == "Checkout is down"
    many = api("PATCH", f"/incidents/{incident.pk}", {"severity": 9})
    assert many.status_code == 422
    assert many.json()["errors"][0]["loc"][-1] == "severity"


def test_what_was_read_before_somebody_else_changed_it_is_not_overwritten(api: Caller, incident: Incident) -> None:
    path = f"/incidents/{incident.pk}"
    tag = api("GET", path)["ETag"]
    assert api("GET", path, If_None_Match=tag).status_code == 304
    assert api("PATCH", path, {"tags": ["a"]}, If_Match=tag).status_code == 200
    late = api("PATCH", path, {"tags": ["b"]}, If_Match=tag)
    assert (late.status_code, Incident.objects.get().tags) == (412, ["a"])
    assert api("GET", path, If_None_Match=tag).status_code == 200
    assert api("POST", f"{path}/acknowledge", If_Match=tag).status_code == 412
    assert api("POST", f"{path}/acknowledge", If_Match="*").status_code == 200


def test_a_key_makes_a_change_happen_once(api: Caller, incident: Incident) -> None:
    path, body = f"/incidents/{incident.pk}/notes", {"text": "Rolled back"}
    first = api("POST", path, body, Idempotency_Key="k1")
    again = api("POST", path, body, Idempotency_Key="k1")
    assert (first.status_code, again.status_code, again["Idempotency-Replayed"]) == (201, 201, "true")
    assert first.json() == again.json()
    assert TimelineEntry.objects.count() == 1
    assert api("POST", path, {"text": "Other"}, Idempotency_Key="k1").status_code == 422
    other = Caller()
    assert other("POST", path, body, Idempotency_Key="k1").status_code == 201
    assert api("POST", path, body, Idempotency_Key="k" * 201).status_code == 400


def test_a_refused_request_does_not_use_its_key_up(api: Caller, incident: Incident) -> None:
    path = f"/incidents/{incident.pk}/close"
    assert api("POST", path, Idempotency_Key="k1").status_code == 409
    assert not IdempotentReply.objects.exists()
    Incident.objects.update(status="resolved", resolved_at=timezone.now())
    assert api("POST", path, Idempotency_Key="k1").status_code == 200


def test_tasks_and_roles(api: Caller, incident: Incident) -> None:
    noor = cast.person("noor", "responder")
    task = api("POST", f"/incidents/{incident.pk}/tasks", {"text": "Call the bank", "assignee": "noor"}).json()
    done = api("PATCH", f"/incidents/{incident.pk}/tasks/{task['id']}", {"done": True, "assignee": ""}).json()
    assert (task["assignee"], done["assignee"], done["done_at"] is None) == ("noor", None, False)
    assert IncidentTask.objects.get().created_by == api.user.username
    assert api("PATCH", f"/incidents/{cast.incident().pk}/tasks/{task['id']}", {"done": True}).status_code == 404
    role = {"role": "commander", "user": "noor"}
    assert api("POST", f"/incidents/{incident.pk}/roles", role).status_code == 201
    assert api("POST", f"/incidents/{incident.pk}/roles", {**role, "user": "ghost"}).status_code == 422
    assert api("DELETE", f"/incidents/{incident.pk}/roles/commander/noor").status_code == 204
    [held] = api("GET", f"/incidents/{incident.pk}/roles").json()["items"]
    assert (held["user"], held["until_at"] is None) == (noor.username, False)


def test_merging_and_undoing(api: Caller, incident: Incident) -> None:
    into = cast.incident(title="Payments fail")
    merged = api("POST", f"/incidents/{incident.pk}/merge", {"into": into.pk}).json()
    assert merged["merged_into"] == into.pk
    decision = GroupingDecision.objects.get(outcome="merged")
    [said] = api("GET", f"/incidents/{decision.incident_id}/decisions").json()["items"]
    assert said["id"] == decision.pk
    assert api("POST", f"/incidents/{decision.incident_id}/decisions/{decision.pk}/undo").status_code == 200
    assert Incident.objects.get(pk=incident.pk).merged_into_id is None


def test_a_restricted_incident_is_not_there_for_others(api: Caller, incident: Incident) -> None:
    Incident.objects.update(is_restricted=True)
    assert api("GET", "/incidents").json()["items"] == []
    for method, path in (("GET", ""), ("GET", "/timeline"), ("POST", "/acknowledge"), ("GET", "/decisions")):
        assert api(method, f"/incidents/{incident.pk}{path}").status_code == 404
    assert Caller("manager")("GET", f"/incidents/{incident.pk}").status_code == 200


def test_tokens_that_do_not_work_are_not_told_why(api: Caller, incident: Incident) -> None:
    path = f"/incidents/{incident.pk}"

    def refused() -> Any:
        answer = api("GET", path)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
        return answer.json()["detail"]

    said = {api.client.get(f"/api/v1{path}").json()["detail"]}
    ApiToken.objects.update(revoked_at=timezone.now())
    said.add(refused())
    ApiToken.objects.update(revoked_at=None, expires_at=timezone.now())
    said.add(refused())
    ApiToken.objects.update(expires_at=None)
    api.user.is_active = False
    api.user.save()
    said.add(refused())
    assert len(said) == 1


def test_a_token_may_what_its_scope_and_its_person_both_may(incident: Incident) -> None:
    path = f"/incidents/{incident.pk}"
    reader = Caller("responder", scopes=("read",))
    assert reader("GET", path).status_code == 200
    assert "scope" in reader("POST", f"{path}/acknowledge").json()["detail"]
    viewer = Caller("viewer")
    refused = viewer("POST", f"{path}/acknowledge")
    assert (refused.status_code, "respond_to_incident" in refused.json()["detail"]) == (403, True)
    assert Caller("responder", scopes=("respond",))("GET", path).status_code == 403


def test_too_many_requests_are_told_when_to_come_again(api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    from copilot.api.site import api as site

    for throttle in site.throttle:  # type: ignore[union-attr]
        monkeypatch.setattr(throttle, "a_minute", 3)
    monkeypatch.setattr("copilot.api.throttle._clock", lambda: 1_800_000_042.0)
    answers = [api("GET", "/teams") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1]["Retry-After"] == "18"


def test_broken_json_is_a_problem(api: Caller, incident: Incident) -> None:
    headers = {"Authorization": f"Bearer {api.token}"}
    answer = api.client.generic(
        "POST", f"/api/v1/incidents/{incident.pk}/notes", "{", "application/json", headers=headers
    )
    assert (answer.status_code, json.loads(answer.content)["status"]) == (400, 400)
