"""An incident's page, its parts and what can be done there."""

import pytest
from django.test import Client
from django.utils import timezone

from copilot import events
from copilot.models import Message
from incidents.models import Incident, Investigation
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(cast.mira())
    return client


def test_the_page_answers_what_since_why_how_sure_and_what_next(reader: Client) -> None:
    incident = cast.incident()
    cast.investigated(incident)
    said = reader.get(f"/incidents/{incident.pk}/").content.decode()
    for words in (
        cast.TITLE,
        "02:44:20",
        "Probably payments (a chance of 71 %)",
        "31.4 %",
        "Compare the connection pool",
        "Replayed recording payments_pool",
        "Prometheus at 127.0.0.1:9090 refused the connection",
        "QueuePool limit of size 30",
        "pool.acquire",
        'href="/runbooks/connection-pool-exhausted/#p-2"',
        "No language model answers now.",
        "Nothing against it",
    ):
        assert words in said


def test_every_citation_leads_to_an_item_on_the_page(reader: Client) -> None:
    import re

    incident = cast.incident()
    cast.investigated(incident)
    said = reader.get(f"/incidents/{incident.pk}/").content.decode()
    cited = set(re.findall(r'href="#(E\d+)"', said))
    assert cited
    assert cited <= set(re.findall(r'id="(E\d+)"', said))
    for name in cited:
        assert reader.get(f"/incidents/{incident.pk}/evidence/{name}/").status_code == 200


def test_before_the_investigation_is_ready_it_says_so(reader: Client) -> None:
    incident = cast.incident()
    Investigation.objects.create(incident=incident, requested_at=cast.OPENED)
    said = reader.get(f"/incidents/{incident.pk}/").content.decode()
    assert "Evidence is being gathered." in said
    assert "skeleton" in said


def test_a_failed_investigation_says_why_and_the_page_stays(reader: Client) -> None:
    incident = cast.incident()
    failure = "The hot store did not answer: connection refused at 127.0.0.1:5432."
    Investigation.objects.create(
        incident=incident, requested_at=cast.OPENED, state=Investigation.State.FAILED, attempts=3, failure=failure
    )
    cast.timeline(incident)
    said = reader.get(f"/incidents/{incident.pk}/").content.decode()
    assert failure in said
    assert "Opened: 29 anomalies" in said


@pytest.mark.parametrize("part", ["verdict", "explanation", "timeline"])
def test_each_part_alone(reader: Client, part: str) -> None:
    incident = cast.incident()
    cast.investigated(incident)
    said = reader.get(f"/incidents/{incident.pk}/part/{part}/").content.decode()
    assert f'id="{part}"' in said
    assert "<html" not in said


def test_what_does_not_exist_is_not_found(reader: Client) -> None:
    incident = cast.incident()
    cast.investigated(incident)
    for path in ("part/nonsense/", "evidence/E99/", "evidence/%3Cscript%3E/", "messages/99/"):
        assert reader.get(f"/incidents/{incident.pk}/{path}").status_code == 404
    assert reader.get("/incidents/99999/").status_code == 404
    assert reader.post(f"/incidents/{incident.pk}/do/explode/").status_code == 404


def test_events_after_a_number(reader: Client) -> None:
    incident = cast.incident()
    for number in range(3):
        events.publish(incident_id=incident.pk, kind="timeline.added", payload={"n": number})
    found = reader.get(f"/incidents/{incident.pk}/events/?after=1").json()["events"]
    assert [event["number"] for event in found] == [2, 3]
    assert reader.get(f"/incidents/{incident.pk}/events/?after=x").status_code == 400


def test_acknowledge_mitigate_resolve_reopen(reader: Client) -> None:
    incident = cast.incident()
    for verb, status in (
        ("acknowledge", "acknowledged"),
        ("mitigate", "mitigated"),
        ("resolve", "resolved"),
        ("reopen", "open"),
    ):
        assert reader.post(f"/incidents/{incident.pk}/do/{verb}/").status_code == 302
        incident.refresh_from_db()
        assert incident.status == status
    assert list(incident.events.values_list("kind", flat=True)) == ["incident.changed"] * 4
    assert [entry.actor for entry in incident.timeline.all()] == ["mira"] * 4


def test_a_step_that_does_not_fit_is_refused_in_words(reader: Client) -> None:
    incident = cast.incident(status=Incident.Status.RESOLVED, resolved_at=timezone.now())
    said = reader.post(f"/incidents/{incident.pk}/do/acknowledge/", follow=True).content.decode()
    assert "Reopen it first." in said


def test_investigating_again(reader: Client) -> None:
    incident = cast.incident()
    Investigation.objects.create(
        incident=incident, requested_at=cast.OPENED, state=Investigation.State.FAILED, attempts=3, failure="Broken."
    )
    assert "Investigate again" in reader.get(f"/incidents/{incident.pk}/").content.decode()
    reader.post(f"/incidents/{incident.pk}/do/investigate/")
    found = Investigation.objects.get()
    assert (found.state, found.attempts) == (Investigation.State.WAITING, 0)


def test_a_note_is_kept_and_an_empty_one_is_not(reader: Client) -> None:
    incident = cast.incident()
    reader.post(f"/incidents/{incident.pk}/do/note/", {"text": "  "})
    reader.post(f"/incidents/{incident.pk}/do/note/", {"text": "x" * 900})
    assert [len(entry.text) for entry in incident.timeline.all()] == [500]


def test_asking_over_a_form_and_by_a_script(reader: Client) -> None:
    incident = cast.incident()
    cast.investigated(incident)
    path = f"/incidents/{incident.pk}/ask/"
    assert reader.post(path, {"text": "What changed?"}).headers["Location"] == f"/incidents/{incident.pk}/#chat"
    by_script = {"HTTP_X_REQUESTED_WITH": "fetch"}
    assert reader.post(path, {"text": "Why?"}, **by_script).status_code == 202
    refused = reader.post(path, {"text": " "}, **by_script)
    assert (refused.status_code, refused.content) == (409, b"Write a question first.")
    assert Message.objects.filter(from_copilot=False).count() == 2


def test_explain_and_try_again(reader: Client) -> None:
    incident = cast.incident()
    cast.investigated(incident)
    reader.post(f"/incidents/{incident.pk}/explain/")
    answer = Message.objects.get()
    Message.objects.update(state=Message.State.FAILED, failure="The model was away.")
    assert "The model was away." in reader.get(f"/incidents/{incident.pk}/messages/{answer.pk}/").content.decode()
    reader.post(f"/incidents/{incident.pk}/messages/{answer.pk}/retry/")
    answer.refresh_from_db()
    assert answer.state == Message.State.WAITING


MUTATING = ("ask/", "explain/", "messages/1/retry/", "do/acknowledge/", "do/investigate/", "do/note/")


@pytest.mark.parametrize("path", MUTATING)
def test_nothing_changes_by_looking(reader: Client, path: str) -> None:
    incident = cast.incident()
    assert reader.get(f"/incidents/{incident.pk}/{path}").status_code == 405


@pytest.mark.parametrize("path", MUTATING)
def test_nothing_changes_from_another_site(path: str) -> None:
    incident = cast.incident()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.mira())
    assert strict.post(f"/incidents/{incident.pk}/{path}", {"text": "x"}).status_code == 403


def test_hostile_text_is_escaped_wherever_it_appears(reader: Client) -> None:
    incident = cast.incident(title=cast.HOSTILE[:200])
    cast.investigated(incident)
    asked = cast.question(incident, Message._meta.get_field("author").related_model.objects.get(), text=cast.HOSTILE)
    assert asked.pk
    for path in ("", "evidence/E4/", "part/explanation/"):
        said = reader.get(f"/incidents/{incident.pk}/{path}").content.decode()
        assert "<script>window.pwned" not in said
        assert "<img" not in said
    assert "default-src 'self'" in reader.get(f"/incidents/{incident.pk}/").headers["Content-Security-Policy"]
