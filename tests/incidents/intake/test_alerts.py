import json
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incidents.intake.alerts import Receipt, receive
from incidents.intake.formats import Delivery
from incidents.intake.refusals import Refused
from incidents.models import Alert, AlertEvent, AlertSource, OutboxMessage, RawEvent
from tests.incidents.intake import senders
from tests.incidents.intake.senders import NOW, minutes

pytestmark = pytest.mark.django_db


def deliver(source: AlertSource, document: Any, *, now: Any = NOW, **fields: str) -> Receipt:
    return receive(source, Delivery(json.dumps(document).encode(), **fields), now=now)


def state_of(alert: Alert) -> tuple[Any, ...]:
    return alert.status, alert.starts_at, alert.ends_at, alert.last_event_at, alert.episodes


def test_an_alert_is_stored_with_its_raw_bytes_event_and_task() -> None:
    source, _ = senders.source()
    receipt = deliver(source, senders.alertmanager(senders.alert(team="shop", env="prod", user_impact="true")))
    assert (receipt.alerts, receipt.refused) == (1, 0)
    alert = Alert.objects.get()
    assert (alert.name, alert.summary, alert.severity, alert.service) == (
        "CheckoutErrors",
        "Checkout fails",
        1,
        "checkout",
    )
    assert (alert.team, alert.environment, alert.has_user_impact, alert.deliveries) == ("shop", "prod", True, 1)
    assert alert.link.startswith("http://prometheus.shop.example")
    assert state_of(alert) == ("firing", NOW, None, NOW, 1)
    assert [(e.status, e.at, e.begins) for e in AlertEvent.objects.all()] == [("firing", NOW, True)]
    assert json.loads(bytes(RawEvent.objects.get().body))["version"] == "4"
    message = OutboxMessage.objects.get()
    assert (message.task, message.arguments) == ("incidents.tasks.group_alerts", [[alert.pk]])


def test_the_same_again_counts_and_asks_for_nothing() -> None:
    source, _ = senders.source()
    for _ in range(5):
        deliver(source, senders.alertmanager(senders.alert()))
    assert Alert.objects.get().deliveries == 5
    assert RawEvent.objects.get().times == 5
    assert OutboxMessage.objects.count() == 1
    assert AlertEvent.objects.count() == 1
    deliver(source, senders.alertmanager(senders.alert()), now=minutes(5))  # its incident may be over by now
    assert OutboxMessage.objects.count() == 2


def test_a_delivery_with_an_id_counts_once() -> None:
    source, _ = senders.source()
    assert not deliver(source, senders.alertmanager(senders.alert()), id="d1").is_duplicate
    assert deliver(source, senders.alertmanager(senders.alert()), id="d1").is_duplicate
    assert Alert.objects.get().deliveries == 1


def test_a_resolved_alert_ends_its_episode_and_a_new_one_begins_another() -> None:
    source, _ = senders.source()
    deliver(source, senders.alertmanager(senders.alert()))
    deliver(source, senders.alertmanager(senders.alert(ended=minutes(4))), now=minutes(4))
    assert state_of(Alert.objects.get()) == ("resolved", NOW, minutes(4), minutes(4), 1)
    deliver(source, senders.alertmanager(senders.alert(at=minutes(9))), now=minutes(9))
    assert state_of(Alert.objects.get()) == ("firing", minutes(9), None, minutes(9), 2)
    assert OutboxMessage.objects.count() == 3


def test_resolved_before_firing_is_kept_and_applied() -> None:
    source, _ = senders.source()
    deliver(source, senders.alertmanager(senders.alert(ended=minutes(4))), now=minutes(4))
    deliver(source, senders.alertmanager(senders.alert()), now=minutes(5))
    assert state_of(Alert.objects.get()) == ("resolved", NOW, minutes(4), minutes(4), 1)


def test_pagerduty_resolves_before_it_triggers() -> None:
    source, _ = senders.source("pagerduty")
    deliver(source, {"event_action": "resolve", "dedup_key": "db/full"}, now=minutes(5))
    trigger = {"summary": "Disk full", "source": "db", "severity": "error", "timestamp": senders.iso(minutes(2))}
    deliver(source, {"event_action": "trigger", "dedup_key": "db/full", "payload": trigger}, now=minutes(6))
    alert = Alert.objects.get()
    assert state_of(alert) == ("resolved", minutes(2), minutes(5), minutes(5), 1)
    assert (alert.summary, alert.service, alert.severity) == ("Disk full", "db", 2)


def test_an_older_notice_does_not_overwrite_what_the_alert_is_said_to_be() -> None:
    source, _ = senders.source()
    newer, older = senders.alert(at=minutes(5)), senders.alert(at=minutes(1))
    older["annotations"]["summary"] = "an old story"
    deliver(source, senders.alertmanager(newer), now=minutes(6))
    deliver(source, senders.alertmanager(older), now=minutes(7))
    alert = Alert.objects.get()
    assert (alert.summary, alert.starts_at, alert.episodes) == ("Checkout fails", minutes(5), 2)


def story(seed: int, length: int) -> list[dict[str, Any]]:
    """An alert that fires and resolves over and over, one notification each, in order."""
    dice = random.Random(seed)
    told, at = [], NOW
    while len(told) < length:
        at += timedelta(seconds=dice.randint(1, 900))
        end = at + timedelta(seconds=dice.randint(1, 900))
        told.append(senders.alert(at=at))
        if dice.random() < 0.8:
            told.append(senders.alert(at=at, ended=end))
        at = end
    return told[:length]


def told_in(order: list[dict[str, Any]], *, name: str) -> tuple[Any, ...]:
    source, _ = senders.source(name=name)
    for number, one in enumerate(order):
        deliver(source, senders.alertmanager(one), now=minutes(60 * 24) + timedelta(seconds=number))
    return state_of(Alert.objects.get(source=source))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), data=st.data())
def test_any_order_ends_in_the_same_state(seed: int, data: st.DataObject) -> None:
    in_order = story(seed, 8)
    shuffled = data.draw(st.permutations(in_order))
    AlertSource.objects.all().delete()
    assert told_in(shuffled, name="shuffled") == told_in(in_order, name="sorted")


def test_a_shuffled_stream_of_a_thousand_ends_as_the_sorted_one() -> None:
    in_order = story(7, 1_000)
    shuffled = random.Random(1).sample(in_order, len(in_order))
    sorted_, mixed = senders.source(name="sorted")[0], senders.source(name="mixed")[0]
    for source, stream in ((sorted_, in_order), (mixed, shuffled)):
        for start in range(0, len(stream), 50):
            deliver(source, senders.alertmanager(*stream[start : start + 50]), now=minutes(60 * 24 * 10 + start))
    first, second = Alert.objects.get(source=sorted_), Alert.objects.get(source=mixed)
    assert state_of(first) == state_of(second)
    assert first.deliveries == second.deliveries == 1_000


def test_what_cannot_be_stored_is_replaced_and_the_bytes_kept() -> None:
    source, _ = senders.source()
    body = json.dumps(
        senders.alertmanager(senders.alert(**{"no\x00de": "a\x00b\ud800\x1b[31m", "n": "1e999"}))
    ).encode()
    body = body.replace(b'"1e999"', b"1e999").replace(b'"summary": "Checkout fails"', b'"summary": ' + b"9" * 5_000)
    assert receive(source, Delivery(body), now=NOW).alerts == 1
    alert = Alert.objects.get()
    assert (
        alert.labels["no\N{REPLACEMENT CHARACTER}de"]
        == "a\N{REPLACEMENT CHARACTER}b" + "\N{REPLACEMENT CHARACTER}" * 2 + "[31m"
    )
    assert alert.labels["n"] == "1e999"
    assert len(alert.summary) == 400
    assert bytes(RawEvent.objects.get().body) == body


def test_long_values_are_cut_with_a_mark_and_labels_are_at_most_64() -> None:
    source, _ = senders.source()
    deliver(source, senders.alertmanager(senders.alert(big="é" * 100_000, **{f"l{n:03}": "x" for n in range(200)})))
    alert = Alert.objects.get()
    assert len(alert.labels) == 64
    assert alert.severity == 1
    assert alert.labels["big"].endswith("… [cut]")
    assert len(alert.labels["big"].encode()) <= 2_000


def test_secrets_are_masked() -> None:
    source, _ = senders.source()
    deliver(source, senders.alertmanager(senders.alert(password="hunter2", pin=12, by="ann@example.com")))
    assert {k: v for k, v in Alert.objects.get().labels.items() if k in ("password", "by")} == {
        "password": "[masked]",
        "by": "[email]",
    }


def test_a_broken_alert_does_not_take_the_others_with_it() -> None:
    source, _ = senders.source()
    receipt = deliver(source, senders.alertmanager(senders.alert(), {"status": "firing"}, 7, senders.alert("b")))
    assert (receipt.alerts, receipt.refused) == (2, 2)
    assert receipt.problems[0].startswith("alerts[1]: `labels` is missing")
    assert Alert.objects.count() == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"NaN",
        b'{"alerts": 1}',
        b'{"alerts": [1]}',
        b"\xff",
        b'{"alerts": [{"status": "x"}]}',
    ],
)
def test_an_unusable_body_is_refused_and_kept(body: bytes) -> None:
    source, _ = senders.source()
    with pytest.raises(Refused) as refused:
        receive(source, Delivery(body), now=NOW)
    assert refused.value.status == 400
    kept = RawEvent.objects.get()
    assert bytes(kept.body) == body
    assert kept.problem


def test_a_thousand_alerts_are_taken_and_no_more() -> None:
    source, _ = senders.source()
    receipt = deliver(source, senders.alertmanager(*(senders.alert(f"f{n}") for n in range(1_000))))
    assert receipt.alerts == 1_000
    assert [len(m.arguments[0]) for m in OutboxMessage.objects.all()] == [100] * 10
    with pytest.raises(Refused, match="at most 1000"):
        deliver(source, senders.alertmanager(*(senders.alert(f"f{n}") for n in range(1_001))))


def test_a_clock_that_is_off_is_noted() -> None:
    source, _ = senders.source()
    deliver(
        source, senders.alertmanager(senders.alert("ahead", at=minutes(60 * 24)), senders.alert("on", at=minutes(-3)))
    )
    deliver(source, senders.alertmanager(senders.alert("behind", at=minutes(-60 * 24))))
    found = {alert.fingerprint: alert.clock_skew_seconds for alert in Alert.objects.all()}
    assert found == {"ahead": 86_400, "on": 0, "behind": -86_400}


def test_a_resolution_without_a_time_ends_an_alert_whose_clock_ran_ahead() -> None:
    source, _ = senders.source("pagerduty")
    trigger = {"summary": "Disk full", "source": "db", "severity": "error", "timestamp": senders.iso(minutes(600))}
    deliver(source, {"event_action": "trigger", "dedup_key": "k", "payload": trigger})
    deliver(source, {"event_action": "resolve", "dedup_key": "k"}, now=minutes(2))
    assert Alert.objects.get().status == "resolved"
