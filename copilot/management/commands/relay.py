"""`manage.py relay`: publishes the outbox to the broker as soon as it is committed."""

import logging
import signal
import threading
from argparse import ArgumentParser
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from kombu.exceptions import OperationalError

from copilot.celery import app
from incidents.intake import outbox

POLL_SECONDS = 1.0  # a notification that was missed is made good after so long
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0
LOG = logging.getLogger("copilot.relay")


def publish(task: str, arguments: list[int | str], queue: str) -> None:
    """Hand one task to the broker. Raises kombu's OperationalError when it cannot be reached."""
    app.send_task(task, args=arguments, queue=queue, retry=False)


def relay(*, stop: threading.Event) -> None:
    """Publish what is committed until `stop` is set; a database or broker that is away is waited for."""
    pause = FIRST_PAUSE_SECONDS
    while not stop.is_set():
        try:
            with psycopg.connect(settings.DATABASE_URL, autocommit=True, connect_timeout=5) as listener:
                listener.execute(f"LISTEN {outbox.CHANNEL}")
                while not stop.is_set():
                    while outbox.publish_waiting(publish):
                        pause = FIRST_PAUSE_SECONDS
                    for _ in listener.notifies(timeout=POLL_SECONDS, stop_after=1):
                        pass
        except (DatabaseError, psycopg.Error, OperationalError) as error:
            LOG.warning("relay: %s; next try in %.1f s, nothing is lost", str(error).strip(), pause)
            connection.close()
            stop.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


class Command(BaseCommand):
    """Runs the relay until it is asked to end."""

    help = "Publish outbox messages to the task queue until stopped."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="publish what waits now, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            while outbox.publish_waiting(publish):
                pass
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        LOG.info("relay: listening")
        relay(stop=stop)
