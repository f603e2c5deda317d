"""Chroma's server as a child process on the loopback. Run as a module it holds a lock on its folder for as long as it serves:

python -m copilot.embedded.vector_index --path FOLDER --port PORT
"""

import argparse
import fcntl
import logging
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import httpx

from copilot.embedded.child import Program

HOST = "127.0.0.1"  # it has no password: never another address
DATABASE, LOCK = "chroma.sqlite3", "in-use.lock"
QUOTED = 200  # characters of an error page
BUSY_SECONDS = 5.0

logger = logging.getLogger(__name__)


def program(*, data: Path, port: int) -> Program:
    """Return how to run the server on its data folder."""
    return Program(
        name="chroma",
        command=(sys.executable, "-m", "copilot.embedded.vector_index", "--path", str(data), "--port", str(port)),
        ready=lambda: why_not_ready(f"http://{HOST}:{port}"),
        broken=lambda: why_broken(f"http://{HOST}:{port}", data=data),
        variables={"ANONYMIZED_TELEMETRY": "False", "RUST_LOG": "warn", "NO_COLOR": "1"},
        folder=Path(__file__).resolve().parents[2],
        stop_seconds=10,
    )


def why_not_ready(url: str) -> str | None:
    """Return None when a Chroma server answers there, else why it does not."""
    try:
        answer = httpx.get(f"{url}/api/v2/heartbeat", timeout=1, trust_env=False)
    except httpx.HTTPError as error:
        return str(error)
    return None if answer.status_code == 200 else f"{url} answers {answer.status_code}"


def why_broken(url: str, *, data: Path) -> str | None:
    """Return why a server that runs cannot use its data, None while it can, or while it is too busy to say.

    Its heartbeat goes on without data, and on a deleted folder it answers from files that are gone, until it has to write.
    """
    if not (data / DATABASE).exists():
        return f"its data in {data} was deleted"
    try:
        answer = httpx.get(
            f"{url}/api/v2/tenants/default_tenant/databases/default_database/collections",
            params={"limit": 1},
            timeout=1,
            trust_env=False,
        )
    except httpx.HTTPError:
        return None
    return f"its data in {data} cannot be read: {answer.text[:QUOTED]}" if answer.is_server_error else None


def serve(*, data: Path, port: int) -> None:
    """Serve until the process is ended; ends it at once when another one serves the same folder.

    Two servers on one folder lose vectors without an error; the lock goes with the process that serves. Damaged data is set aside.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(data / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(lock, 20).decode() or "?"
        sys.exit(f"{data} is in use by process {owner}: two servers on one folder lose vectors. Stop that one first.")
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    set_aside_if_damaged(data)
    # The server without Chroma's Python package around it, whose import takes a second and 50 MB.
    import chromadb_rust_bindings

    chromadb_rust_bindings.cli(["chroma", "run", "--path", str(data), "--host", HOST, "--port", str(port)])


def set_aside_if_damaged(data: Path) -> bool:
    """Move what is in the folder beside it when SQLite finds its database damaged; return whether it was.

    The index is a cache that is filled again from PostgreSQL, so only the last damaged one is kept, for whoever wants to know why.
    Call it with the lock held, which stays.
    """
    why = why_damaged(data / DATABASE)
    if why is None:
        return False
    aside = data.with_name(f"{data.name}-damaged")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    for entry in data.iterdir():
        if entry.name != LOCK:
            entry.rename(aside / entry.name)
    logger.warning("%s is damaged (%s): moved to %s; the index starts empty and is filled again.", data, why, aside)
    return True


def why_damaged(database: Path) -> str | None:
    """Return what SQLite has against a database file, None when it is whole or not there. Reads the whole file, so nobody may be writing."""
    if not database.exists():
        return None
    try:
        # Not read-only: after a crash SQLite first has to roll back what was half written, as the server would.
        with closing(
            sqlite3.connect(f"file:{quote(str(database))}?mode=rw", uri=True, timeout=BUSY_SECONDS)
        ) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:  # locked, no room, no permission: nothing against the data
        logger.warning("%s could not be checked: %s", database, error)
        return None
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if found == "ok" else str(found)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    serve(data=given.path.resolve(), port=given.port)
