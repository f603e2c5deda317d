"""Chroma's server as a child process on the loopback. Run as a module it holds a lock on its folder for as long as it serves:

python -m copilot.embedded.vector_index --path FOLDER --port PORT
"""

import argparse
import fcntl
import os
import sys
from pathlib import Path

import httpx

from copilot.embedded.child import Program

HOST = "127.0.0.1"  # it has no password: never another address


def program(*, data: Path, port: int) -> Program:
    """Return how to run the server on its data folder."""
    return Program(
        name="chroma",
        command=(sys.executable, "-m", "copilot.embedded.vector_index", "--path", str(data), "--port", str(port)),
        ready=lambda: why_not_ready(f"http://{HOST}:{port}"),
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


def serve(*, data: Path, port: int) -> None:
    """Serve until the process is ended; ends it at once when another one serves the same folder.

    Two servers on one folder lose vectors without an error; the lock goes with the process that serves.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(data / "in-use.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(lock, 20).decode() or "?"
        sys.exit(f"{data} is in use by process {owner}: two servers on one folder lose vectors. Stop that one first.")
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    # The server without Chroma's Python package around it, whose import takes a second and 50 MB.
    import chromadb_rust_bindings

    chromadb_rust_bindings.cli(["chroma", "run", "--path", str(data), "--host", HOST, "--port", str(port)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--path", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    serve(data=given.path.resolve(), port=given.port)
