"""Which incidents are timed, and which are only counted."""

from dataclasses import replace

import pytest

from incidents.models import Incident, Team
from incidents.mttr import Measure
from incidents.trends import population
from tests.incidents.trends.cast import CHOICE, NOW, incident

pytestmark = pytest.mark.django_db


def read(**changes: object) -> population.Population:
    return population.read(Incident.objects.all(), replace(CHOICE, **changes), now=NOW)  # type: ignore[arg-type]


def test_the_four_times_of_the_record() -> None:
    incident(minutes=60)
    found = read()
    times = {measure: found.durations(measure).minutes.tolist() for measure in Measure}
    assert times == {"detect": [2.0], "acknowledge": [5.0], "mitigate": [60.0], "restore": [60.0]}


def test_merged_false_demo_and_replayed_ones_are_left_out_and_counted() -> None:
    kept = incident()
    incident(merged_into=kept)
    incident(cause="false-alarm")
    incident(is_demo=True)
    incident(source="replay_x")
    incident(days_ago=200)
    found = read()
    assert found.ids.tolist() == [kept.pk]
    left = found.left_out
    assert (left.merged, left.false_alarms, left.demo, left.replays) == (1, 1, 1, 1)
    assert len(read(with_demo=True)) == 2
    assert read(with_demo=True).demo == 1
    assert len(read(with_demo=True, with_replays=True)) == 3


def test_filters() -> None:
    team = Team.objects.create(name="Shop")
    a = incident(team=team, severity=1, services=["cart", "checkout"], cause="deploy")
    b = incident(days_ago=9)
    assert read(service="cart").ids.tolist() == [a.pk]
    assert read(team="Shop").ids.tolist() == [a.pk]
    assert read(team="none").ids.tolist() == [b.pk]
    assert read(severity=1).ids.tolist() == [a.pk]
    assert read(cause="deploy").ids.tolist() == [a.pk]
    assert read(cause="unknown").ids.tolist() == [b.pk]
    assert read(service="nowhere").ids.tolist() == []


def test_an_open_incident_lasts_until_now() -> None:
    incident(days_ago=1, minutes=None)
    found = read()
    restore = found.durations(Measure.RESTORE)
    assert restore.minutes.tolist() == [24 * 60]
    assert restore.is_over.tolist() == [False]
    assert found.is_open().tolist() == [True]


def test_more_than_can_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(population, "MOST", 3)
    made = [incident(days_ago=days) for days in (9, 8, 7, 6, 5)]
    found = read()
    assert found.ids.tolist() == [row.pk for row in made[2:]]
    assert found.left_out.has_more
