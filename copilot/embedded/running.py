"""Who runs one `var/`, and in what state: a lock that dies with its owner, and a file that `status` and /health read."""

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from copilot.embedded.child import EmbeddedError


class AlreadyRunningError(EmbeddedError):
    """Another supervisor runs this `var/`."""


@dataclass(frozen=True)
class ComponentState:
    """One component as the supervisor sees it. `state` is one of: managed, waiting, starting, running, done, restarting, failed, stopped."""

    name: str
    state: str
    pid: int | None = None
    since: str = ""  # UTC, ISO 8601
    restarts: int = 0
    detail: str = ""


@dataclass(frozen=True)
class RunState:
    """What the supervisor of a `var/` last wrote down. `started` says whether everything needed was up once."""

    pid: int
    url: str
    started_at: str
    started: bool
    components: tuple[ComponentState, ...]


class VarLock:
    """Held by the one supervisor of a `var/`; the kernel releases it when that process ends, however it ends."""

    def __init__(self, var: Path) -> None:
        self._path = var / "run" / "supervisor.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises AlreadyRunningError, naming the process that holds it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(descriptor, 20).decode() or "?"
            os.close(descriptor)
            raise AlreadyRunningError(
                f"It already runs on {self._path.parents[1]} (process {owner}). "
                "`manage.py status` shows it, `manage.py down` stops it; another COPILOT_VAR makes a second one."
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor
        # A forked child would hold the lock on after its parent's death.
        os.register_at_fork(after_in_child=self.release)

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def owner(var: Path) -> int | None:
    """Return the process id of the supervisor that runs this `var/` now, or None."""
    path = var / "run" / "supervisor.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.read(descriptor, 20) or b"0")
    finally:
        os.close(descriptor)
    return None


def write_state(var: Path, state: RunState) -> None:
    """Write the state down, all or nothing."""
    path = _state_file(var)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(state), indent=1), encoding="utf-8")
    draft.replace(path)


def read_state(var: Path) -> RunState | None:
    """Return the state that the supervisor which runs now wrote down; None when none runs or it has not yet."""
    pid = owner(var)
    if pid is None:
        return None
    try:
        kept = json.loads(_state_file(var).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if kept["pid"] != pid:  # left behind by one that was killed
        return None
    return RunState(**(kept | {"components": _components(kept["components"])}))


def _components(kept: Sequence[dict[str, str | int | None]]) -> tuple[ComponentState, ...]:
    return tuple(ComponentState(**component) for component in kept)  # type: ignore[arg-type]  # our own file


def _state_file(var: Path) -> Path:
    return var / "run" / "state.json"
