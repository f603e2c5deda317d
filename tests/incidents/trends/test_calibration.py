"""Stated chances against confirmed causes: who counts, bins with intervals, months, the error, and the correction in use."""

from datetime import UTC, datetime, timedelta

import pytest

from incidents import lifecycle
from incidents.lifecycle import Cause, Stated
from incidents.models import Incident
from incidents.trends.calibration import calibration, in_use
from incidents.trends.population import Choice
from tests import cast

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
CHOICE = Choice(NOW - timedelta(days=90), NOW)


def resolved(
    *, right: bool, confidence: float = 0.9, days: int = 3, stated: bool = True, **changes: object
) -> Incident:
    at = NOW - timedelta(days=days)
    made = cast.incident(
        **{"source": "live", "status": "resolved", "started_at": at, "opened_at": at, "resolved_at": at, **changes}
    )
    said = Stated("payments" if right else "checkout", "likely", 0.95, confidence) if stated else None
    lifecycle.confirm_cause(made, cause=Cause("payments"), stated=said, by="mira", now=at)
    return made


def test_bins_say_how_often_it_came_true() -> None:
    for number in range(20):
        resolved(right=number < 15)
    resolved(right=False, confidence=0.3, days=40)
    resolved(right=True, stated=False)
    found = calibration(Incident.objects.all(), CHOICE)
    assert (len(found.told), found.silent, found.resolved) == (21, 1, 22)
    assert [(step.bin.cases, round(step.bin.came_true, 2)) for step in found.steps] == [(1, 0.0), (20, 0.75)]
    assert found.steps[1].low < 0.75 < found.steps[1].high
    assert found.error is not None
    assert found.error.value == pytest.approx((20 * 0.15 + 1 * 0.3) / 21, abs=0.001)
    assert found.error.low <= found.error.value <= found.error.high
    assert [(month.first.month, month.n, month.error is None) for month in found.months] == [
        (10, 1, True),
        (11, 20, False),
    ]
    assert calibration(Incident.objects.all(), CHOICE) == found


def test_made_up_replayed_merged_and_false_alarms_do_not_count() -> None:
    resolved(right=True, is_demo=True)
    resolved(right=True, source="replay_x")
    resolved(right=True, merged_into=resolved(right=True))
    alarm = resolved(right=True)
    lifecycle.set_cause(alarm, cause="false-alarm", text="", by="mira", now=NOW)
    assert len(calibration(Incident.objects.all(), CHOICE).told) == 1
    assert in_use(now=NOW).cases == 1


def test_nothing_to_show_is_nothing() -> None:
    found = calibration(Incident.objects.all(), CHOICE)
    assert (found.told, found.steps, found.error, found.months, found.recalibration.in_use) == ((), (), None, (), False)
