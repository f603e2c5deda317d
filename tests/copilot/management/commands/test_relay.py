"""The relay with a real broker, and without one."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from kombu.exceptions import OperationalError

from copilot.celery import app
from copilot.management.commands import relay
from incidents.intake import outbox
from incidents.models import OutboxMessage
from tests.services import ROOT, Run

pytestmark = pytest.mark.django_db(transaction=True)
QUEUE = "relay-test"  # nobody takes from it


@pytest.fixture
def queue() -> Callable[[], int]:
    """How many tasks wait in the broker."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(QUEUE)
    return lambda: int(client.llen(QUEUE))


def test_what_was_committed_is_published_once(queue: Callable[[], int]) -> None:
    for number in range(120):
        outbox.enqueue(task="copilot.tasks.investigate", arguments=[number], queue=QUEUE)
    call_command("relay", once=True)
    call_command("relay", once=True)
    assert queue() == 120
    assert OutboxMessage.objects.filter(published_at__isnull=False).count() == 120


def test_without_a_broker_nothing_is_lost_and_nobody_hangs(
    queue: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.enqueue(task="copilot.tasks.investigate", arguments=[1], queue=QUEUE)
    with monkeypatch.context() as away:
        away.setattr(relay, "publish", publish_to_nobody)
        with pytest.raises(OperationalError):
            call_command("relay", once=True)
    assert OutboxMessage.objects.filter(published_at=None).count() == 1
    call_command("relay", once=True)
    assert queue() == 1


def publish_to_nobody(message: OutboxMessage) -> None:
    with app.connection_for_write("redis://127.0.0.1:1/0") as connection:
        app.send_task(message.task, args=message.arguments, queue=message.queue, retry=False, connection=connection)


def test_the_running_relay_publishes_at_once_and_ends_when_asked(queue: Callable[[], int], services: Run) -> None:
    with (services.folder / "relay.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", RELAY_ON_TEST_DATABASE, settings.DATABASES["default"]["NAME"]],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    try:
        for number in range(3):
            outbox.enqueue(task="copilot.tasks.investigate", arguments=[number], queue=QUEUE)
        for _ in range(300):
            if queue() == 3 or process.poll() is not None:
                break
            time.sleep(0.1)
        assert queue() == 3, (services.folder / "relay.log").read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()


def test_a_schedule_that_cannot_be_kept_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").write_text("no folder")
    monkeypatch.setattr(settings, "BEAT_SCHEDULE_FILE", tmp_path / "run" / "beat-schedule")
    stop = threading.Event()
    with pytest.raises(OSError, match="run"):
        relay.beat(stop=stop)
    assert stop.is_set()


RELAY_ON_TEST_DATABASE = """
import os, sys
os.environ["DATABASE_URL"] = os.environ["DATABASE_URL"].replace("/copilot?", "/" + sys.argv[1] + "?")
os.environ["DJANGO_SETTINGS_MODULE"] = "copilot.settings"
import django
django.setup()
from django.core.management import call_command
call_command("relay")
"""
