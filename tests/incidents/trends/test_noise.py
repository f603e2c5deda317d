"""Alerts added up by day."""

from dataclasses import replace
from datetime import timedelta

import pytest

from incidents.models import Alert, AlertDay, AlertEvent, AlertSource, GroupingDecision
from incidents.trends import noise
from tests.incidents.trends.cast import CHOICE, NOW, incident

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> AlertSource:
    return AlertSource.objects.create(name="am", kind="alertmanager", created_at=NOW)


def alert(
    source: AlertSource, name: str, *, firings: int = 1, outcome: str = "", days_ago: int = 3, demo: bool = False
) -> Alert:
    first = NOW - timedelta(days=days_ago)
    times = dict.fromkeys(("starts_at", "last_event_at", "first_received_at", "last_received_at"), first)
    made = Alert.objects.create(
        source=source,
        fingerprint=f"{name}-{days_ago}-{demo}",
        name=name,
        service="cart",
        status="resolved",
        is_demo=demo,
        **times,
    )
    for number in range(firings):
        at = first + timedelta(minutes=5 * number)
        AlertEvent.objects.create(alert=made, status="firing", at=at, received_at=at)
        AlertEvent.objects.create(alert=made, status="resolved", at=at + timedelta(minutes=1), received_at=at)
    if outcome:
        GroupingDecision.objects.create(
            alert=made, subject=name, outcome=outcome, sentence="so", decided_at=first, incident=incident()
        )
    return made


def test_sums_by_name(source: AlertSource) -> None:
    alert(source, "Slow", outcome="opened")
    alert(source, "Errors", outcome="joined")
    alert(source, "Flaps", firings=5, outcome="held")
    alert(source, "Window", outcome="silenced", days_ago=2)
    alert(source, "Made up", outcome="held", demo=True)
    alert(source, "Old", days_ago=200)
    noise.add_up(now=NOW)
    found = noise.noise(CHOICE, now=NOW)
    assert (found.firings, found.opened, found.joined, found.held, found.silenced, found.flapping) == (8, 1, 1, 1, 1, 1)
    assert found.for_each_incident == 2.0
    assert found.names[0].name == "Flaps"
    assert found.newest == (NOW - timedelta(days=2)).date()


def test_adding_up_again_changes_nothing_and_takes_in_what_is_new(source: AlertSource) -> None:
    alert(source, "Slow", days_ago=0)
    noise.add_up(now=NOW)
    assert noise.add_up(now=NOW) == 2
    alert(source, "Errors", days_ago=0)
    GroupingDecision.objects.create(
        alert=Alert.objects.get(name="Slow"), subject="", outcome="held", is_shadow=True, sentence="so", decided_at=NOW
    )
    noise.add_up(now=NOW)
    assert AlertDay.objects.count() == 2
    assert noise.noise(CHOICE, now=NOW).held == 0


def test_without_alerts_there_is_nothing() -> None:
    assert noise.add_up(now=NOW) == 0
    found = noise.noise(CHOICE, now=NOW)
    assert (found.firings, found.names, found.newest, found.for_each_incident) == (0, (), None, None)


def test_whole_months_and_the_days_around_them_add_up_to_the_days(source: AlertSource) -> None:
    for days_ago in range(0, 120, 3):
        alert(source, "Slow", days_ago=days_ago)
    noise.add_up(now=NOW)
    for first, last in ((119, 0), (100, 40), (70, 35), (33, 3), (2, 1)):
        start, end = (NOW - timedelta(days=days) for days in (first, last))
        found = noise.noise(replace(CHOICE, start=start, end=end), now=NOW)
        days = AlertDay.objects.filter(day__gte=start.date(), day__lte=end.date())
        assert found.firings == sum(days.values_list("firings", flat=True))
        assert sum(name.firings for name in found.names) == found.firings
