"""The way of an alert, process by process: web server, relay, broker and workers, each started, doomed, killed and stopped by a test."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import psycopg

from copilot.embedded import valkey
from copilot.embedded.child import Child, Program
from incidents.intake import tokens
from tests.faults.senders import wait
from tests.incidents.conftest import why_not
from tests.services import ROOT, Run, free_port

# As `manage.py up` starts it; but a reader that is gone is noticed after 13 s instead of 40.
WEB = (
    *("--lifespan", "off", "--no-access-log", "--http", "copilot.header_limit:PromptHttpProtocol"),
    *("--ws-max-size", "65536", "--ws-ping-interval", "3", "--ws-ping-timeout", "10"),
)
DOOMED = (sys.executable, "-m", "tests.faults.doomed_process")


class Line:
    """A broker, and processes on one database. `stop` ends a process in order, `kill` with all that it started."""

    def __init__(self, services: Run, *, folder: Path, dsn: str) -> None:
        self.services, self.folder, self.dsn = services, folder, dsn
        self.socket = folder / "valkey.sock"
        folder.mkdir(parents=True)
        self.variables = {"DATABASE_URL": dsn, "REDIS_URL": valkey.url(self.socket), "COPILOT_VAR": str(folder / "var")}
        self.children: list[Child] = []
        self.broker = self.start_broker()
        self.sources = 0
        self._web: str | None = None

    @property
    def web(self) -> str:
        """The address of a web server that nothing happens to."""
        if self._web is None:
            self._web, _ = self.start_web()
        return self._web

    def start_web(self, **variables: str) -> tuple[str, Child]:
        """Start a web server and wait for it; return its address and process."""
        url, child = self.begin_web(**variables)
        child.wait_until_ready(seconds=120)
        return url, child

    def start(self, name: str, *command: str, **variables: str) -> Child:
        """Start a process without waiting for it."""
        return self._start(self._program(name, *command, **variables))

    def start_broker(self) -> Child:
        """Start the broker on the data of the one before it."""
        child = self._start(valkey.program(data=self.folder / "valkey", socket=self.socket, durable=True))
        child.wait_until_ready()
        return child

    def begin_web(self, *doom: str, **variables: str) -> tuple[str, Child]:
        """Start a web server, one that is doomed at a point if there is one; return its address."""
        port = free_port()
        plain = (sys.executable, "-m", "uvicorn", "copilot.asgi:application", "--port", str(port), *WEB)
        command = (*DOOMED, *doom, "web", str(port)) if doom else plain
        url = f"http://127.0.0.1:{port}"
        program = self._program(f"web-{port}", *command, **variables)
        return url, self._start(
            Program(
                name=program.name,
                command=program.command,
                ready=lambda: why_not(f"{url}/health/live"),
                variables=program.variables,
                folder=ROOT,
                stop_seconds=5,
            )
        )

    def start_relay(self, *doom: str) -> Child:
        """Start a relay."""
        command = (*DOOMED, *doom, "relay") if doom else (sys.executable, "manage.py", "relay")
        return self.start("relay", *command)

    def start_worker(self, *doom: str, name: str = "worker") -> Child:
        """Start a worker of the queue in which alerts are grouped."""
        options = ("--hostname", f"{name}@faults", "--queues", "detect", "--concurrency", "1", "--loglevel", "INFO")
        quiet = ("--without-gossip", "--without-mingle")
        plain = (sys.executable, "-m", "celery", "--app", "copilot", "worker")
        return self.start(name, *((*DOOMED, *doom, "worker") if doom else plain), *options, *quiet)

    def source(
        self, *secrets: str, name: str = "", kind: str = "alertmanager", most_per_minute: int = 1_000_000
    ) -> str:
        """Make a source, with these signing secrets, and return its token. Written by SQL: a process for it takes seconds."""
        self.sources += 1
        token = token_hex(16)
        [(source,)] = self.ask(
            """INSERT INTO incidents_alertsource (name, kind, mapping, signing_secrets, is_enabled, most_per_minute, created_at)
               VALUES (%s, %s, '{}', %s, true, %s, now()) RETURNING id""",
            name or f"source {self.sources}",
            kind,
            [tokens.seal(secret) for secret in secrets],
            most_per_minute,
        )
        self.change(
            "INSERT INTO incidents_sourcetoken (source_id, token_sha256, beginning, created_at) VALUES (%s, %s, %s, now())",
            source,
            tokens.digest(token),
            token[:6],
        )
        return token

    def python(self, code: str, *arguments: str) -> str:
        """Run Python on this line's database and return what it printed."""
        environment = {**os.environ, **self.variables, "DJANGO_SETTINGS_MODULE": "copilot.settings"}
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def ask(self, query: str, *given: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(query, given).fetchall()

    def change(self, statement: str, *given: Any) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement, given)

    def outbox(self) -> int:
        """How many tasks are not done, those of alerts."""
        query = "SELECT count(*) FROM incidents_outboxmessage WHERE task = 'incidents.tasks.group_alerts'"
        return int(self.ask(query)[0][0])

    def wait(self, until: Any, *, seconds: float = 90) -> None:
        wait(until, seconds=seconds, what=self.logs)

    def wait_for_death(self, child: Child) -> None:
        """Wait until a doomed process has met its fate, and take its remains away."""
        self.wait(lambda: not child.running, seconds=120)
        assert child.exit_status == -9, self.logs()

    def kill(self, child: Child) -> None:
        if child.running:
            os.killpg(child.pid or 0, signal.SIGKILL)
        child.stop()

    def logs(self) -> str:
        newest = sorted(self.folder.glob("*.log"), key=lambda log: log.stat().st_mtime)[-4:]
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in newest)

    def close(self) -> None:
        """End all that runs, at once: what is under test has been seen by now."""
        for child in reversed(self.children):
            self.kill(child)

    def _program(self, name: str, *command: str, **variables: str) -> Program:
        return Program(
            name=name,
            command=command,
            ready=lambda: None,
            variables={**self.variables, **variables},
            folder=ROOT,
            stop_seconds=5,
        )

    def _start(self, program: Program) -> Child:
        child = Child(program, log=self.folder / f"{program.name}-{len(self.children)}.log")
        child.start()
        self.children.append(child)
        return child


def answer_of(url: str, token: str, content: bytes, *, id: str) -> int:  # noqa: A002 - as the header is called
    """Post once; return the status, 0 when no answer came."""
    try:
        with httpx.Client(trust_env=False, timeout=60) as client:
            return client.post(f"{url}/in/{token}", content=content, headers={"Idempotency-Key": id}).status_code
    except httpx.HTTPError:
        return 0
