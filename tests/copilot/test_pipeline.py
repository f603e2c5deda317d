"""What the line does when a worker dies; the line itself is tested with a whole recording in test_replay."""

from datetime import timedelta

import pytest

from copilot import pipeline
from incidents.models import Incident, Investigation, OutboxMessage
from tests import cast

pytestmark = pytest.mark.django_db

DIED = cast.OPENED + timedelta(minutes=3)
NOW = DIED + timedelta(minutes=1)


def left_behind(incident: Incident, *, attempts: int) -> Investigation:
    """What a worker that died leaves: a claim that ran out."""
    return Investigation.objects.create(
        incident=incident,
        requested_at=cast.OPENED,
        state=Investigation.State.RUNNING,
        attempts=attempts,
        claimed_until=DIED,
    )


def test_an_investigation_whose_worker_died_is_asked_for_again() -> None:
    incident = cast.incident()
    left_behind(incident, attempts=1)
    assert pipeline.reclaim_expired(now=NOW) == 1
    asked = OutboxMessage.objects.get()
    assert (asked.task, asked.arguments) == ("copilot.tasks.investigate", [incident.pk])
    assert not incident.events.exists()


def test_after_three_deaths_it_has_failed_and_open_pages_are_told_once() -> None:
    incident = cast.incident()
    investigation = left_behind(incident, attempts=pipeline.ATTEMPTS)
    for _ in range(2):
        assert pipeline.reclaim_expired(now=NOW) == 0
    investigation.refresh_from_db()
    assert investigation.state == Investigation.State.FAILED
    assert "did not finish in 3 attempts" in investigation.failure
    assert investigation.claimed_until is None
    assert list(incident.events.values_list("kind", flat=True)) == ["incident.changed"]
