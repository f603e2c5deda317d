"""The confirmed cause and the lessons over the API."""

import pytest

from incidents.models import Incident
from tests import cast
from tests.copilot.api.caller import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Caller:
    return Caller()


@pytest.fixture
def incident() -> Incident:
    return cast.incident()


def test_a_cause_is_confirmed_read_and_corrected(api: Caller, incident: Incident) -> None:
    address = f"/incidents/{incident.pk}/cause"
    assert api("GET", address).status_code == 404
    given = {"service": "payments", "family": "resource", "cause": "deploy", "text": "2.14.0"}
    said = api("PUT", address, given)
    assert said.status_code == 200, said.content
    assert said.json()["confirmed_by"] == api.user.get_username()
    corrected = api("PUT", address, {**given, "service": "payments-db"}, If_Match=api("GET", address).headers["ETag"])
    assert corrected.json()["service"] == "payments-db"
    assert api("PUT", address, given, If_Match='"old"').status_code == 412
    assert api("PUT", address, {"family": "moon"}).status_code == 422
    assert Caller("viewer")("PUT", address, given).status_code == 403


def test_lessons_are_added_listed_corrected_and_taken_back(api: Caller, incident: Incident) -> None:
    address = f"/incidents/{incident.pk}/lessons"
    lesson = api("POST", address, {"kind": "worse", "text": "restarted it", "service": "payments"}).json()
    assert api("POST", address, {"kind": "worse", "text": "restarted it", "service": "payments"}).json() == lesson
    assert [one["text"] for one in api("GET", address).json()["items"]] == ["restarted it"]
    changed = api("PATCH", f"{address}/{lesson['id']}", {"kind": "no help", "text": "restarted it"}).json()
    assert (changed["kind"], changed["service"]) == ("no help", "")
    assert api("DELETE", f"{address}/{lesson['id']}").status_code == 204
    assert api("DELETE", f"{address}/{lesson['id']}").status_code == 404
    assert api("POST", address, {"kind": "worse", "text": " "}).status_code == 422
