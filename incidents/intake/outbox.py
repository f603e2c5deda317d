"""The outbox: a task is asked for in the same transaction as the rows it works on, and published after commit by the relay."""

from collections.abc import Callable

from django.db import connection, transaction

from incidents.models import OutboxMessage

CHANNEL = "outbox"  # PostgreSQL NOTIFY channel that wakes the relay
BATCH = 50


def enqueue(*, task: str, arguments: list[int | str], queue: str) -> None:
    """Ask for a Celery task by its full name; ids only as arguments. Takes effect when the current transaction commits."""
    OutboxMessage.objects.create(task=task, arguments=arguments, queue=queue)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def publish_waiting(publish: Callable[[str, list[int | str], str], None]) -> int:
    """Hand up to 50 waiting messages, oldest first, to `publish(task, arguments, queue)` and return how many went.

    A message that `publish` raises for stays, as do those after it; two relays never take the same message.
    """
    with transaction.atomic():
        waiting = list(OutboxMessage.objects.select_for_update(skip_locked=True).order_by("pk")[:BATCH])
        for message in waiting:
            publish(message.task, message.arguments, message.queue)
            message.delete()
    return len(waiting)
