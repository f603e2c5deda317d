"""The brief, the chat and what is told to others, for a program."""

import pytest

from copilot.models import Message
from tests import cast
from tests.copilot.api.caller import Caller

pytestmark = pytest.mark.django_db


def test_the_brief_is_read_with_its_evidence() -> None:
    incident = cast.incident()
    assert Caller("viewer")("GET", f"/incidents/{incident.pk}/brief").json()["state"] == "waiting"
    cast.investigated(incident)
    brief = Caller("viewer")("GET", f"/incidents/{incident.pk}/brief").json()
    assert brief["state"] == "ready"
    ids = {item["id"] for item in brief["evidence"]}
    assert ids
    assert all(set(claim["cites"]) <= ids for claim in brief["claims"])
    assert {claim["verdict"] for claim in brief["claims"]} == {"supported"}


def test_a_question_is_asked_and_its_answer_awaited() -> None:
    api, incident = Caller(), cast.incident()
    cast.investigated(incident)
    path = f"/incidents/{incident.pk}/messages"
    asked = api("POST", path, {"text": "Why?"}, Idempotency_Key="a").json()
    assert (asked["author"], asked["text"]) == (api.user.username, "Why?")
    api("POST", path, {"text": "Why?"}, Idempotency_Key="a")
    answer = Message.objects.get(question=asked["id"])
    assert api("GET", f"{path}/{answer.pk}").json()["state"] == "waiting"
    assert [row["id"] for row in api("GET", path).json()["items"]] == [answer.pk, asked["id"]]
    assert Caller("viewer")("POST", path, {"text": "Why?"}).status_code == 403
    assert api("POST", path, {"text": "Why?", "reply_to": 999_999}).status_code == 409
    assert api("GET", f"{path}/999999").status_code == 404


@pytest.mark.parametrize("kind", ["read-in", "handover", "update"])
def test_briefs_are_written(kind: str) -> None:
    incident = cast.incident()
    cast.investigated(incident)
    written = Caller("viewer")("GET", f"/incidents/{incident.pk}/briefs/{kind}").json()
    assert written["kind"] == kind
    assert written["text"]


def test_an_update_with_what_nobody_saw_is_refused_until_somebody_checked_it() -> None:
    api, incident = Caller(), cast.incident()
    cast.investigated(incident)
    path = f"/incidents/{incident.pk}/updates"
    body = {"text": "99 % of checkouts fail since 11:11 UTC."}
    refused = api("POST", path, body)
    assert refused.status_code == 409
    assert "checked" in refused.json()["detail"]
    made = api("POST", path, {**body, "checked": True}).json()
    assert made["published_by"] == api.user.username
    assert [row["id"] for row in api("GET", path).json()["items"]] == [made["id"]]


def test_restricted_incidents_stay_hidden() -> None:
    incident = cast.incident(is_restricted=True)
    for path in ("brief", "messages", "briefs/handover", "updates"):
        assert Caller("viewer")("GET", f"/incidents/{incident.pk}/{path}").status_code == 404
