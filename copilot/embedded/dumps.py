"""PostgreSQL's own programs for a dump and for reading it back, and a server for as long as that takes where none runs."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from copilot.embedded import addresses, postgres
from copilot.embedded.child import Child, EmbeddedError

SECONDS = 3600
TELEMETRY_SCHEMAS = ("telemetry", "replay_*")


def dump(url: str, *, to: Path, snapshot: str, with_telemetry: bool) -> None:
    """Write the database to a file, as it is in an exported snapshot. Raises EmbeddedError with what pg_dump said."""
    left_out = () if with_telemetry else tuple(f"--exclude-table-data={schema}.*" for schema in TELEMETRY_SCHEMAS)
    _run(
        *("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={to}"),
        *(*left_out, f"--dbname={url}"),
    )


def load(file: Path, *, url: str) -> None:
    """Read a dump into an empty database, all of it or nothing. Raises EmbeddedError with what pg_restore said."""
    _run(
        *("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"),
        *(f"--dbname={url}", str(file)),
    )


@contextmanager
def served(url: str, *, var: Path, is_up: bool) -> Iterator[None]:
    """Have the embedded server run for the length of the block when `url` is its own and the site is not up."""
    if is_up or url != addresses.database_url(var):
        yield
        return
    sockets = addresses.prepare_sockets(var)
    cluster = postgres.prepare(data=var / "postgres", sockets=sockets / "postgres")
    server = Child(postgres.program(cluster), log=var / "log" / "postgres.log")
    server.start()
    try:
        server.wait_until_ready()
        yield
    finally:
        server.stop()


def _run(program: str, *options: str) -> None:
    try:
        done = subprocess.run(
            [str(_path(program)), *options], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise EmbeddedError(f"{program} did not end within {SECONDS} s.") from error
    if done.returncode != 0:
        raise EmbeddedError(f"{program} failed: {done.stderr.strip()[-800:]}")


def _path(program: str) -> Path:
    found = postgres.binaries() / program
    if not found.exists():
        raise EmbeddedError(
            f"There is no {program} in {found.parent}. Install PostgreSQL's client programs (Debian: postgresql-client)."
        )
    return found
