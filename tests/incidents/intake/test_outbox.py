"""The outbox: a task is kept until it is done, run once however often it is delivered, and given up after three failures."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from incidents.intake import outbox
from incidents.models import DeadLetter, OutboxMessage

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


def published(queue: str = "detect") -> OutboxMessage:
    outbox.enqueue(task="incidents.tasks.group_alerts", arguments=[7], queue=queue)
    outbox.publish_waiting(lambda message: None, now=NOW)
    return OutboxMessage.objects.get()


def begin(message: OutboxMessage, *, redelivered: bool = False, now: datetime = NOW) -> bool:
    return outbox.begin(message.pk, worker="worker@here", is_redelivered=redelivered, now=now)


def test_a_message_is_published_once_and_stays_until_its_task_is_done() -> None:
    message = published()
    assert outbox.publish_waiting(lambda message: None, now=NOW) == 0
    assert begin(message)
    outbox.finish(message.pk)
    assert not OutboxMessage.objects.exists()


def test_a_second_copy_is_not_run_while_the_first_is_or_after_it() -> None:
    message = published()
    assert begin(message)
    assert not begin(message)
    outbox.finish(message.pk)
    assert not begin(message)


def test_a_failed_task_waits_and_is_given_up_after_three_attempts_with_its_cause() -> None:
    message, now = published(), NOW
    for attempt, pause in ((1, 5), (2, 25)):
        assert begin(message, now=now)
        outbox.fail(message.pk, cause="ValueError: no such alert", now=now)
        assert outbox.publish_waiting(lambda message: None, now=now) == 0, attempt
        now += timedelta(seconds=pause)
        assert outbox.publish_waiting(lambda message: None, now=now) == 1
    assert begin(message, now=now)
    outbox.fail(message.pk, cause="ValueError: no such alert", now=now)
    letter = DeadLetter.objects.get()
    assert (letter.attempts, letter.cause, letter.arguments) == (3, "ValueError: no such alert", [7])
    assert not OutboxMessage.objects.exists()


def test_a_task_that_kills_its_worker_three_times_is_given_up() -> None:
    message = published()
    assert begin(message)
    assert begin(message, redelivered=True)
    assert begin(message, redelivered=True)
    assert not begin(message, redelivered=True)
    assert "worker died" in DeadLetter.objects.get().cause


def test_what_a_broker_forgot_is_published_again_but_not_what_waits_in_it() -> None:
    published()
    later = NOW + outbox.UNSEEN * 2
    assert outbox.recover(is_empty=lambda queue: False, now=later) == 0
    assert outbox.recover(is_empty=lambda queue: True, now=later) == 1
    assert outbox.publish_waiting(lambda message: None, now=later) == 1


def test_what_runs_is_not_taken_for_forgotten_until_its_lease_ends() -> None:
    message = published()
    begin(message)
    assert outbox.recover(is_empty=lambda queue: True, now=NOW + outbox.LEASE / 2) == 0
    assert outbox.recover(is_empty=lambda queue: True, now=NOW + outbox.LEASE * 2) == 1


def test_a_worker_that_starts_again_frees_what_it_had_begun() -> None:
    message = published()
    begin(message)
    assert outbox.release(worker="another@here", now=NOW) == 0
    assert outbox.release(worker="worker@here", now=NOW) == 1
    assert outbox.publish_waiting(lambda message: None, now=NOW) == 1
    assert begin(message)


def waiting() -> list[list[int]]:
    return [message.arguments[0] for message in OutboxMessage.objects.filter(published_at=None).order_by("pk")]


def group(*ids: int) -> None:
    outbox.enqueue(task=outbox.MERGED, arguments=[list(ids)], queue="detect")


def test_alerts_that_wait_to_be_grouped_go_as_one_message() -> None:
    group(1, 2)
    outbox.enqueue(task="copilot.tasks.announce", arguments=[5], queue="intake")
    group(2, 3)
    sent: list[tuple[str, list[object]]] = []
    assert outbox.publish_waiting(lambda m: sent.append((m.task, m.arguments)), now=NOW) == 2
    assert sent == [(outbox.MERGED, [[1, 2, 3]]), ("copilot.tasks.announce", [5])]
    assert OutboxMessage.objects.count() == 2


def test_while_some_are_grouped_the_next_wait_for_them_but_not_long() -> None:
    group(1)
    outbox.publish_waiting(lambda message: None, now=NOW)
    first = OutboxMessage.objects.get()
    group(2)
    group(3)
    assert outbox.publish_waiting(lambda message: None, now=NOW + timedelta(seconds=1)) == 0
    assert waiting() == [[2], [3]]
    assert begin(first)
    outbox.finish(first.pk)
    assert outbox.publish_waiting(lambda message: None, now=NOW + timedelta(seconds=1)) == 1
    group(4)
    assert outbox.publish_waiting(lambda message: None, now=NOW + timedelta(seconds=4)) == 1  # whatever became of those


def test_what_failed_before_is_tried_alone() -> None:
    group(1)
    outbox.publish_waiting(lambda message: None, now=NOW)
    message = OutboxMessage.objects.get()
    assert begin(message)
    outbox.fail(message.pk, cause="x", now=NOW)
    group(2)
    group(3)
    later, sent = NOW + timedelta(seconds=10), []
    outbox.publish_waiting(lambda m: sent.append(m.arguments), now=later)
    assert sent == [[[1]], [[2, 3]]]


def test_a_copy_that_a_relay_sent_before_it_died_stands_for_nothing_but_its_own() -> None:
    class Died(Exception):
        pass

    def dies(_message: OutboxMessage) -> None:
        raise Died

    group(1)
    first = OutboxMessage.objects.get()
    with pytest.raises(Died):
        outbox.publish_waiting(dies, now=NOW)  # sent, and rolled back
    group(2)
    outbox.publish_waiting(lambda message: None, now=NOW)
    assert not begin(first), "the copy does nothing: what it asks for is part of the new message"
    assert begin(OutboxMessage.objects.get())


@pytest.mark.parametrize(("worker", "is_taken"), [("worker@here", 0), ("another@there", 1)])
@pytest.mark.django_db(transaction=True)
def test_while_its_worker_lives_a_task_stays_that_worker_s(worker: str, is_taken: int) -> None:
    message = published()
    assert begin(message)
    connection.ensure_connection()
    later = NOW + outbox.LEASE * 0.9
    outbox.renew(connection.connection, worker=worker, now=later)
    assert outbox.recover(is_empty=lambda queue: True, now=later + outbox.LEASE * 0.9) == is_taken
