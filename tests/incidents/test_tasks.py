import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from incidents import tasks
from incidents.telemetry.datamodel import Span, TelemetryBatch, to_ns
from incidents.telemetry.store import HotStore
from tests.services import free_port


@pytest.fixture
def store(settings: LazySettings) -> Iterator[HotStore]:
    held = HotStore(settings.DATABASE_URL)
    held.prepare()
    yield held
    held.drop_schema()


@pytest.mark.django_db
def test_a_source_that_is_away_is_told_and_keeps_no_other_from_being_looked_at(
    store: HotStore, settings: LazySettings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    settings.PROMETHEUS_URL = f"http://127.0.0.1:{port}"
    sources = tasks.live_sources()
    assert [source.name for source in sources] == ["built-in store", f"Prometheus at 127.0.0.1:{port}"]
    looked_at: list[str] = []
    look = tasks.monitoring.open_live

    def watched(**given: object) -> object:
        looked_at.append(given["store"].name)  # type: ignore[attr-defined]
        return look(**given)  # type: ignore[arg-type]

    monkeypatch.setattr(tasks, "live_sources", lambda: sources[::-1])
    monkeypatch.setattr(tasks.monitoring, "open_live", watched)
    with caplog.at_level(logging.WARNING):
        tasks.detect_live()
    assert looked_at == [f"Prometheus at 127.0.0.1:{port}", "built-in store"]
    assert f"Prometheus at 127.0.0.1:{port} was not looked at" in caplog.text


def test_old_telemetry_goes(store: HotStore, settings: LazySettings) -> None:
    now = timezone.now()

    def span(age: timedelta, number: int) -> Span:
        return Span(bytes(16), number, 0, "a", "GET /", 2, to_ns(now - age), 1_000_000, is_error=False, attributes="{}")

    store.write(
        TelemetryBatch(
            spans=[span(timedelta(minutes=1), 1), span(settings.HOT_STORE_RETENTION + timedelta(hours=3), 2)]
        )
    )
    tasks.drop_old_telemetry()
    assert store.span_count() == 1
