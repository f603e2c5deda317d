"""What every task that came through the outbox does around its work: claim its message, and say how it ended.

A message is run once however often the broker delivers it, and not more than three times when it fails or kills its worker.
Tasks of the schedule have no message: they come again by themselves.
"""

from typing import Any

from celery import Task
from celery.exceptions import Ignore
from celery.signals import worker_init
from django.utils import timezone

from incidents.intake import outbox

PREFIX = "outbox-"


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
