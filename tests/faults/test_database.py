"""Rows 26 and 29: a web process whose database stands still, or has no connection left: 503 within seconds, and well again by itself."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from copilot.embedded import postgres
from copilot.embedded.child import Child, Program
from tests.services import ROOT, Run, free_port

SIGN_IN = """
import django; django.setup()
from django.contrib.auth.models import User
from django.test import Client
c = Client(); c.force_login(User.objects.create_superuser("ada")); print(c.cookies["sessionid"].value)
"""


@dataclass
class Site:
    """A web process and a PostgreSQL of its own, and a session in it."""

    url: str
    database: Child
    web: Child
    database_url: str
    cookie: str

    def get(self, path: str = "/settings/tokens/") -> tuple[int, float, str]:
        """Return status, seconds and body; status 0 when there was no answer within 40 s."""
        began = time.monotonic()
        try:
            answer = httpx.get(f"{self.url}{path}", cookies={"sessionid": self.cookie}, timeout=40, trust_env=False)
        except httpx.TimeoutException:
            return 0, time.monotonic() - began, ""
        return answer.status_code, time.monotonic() - began, answer.headers.get("Retry-After", "") + answer.text

    def get_many(self, count: int) -> list[tuple[int, float, str]]:
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda _: self.get(), range(count)))

    def threads(self) -> int:
        with Path(f"/proc/{self.web.pid}/status").open() as status:
            return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))

    def wait_until_well(self) -> None:
        until = time.monotonic() + 30
        while self.get()[0] != 200:
            assert time.monotonic() < until, "not well 30 s after the database was"
            time.sleep(0.5)


@pytest.fixture(scope="module")
def site(services: Run) -> Iterator[Site]:
    folder = services.folder / "database-faults"
    cluster = postgres.prepare(data=folder / "postgres", sockets=services.folder / "dbf", durable=False)
    database = Child(postgres.program(cluster), log=folder / "postgres.log")
    database.start()
    database.wait_until_ready(seconds=60)
    variables = {
        "DATABASE_URL": cluster.url(),
        "DJANGO_SETTINGS_MODULE": "copilot.settings",
        "COPILOT_VAR": str(folder),
    }
    environment = {**os.environ, **variables}
    python = [sys.executable]
    subprocess.run([*python, "manage.py", "prepare"], cwd=ROOT, env=environment, check=True, capture_output=True)
    made = subprocess.run(
        [*python, "-c", SIGN_IN], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    port = free_port()
    command = (*python, "-m", "uvicorn", "copilot.asgi:application", "--port", str(port), "--lifespan", "off")
    program = Program(name="web", command=command, ready=lambda: None, variables=variables, folder=ROOT, stop_seconds=5)
    web = Child(program, log=folder / "web.log")
    web.start()
    found = Site(f"http://127.0.0.1:{port}", database, web, cluster.url(), made.stdout.split()[-1])
    for _ in range(120):
        try:
            if httpx.get(f"{found.url}/health/live", timeout=2, trust_env=False).status_code == 200:
                break
        except httpx.HTTPError:
            time.sleep(0.5)
    found.wait_until_well()
    yield found
    web.stop()
    database.stop()


def test_no_connection_left_is_503_within_seconds(site: Site) -> None:
    site.wait_until_well()
    with psycopg.connect(site.database_url, autocommit=True) as owner:
        owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        taken = []
        try:
            while True:
                taken.append(psycopg.connect(site.database_url, connect_timeout=3))
        except psycopg.OperationalError:
            pass
        answers = site.get_many(4)
        for connection in taken:
            connection.close()
    assert {status for status, _, _ in answers} == {503}, answers
    assert max(seconds for _, seconds, _ in answers) < 15
    assert all(
        "5" in text[:1] and "The database does not answer" in text and "Error id" in text for _, _, text in answers
    )
    site.wait_until_well()


def test_a_database_that_stands_still_is_503_and_piles_nothing_up(site: Site) -> None:
    site.wait_until_well()
    assert site.database.pid is not None
    backends = [site.database.pid, *_children(site.database.pid)]
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        answers = site.get_many(20)
        again, seconds, text = site.get()
        threads = site.threads()
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)
    # Those that hold a connection wait for it; all others are told at once, and so is who comes later.
    assert sum(status == 503 for status, _, _ in answers) >= 10, [(status, round(took)) for status, took, _ in answers]
    assert (again, seconds < 15, "The database does not answer" in text) == (503, True, True)
    assert threads < 100
    site.wait_until_well()


def _children(pid: int) -> list[int]:
    with Path(f"/proc/{pid}/task/{pid}/children").open() as children:
        return [int(child) for child in children.read().split()]
