from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from copilot.evidence import changes
from copilot.evidence.told_changes import WithToldChanges
from incidents.models import Change
from incidents.telemetry.backend import TelemetryBackend
from incidents.telemetry.datamodel import ChangeRecord, Window

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(hours=1), NOW)


class Seen:
    name = "built-in store"

    def __init__(self, *found: ChangeRecord) -> None:
        self.found = list(found)

    def fetch_changes(self, window: Window) -> list[ChangeRecord]:
        return self.found


def told(minutes: float, **fields: Any) -> None:
    about = {"service": "payments", "title": "Deploy payments v2.14.0", "version_after": "v2.14.0", "told_by": "GitHub"}
    Change.objects.create(source="live", at=NOW - timedelta(minutes=minutes), **{**about, **fields})


def fetched(*seen: ChangeRecord) -> list[ChangeRecord]:
    return WithToldChanges(cast(TelemetryBackend, Seen(*seen))).fetch_changes(WINDOW)


def version(minutes: float) -> ChangeRecord:
    return ChangeRecord(NOW - timedelta(minutes=minutes), "payments", "payments 2.13.0 → 2.14.0", "2.13.0", "2.14.0")


@pytest.mark.django_db
def test_a_change_that_was_told_and_seen_is_one() -> None:
    told(70)
    [found] = fetched(version(50))
    assert (found.at, found.version_before, found.told_by) == (NOW - timedelta(minutes=70), "2.13.0", "GitHub")


@pytest.mark.django_db
def test_others_stand_side_by_side() -> None:
    told(40, service="cart", title="Flag new_tax on", version_after="", status="failed")
    told(90)  # before the window, and never seen
    found = fetched(version(10))
    assert [(one.service, one.title) for one in found] == [
        ("cart", "Flag new_tax on, failed"),
        ("payments", "payments 2.13.0 → 2.14.0"),
    ]


@pytest.mark.django_db
def test_what_is_in_the_table_but_was_not_told_is_left_to_telemetry() -> None:
    told(40, told_by="")
    assert fetched() == []


def test_the_evidence_names_who_told() -> None:
    record = ChangeRecord(NOW, "cart", "Flag on", "", "", "LaunchControl")
    item = changes.from_record(record, incident_start=NOW, window=WINDOW, backend="built-in store")
    assert (item.backend, item.query) == ("LaunchControl", 'change{service="cart"}')
