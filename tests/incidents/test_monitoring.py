from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from incidents import lifecycle, monitoring
from incidents.models import Incident, Service, ServiceEdge
from incidents.telemetry.datamodel import SpanTable, Window
from incidents.telemetry.recording import Recording, read
from incidents.telemetry.store import HotStore
from tests.outage import BEGAN_AT, ENDED_AT, FAULT_AT, write_outage

EDGES = {("storefront", "checkout"), ("storefront", "catalog"), ("checkout", "payments")}
WHOLE = Window(BEGAN_AT, ENDED_AT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_outage(tmp_path_factory.mktemp("outage"))


@pytest.fixture(scope="module")
def outage(folder: Path) -> Recording:
    return Recording.load(folder, mask=str)


@pytest.fixture
def store(folder: Path) -> Iterator[HotStore]:
    held = HotStore(settings.DATABASE_URL, schema="replay_monitoring_test")
    held.prepare()
    for decoded in read(folder, mask=str):
        held.write(decoded)
    yield held
    held.drop_schema()


def test_an_outage_becomes_one_group_that_says_what_is_wrong(outage: Recording) -> None:
    [found] = monitoring.detect(outage, window=WHOLE)
    assert set(found.services) == {"storefront", "checkout", "payments"}
    assert found.services[0] == "storefront"
    assert abs(found.started_at - FAULT_AT) <= timedelta(seconds=10)
    assert timedelta(seconds=20) <= found.opened_at - FAULT_AT <= timedelta(seconds=60)
    assert found.severity == 1
    assert "db.client.connections.usage" in {episode.key.name for episode in found.episodes}
    assert "catalog" not in {episode.key.service for episode in found.episodes}


def test_calm_times_open_nothing(tmp_path: Path) -> None:
    calm = Recording.load(write_outage(tmp_path, faulty=False), mask=str)
    assert not monitoring.detect(calm, window=WHOLE)


def test_store_and_recording_agree(store: HotStore, outage: Recording) -> None:
    [stored], [recorded] = monitoring.detect(store, window=WHOLE), monitoring.detect(outage, window=WHOLE)
    assert (stored.title, stored.started_at, stored.opened_at) == (
        recorded.title,
        recorded.started_at,
        recorded.opened_at,
    )


def test_edges_are_read_from_a_bounded_part_of_the_spans(outage: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Window] = []

    class Watched(Recording):
        def fetch_spans(self, window: Window, *, services: object = None) -> SpanTable:
            asked.append(window)
            return outage.fetch_spans(window)

    watched = Watched("", [], [], [])
    series = outage.fetch_metrics(WHOLE)
    assert monitoring.edges_of(watched, window=WHOLE, series=series) == EDGES
    assert sum(window.seconds for window in asked) <= 240
    asked.clear()
    monkeypatch.setattr(monitoring, "EDGE_SPANS", 200)
    assert monitoring.edges_of(watched, window=WHOLE, series=series) == EDGES
    assert sum(window.seconds for window in asked) <= 60
    assert monitoring.edges_of(watched, window=WHOLE, series=[]) == frozenset()


def test_edges_are_found_where_the_spans_are_though_the_window_is_much_longer(outage: Recording) -> None:
    longer = Window(BEGAN_AT - timedelta(hours=1), ENDED_AT + timedelta(hours=1))
    assert monitoring.edges_of(outage, window=longer, series=outage.fetch_metrics(longer)) == EDGES


@pytest.mark.django_db
def test_live_ticks_open_one_incident_as_soon_as_a_replay_would(outage: Recording) -> None:
    seen: set[int] = set()
    opened_after: list[timedelta] = []
    now = FAULT_AT - timedelta(minutes=1)
    while now < ENDED_AT + timedelta(seconds=30):
        for incident in monitoring.open_live(store=outage, now=now):
            if incident.pk not in seen:
                opened_after.append(now - FAULT_AT)
            seen.add(incident.pk)
        now += timedelta(seconds=15)
    [incident] = Incident.objects.all()
    [replayed] = monitoring.detect(outage, window=WHOLE)
    assert opened_after[0] <= timedelta(seconds=75)
    assert incident.started_at == replayed.started_at
    assert incident.severity == replayed.severity
    assert set(incident.services) == set(replayed.services)
    assert incident.anomalies.count() == len(replayed.episodes)
    assert monitoring.known_edges(now=now) == EDGES


@pytest.mark.django_db
def test_a_tick_looks_back_to_the_start_of_what_lasts(outage: Recording) -> None:
    now = ENDED_AT
    assert monitoring.live_window(now=now).duration == monitoring.LOOK
    [group] = monitoring.detect(outage, window=WHOLE)
    incident = lifecycle.open_or_join(group, source="live", now=now)
    later = now + timedelta(minutes=40)
    assert monitoring.live_window(now=later).start <= group.started_at - timedelta(minutes=1)
    assert monitoring.live_window(now=now + timedelta(hours=5)).duration == monitoring.LOOK
    lifecycle.resolve(incident, by="alice", now=later)
    assert monitoring.live_window(now=later).duration == monitoring.LOOK


@pytest.mark.django_db
def test_edges_are_remembered_for_a_day_and_services_become_known() -> None:
    monitoring.learn_edges({("a", "b"), ("b", "c")}, now=BEGAN_AT)
    monitoring.learn_edges({("a", "b")}, now=BEGAN_AT + timedelta(hours=20))
    assert ServiceEdge.objects.count() == 2
    assert set(Service.objects.values_list("name", flat=True)) == {"a", "b", "c"}
    assert monitoring.known_edges(now=BEGAN_AT + timedelta(hours=30)) == {("a", "b")}


@pytest.mark.django_db
def test_nothing_stored_opens_nothing(outage: Recording) -> None:
    assert monitoring.open_live(store=outage, now=BEGAN_AT - timedelta(hours=1)) == []
