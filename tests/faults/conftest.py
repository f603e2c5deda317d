"""Process lines of their own for the fault tests."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from copilot.embedded.child import Child
from tests.faults.line import Line
from tests.services import Run, free_port


@pytest.fixture(scope="session")
def front(services: Run, new_database: Callable[[str], str]) -> Iterator[Line]:
    """A database and web servers on it; nobody takes the tasks that are asked for."""
    found = Line(services, folder=services.folder / "faults_front", dsn=new_database("faults_front"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def web(front: Line) -> tuple[str, Child]:
    """A web server of the front, and its process."""
    return front.start_web()


@pytest.fixture(scope="session")
def other_web(front: Line) -> str:
    """The address of another web server of the front."""
    return front.start_web()[0]


@pytest.fixture
def post(web: tuple[str, Child]) -> Iterator[Callable[..., httpx.Response]]:
    """Call it with a token and a body, and headers."""
    with httpx.Client(base_url=web[0], trust_env=False, timeout=60) as client:

        def send(token: str, content: bytes, **headers: str) -> httpx.Response:
            return client.post(f"/in/{token}", content=content, headers={"Content-Type": "application/json", **headers})

        yield send


@pytest.fixture(scope="module")
def line(services: Run, new_database: Callable[[str], str]) -> Iterator[Line]:
    """A broker, a database and a web server that live; relays and workers are the tests' own."""
    name = f"faults_line_{free_port()}"
    found = Line(services, folder=services.folder / name, dsn=new_database(name))
    yield found
    found.close()


@pytest.fixture(scope="session")
def working(services: Run, new_database: Callable[[str], str]) -> Iterator[Line]:
    """A line with a relay and a worker, which each test leaves well."""
    found = Line(services, folder=services.folder / "faults_working", dsn=new_database("faults_working"))
    found.start_relay()
    found.start_worker()
    yield found
    found.close()
