from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from copilot import events
from incidents.models import Incident
from tests.services import free_port

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


@pytest.fixture
def incident(transactional_db: None) -> Incident:
    return Incident.objects.create(
        title="checkout is slow", severity=2, started_at=NOW, opened_at=NOW, last_anomaly_at=NOW
    )


def test_numbers_are_in_order_without_gaps(incident: Incident) -> None:
    numbers = [events.publish(incident_id=incident.pk, kind="timeline.added", payload={"n": n}) for n in range(3)]
    assert numbers == [1, 2, 3]
    assert [event.payload["n"] for event in events.since(incident_id=incident.pk, number=1)] == [1, 2]
    assert [event.number for event in events.since(incident_id=incident.pk, number=0, limit=2)] == [1, 2]


def test_an_event_of_a_transaction_that_fails_leaves_no_gap(incident: Incident) -> None:
    with transaction.atomic():
        events.publish(incident_id=incident.pk, kind="timeline.added", payload={})
        transaction.set_rollback(True)
    assert events.publish(incident_id=incident.pk, kind="timeline.added", payload={}) == 1


def test_many_writers_get_different_numbers(incident: Incident) -> None:
    def write(_: int) -> list[int]:
        try:
            return [events.publish(incident_id=incident.pk, kind="answer.sentence", payload={}) for _ in range(10)]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        numbers = [number for found in pool.map(write, range(4)) for number in found]
    assert sorted(numbers) == list(range(1, 41))


def test_an_unknown_incident_is_an_error(transactional_db: None) -> None:
    with pytest.raises(Incident.DoesNotExist):
        events.publish(incident_id=10**9, kind="timeline.added", payload={})


def test_a_dead_redis_neither_fails_nor_slows_an_event(
    incident: Incident, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    layer = settings.CHANNEL_LAYERS["default"]
    dead = {**layer, "CONFIG": {"hosts": [f"redis://127.0.0.1:{free_port()}/0"]}}
    settings.CHANNEL_LAYERS = {"default": dead}
    monkeypatch.setattr(events, "_paused_until", 0.0)
    tried: list[int] = []
    send = events._send

    async def counted(messages: events.Hints) -> None:
        tried.append(len(messages))
        await send(messages)

    monkeypatch.setattr(events, "_send", counted)
    assert [events.publish(incident_id=incident.pk, kind="timeline.added", payload={}) for _ in range(5)] == [
        1,
        2,
        3,
        4,
        5,
    ]
    assert len(tried) == 1, "after a failed hint none is tried for a while"
    assert "No live hint" in caplog.text


def test_the_list_hears_of_what_changes_a_line(incident: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str]] = []

    class Layer:
        async def group_send(self, group: str, message: dict[str, object]) -> None:
            sent.append((group, str(message["type"])))

    layer: Callable[[], Layer] = Layer
    monkeypatch.setattr(events, "get_channel_layer", layer)
    monkeypatch.setattr(events, "_paused_until", 0.0)
    events.publish(incident_id=incident.pk, kind="timeline.added", payload={})
    events.publish(incident_id=incident.pk, kind="investigation.ready", payload={})
    own = (f"incident-{incident.pk}", "event.published")
    assert sent == [own, own, ("incidents", "incidents.changed")]
