"""A pytest plugin: a private PostgreSQL and Valkey for each process that runs tests, and real servers and workers for the tests that ask for one.

It is loaded by `-p tests.services` before Django reads its settings. Fixtures:
    chroma_url        a real Chroma server, started at its first use; settings.CHROMA_URL is this address
    local_model_url   the real local model; settings.LOCAL_LLM_URL is this address; skips when its file is not here
    celery_worker     call it with queue names: a real worker process on this run's test database
    live_site         the whole site as its users run it, in a folder of its own
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
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import randbelow
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from copilot.embedded import addresses, model_server, pinging, postgres, running, valkey, vector_index
from copilot.embedded.child import Child, Program

ROOT = Path(__file__).resolve().parent.parent
PORTS = range(10_000, 32_000)
RUN = pytest.StashKey["Run"]()


def free_port() -> int:
    """A port of the loopback that nobody listens on right now.

    It is below those that the system gives to connections: until our server has started, which takes seconds, none of them takes it.
    """
    while True:
        port = PORTS.start + randbelow(len(PORTS))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class Run:
    """The services of one test run; `close` ends them in reverse order and removes their folder."""

    folder: Path
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in addresses.DEFAULT_PORTS})
    children: ExitStack = field(default_factory=ExitStack)
    owner: int = field(default_factory=os.getpid)

    def start(self, program: Program, *, wait: bool = True, seconds: float = 60) -> Child:
        child = Child(program, log=self.folder / "log" / f"{program.name}.log")
        self.children.callback(child.stop)
        child.start()
        if wait:
            child.wait_until_ready(seconds=seconds)
        return child

    def database_url(self, name: str) -> str:
        return f"postgresql://{postgres.USER}@/{name}?host={quote(str(self.folder / 'sockets'))}"

    def create_database(self, name: str, *, template: str) -> str:
        """Copy a database that nobody is connected to; return the copy's URL."""
        with psycopg.connect(self.database_url(postgres.DATABASE), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            )
        return self.database_url(name)

    def close(self) -> None:
        if os.getpid() != self.owner:  # a fork of ours is not to end what we still use
            return
        self.children.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def new_run() -> Run:
    """Make a folder for this process, and name in the environment what the settings read from it."""
    folder = Path(tempfile.mkdtemp(prefix="copilot-tests-"))
    folder.chmod(0o711)  # PostgreSQL may run as another user: it passes, and sees nothing
    run = Run(folder)
    atexit.register(run.close)
    (folder / "var" / "static").mkdir(parents=True)
    addresses.keep_ports(folder / "var", run.ports)
    os.environ.setdefault("COPILOT_LLM_FILE", str(ROOT / "var" / "models" / "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"))
    os.environ.update(COPILOT_VAR=str(folder / "var"), SECRET_KEY="for-tests-only", COPILOT_LLM="none")
    for name in ("PROMETHEUS_URL", "COPILOT_OTLP_TOKEN", "COPILOT_DEBUG"):
        os.environ.pop(name, None)
    return run


def start_services(run: Run) -> None:
    """Start PostgreSQL and Valkey, and name them in the environment."""
    folder = run.folder
    cluster = postgres.prepare(data=folder / "postgres", sockets=folder / "sockets", durable=False)
    database = run.start(postgres.program(cluster), wait=False)
    broker = run.start(valkey.program(data=folder / "valkey", socket=folder / "valkey.sock", durable=False), wait=False)
    database.wait_until_ready()
    broker.wait_until_ready()
    os.environ.update(
        DATABASE_URL=cluster.url(),
        REDIS_URL=valkey.url(folder / "valkey.sock"),
        CHROMA_URL=f"http://127.0.0.1:{run.ports['chroma']}",
    )


def hands_out_tests(config: pytest.Config) -> bool:
    """Whether this process only hands tests out to others (`-n`): each of them starts services of its own."""
    return bool(getattr(config.known_args_namespace, "numprocesses", None)) and "PYTEST_XDIST_WORKER" not in os.environ


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    run = early_config.stash[RUN] = new_run()
    # A terminated run still ends its services: the signal becomes an ordinary exit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not hands_out_tests(early_config):
        start_services(run)


def pytest_unconfigure(config: pytest.Config) -> None:
    if run := config.stash.get(RUN, None):
        run.close()


@pytest.fixture(scope="session")
def services(request: pytest.FixtureRequest) -> Run:
    """The services of this test run, to start further ones that end with it."""
    return request.config.stash[RUN]


@pytest.fixture(scope="session")
def chroma_url(services: Run) -> str:
    """The address of a real Chroma server, which is also settings.CHROMA_URL."""
    port = services.ports["chroma"]
    services.start(vector_index.program(data=services.folder / "chroma", port=port))
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def local_model_url(services: Run) -> str:
    """The address of the real local model, which is also settings.LOCAL_LLM_URL; skips the test when its file is not here."""
    port = services.ports["model-server"]
    services.start(model_server.program(file=model_path(), port=port, fetch=False), seconds=120)
    return f"http://127.0.0.1:{port}/v1"


def model_path() -> Path:
    file = Path(os.environ["COPILOT_LLM_FILE"])
    if not file.exists():
        pytest.skip(f"the local model's file is not at {file}: `make model` fetches it (1.1 GB)")
    return file


def celery_program(*, queues: tuple[str, ...], variables: dict[str, str]) -> Program:
    """A worker of these queues; ready when it answers a ping."""
    name = f"worker-{'-'.join(queues)}@tests"
    command = (
        sys.executable,
        "-m",
        "celery",
        "--app",
        "copilot",
        "worker",
        "--hostname",
        name,
        "--queues",
        ",".join(queues),
    )
    return Program(
        name=name.partition("@")[0],
        command=(*command, "--concurrency", "1", "--without-gossip", "--without-mingle", "--loglevel", "INFO"),
        ready=lambda: pinging.why_worker_is_silent(os.environ["REDIS_URL"].replace("unix://", "redis+socket://"), name),
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
            url = services.database_url(connection.settings_dict["NAME"])
            started[queues] = services.start(celery_program(queues=queues, variables={"DATABASE_URL": url}))
        return started[queues]

    return start


@dataclass(frozen=True)
class LiveSite:
    """The site as its users run it: `manage.py up`, with everything embedded, in a folder of its own."""

    url: str
    var: Path
    environment: dict[str, str]
    supervisor: Child

    def manage(self, *arguments: str, seconds: float = 120) -> str:
        """Run `manage.py …` beside the site and return what it printed; its error output is in the failure."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"manage.py {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout


@pytest.fixture(scope="session")
def live_site(services: Run) -> LiveSite:
    """Everything that `make demo` starts, with the local model when its file is here, else without a model."""
    llm = "local" if Path(os.environ["COPILOT_LLM_FILE"]).exists() else "none"
    return start_live_site(services, name="live", llm=llm)


def start_live_site(services: Run, *, name: str, llm: str) -> LiveSite:
    """Start `manage.py up` in a folder of this name; it ends with the run."""
    var, port = services.folder / name, free_port()
    managed = ("DATABASE_URL", "REDIS_URL", "CHROMA_URL", "SECRET_KEY")
    variables = {"COPILOT_VAR": str(var), "COPILOT_PORT": str(port), "COPILOT_LLM": llm}
    # A busy machine makes the local model slow; that is not what the tests are about.
    variables |= {"COPILOT_LLM_FIRST_TOKEN_SECONDS": "150", "COPILOT_LLM_TOTAL_SECONDS": "500"}
    addresses.keep_ports(var, {name: free_port() for name in addresses.DEFAULT_PORTS})
    program = Program(
        name=f"{name}-site",
        command=("env", *(f"--unset={name}" for name in managed), sys.executable, "manage.py", "up"),
        ready=lambda: None if (state := running.read_state(var)) and state.started else "it is starting",
        variables=variables,
        folder=ROOT,
        stop_seconds=60,
    )
    environment = {name: value for name, value in os.environ.items() if name not in managed} | variables
    supervisor = services.start(program, seconds=280)
    return LiveSite(url=f"http://127.0.0.1:{port}", var=var, environment=environment, supervisor=supervisor)
