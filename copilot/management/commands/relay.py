"""`manage.py relay`: publishes the outbox to the broker as soon as it is committed, and with --beat what the schedule says is due."""

import logging
import signal
import threading
import time
from argparse import ArgumentParser
from typing import Any

import psycopg
import redis
from celery.beat import Service
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.utils import timezone
from kombu.exceptions import OperationalError

from copilot import audit, delivery
from copilot.celery import app
from copilot.schedule import LockedScheduler
from incidents.intake import outbox
from incidents.models import OutboxMessage

POLL_SECONDS = 1.0  # a notification that was missed is made good after so long
RECOVER_SECONDS = 10.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0
BEAT_LOOKS_EVERY_SECONDS = 1
LOG = logging.getLogger("copilot.relay")


def publish(message: OutboxMessage) -> None:
    """Hand one task to the broker. Raises kombu's OperationalError when it cannot be reached."""
    app.send_task(
        message.task, args=message.arguments, queue=message.queue, retry=False, task_id=delivery.task_id_of(message.pk)
    )


def is_empty(queue: str) -> bool:
    """Say whether nothing waits in the broker's queue. Raises redis.RedisError."""
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=3)
    try:
        return client.llen(queue) == 0
    finally:
        client.close()


def relay(*, stop: threading.Event) -> None:
    """Publish what is committed until `stop` is set; a database or broker that is away is waited for."""
    pause = FIRST_PAUSE_SECONDS
    looked = 0.0
    while not stop.is_set():
        try:
            with psycopg.connect(settings.DATABASE_URL, autocommit=True, connect_timeout=5) as listener:
                listener.execute(f"LISTEN {outbox.CHANNEL}")
                while not stop.is_set():
                    while outbox.publish_waiting(publish, now=timezone.now()):
                        pause = FIRST_PAUSE_SECONDS
                    seal_audit()
                    if time.monotonic() - looked >= RECOVER_SECONDS:
                        recover()
                        looked = time.monotonic()
                    for _ in listener.notifies(timeout=POLL_SECONDS, stop_after=1):
                        pass
        except (DatabaseError, psycopg.Error, OperationalError, redis.RedisError) as error:
            LOG.warning("relay: %s; next try in %.1f s, nothing is lost", str(error).strip(), pause)
            connection.close()
            stop.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def recover() -> None:
    """Publish again what the broker or a worker lost."""
    if lost := outbox.recover(is_empty=is_empty, now=timezone.now()):
        LOG.warning("relay: %d tasks were lost by the broker or their worker and are published again", lost)


def seal_audit() -> None:
    """Seal what was written to the audit log, and keep its head outside the database."""
    head = None
    while sealed := audit.seal(key=settings.AUDIT_KEY):
        head = sealed
    if head is None:
        return
    try:
        audit.keep_head(settings.AUDIT_HEAD_FILE, head, now=timezone.now())
    except OSError as error:
        LOG.warning("relay: the audit log's head was not kept: %s", error)


def beat(*, stop: threading.Event) -> None:
    """Send what `copilot.celery` schedules until `stop` is set. When this fails, it sets `stop`: the process ends, and is started again."""
    service = Service(
        app,
        max_interval=BEAT_LOOKS_EVERY_SECONDS,
        schedule_filename=str(settings.BEAT_SCHEDULE_FILE),
        scheduler_cls=LockedScheduler,
    )

    def end() -> None:
        stop.wait()
        service.stop()

    threading.Thread(target=end, name="beat-end", daemon=True).start()
    try:
        settings.BEAT_SCHEDULE_FILE.parent.mkdir(parents=True, exist_ok=True)
        service.start()
    finally:
        stop.set()


class Command(BaseCommand):
    """Runs the relay until it is asked to end."""

    help = "Publish outbox messages to the task queue until stopped."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="publish what waits now, then end")
        parser.add_argument(
            "--beat", action="store_true", help="also send what is due; of several such processes one does"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            while outbox.publish_waiting(publish, now=timezone.now()):
                pass
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        schedule = threading.Thread(target=beat, kwargs={"stop": stop}, name="beat")
        if options["beat"]:
            schedule.start()
        LOG.info("relay: listening")
        relay(stop=stop)
        if options["beat"]:
            schedule.join()
