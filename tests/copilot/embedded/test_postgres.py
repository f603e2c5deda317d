"""A durable PostgreSQL under the supervisor's own launcher."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from copilot.embedded import postgres
from copilot.embedded.child import Child, EmbeddedError
from copilot.embedded.running import ComponentState
from copilot.embedded.supervisor import Component, Supervisor


@pytest.mark.django_db
def test_the_test_database_is_a_real_postgresql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('TimeZone')")
        assert cursor.fetchone() == ("UTC",)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short path, which a socket needs, that another user can pass."""
    folder = tmp_path_factory.mktemp("pg")
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(0o711)
    return folder


def test_nothing_acknowledged_is_lost_when_it_is_killed(folder: Path) -> None:
    """kill -9 in the middle of commits: every row whose commit returned is there after the supervisor has brought it back."""
    cluster = postgres.prepare(data=folder / "data", sockets=folder / "s")
    lines: list[str] = []
    seen: list[ComponentState] = []
    supervisor = Supervisor(
        [Component(postgres.program(cluster))], logs=folder / "log", report=lines.append, record=seen.extend
    )
    assert supervisor.start(stop=threading.Event())
    acknowledged: list[int] = []
    writer = threading.Thread(target=write_until_it_breaks, args=(cluster, acknowledged))
    writer.start()
    while len(acknowledged) < 200 and writer.is_alive():
        writer.join(timeout=0.01)
    assert seen[-1].pid is not None
    os.kill(seen[-1].pid, signal.SIGKILL)
    writer.join(timeout=30)
    stop = threading.Event()
    waiter = threading.Thread(target=stop_when_it_answers, args=(cluster, stop))
    waiter.start()
    supervisor.run(stop=stop)
    with psycopg.connect(cluster.url()) as again:
        stored = {number for (number,) in again.execute("SELECT number FROM acks")}
    supervisor.stop()
    assert len(acknowledged) >= 200
    assert set(acknowledged) <= stored
    assert any("ended with signal 9" in line for line in lines)


def write_until_it_breaks(cluster: postgres.Cluster, acknowledged: list[int]) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as client:
        client.execute("CREATE TABLE acks (number int)")
        number = 0
        try:
            while True:
                number += 1
                client.execute("INSERT INTO acks VALUES (%s)", [number])
                acknowledged.append(number)
        except psycopg.OperationalError:
            return


def stop_when_it_answers(cluster: postgres.Cluster, stop: threading.Event) -> None:
    for _ in range(300):
        try:
            psycopg.connect(cluster.url(), connect_timeout=1).close()
        except psycopg.OperationalError:
            stop.wait(0.1)
        else:
            break
    stop.set()


def test_it_listens_on_a_private_socket_only_and_keeps_what_is_written(folder: Path) -> None:
    cluster = postgres.prepare(data=folder / "data", sockets=folder / "s")
    assert (folder / "s").stat().st_mode & 0o077 == 0
    child = Child(postgres.program(cluster), log=folder / "log")
    child.start()
    child.wait_until_ready()
    with psycopg.connect(cluster.url()) as client:
        settings = dict(
            client.execute(
                "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'listen_addresses', 'synchronous_commit')"
            ).fetchall()
        )
    child.stop()
    assert settings == {"fsync": "on", "listen_addresses": "", "synchronous_commit": "on"}
    assert child.exit_status == 0


def test_it_starts_below_a_folder_that_is_closed_to_others(folder: Path) -> None:
    """As in a checkout below root's home: PostgreSQL runs as somebody who may not look into it."""
    closed = folder / "home"
    closed.mkdir(mode=0o700)
    cluster = postgres.prepare(data=closed / "data", sockets=closed / "s")
    child = Child(postgres.program(cluster), log=folder / "log")
    child.start()
    child.wait_until_ready()
    child.stop()


def test_a_missing_postgresql_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    with pytest.raises(EmbeddedError, match=r"make setup.*DATABASE_URL"):
        postgres.binaries()


def test_a_failed_initdb_is_quoted(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "something").write_text("here before")
    with pytest.raises(EmbeddedError, match=r"initdb could not make a database in .*not empty"):
        postgres.prepare(data=folder / "data", sockets=folder / "s")


def test_it_ends_when_its_parent_is_killed(folder: Path) -> None:
    """A killed supervisor leaves no PostgreSQL behind."""
    code = (
        "import sys, pathlib, time; from copilot.embedded import postgres; from copilot.embedded.child import Child;"
        "f = pathlib.Path(sys.argv[1]); c = postgres.prepare(data=f / 'data', sockets=f / 's', durable=False);"
        "child = Child(postgres.program(c), log=f / 'log'); child.start(); child.wait_until_ready();"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    root = Path(__file__).resolve().parents[3]
    parent = subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=root, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists():
            break
        threading.Event().wait(0.05)
    assert not (folder / "data" / "postmaster.pid").exists()
