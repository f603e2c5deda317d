"""Tasks for the fault tests' own worker: one that kills its process, one that fails, one that leaves a mark."""

import os
import signal
import time

from celery import shared_task

from incidents.models import Service


@shared_task(name="tests.poison")
def poison(_number: int) -> None:
    """Kill the process that runs it."""
    os.kill(os.getpid(), signal.SIGKILL)


@shared_task(name="tests.fail")
def fail(number: int) -> None:
    """Fail each time."""
    raise ValueError(f"no such thing: {number}")


@shared_task(name="tests.mark")
def mark(number: int) -> None:
    """Leave one mark for each time that it is run."""
    from django.utils import timezone

    now = timezone.now()
    Service.objects.create(name=f"mark-{number}-{time.time_ns()}", first_seen_at=now, last_seen_at=now)


@shared_task(name="tests.slow_mark")
def slow_mark(number: int) -> None:
    """Work for a while, then leave a mark."""
    time.sleep(4)
    mark(number)
