"""What the line does when a worker dies; the line itself is tested with a whole recording in test_replay."""

from datetime import timedelta

import pytest

from copilot import celery, pipeline
from incidents.models import FormerLook, Incident, Investigation, OutboxMessage
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


def test_a_dead_worker_is_noticed_within_two_minutes() -> None:
    sweep = celery.app.conf.beat_schedule["reclaim-expired"]["schedule"]
    assert pipeline.LEASE + sweep < timedelta(minutes=2)


def test_only_so_many_former_looks_are_kept() -> None:
    incident = cast.incident()
    cast.investigated(incident)
    look = Investigation.objects.get(incident=incident)
    for minute in range(FormerLook.MOST_KEPT + 3):
        look.finished_at = cast.OPENED + timedelta(minutes=minute)
        look.save()
        pipeline.keep_former(look)
    kept = FormerLook.objects.filter(incident=incident)
    assert kept.count() == FormerLook.MOST_KEPT
    assert kept.earliest("finished_at").finished_at == cast.OPENED + timedelta(minutes=3)
