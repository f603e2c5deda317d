"""Deliveries that come at the same moment: stored together, each as if alone."""

import json
import threading
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection

from incidents.intake import storing
from incidents.intake.alerts import Receipt, receive
from incidents.intake.formats import Delivery
from incidents.intake.refusals import Refused
from incidents.models import Alert, AlertSource, OutboxMessage, RawEvent
from tests.incidents.intake import senders
from tests.incidents.intake.senders import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def body(*fingerprints: str, **labels: str) -> bytes:
    return json.dumps(senders.alertmanager(*(senders.alert(one, **labels) for one in fingerprints))).encode()


def all_at_once(deliveries: list[tuple[AlertSource, Delivery]]) -> list[Receipt | Refused]:
    """Let every delivery wait in line before the first is written, and return what became of each."""
    outcomes: list[Receipt | Refused | None] = [None] * len(deliveries)

    def run(number: int) -> None:
        source, delivery = deliveries[number]
        try:
            outcomes[number] = receive(source, delivery, now=NOW)
        except Refused as refused:
            outcomes[number] = refused
        finally:
            connection.close()

    with storing._line.writing:
        threads = [threading.Thread(target=run, args=(number,)) for number in range(len(deliveries))]
        for thread in threads:
            thread.start()
        while len(storing._line.waiting) < len(deliveries):
            threading.Event().wait(0.005)
    for thread in threads:
        thread.join()
    return [outcome for outcome in outcomes if outcome is not None]


def test_they_are_counted_exactly_and_ask_for_one_task() -> None:
    first, second = senders.source(name="first")[0], senders.source(name="second")[0]
    outcomes = all_at_once([(source, Delivery(body("a", "b"))) for source in (first, second) for _ in range(20)])
    assert {type(outcome) for outcome in outcomes} == {Receipt}
    assert sorted(Alert.objects.values_list("source__name", "fingerprint", "deliveries")) == [
        (name, fingerprint, 20) for name in ("first", "second") for fingerprint in ("a", "b")
    ]
    assert sorted(RawEvent.objects.values_list("source__name", "times")) == [("first", 20), ("second", 20)]
    assert OutboxMessage.objects.count() == 2


def test_one_that_cannot_be_stored_does_not_take_the_others_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    source, _ = senders.source()
    write = storing.alert_rows.write

    def refuse_some(source_id: int, alerts: Any, **given: Any) -> list[int]:
        if any(alert.fingerprint == "bad" for alert in alerts):
            raise DataError("no room for it")
        return write(source_id, alerts, **given)

    monkeypatch.setattr(storing.alert_rows, "write", refuse_some)
    outcomes = all_at_once([(source, Delivery(body(one))) for one in ("a", "bad", "b")])
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Receipt", "Receipt", "Refused"]
    assert sorted(Alert.objects.values_list("fingerprint", flat=True)) == ["a", "b"]
    assert RawEvent.objects.count() == 2


def test_when_the_database_fails_all_are_told_and_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    source, _ = senders.source()

    def fail(*given: Any, **more: Any) -> list[int]:
        raise OperationalError("the server is away")

    with monkeypatch.context() as patched:
        patched.setattr(storing.alert_rows, "write", fail)
        outcomes = all_at_once([(source, Delivery(body(one))) for one in "abc"])
    assert [outcome.status for outcome in outcomes if isinstance(outcome, Refused)] == [503] * 3
    assert not RawEvent.objects.exists()
    assert isinstance(receive(source, Delivery(body("a")), now=NOW), Receipt)


def test_those_with_an_id_count_once_and_untimed_ones_are_all_counted() -> None:
    source, pager = senders.source()[0], senders.source("pagerduty")[0]
    twice = [(source, Delivery(body("a"), id="same"))] * 5
    outcomes = all_at_once(twice)
    assert sorted(outcome.is_duplicate for outcome in outcomes if isinstance(outcome, Receipt)) == [False] + [True] * 4
    assert Alert.objects.get().deliveries == 1
    payload = {"summary": "Disk full", "source": "db", "severity": "error"}
    trigger = json.dumps({"event_action": "trigger", "dedup_key": "k", "payload": payload}).encode()
    assert all(isinstance(one, Receipt) for one in all_at_once([(pager, Delivery(trigger))] * 5))
    assert Alert.objects.get(source=pager).deliveries == 5
