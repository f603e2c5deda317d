from datetime import UTC, datetime

import pytest
from pytest_django.fixtures import Settings

from copilot import tasks
from copilot.evidence import bundle as bundles
from copilot.models import Message
from incidents.models import Incident, Investigation, OutboxMessage
from tests.copilot.answers.cast import BUNDLE, END, START
from tests.copilot.answers.test_composition import FULL, reply
from tests.copilot.llm.fake_provider import provider, speaks

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident() -> Incident:
    opened = Incident.objects.create(
        title="checkout is slow", severity=2, started_at=START, opened_at=START, last_anomaly_at=END
    )
    Investigation.objects.create(
        incident=opened, state=Investigation.State.READY, requested_at=START, evidence=bundles.to_json(BUNDLE)
    )
    return opened


def test_a_ready_investigation_is_explained_by_the_configured_model(incident: Incident, settings: Settings) -> None:
    tasks.warm(incident.pk)
    asked = OutboxMessage.objects.get()
    assert (asked.task, asked.queue) == ("copilot.tasks.answer", "chat")
    with provider(speaks(*reply(FULL))) as fake:
        settings.COPILOT_LLM = fake.url
        tasks.answer(*asked.arguments)
        tasks.answer(*asked.arguments)
    assert len(fake.requests) == 1, "a task that runs twice answers once"
    message = Message.objects.get()
    assert message.state == "done"
    assert message.claims.count() == 2


def test_work_of_a_dead_worker_is_asked_for_again(incident: Incident) -> None:
    tasks.warm(incident.pk)
    OutboxMessage.objects.all().delete()
    Message.objects.update(claimed_until=datetime(2026, 1, 1, tzinfo=UTC))
    tasks.reclaim_expired()
    assert OutboxMessage.objects.get().task == "copilot.tasks.answer"
