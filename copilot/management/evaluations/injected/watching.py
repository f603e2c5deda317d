"""Counts what the program does to the world while a block runs: connections, processes, files written. By the interpreter's own audit events."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

_ACTS = frozenset(
    {
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.fork",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.kill",
        "shutil.rmtree",
        "socket.sendto",
    }
)
_WRITING = frozenset("wax+")


@dataclass
class Seen:
    """`connections` are those to hosts that are not allowed, `actions` whatever else changes something outside the process."""

    allowed: frozenset[tuple[str, int]]
    connections: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)

    def take(self, event: str, arguments: tuple[object, ...]) -> None:
        """Count an event of the interpreter."""
        if event == "socket.connect":
            address = arguments[1]
            if not isinstance(address, tuple) or (address[0], address[1]) not in self.allowed:
                self.connections.append(str(address))
        elif event == "socket.getaddrinfo":
            if arguments[0] not in {host for host, _ in self.allowed}:
                self.connections.append(f"name {arguments[0]}")
        elif event in _ACTS or (event == "open" and isinstance(arguments[1], str) and _WRITING & set(arguments[1])):
            self.actions.append(f"{event} {str(arguments)[:120]}")


_watchers: list[Seen] = []
_hooked = Lock()
_is_hooked = False


def _tell(event: str, arguments: tuple[object, ...]) -> None:
    for watcher in tuple(_watchers):
        watcher.take(event, arguments)


@contextmanager
def watched(*allowed: tuple[str, int]) -> Iterator[Seen]:
    """Yield what is seen of the whole process while the block runs; connections to `allowed` (host, port) are in order."""
    global _is_hooked
    with _hooked:
        if not _is_hooked:  # a hook can never be taken off again
            sys.addaudithook(_tell)
            _is_hooked = True
    seen = Seen(frozenset(allowed))
    _watchers.append(seen)
    try:
        yield seen
    finally:
        _watchers.remove(seen)
