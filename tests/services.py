"""A pytest plugin: a private PostgreSQL and Valkey for each test run, and real servers and workers for the tests that ask for one.

It is loaded by `-p tests.services` before Django reads its settings. Fixtures:
    chroma_url      a real Chroma server, started at its first use; settings.CHROMA_URL is this address
    celery_worker   call it with queue names: a real worker process on this run's test database
    live_site       the whole site as real processes, on its own database, Valkey and folder
"""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx
import psycopg
import pytest

from copilot.embedded import postgres, valkey
from copilot.embedded.child import Child, Program

ROOT = Path(__file__).resolve().parent.parent
RUN = pytest.StashKey["Run"]()


def free_port() -> int:
    """A port of the loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Run:
    """The services of one test run; `close` ends them in reverse order and removes their folder."""

    folder: Path
    chroma_port: int = field(default_factory=free_port)
    children: ExitStack = field(default_factory=ExitStack)

    def start(self, program: Program, *, wait: bool = True, seconds: float = 60) -> Child:
        child = Child(program, log=self.folder / "log" / f"{program.name}.log")
        self.children.callback(child.stop)
        child.start()
        if wait:
            child.wait_until_ready(seconds=seconds)
        return child

    def close(self) -> None:
        self.children.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def start_run() -> Run:
    """Start PostgreSQL and Valkey in a new folder and name them in the environment."""
    folder = Path(tempfile.mkdtemp(prefix="copilot-tests-"))
    folder.chmod(0o711)  # PostgreSQL may run as another user: it passes, and sees nothing
    run = Run(folder)
    atexit.register(run.close)
    cluster = postgres.prepare(data=folder / "postgres", sockets=folder / "sockets", durable=False)
    database = run.start(postgres.program(cluster), wait=False)
    broker = run.start(valkey.program(data=folder / "valkey", socket=folder / "valkey.sock", durable=False), wait=False)
    database.wait_until_ready()
    broker.wait_until_ready()
    os.environ.update(
        DATABASE_URL=cluster.url(),
        REDIS_URL=valkey.url(folder / "valkey.sock"),
        CHROMA_URL=f"http://127.0.0.1:{run.chroma_port}",
        COPILOT_VAR=str(folder / "var"),
        SECRET_KEY="for-tests-only",
        COPILOT_LLM="none",
    )
    for name in ("PROMETHEUS_URL", "COPILOT_OTLP_TOKEN", "COPILOT_DEBUG"):
        os.environ.pop(name, None)
    return run


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    early_config.stash[RUN] = start_run()
    # A terminated run still ends its services: the signal becomes an ordinary exit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def pytest_unconfigure(config: pytest.Config) -> None:
    if run := config.stash.get(RUN, None):
        run.close()


@pytest.fixture(scope="session")
def services(request: pytest.FixtureRequest) -> Run:
    """The services of this test run, to start further ones that end with it."""
    return request.config.stash[RUN]


def answers(url: str) -> Callable[[], str | None]:
    """A readiness check: the address answers with 200."""

    def why_not() -> str | None:
        try:
            response = httpx.get(url, timeout=1, trust_env=False)
        except httpx.HTTPError as error:
            return str(error)
        return None if response.status_code == 200 else f"{url} answers {response.status_code}"

    return why_not


@pytest.fixture(scope="session")
def chroma_url(services: Run) -> str:
    """The address of a real Chroma server, which is also settings.CHROMA_URL."""
    url = f"http://127.0.0.1:{services.chroma_port}"
    command = (str(Path(sys.executable).with_name("chroma")), "run", "--path", str(services.folder / "chroma"))
    services.start(
        Program(
            name="chroma",
            command=(*command, "--host", "127.0.0.1", "--port", str(services.chroma_port)),
            ready=answers(f"{url}/api/v2/heartbeat"),
            variables={"ANONYMIZED_TELEMETRY": "False"},
        )
    )
    return url


def celery_program(*, queues: tuple[str, ...], variables: dict[str, str]) -> Program:
    """A worker of these queues; ready when it answers a ping."""
    name = f"worker-{'-'.join(queues)}@tests"
    celery = (sys.executable, "-m", "celery", "-A", "copilot")

    def why_not() -> str | None:
        done = subprocess.run(
            [*celery, "inspect", "ping", "-d", name, "-t", "1"],
            cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        return None if done.returncode == 0 else done.stdout + done.stderr

    return Program(
        name=name.partition("@")[0],
        command=(*celery, "worker", "-Q", ",".join(queues), "-c", "1", "-n", name, "--loglevel", "INFO"),
        ready=why_not,
        variables=variables,
        folder=ROOT,
        stop_seconds=5,
    )


@pytest.fixture(scope="session")
def celery_worker(services: Run, django_db_setup: None) -> Callable[..., Child]:
    """Call it with queue names: a real worker on this run's test database, started once for each set of queues.

    The test itself must be marked `django_db(transaction=True)`, so that the worker sees its rows.
    """
    started: dict[tuple[str, ...], Child] = {}

    def start(*queues: str) -> Child:
        from django.db import connection

        if queues not in started:
            sockets = services.folder / "sockets"
            url = f"postgresql://{postgres.USER}@/{connection.settings_dict['NAME']}?host={quote(str(sockets))}"
            started[queues] = services.start(celery_program(queues=queues, variables={"DATABASE_URL": url}))
        return started[queues]

    return start


@dataclass(frozen=True)
class LiveSite:
    """The running site: its address, what its processes' environment differs in, and its management commands."""

    url: str
    variables: dict[str, str]
    children: dict[str, Child]

    def manage(self, *arguments: str, seconds: float = 120) -> str:
        """Run `manage.py …` beside the site and return what it printed; its error output is in the failure."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env={**os.environ, **self.variables}, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"manage.py {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout


@pytest.fixture(scope="session")
def live_site(services: Run, chroma_url: str) -> LiveSite:
    """The web server, a worker for every queue, and the relay, on their own database and Valkey."""
    broker = services.folder / "live.sock"
    services.start(valkey.program(data=services.folder / "live-valkey", socket=broker, durable=False))
    port = free_port()
    variables = {
        "DATABASE_URL": f"postgresql://{postgres.USER}@/live?host={quote(str(services.folder / 'sockets'))}",
        "REDIS_URL": valkey.url(broker),
        "COPILOT_VAR": str(services.folder / "live"),
        "COPILOT_PORT": str(port),
    }
    site = LiveSite(url=f"http://127.0.0.1:{port}", variables=variables, children={})
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE live")
    site.manage("migrate", "--verbosity", "0")
    site.manage("collectstatic", "--noinput", "--verbosity", "0")
    python = (sys.executable, "-m")
    queues = ("investigate", "chat", "detect", "intake", "act", "embed")
    programs = {
        "web": Program(
            name="live-web",
            command=(*python, "uvicorn", "copilot.asgi:application", "--host", "127.0.0.1", "--port", str(port)),
            ready=answers(f"{site.url}/health/live"), variables=variables, folder=ROOT, stop_seconds=5,
        ),
        "worker": celery_program(queues=queues, variables=variables),
        "relay": Program(
            name="live-relay", command=(sys.executable, "manage.py", "relay"), ready=lambda: None,
            variables=variables, folder=ROOT, stop_seconds=5,
        ),
    }  # fmt: skip
    for name, program in programs.items():
        site.children[name] = services.start(program, wait=name != "worker")
    site.children["worker"].wait_until_ready(seconds=90)
    return site
