"""The outbox: a task is asked for in the same transaction as the rows it works on, published after commit, and kept until it is done.

So neither a broker that loses its memory nor a worker that dies loses a task. A task that fails three times becomes a dead letter.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.db import transaction
from django.db.models import F, Q, QuerySet

from incidents.intake import statements
from incidents.models import DeadLetter, OutboxMessage

CHANNEL = "outbox"  # PostgreSQL NOTIFY channel that wakes the relay
BATCH = 50
MERGED = "incidents.tasks.group_alerts"
WAITS_AT_MOST = timedelta(seconds=2)  # for a run of it that is under way, whatever has become of that
ADD = """
    WITH added AS (
        INSERT INTO incidents_outboxmessage (task, arguments, queue, created_at, attempts, claimed_by, failure)
        VALUES (%s, %s::jsonb, %s, now(), 0, '', '') RETURNING id
    )
    SELECT pg_notify(%s, '') FROM added
"""
DONE = """
    WITH gone AS (DELETE FROM incidents_outboxmessage WHERE id = %s RETURNING task)
    SELECT pg_notify(%s, '') FROM gone WHERE task = %s
"""
RENEW = """
    UPDATE incidents_outboxmessage SET claimed_until = %s WHERE claimed_by = %s AND claimed_until IS NOT NULL
"""
ATTEMPTS = 3
LEASE = timedelta(seconds=90)  # a worker that lives renews it
RENEWED_EVERY = timedelta(seconds=20)
UNSEEN = timedelta(seconds=20)  # published so long ago, not begun, and nothing waits in its queue: the broker lost it
PAUSE = timedelta(seconds=5)  # after the first failed attempt; five times as long after the second
LONGEST_CAUSE = 2000  # characters
DIED = "The worker died while it ran this, or the task took longer than it may. The worker's log says more."


def enqueue(*, task: str, arguments: Sequence[int | str | Sequence[int]], queue: str) -> None:
    """Ask for a Celery task by its full name; ids only as arguments. Takes effect when the current transaction commits."""
    statements.run(ADD, [task, json.dumps(arguments), queue, CHANNEL])


def publish_waiting(publish: Callable[[OutboxMessage], None], *, now: datetime) -> int:
    """Hand up to 50 waiting messages that are due, oldest first, to `publish` and return how many went.

    When `publish` raises, the whole batch stays; what went out already goes out twice, and only the first copy is run.
    Two relays never take the same message. Alerts to be grouped wait while others are, and then go as one message.
    """
    due = Q(due_at=None) | Q(due_at__lte=now)
    with transaction.atomic():
        waiting = OutboxMessage.objects.select_for_update(skip_locked=True).filter(due, published_at=None)
        under_way = OutboxMessage.objects.filter(task=MERGED, published_at__gt=now - WAITS_AT_MOST)
        if under_way.exists():
            waiting = waiting.exclude(task=MERGED)
        batch = _merge(list(waiting.order_by("pk")[:BATCH]))
        for message in batch:
            publish(message)
        OutboxMessage.objects.filter(pk__in=[message.pk for message in batch]).update(published_at=now)
    return len(batch)


def _merge(batch: Sequence[OutboxMessage]) -> list[OutboxMessage]:
    """Return the batch with its first tries of grouping put together: one run for many alerts costs hardly more than for one.

    Together they are a new message. The broker may already hold a copy of one of them, from a relay that died before it could say
    so, and that copy knows only its own alerts: had it the new message's number, the others would be done with it.
    """
    groups = [message for message in batch if message.task == MERGED and not message.attempts]
    if len(groups) < 2:
        return list(batch)
    ids = {alert_id for message in groups for alert_id in message.arguments[0]}
    first = groups[0]
    merged = OutboxMessage.objects.create(task=MERGED, arguments=[sorted(ids)], queue=first.queue)
    OutboxMessage.objects.filter(pk=merged.pk).update(created_at=first.created_at)  # it waits since then
    gone = {message.pk for message in groups}
    OutboxMessage.objects.filter(pk__in=gone).delete()
    return [merged if message is first else message for message in batch if message is first or message.pk not in gone]


def begin(message_id: int, *, worker: str, is_redelivered: bool, now: datetime) -> bool:
    """Claim a message for running it; say False when it is done, is being run by somebody else, or was given up.

    A redelivered one is taken from whoever had it: the broker delivers again when that worker is gone.
    """
    mine = Q(pk=message_id, attempts__lt=ATTEMPTS)
    if not is_redelivered:
        mine &= Q(claimed_until=None) | Q(claimed_until__lt=now)
    claimed = OutboxMessage.objects.filter(mine).update(
        attempts=F("attempts") + 1, claimed_until=now + LEASE, claimed_by=worker[:100]
    )
    if claimed:
        return True
    if is_redelivered:
        _give_up(OutboxMessage.objects.filter(pk=message_id, attempts__gte=ATTEMPTS), now=now)
    return False


def renew(database: psycopg.Connection[Any], *, worker: str, now: datetime) -> None:
    """Say that a worker of this name lives, so what it has begun stays its own. The connection must commit by itself."""
    database.execute(RENEW, [now + LEASE, worker[:100]])


def finish(message_id: int) -> None:
    """Forget a message whose task is done; alerts that waited for it to be grouped wait no longer."""
    statements.run(DONE, [message_id, CHANNEL, MERGED])


def fail(message_id: int, *, cause: str, now: datetime) -> None:
    """Record a failed attempt: the message waits some seconds for the next, or becomes a dead letter after the third."""
    message = OutboxMessage.objects.filter(pk=message_id).first()
    if message is None:
        return
    OutboxMessage.objects.filter(pk=message_id).update(
        failure=cause[:LONGEST_CAUSE],
        claimed_until=None,
        published_at=None,
        due_at=now + PAUSE * 5 ** max(message.attempts - 1, 0),
    )
    _give_up(OutboxMessage.objects.filter(pk=message_id, attempts__gte=ATTEMPTS), now=now)


def release(*, worker: str, now: datetime) -> int:
    """Let what a worker of this name had begun be run again: it starts anew, so the earlier one is gone. Return how many."""
    mine = OutboxMessage.objects.filter(claimed_by=worker[:100], claimed_until__isnull=False)
    _give_up(mine.filter(attempts__gte=ATTEMPTS), now=now)
    return mine.update(claimed_until=None, claimed_by="", published_at=None, failure=DIED)


def recover(*, is_empty: Callable[[str], bool], now: datetime) -> int:
    """Have published again what no worker will run: leases that ran out, and what the broker lost. Return how many.

    `is_empty(queue)` says whether nothing waits in a queue of the broker.
    """
    overdue = OutboxMessage.objects.filter(claimed_until__lt=now)
    _give_up(overdue.filter(attempts__gte=ATTEMPTS), now=now)
    again = overdue.update(claimed_until=None, claimed_by="", published_at=None, failure=DIED)
    unseen = OutboxMessage.objects.filter(published_at__lt=now - UNSEEN, claimed_until=None)
    for queue in list(unseen.order_by().values_list("queue", flat=True).distinct()):
        if is_empty(queue):
            again += unseen.filter(queue=queue).update(published_at=None)
    return again


def bury(*, task: str, arguments: list[int | str], queue: str, attempts: int, cause: str, now: datetime) -> None:
    """Write a dead letter; it waits for a person."""
    DeadLetter.objects.create(
        task=task, arguments=arguments, queue=queue, attempts=attempts, cause=cause[:LONGEST_CAUSE], failed_at=now
    )


def _give_up(messages: QuerySet[OutboxMessage], *, now: datetime) -> None:
    """Make dead letters of them, each once however many workers try."""
    with transaction.atomic():
        for message in messages.select_for_update(skip_locked=True):
            bury(
                task=message.task,
                arguments=message.arguments,
                queue=message.queue,
                attempts=message.attempts,
                cause=message.failure or DIED,
                now=now,
            )
            message.delete()
