"""So many alerts at once that they are one incident."""

from typing import Any

import pytest

from incidents import grouping, lifecycle
from incidents.lifecycle import profiles
from incidents.models import Alert, GroupingDecision, GroupingRule, Incident
from tests.incidents.alerting import START, alert, at

pytestmark = pytest.mark.django_db
NAMES = ("HostDown", "HighErrorRate", "HighLatency", "QueueFull")


def storm(count: int = 260, *, first: int = 0, begins: float = 0, **fields: Any) -> list[Alert]:
    """Alerts of hundreds of services that have nothing but the moment in common, fifty a second."""
    return [
        alert(
            f"{NAMES[n % 4]}{n % 7}",
            service=f"service-{n}",
            started=begins + (n - first) / 50,
            labels={"instance": f"10.0.{n // 250}.{n % 250}", "cluster": f"c{n}"},
            **fields,
        )
        for n in range(first, first + count)
    ]


def place(alerts: list[Alert], *, now: float, each: int = 50) -> None:
    for begin in range(0, len(alerts), each):
        grouping.place([one.pk for one in alerts[begin : begin + each]], now=at(now))


def test_a_storm_becomes_one_incident() -> None:
    made = storm()
    # As they come in: the first incidents open before anybody can know that it is a storm.
    for begin in range(0, len(made), 20):
        Alert.objects.filter(pk__in=[one.pk for one in made[begin + 20 :]]).update(status="resolved")
        Alert.objects.filter(pk__in=[one.pk for one in made[: begin + 20]]).update(status="firing")
        place(made[begin : begin + 20], now=5 + begin / 20)
    whole = Incident.objects.get(merged_into=None)
    assert set(Alert.objects.values_list("incident", flat=True)) == {whole.pk}
    assert whole.tags == ["storm"]
    assert whole.title.startswith("Alert storm, beginning with service-")
    assert Incident.objects.filter(merged_into=whole).exists()
    decisions = GroupingDecision.objects.exclude(outcome="merged")
    assert decisions.count() == len(made)
    assert not decisions.filter(features={}, outcome="joined").exists()
    assert decisions.filter(sentence__contains="alerts began within five minutes").exists()
    assert whole.timeline.count() < 80


def test_what_a_person_took_on_or_took_apart_is_left_alone() -> None:
    calm, other, third = (alert("Calm", service=f"alone-{n}", labels={"cluster": f"x{n}"}) for n in range(3))
    place([calm, other, third], now=5)
    taken = Incident.objects.get(alerts=calm)
    lifecycle.acknowledge(taken, by="mira", now=at(6))
    made = storm(begins=10)
    place(made, now=20)
    assert Incident.objects.get(alerts=calm) == taken
    whole = Incident.objects.get(tags=["storm"])
    assert {one.incident_id for one in Alert.objects.filter(pk__in=[other.pk, third.pk])} == {whole.pk}
    merged = GroupingDecision.objects.filter(outcome="merged").first()
    assert merged is not None
    assert merged.sentence.endswith("it opened while a storm of alerts began")
    assert profiles.lessons() == []  # what the program did by itself teaches nothing
    apart = lifecycle.undo(merged, by="mira", now=at(25))
    assert [together for _, together in profiles.lessons()] == [False]
    place(storm(first=1000, begins=25), now=30)
    apart.refresh_from_db()
    assert apart.merged_into is None
    assert Incident.objects.filter(tags=["storm"]).count() == 1


def test_other_environments_and_rules_stay_apart() -> None:
    GroupingRule.objects.create(
        name="hosts", state="on", matchers={"name": "Rack*"}, group_by=["rack"], created_at=START
    )
    racks = [alert("RackDown", service=f"r{n}", labels={"rack": "r1", "cluster": f"y{n}"}) for n in range(3)]
    made = [*racks, *storm(), *storm(first=500, count=20, environment="staging")]
    place(made, now=10)
    incidents = Incident.objects.filter(merged_into=None)
    assert incidents.count() == 3
    by_environment = {
        frozenset(one.alerts.values_list("environment", "name").distinct().values_list("environment", flat=True))
        for one in incidents
    }
    assert by_environment == {frozenset({"prod"}), frozenset({"staging"})}


def test_below_it_nothing_is_merged() -> None:
    place(storm(count=20), now=10)
    assert Incident.objects.count() == 20
    assert not GroupingDecision.objects.filter(outcome="merged").exists()
