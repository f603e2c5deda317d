"""Resolving asks what it was; skipping is one press; lessons are kept from the page while the incident goes on."""

import pytest
from django.test import Client

from copilot.models import AuditEntry
from incidents.models import ConfirmedCause, Incident, Lesson
from tests import cast, suspects

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(cast.mira())
    return client


@pytest.fixture
def incident() -> Incident:
    made = cast.incident(status=Incident.Status.ACKNOWLEDGED)
    cast.investigated(made, where=suspects.located(since=cast.START))
    return made


def test_the_form_begins_with_the_leading_suspect(reader: Client, incident: Incident) -> None:
    page = reader.get(f"/incidents/{incident.pk}/").content.decode()
    assert f'href="/incidents/{incident.pk}/cause/"' in page
    answer = reader.get(f"/incidents/{incident.pk}/cause/")
    chosen = [choice.service for choice in answer.context["choices"] if choice.is_chosen]
    assert chosen == ["payments"]
    assert [value for value, _, is_on in answer.context["families"] if is_on] == ["resource"]
    assert "stated chance 91%" in answer.content.decode()


def test_resolving_keeps_the_cause_and_what_was_tried(reader: Client, incident: Incident) -> None:
    given = {
        "service": "payments", "family": "resource", "kind": "deploy", "text": "2.14.0 leaks connections",
        "fixed": "Rolled back to 2.13.4", "tried-1": "Restarted the pods", "outcome-1": "worse",
        "tried-2": "Doubled the pool", "outcome-2": "no help", "tried-3": "", "outcome-3": "no help", "do": "keep",
    }  # fmt: skip
    answer = reader.post(f"/incidents/{incident.pk}/cause/", given)
    assert answer.headers["Location"].endswith("#learned")
    incident.refresh_from_db()
    assert (incident.status, incident.cause, incident.cause_text) == ("resolved", "deploy", "2.14.0 leaks connections")
    assert incident.confirmed_cause.service == "payments"
    assert [(one.kind, one.text) for one in incident.lessons.all()] == [
        ("fixed", "Rolled back to 2.13.4"),
        ("worse", "Restarted the pods"),
        ("no help", "Doubled the pool"),
    ]
    shown = reader.get(f"/incidents/{incident.pk}/").content.decode()
    for words in ("Restarted the pods", "Made it worse", "confirmed by mira"):
        assert words in shown
    assert {entry.table for entry in AuditEntry.objects.filter(actor="mira")} >= {
        "incidents_confirmedcause",
        "incidents_lesson",
    }


def test_resolving_without_saying_is_one_press_and_said_later(reader: Client, incident: Incident) -> None:
    reader.post(f"/incidents/{incident.pk}/cause/", {"do": "skip", "service": "payments"})
    incident.refresh_from_db()
    assert incident.status == "resolved"
    assert not ConfirmedCause.objects.exists()
    assert "Nobody has said what it was." in reader.get(f"/incidents/{incident.pk}/").content.decode()
    reader.post(f"/incidents/{incident.pk}/cause/", {"do": "keep", "service": "+", "another": "payments-db"})
    reader.post(f"/incidents/{incident.pk}/cause/", {"do": "keep", "service": "-"})
    assert ConfirmedCause.objects.get().service == ""


def test_what_cannot_be_kept_is_said_and_nothing_typed_is_lost(reader: Client, incident: Incident) -> None:
    for given in ({"service": "+", "another": " "}, {"service": "payments", "family": "moon"}, {}):
        answer = reader.post(f"/incidents/{incident.pk}/cause/", {"text": "kept words", **given})
        assert answer.status_code == 400
        assert "kept words" in answer.content.decode()
    incident.refresh_from_db()
    assert incident.status == "acknowledged"


def test_a_lesson_from_the_page(reader: Client, incident: Incident) -> None:
    address = f"/incidents/{incident.pk}/lessons"
    reader.post(f"{address}/0/", {"kind": "worse", "text": "Restarted it", "service": "payments"})
    lesson = Lesson.objects.get()
    assert "Restarted it" in reader.get(f"/incidents/{incident.pk}/part/response/").content.decode()
    reader.post(f"{address}/{lesson.pk}/", {"kind": "no help", "text": "Restarted it twice", "service": "payments"})
    lesson.refresh_from_db()
    assert (lesson.kind, lesson.text) == ("no help", "Restarted it twice")
    reader.post(f"{address}/{lesson.pk}/", {"do": "drop"})
    assert not Lesson.objects.exists()
    assert reader.post(f"{address}/0/", {"kind": "worse"}, follow=True).content.decode().count("Say what was tried")
    assert reader.post(f"{address}/99/", {"do": "drop"}).status_code == 404


def test_a_hostile_lesson_is_only_text(reader: Client, incident: Incident) -> None:
    reader.post(
        f"/incidents/{incident.pk}/lessons/0/", {"kind": "worse", "text": cast.HOSTILE, "service": cast.HOSTILE}
    )
    assert "<script>window.pwned" not in reader.get(f"/incidents/{incident.pk}/").content.decode()
    assert "<script>window.pwned" not in reader.get(f"/incidents/{incident.pk}/cause/").content.decode()
