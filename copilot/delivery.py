"""What every task that came through the outbox does around its work: claim its message, and say how it ended.

A message is run once however often the broker delivers it, and not more than three times when it fails or kills its worker.
A worker says every 20 seconds that it lives; what one had begun that is silent for 90 is run by another.
Tasks of the schedule have no message: they come again by themselves.
"""

import logging
import threading
from typing import Any

import psycopg
from celery import Task
from celery.exceptions import Ignore
from celery.signals import worker_init, worker_ready, worker_shutdown
from django.conf import settings
from django.utils import timezone

from incidents.intake import outbox

LOG = logging.getLogger(__name__)
PREFIX = "outbox-"
_ends = threading.Event()


def task_id_of(message_id: int) -> str:
    """Return the Celery task id by which a worker knows the outbox message; the broker keeps it when it delivers again."""
    return f"{PREFIX}{message_id}"


class CountedTask(Task):  # type: ignore[misc,type-arg,unused-ignore]
    """The base of all tasks."""

    def before_start(self, task_id: str, _args: Any, _kwargs: Any) -> None:
        """Claim the message; a copy of one that is done or running elsewhere is ignored."""
        if (message_id := _message_of(task_id)) is None:
            return
        redelivered = bool((self.request.delivery_info or {}).get("redelivered"))
        worker = self.request.hostname or ""
        if not outbox.begin(message_id, worker=worker, is_redelivered=redelivered, now=timezone.now()):
            raise Ignore

    def on_success(self, _retval: Any, task_id: str, _args: Any, _kwargs: Any) -> None:
        """Forget the message."""
        if (message_id := _message_of(task_id)) is not None:
            outbox.finish(message_id)

    def on_failure(self, exc: BaseException, task_id: str, _args: Any, _kwargs: Any, _einfo: Any) -> None:
        """Have the message tried again after a pause, or given up."""
        if (message_id := _message_of(task_id)) is not None:
            outbox.fail(message_id, cause=f"{type(exc).__name__}: {exc}", now=timezone.now())


def _message_of(task_id: str) -> int | None:
    number = task_id.removeprefix(PREFIX)
    return int(number) if number != task_id and number.isdecimal() else None


@worker_init.connect
def release_unfinished(sender: Any = None, **_: Any) -> None:
    """When a worker starts, what the one before it of the same name had begun is free again."""
    if sender is not None:
        outbox.release(worker=str(sender.hostname), now=timezone.now())


@worker_ready.connect
def start_renewing(sender: Any = None, **_: Any) -> None:
    """Keep what this worker has begun its own, from a thread, because its tasks run in processes that may be busy for minutes."""
    if sender is not None:
        _ends.clear()
        threading.Thread(target=_renew, args=(str(sender.hostname),), name="renew", daemon=True).start()


@worker_shutdown.connect
def stop_renewing(**_: Any) -> None:
    """End the thread."""
    _ends.set()


def _renew(worker: str) -> None:
    # A connection of its own each time: one that is open would be inherited by processes that the worker forks later.
    while not _ends.wait(outbox.RENEWED_EVERY.total_seconds()):
        try:
            with psycopg.connect(settings.DATABASE_URL, autocommit=True, connect_timeout=5) as database:
                outbox.renew(database, worker=worker, now=timezone.now())
        except psycopg.Error as error:
            LOG.warning("%s could not say that it lives: %s", worker, str(error).strip())
