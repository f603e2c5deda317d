"""The operations page, trying again what was given up on, and the numbers for Prometheus."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from copilot import pipeline
from copilot.answers import questions
from copilot.models import Message
from incidents.intake import outbox
from incidents.models import DeadLetter, DropCount, Investigation, OutboxMessage
from runbooks import curation
from runbooks.models import Revision
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(cast.person("noor", "SRE"))
    return client


def letter(task: str = "incidents.tasks.group_alerts", *arguments: int) -> DeadLetter:
    return DeadLetter.objects.create(
        task=task,
        arguments=list(arguments),
        queue="detect",
        attempts=3,
        cause="ValueError: <b>no</b>",
        failed_at=timezone.now(),
    )


def test_what_was_given_up_on_stands_there_with_its_cause_and_is_tried_again_once(browser: Client) -> None:
    dead = letter("incidents.tasks.group_alerts", 7, 8)
    page = browser.get("/settings/operations/").content.decode()
    assert "ValueError: &lt;b&gt;no&lt;/b&gt;" in page
    for _ in range(2):
        browser.post(f"/settings/operations/{dead.pk}/retry/")
    asked = OutboxMessage.objects.get()
    assert (asked.task, asked.arguments, asked.queue) == ("incidents.tasks.group_alerts", [7, 8], "detect")
    assert "Nothing: every task" in browser.get("/settings/operations/").content.decode()


def test_an_investigation_begins_anew(browser: Client) -> None:
    incident = cast.incident()
    Investigation.objects.create(incident=incident, state="failed", attempts=3, requested_at=timezone.now())
    browser.post(f"/settings/operations/{letter('copilot.tasks.investigate', incident.pk).pk}/retry/")
    assert Investigation.objects.get().state == "waiting"


def test_work_that_keeps_its_state_elsewhere_stands_there_too(browser: Client) -> None:
    incident, now = cast.incident(), timezone.now()
    late = {"attempts": 3, "claimed_until": now - timedelta(minutes=5)}
    Investigation.objects.create(incident=incident, state="running", requested_at=now, **late)
    answer = cast.question(incident, cast.mira()).answer
    Message.objects.filter(pk=answer.pk).update(state=Message.State.STREAMING, **late)
    text = curation.Text(title="Pool", markdown="Restart.", services=(), tags=(), owner="", reviewed_on=None)
    person = cast.person("sol", "SRE")
    curation.approve(curation.draft(text, kind="runbook", by=person, now=now), by=person, now=now)
    Revision.objects.update(attempts=3, failure="The worker that embedded it died 3 times.")
    pipeline.reclaim_expired(now=now)
    questions.reclaim_expired(now=now)
    assert {letter.task for letter in DeadLetter.objects.all()} == {"copilot.tasks.investigate", "copilot.tasks.answer"}
    page = browser.get("/settings/operations/").content.decode()
    assert "died 3 times" in page
    for dead in DeadLetter.objects.all():
        browser.post(f"/settings/operations/{dead.pk}/retry/")
    assert Investigation.objects.get().state == "waiting"
    assert Message.objects.get(pk=answer.pk).state == Message.State.WAITING


def test_queues_and_drops_are_counted(browser: Client) -> None:
    outbox.enqueue(task="incidents.tasks.group_alerts", arguments=[1], queue="detect")
    OutboxMessage.objects.update(created_at=timezone.now() - timedelta(seconds=90))
    DropCount.objects.create(minute_at=timezone.now(), what="alerts", source="shop", reason="too large", count=41)
    context = browser.get("/settings/operations/").context
    [detect] = [each for each in context["backlogs"] if each.queue == "detect"]
    assert (detect.waiting, detect.oldest_seconds >= 90) == (1, True)
    assert [(drop.reason, drop.count) for drop in context["dropped"]] == [("too large", 41)]


def test_prometheus_reads_the_numbers_on_this_machine() -> None:
    letter()
    cast.incident()
    answer = Client().get("/metrics", headers={"Host": "localhost:8000"})
    assert answer.status_code == 200
    families = {family.name: family for family in text_string_to_metric_families(answer.content.decode())}
    assert families["copilot_dead_letters"].samples[0].value == 1
    assert {(s.labels["status"], s.labels["severity"], s.value) for s in families["copilot_incidents"].samples} == {
        ("open", "1", 1.0)
    }
    assert "copilot_outbox_messages" in families


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("10.0.0.7", {"Host": "localhost"}),
        ("127.0.0.1", {"Host": "localhost", "X-Forwarded-For": "10.0.0.7"}),
        ("127.0.0.1", {"Host": "testserver"}),
    ],
)
def test_prometheus_elsewhere_needs_the_token(address: str, headers: dict[str, str], settings: Settings) -> None:
    assert Client().get("/metrics", headers=headers, REMOTE_ADDR=address).status_code == 401
    settings.METRICS_TOKEN = "for tests"
    with_token = {**headers, "Authorization": "Bearer for tests"}
    assert Client().get("/metrics", headers=with_token, REMOTE_ADDR=address).status_code == 200
    assert Client().get("/metrics", headers={"Host": "localhost"}, REMOTE_ADDR="127.0.0.1").status_code == 401
