"""What an open board sees, and how soon: from an alert's POST to its incident on the page, and one hint to a thousand open sockets."""

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from copilot import events
from copilot.embedded import postgres
from copilot.embedded import site as embedded_site
from copilot.embedded.child import Child, Program
from incidents.intake.tokens import issue
from incidents.models import AlertSource, GroupingDecision, Incident
from tests import cast
from tests.benchmarks.bench_alerts import used
from tests.incidents.conftest import why_not
from tests.incidents.intake import senders
from tests.services import ROOT, Run, celery_program, free_port

SECONDS, A_SECOND = 48, 50
PROBES = 22  # new incidents among them; more than 25 in ten minutes would be a storm
FINGERPRINTS = 100  # of the other alerts, which come again and again
GAP_SECONDS = 1.0  # between two readings of the board, as the page keeps it
VISIBLE_SECONDS, FAN_OUT_SECONDS = 2.0, 0.5
SOCKETS, HINTS = 1_000, 20


@dataclass(frozen=True)
class Site:
    """A web server on the test database, with what a client needs to be signed in."""

    port: int
    cookie: str
    child: Child

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def socket(self) -> connect:
        headers = {"Cookie": self.cookie}
        address = f"ws://127.0.0.1:{self.port}/ws/incidents/"
        return connect(
            address,
            origin=Origin(self.url),
            additional_headers=headers,
            open_timeout=60,
            ping_interval=None,
            compression=None,
        )

    def memory(self) -> float:
        """Megabytes that the process holds."""
        pages = int(Path(f"/proc/{self.child.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def database(services: Run) -> dict[str, str]:
    sockets = quote(str(services.folder / "sockets"))
    return {"DATABASE_URL": f"postgresql://{postgres.USER}@/{connection.settings_dict['NAME']}?host={sockets}"}


def program(name: str, *command: str, services: Run, ready: str = "") -> Program:
    return Program(
        name=name,
        command=(sys.executable, *command),
        ready=(lambda: why_not(ready)) if ready else (lambda: None),
        variables=database(services),
        folder=ROOT,
        stop_seconds=5,
    )


@pytest.fixture
def site(services: Run, transactional_db: None) -> Iterator[Site]:
    subprocess.run([sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"], cwd=ROOT, check=True)
    client = Client()
    client.force_login(cast.person("ada", "responder"))
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    port = free_port()
    web = ("-m", "uvicorn", "copilot.asgi:application", "--port", str(port), "--lifespan", "off", "--no-access-log")
    ready = f"http://127.0.0.1:{port}/health/live"
    child = services.start(program("bench-web", *web, services=services, ready=ready), seconds=120)
    yield Site(port, cookie, child)
    child.stop()


def percentiles(seconds: list[float]) -> str:
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99)) if seconds else (np.inf,) * 3
    return f"p50 {p50 * 1000:.0f}, p95 {p95 * 1000:.0f}, p99 {p99 * 1000:.0f} ms"


class Board:
    """A board that is open: it reads itself anew when the socket says so, at most once a second, and notes what it sees."""

    def __init__(self, site: Site, client: httpx.AsyncClient) -> None:
        self.site, self.client = site, client
        self.seen: dict[str, float] = {}
        self.told: list[float] = []
        self.reading_seconds: list[float] = []

    async def follow(self, names: set[str], *, until: float) -> None:
        async with self.site.socket() as socket:
            hinted = asyncio.Event()
            listening = asyncio.create_task(self._listen(socket, hinted))
            while time.monotonic() < until and len(self.seen) < len(names):
                try:
                    await asyncio.wait_for(hinted.wait(), timeout=1)
                except TimeoutError:
                    continue
                hinted.clear()
                began = time.monotonic()
                page = (await self.client.get("/incidents/", headers={"X-Requested-With": "fetch"})).text
                self.reading_seconds.append(time.monotonic() - began)
                for name in names - self.seen.keys():
                    if name in page:
                        self.seen[name] = time.monotonic()
                await asyncio.sleep(max(0.0, GAP_SECONDS - (time.monotonic() - began)))
            listening.cancel()

    async def _listen(self, socket: ClientConnection, hinted: asyncio.Event) -> None:
        async for _ in socket:
            self.told.append(time.monotonic())
            hinted.set()


async def send(client: httpx.AsyncClient, names: list[str]) -> tuple[dict[str, float], list[float], int]:
    """Post 50 alerts a second: the same hundred again and again, and now and then one of a service of its own."""
    sent: dict[str, float] = {}
    answers: list[float] = []
    errors = 0
    running: set[asyncio.Task[None]] = set()

    async def post(body: bytes) -> None:
        nonlocal errors
        began = time.monotonic()
        answer = await client.post("/in/", content=body, headers={"Content-Type": "application/json"})
        answers.append(time.monotonic() - began)
        errors += answer.status_code != 202

    began = time.monotonic()
    total = SECONDS * A_SECOND
    for number in range(total):
        await asyncio.sleep(max(0.0, began + number / A_SECOND - time.monotonic()))
        now = datetime.now(UTC)
        place, rest = divmod(number, total // len(names))
        if rest == 0 and place < len(names):
            name = names[place]
            alert = senders.alert(f"probe-{place}", name=f"Odd{place}", at=now, service=name, cluster=f"of-{name}")
            sent[name] = time.monotonic()
        else:
            which = number % FINGERPRINTS
            alert = senders.alert(f"same-{which}", at=now, service="shop", value=str(number))
        task = asyncio.create_task(post(json.dumps(senders.alertmanager(alert)).encode()))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return sent, answers, errors


async def warm_up(board: Board, client: httpx.AsyncClient) -> None:
    """Wait until one alert has come all the way: a worker that has just started loads what it needs with its first task."""
    alert = senders.alert("warm-up", at=datetime.now(UTC), service="warm-up-service", cluster="warm")
    await client.post(
        "/in/", content=json.dumps(senders.alertmanager(alert)).encode(), headers={"Content-Type": "application/json"}
    )
    await board.follow({"warm-up-service"}, until=time.monotonic() + 60)
    for noted in (board.seen, board.told, board.reading_seconds):
        noted.clear()


def seconds_until_taken_up(sent: dict[str, float]) -> list[float]:
    """Return the seconds from each post (monotonic time by service) until a worker decided about its alert."""
    decisions = GroupingDecision.objects.filter(outcome="opened", alert__service__in=list(sent))
    decided = dict(decisions.values_list("alert__service", "decided_at"))
    away = time.time() - time.monotonic()
    return [decided[name].timestamp() - away - at for name, at in sent.items() if name in decided]


@pytest.mark.timeout(400)
def test_from_alert_to_board(site: Site, services: Run) -> None:
    source = AlertSource.objects.create(
        name="bench", kind="alertmanager", most_per_minute=1_000_000, created_at=timezone.now()
    )
    token = issue(source, now=timezone.now())
    workers = [
        services.start(celery_program(queues=queues, variables=database(services)), seconds=120)
        for queues in (embedded_site.QUEUES, embedded_site.ANSWER_QUEUES)
    ]
    relay = services.start(program("bench-relay", "manage.py", "relay", services=services))
    names = [f"probe-service-{number:02}x" for number in range(PROBES)]

    async def run() -> tuple[Board, dict[str, float], list[float], int]:
        limits = httpx.Limits(max_connections=50)
        async with (
            httpx.AsyncClient(
                base_url=site.url, headers={"Cookie": site.cookie}, timeout=30, trust_env=False
            ) as reader,
            httpx.AsyncClient(
                base_url=site.url,
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
                trust_env=False,
                limits=limits,
            ) as sender,
        ):
            board = Board(site, reader)
            await warm_up(board, sender)
            following = asyncio.create_task(board.follow(set(names), until=time.monotonic() + SECONDS + 60))
            await asyncio.sleep(2)
            sent, answers, errors = await send(sender, names)
            await following
            return board, sent, answers, errors

    board, sent, answers, errors = asyncio.run(run())
    for child in (relay, *workers):
        child.stop()
    delays = [board.seen[name] - sent[name] for name in names if name in board.seen]
    placing = seconds_until_taken_up(sent)
    print(
        f"\nalert → incident on an open board at {A_SECOND}/s over {SECONDS} s: {percentiles(delays)} of {len(delays)} new incidents"
        f" ({PROBES - len(delays)} never seen); target p95 < {VISIBLE_SECONDS:.0f} s"
        f"\n  from the post until a worker took it up: {percentiles(placing)}; each: {' '.join(f'{one:.1f}' for one in placing)} s"
        f"\n  {len(answers):,} posts, {percentiles(answers)}, {errors} errors; {len(board.told)} hints;"
        f" reading the board {percentiles(board.reading_seconds)}; {Incident.objects.count()} incidents;"
        f" web {site.memory():.0f} MB; load of the machine {os.getloadavg()[0]:.1f}"
    )
    assert len(delays) == PROBES


@pytest.mark.timeout(300)
def test_a_thousand_sockets(site: Site) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, SOCKETS + 500)), hard))

    async def run() -> tuple[float, float, list[float], list[float]]:
        began = time.monotonic()
        gate = asyncio.Semaphore(20)

        async def opened() -> ClientConnection:
            async with gate:
                return await site.socket()

        sockets = await asyncio.gather(*(opened() for _ in range(SOCKETS)))
        opening = time.monotonic() - began
        every: list[float] = []
        own = used(site.child.pid)
        last: list[float] = []
        layer = get_channel_layer()
        for _ in range(HINTS):
            waiting = [asyncio.create_task(_moment(socket)) for socket in sockets]
            await asyncio.sleep(0)
            told = time.monotonic()
            await layer.group_send(events.LIST_GROUP, {"type": "incidents.changed"})
            moments = await asyncio.gather(*waiting)
            every += [moment - told for moment in moments]
            last.append(max(moments) - told)
            await asyncio.sleep(1)
        own = (used(site.child.pid) - own) / HINTS
        await asyncio.gather(*(socket.close() for socket in sockets))
        return opening, own, every, last

    opening, own, every, last = asyncio.run(run())
    print(
        f"\n{SOCKETS:,} open sockets on one web process, {HINTS} hints: {percentiles(every)} from hint to message, the last socket"
        f" {percentiles(last)}; web process's own work {own * 1000:.0f} ms a hint; opening all took {opening:.1f} s; web {site.memory():.0f} MB;"
        f" target p95 < {FAN_OUT_SECONDS * 1000:.0f} ms; load of the machine {os.getloadavg()[0]:.1f}"
    )


async def _moment(socket: ClientConnection) -> float:
    await asyncio.wait_for(socket.recv(), timeout=30)
    return time.monotonic()
