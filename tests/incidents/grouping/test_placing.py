from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier

import pytest
from django.db import connection

from incidents import grouping, lifecycle
from incidents.models import (
    Alert,
    GroupingDecision,
    GroupingRule,
    Incident,
    Investigation,
    OutboxMessage,
    Service,
    ServiceEdge,
)
from tests.incidents.alerting import START, alert, at, change

pytestmark = pytest.mark.django_db
RESOLVED, FIRING = Alert.Status.RESOLVED, Alert.Status.FIRING


def place(*alerts: Alert, now: float = 5) -> list[GroupingDecision]:
    return grouping.place([one.pk for one in alerts], now=at(now))


def incident_of(one: Alert) -> Incident:
    one.refresh_from_db()
    assert one.incident is not None
    return one.incident


def timeline(incident: Incident) -> list[str]:
    return list(incident.timeline.values_list("text", flat=True))


def edge(caller: str, callee: str, **fields: object) -> None:
    ends = [
        Service.objects.get_or_create(name=n, defaults={"first_seen_at": START, "last_seen_at": START})[0]
        for n in (caller, callee)
    ]
    ServiceEdge.objects.create(caller=ends[0], callee=ends[1], last_seen_at=START, **fields)


def test_a_lone_alert_opens_an_incident_with_all_that_follows_from_it() -> None:
    one = alert(summary="31 % of cards are refused", severity=2)
    [decision] = place(one)
    incident = incident_of(one)
    assert (incident.title, incident.severity, incident.services) == (
        "payments: 31 % of cards are refused",
        2,
        ["payments"],
    )
    assert (incident.started_at, incident.opened_at, incident.source) == (at(0), at(5), "live")
    assert decision.sentence == f"Opened {incident.reference}: nothing else was open"
    assert Investigation.objects.get(incident=incident).state == Investigation.State.WAITING
    assert set(OutboxMessage.objects.values_list("task", flat=True)) == {
        "copilot.tasks.investigate",
        "copilot.tasks.announce",
    }
    assert timeline(incident) == [
        "Alert: HighErrorRate at payments: 31 % of cards are refused",
        "Opened: payments: 31 % of cards are refused",
    ]


def test_placing_again_changes_nothing() -> None:
    one = alert()
    place(one)
    for _ in range(3):
        assert place(one, now=30) == []
    assert Incident.objects.count() == GroupingDecision.objects.count() == 1


def test_the_same_service_soon_after_joins_and_the_sentence_says_why() -> None:
    first = alert()
    place(first)
    second = alert("HighLatency", started=41)
    [decision] = place(second, now=45)
    incident = incident_of(first)
    assert incident_of(second) == incident
    assert decision.outcome == "joined"
    assert decision.sentence.startswith(f"Joined {incident.reference}: same service payments, 41 s after its last news")
    assert "cluster=eu-1" in decision.sentence
    assert decision.features["same service"] == 1
    assert 0.5 < (decision.score or 0) < 1


def test_another_service_without_anything_in_common_opens_another() -> None:
    first, second = alert(), alert("DiskFull", service="warehouse", started=60, labels={"cluster": "us-2"})
    place(first)
    [decision] = place(second, now=70)
    assert incident_of(first) != incident_of(second)
    assert decision.sentence.startswith("Opened INC-")
    assert f"the closest, {incident_of(first).reference}, scored 0." in decision.sentence


def test_a_caller_joins_unless_a_person_said_that_it_does_not_call() -> None:
    edge("checkout", "payments")
    first, caller = alert(), alert("CheckoutFails", service="checkout", started=20)
    place(first)
    [decision] = place(caller, now=25)
    assert incident_of(caller) == incident_of(first)
    assert "checkout is one call away" in decision.sentence
    ServiceEdge.objects.update(origin=ServiceEdge.Origin.REMOVED)
    other = alert("CheckoutSlow", service="checkout-worker", started=25, labels={"cluster": "x"})
    edge("checkout-worker", "payments", origin=ServiceEdge.Origin.REMOVED)
    place(other, now=30)
    assert incident_of(other) != incident_of(first)


def test_another_environment_stays_apart() -> None:
    first, staging = alert(), alert(environment="staging", started=10)
    place(first)
    place(staging, now=15)
    assert incident_of(first) != incident_of(staging)


def test_alerts_and_anomalies_meet_in_one_incident() -> None:
    from tests.incidents.detection.streams import episode
    from tests.incidents.lifecycle.test_groups import group_of

    moment = episode().started_at
    one = alert(service="checkout")
    Alert.objects.update(starts_at=moment, last_event_at=moment, last_received_at=moment, first_received_at=moment)
    grouping.place([one.pk], now=moment)
    incident = lifecycle.open_or_join(group_of(episode()), source="live", now=episode().detected_at)
    assert incident == incident_of(one)
    assert (
        GroupingDecision.objects.filter(alert=None).get().sentence.startswith(f"Joined {incident.reference}: 1 anomaly")
    )


def test_what_alerts_do_later_is_written_once_and_all_over_is_said() -> None:
    first, second = alert(), alert("HighLatency", started=10)
    place(first, second, now=15)
    incident = incident_of(first)
    change(first, RESOLVED, 60)
    for _ in range(2):
        place(first, now=62)
    assert "Resolved: HighErrorRate at payments" in timeline(incident)
    assert not [text for text in timeline(incident) if text.startswith("Every alert")]
    change(first, FIRING, 90)
    place(first, now=92)
    assert "Fires again: HighErrorRate at payments" in timeline(incident)
    for one in (first, second):
        change(one, RESOLVED, 200)
    place(first, second, now=203)
    assert timeline(incident)[-1] == "Every alert has resolved since 02:03:20 UTC"
    incident.refresh_from_db()
    assert incident.status == "open"


def test_an_alert_that_fires_anew_after_the_incident_was_resolved_opens_another() -> None:
    one = alert()
    place(one)
    first = incident_of(one)
    change(one, RESOLVED, 60)
    place(one, now=62)
    lifecycle.resolve(first, by="mira", now=at(70))
    place(one, now=75)
    assert incident_of(one) == first
    change(one, FIRING, 3000)
    place(one, now=3002)
    assert incident_of(one) != first


def test_a_quiet_alert_opens_nothing_and_says_so_once() -> None:
    def held(alerts: Sequence[Alert], *, now: datetime) -> None:
        for one in alerts:
            one.quiet = Alert.Quiet.HELD
            one.save()

    one = alert()
    [decision] = grouping.place([one.pk], now=at(5), quieten=held)
    assert grouping.place([one.pk], now=at(6), quieten=held) == []
    assert (decision.outcome, decision.incident, Incident.objects.count()) == ("held", None, 0)
    assert decision.sentence == "Opened nothing: Held: usually resolves itself"


def test_a_rule_that_is_on_decides_and_one_in_shadow_only_says() -> None:
    common = {"matchers": {}, "window_minutes": 30, "created_at": START}
    on = GroupingRule.objects.create(name="by cluster", state="on", group_by=["cluster"], **common)
    GroupingRule.objects.create(name="by service", state="shadow", group_by=["service"], **common)
    first, other = alert(), alert("DiskFull", service="warehouse", started=600)
    place(first)
    decisions = place(other, now=605)
    assert incident_of(first) == incident_of(other)
    real, shadow = decisions
    assert real.sentence == f"Joined {incident_of(first).reference}: rule “by cluster”, same cluster=eu-1"
    assert (real.rule, shadow.is_shadow) == (on, True)
    assert shadow.sentence == "In shadow mode, rule “by service”, same service=warehouse"
    apart = alert("DiskFull", service="warehouse", started=700, labels={"cluster": "us-2"})
    place(apart, now=705)
    assert incident_of(apart) != incident_of(first)


def test_demo_alerts_keep_to_themselves() -> None:
    first, second = alert(), alert("HighLatency", started=5, is_demo=True)
    place(first)
    place(second, now=10)
    assert incident_of(second).is_demo
    assert incident_of(first) != incident_of(second)


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_agree_on_one_incident() -> None:
    made = [alert(started=n) for n in range(8)]
    barrier = Barrier(4)

    def work(_number: int) -> None:
        barrier.wait()
        place(*made, now=10)
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert Incident.objects.count() == Investigation.objects.count() == 1
    assert GroupingDecision.objects.count() == len(made)
