"""The real web server on its own database, as an exporter meets it; and the fixed hour in which the tests' telemetry is recent."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from copilot.embedded.child import Child, Program
from incidents.telemetry.store import HotStore
from tests.services import ROOT, Run, free_port


@dataclass(frozen=True)
class Site:
    """A running web server: its address, its database, its process, and how to start another one beside it."""

    url: str
    dsn: str
    child: Child
    start: Callable[..., "Site"]

    @property
    def store(self) -> HotStore:
        return HotStore(self.dsn)

    def memory(self) -> int:
        """Bytes that the server's process holds in memory now."""
        return int(Path(f"/proc/{self.child.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def why_not(url: str) -> str | None:
    """Say why the server does not answer yet."""
    try:
        httpx.get(url, timeout=1, trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        return str(error)
    return None


@pytest.fixture(scope="session")
def start_site(services: Run, new_database: Callable[[str], str]) -> Iterator[Callable[..., Site]]:
    """Call it with environment variables: a web server on a database that all of them share."""
    dsn = new_database("intake")
    variables = {"DATABASE_URL": dsn, "COPILOT_VAR": str(services.folder / "intake")}
    HotStore(dsn).prepare()

    def start(**more: str) -> Site:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        program = Program(
            name=f"intake-web-{port}",
            command=(
                sys.executable,
                "-m",
                "uvicorn",
                "copilot.asgi:application",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
            ),
            ready=lambda: why_not(f"{url}/health/live"),
            variables={**variables, **more},
            folder=ROOT,
            stop_seconds=5,
        )
        return Site(url, dsn, services.start(program, seconds=120), start)

    yield start
    HotStore(dsn).close()


@pytest.fixture(scope="session")
def site(start_site: Callable[..., Site]) -> Site:
    return start_site()


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url, trust_env=False, timeout=60) as client:
        yield client
