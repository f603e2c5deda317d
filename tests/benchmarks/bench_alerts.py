"""Alerts through the real web server, with a durable PostgreSQL (fsync on): single posts, batches of 100, and a flood of duplicates.

Everything shares the machine: the clients, the server and the database. Nothing takes the tasks that the alerts ask for, so that the
intake alone is measured; the outbox's limit is emptied in between.
"""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
import pytest

from copilot.embedded import postgres
from copilot.embedded.child import Child, Program
from tests.incidents.conftest import why_not
from tests.incidents.intake import senders
from tests.services import ROOT, Run, free_port

SECONDS = float(os.environ.get("BENCH_ALERT_SECONDS", "60"))  # of paced posts; `make bench-alerts` takes 300
SINGLE_PER_SECOND, SINGLE_P99_MS = 200, 300
BATCH, BATCHES, ALERTS_PER_SECOND = 100, 100, 2_500
DUPLICATES, CONNECTIONS, DUPLICATE_SECONDS = 10_000, 50, 30


@dataclass(frozen=True)
class Server:
    """A web server on a database of its own, and a source's token."""

    port: int
    dsn: str
    token: str
    child: Child
    database: int  # PostgreSQL's first process

    def memory(self) -> float:
        """Megabytes that the process holds."""
        pages = int(Path(f"/proc/{self.child.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def ask(self, query: str) -> int:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return int(connection.execute(query).fetchone()[0])

    def processor_seconds(self) -> tuple[float, float]:
        """Seconds of a processor that the web server and the database's processes have used."""
        return used(self.child.pid), sum(map(used, [self.database, *_children(self.database)]))

    def empty_outbox(self) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            # not TRUNCATE: its lock would make deliveries wait, and fail
            connection.execute("DELETE FROM incidents_outboxmessage")


def used(pid: int | None) -> float:
    """Seconds of a processor that a process has used, itself and in the kernel."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:  # a database process that has ended since; its parent has counted it
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    return [int(one) for one in found]


@pytest.fixture(scope="module")
def server(services: Run) -> Iterator[Server]:
    cluster = postgres.prepare(
        data=services.folder / "alerts-durable", sockets=services.folder / "alerts-sockets", durable=True
    )
    database = services.start(postgres.program(cluster))
    assert database.pid is not None
    variables = {"DATABASE_URL": cluster.url(), "COPILOT_VAR": str(services.folder / "alerts")}
    make = (
        "import django; django.setup()\n"
        "from django.core.management import call_command; call_command('migrate', verbosity=0)\n"
        "from django.utils import timezone\n"
        "from incidents.intake.tokens import issue\n"
        "from incidents.models import AlertSource\n"
        "source = AlertSource.objects.create(name='bench', kind='alertmanager', most_per_minute=1_000_000, created_at=timezone.now())\n"
        "print(issue(source, now=timezone.now()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", make],
        cwd=ROOT,
        env={**os.environ, **variables},
        check=True,
        capture_output=True,
        text=True,
    )
    port = free_port()
    options = ("--log-level", "warning", "--no-access-log", "--lifespan", "off")
    program = Program(
        name="bench-alerts",
        command=(sys.executable, "-m", "uvicorn", "copilot.asgi:application", "--port", str(port), *options),
        ready=lambda: why_not(f"http://127.0.0.1:{port}/health/live"),
        variables=variables,
        folder=ROOT,
    )
    child = services.start(program, seconds=120)
    yield Server(port, cluster.url(), done.stdout.split()[-1], child, database.pid)
    child.stop()


def body(*fingerprints: str, value: int = 0) -> bytes:
    now = datetime.now(UTC)
    alerts = [
        senders.alert(one, at=now, name=f"Alert{number % 50}", value=str(value))
        for number, one in enumerate(fingerprints)
    ]
    return json.dumps(senders.alertmanager(*alerts)).encode()


class Poster:
    """Posts over one connection that stays open."""

    def __init__(self, server: Server) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.headers = {"Content-Type": "application/json", "Authorization": f"Bearer {server.token}"}
        self.seconds: list[float] = []
        self.refused: Counter[str] = Counter()  # status and reason

    def __call__(self, content: bytes) -> None:
        began = time.perf_counter()
        self.connection.request("POST", "/in/", content, self.headers)
        response = self.connection.getresponse()
        said = response.read()
        self.seconds.append(time.perf_counter() - began)
        if response.status != 202:
            self.refused[f"{response.status} {said[:200].decode(errors='replace')}"] += 1


def together(server: Server, posters: list[Poster], work: Callable[[Poster, int], None]) -> tuple[float, list[float]]:
    """Run the work of all posters at once; return the seconds it took, and those of a processor that server and database used."""
    before = server.processor_seconds()
    barrier = threading.Barrier(len(posters) + 1)

    def run(number: int) -> None:
        barrier.wait()
        work(posters[number], number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(posters))]
    for thread in threads:
        thread.start()
    barrier.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - began
    return wall, [after - earlier for after, earlier in zip(server.processor_seconds(), before, strict=True)]


def report(
    title: str, posters: list[Poster], *, wall: float, each: int, target: str, server: Server, used: list[float]
) -> None:
    milliseconds = np.concatenate([poster.seconds for poster in posters]) * 1_000
    p50, p95, p99 = np.percentile(milliseconds, (50, 95, 99))
    rate = len(milliseconds) * each / wall
    web, database = (seconds / len(milliseconds) * 1_000 for seconds in used)
    print(
        f"\n{title}: {rate:,.0f}/s over {wall:.1f} s; p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f} ms; "
        f"{sum(poster.refused.total() for poster in posters)} errors; server {server.memory():.0f} MB; "
        f"processor a post: web {web:.1f} ms, database {database:.1f} ms; target {target}"
    )
    for refusal, count in sum((poster.refused for poster in posters), Counter()).items():
        print(f"  {count} × {refusal}")


@pytest.mark.timeout(1_200)
def test_single_alerts(server: Server) -> None:
    """A steady 200 a second over ten connections, each alert another one; then as fast as it goes for ten seconds."""
    for pace, title, seconds in (
        (SINGLE_PER_SECOND, "single posts, paced", SECONDS),
        (0, "single posts, unpaced", 10.0),
    ):
        posters = [Poster(server) for _ in range(10)]

        def work(
            poster: Poster, number: int, *, pace: int = pace, title: str = title, seconds: float = seconds
        ) -> None:
            began, count = time.perf_counter(), 0
            while (now := time.perf_counter() - began) < seconds:
                due = count * 10 / pace if pace else 0.0
                if due > now:
                    time.sleep(due - now)
                poster(body(f"{title[-7:]}-{number}-{count}"))
                count += 1
                if number == 0 and count % 1_000 == 0:
                    server.empty_outbox()

        wall, used = together(server, posters, work)
        target = f"{SINGLE_PER_SECOND}/s, p99 < {SINGLE_P99_MS} ms"
        report(title, posters, wall=wall, each=1, target=target, server=server, used=used)
        acknowledged = sum(len(poster.seconds) - poster.refused.total() for poster in posters)
        like = f"fingerprint LIKE '{title[-7:]}-%'"
        stored = server.ask(f"SELECT count(*) FROM incidents_alert WHERE {like}")  # noqa: S608 - our own text
        print(f"  {acknowledged:,} acknowledged, {stored:,} stored")
        server.empty_outbox()
        assert acknowledged == stored


@pytest.mark.timeout(600)
def test_batches(server: Server) -> None:
    posters = [Poster(server) for _ in range(2)]
    bodies = [body(*(f"batch-{number}-{one}" for one in range(BATCH))) for number in range(BATCHES)]
    wall, used = together(server, posters, lambda poster, number: [poster(one) for one in bodies[number::2]])  # type: ignore[arg-type,return-value]
    target = f"{ALERTS_PER_SECOND:,}/s"
    report(f"batches of {BATCH}, new alerts", posters, wall=wall, each=BATCH, target=target, server=server, used=used)
    posters = [Poster(server) for _ in range(2)]
    wall, used = together(server, posters, lambda poster, number: [poster(one) for one in bodies[number::2]])  # type: ignore[arg-type,return-value]
    report(
        f"batches of {BATCH}, the same again", posters, wall=wall, each=BATCH, target=target, server=server, used=used
    )
    assert server.ask("SELECT count(*) FROM incidents_alert WHERE fingerprint LIKE 'batch-%'") == BATCH * BATCHES


@pytest.mark.timeout(600)
def test_duplicates(server: Server) -> None:
    server.empty_outbox()
    posters = [Poster(server) for _ in range(CONNECTIONS)]
    content = body("duplicate")
    wall, used = together(
        server, posters, lambda poster, _: [poster(content) for _ in range(DUPLICATES // CONNECTIONS)]
    )  # type: ignore[arg-type,return-value]
    title = f"{DUPLICATES:,} duplicates over {CONNECTIONS} connections"
    report(title, posters, wall=wall, each=1, target=f"within {DUPLICATE_SECONDS} s", server=server, used=used)
    with psycopg.connect(server.dsn) as connection:
        rows = connection.execute("SELECT deliveries FROM incidents_alert WHERE fingerprint = 'duplicate'").fetchall()
    tasks = server.ask("SELECT count(*) FROM incidents_outboxmessage")
    print(f"  {len(rows)} alert, {rows[0][0]:,} deliveries counted, {tasks} task(s) asked for")
    assert rows == [(DUPLICATES,)]
