"""Rows 16, 17, 19, 20, 21: real workers, a real relay and a real broker, killed, emptied, full and away."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from copilot.embedded import valkey
from copilot.embedded.child import Child, Program
from incidents.intake import outbox
from incidents.models import DeadLetter, OutboxMessage, Service
from tests.services import ROOT, Run, free_port

pytestmark = pytest.mark.django_db(transaction=True)


class Line:
    """A broker, a relay and a worker of a queue of their own, on this run's test database."""

    def __init__(self, services: Run, folder: Path) -> None:
        from django.db import connection

        self.services, self.folder = services, folder
        self.queue = f"faults{free_port()}"
        self.socket = folder / "valkey.sock"
        folder.mkdir(parents=True)
        url = services.database_url(connection.settings_dict["NAME"])
        self.variables = {"DATABASE_URL": url, "REDIS_URL": valkey.url(self.socket)}
        self.children: list[Child] = []
        self.broker = self.start_broker()

    def _start(self, program: Program) -> Child:
        child = Child(program, log=self.folder / f"{program.name}-{len(self.children)}.log")
        child.start()
        self.children.append(child)
        return child

    def start_broker(self) -> Child:
        """An empty broker."""
        for file in (self.folder / "valkey").glob("*"):
            if file.is_file():
                file.unlink()
        child = self._start(valkey.program(data=self.folder / "valkey", socket=self.socket, durable=False))
        child.wait_until_ready()
        return child

    def start_relay(self) -> Child:
        return self._start(self._program("relay", sys.executable, "manage.py", "relay"))

    def start_worker(self) -> Child:
        celery = (sys.executable, "-m", "celery", "--app", "copilot", "worker", "--include", "tests.faults.doomed")
        options = ("--queues", self.queue, "--concurrency", "1", "--without-gossip", "--without-mingle")
        return self._start(self._program("worker", *celery, "--hostname", f"{self.queue}@here", *options))

    def _program(self, name: str, *command: str) -> Program:
        return Program(
            name=name,
            command=command,
            ready=lambda: None,
            variables=self.variables,
            folder=ROOT,
            stop_seconds=5,
        )

    def ask(self, task: str, number: int) -> None:
        outbox.enqueue(task=f"tests.{task}", arguments=[number], queue=self.queue)

    def kill(self, child: Child) -> None:
        if child.running:
            os.killpg(child.pid or 0, signal.SIGKILL)
        child.stop()

    def close(self) -> None:
        for child in reversed(self.children):
            self.kill(child)

    def logs(self) -> str:
        return "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in sorted(self.folder.glob("*.log")))

    def wait(self, until: Callable[[], bool], *, seconds: float = 90) -> None:
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, self.logs()
            time.sleep(0.2)


@pytest.fixture
def line(services: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    found = Line(services, services.folder / f"line{free_port()}")
    yield found
    found.close()


def marks() -> int:
    return Service.objects.filter(name__startswith="mark-").count()


def test_a_task_that_kills_its_worker_is_given_up_and_the_next_is_run(line: Line) -> None:
    line.start_relay()
    line.start_worker()
    line.ask("poison", 1)
    line.ask("fail", 2)
    line.ask("mark", 3)
    line.wait(lambda: marks() == 1)
    line.wait(lambda: DeadLetter.objects.filter(task="tests.poison").exists())
    letter = DeadLetter.objects.get(task="tests.poison")
    assert (letter.attempts, letter.arguments, "worker died" in letter.cause) == (3, [1], True)
    line.wait(lambda: DeadLetter.objects.filter(task="tests.fail").exists(), seconds=120)
    assert DeadLetter.objects.get(task="tests.fail").cause == "ValueError: no such thing: 2"
    line.wait(lambda: not OutboxMessage.objects.exists())
    assert marks() == 1


def test_a_worker_killed_in_the_middle_is_made_good_by_the_next(line: Line) -> None:
    line.start_relay()
    worker = line.start_worker()
    line.ask("slow_mark", 1)
    line.wait(lambda: OutboxMessage.objects.filter(claimed_until__isnull=False).exists())
    line.kill(worker)
    assert marks() == 0
    line.start_worker()
    line.wait(lambda: not OutboxMessage.objects.exists())
    assert marks() == 1


def test_a_broker_that_lost_everything_loses_no_task(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = line.start_relay()
    for number in range(20):
        line.ask("mark", number)
    line.wait(lambda: OutboxMessage.objects.filter(published_at__isnull=False).count() == 20)
    line.kill(line.broker)
    line.start_broker()
    assert relay.running
    line.start_worker()
    line.wait(lambda: not OutboxMessage.objects.exists(), seconds=120)
    assert marks() == 20


def test_while_the_broker_is_away_tasks_wait_and_then_are_done(line: Line) -> None:
    line.start_relay()
    line.start_worker()
    line.ask("mark", 0)
    line.wait(lambda: marks() == 1)
    line.kill(line.broker)
    began = time.monotonic()
    for number in range(1, 30):
        line.ask("mark", number)
    assert time.monotonic() - began < 5, "asking never waits for the broker"
    line.start_broker()
    line.wait(lambda: not OutboxMessage.objects.exists(), seconds=120)
    assert marks() == 30


@contextmanager
def full(client: "redis.Redis") -> Iterator[None]:
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    yield
    client.config_set("maxmemory", "0")


def test_a_full_broker_refuses_and_the_task_stays(line: Line) -> None:
    client = redis.Redis.from_url(line.variables["REDIS_URL"])
    relay = line.start_relay()
    with full(client):
        line.ask("mark", 1)
        time.sleep(3)
        assert OutboxMessage.objects.filter(published_at=None).count() == 1
        assert relay.running
    line.start_worker()
    line.wait(lambda: marks() == 1)
