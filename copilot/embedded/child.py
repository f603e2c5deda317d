"""One long-running program as a child process: its own process group, its own log file, and it ends when its parent does."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from copilot.embedded.forked import Forked
from copilot.embedded.privileges import RunAs

KEPT_LOGS = 5
_PR_SET_PDEATHSIG = 1


class EmbeddedError(Exception):
    """Something about an embedded service that a person can put right; the message says what to do."""


class NotReadyError(EmbeddedError):
    """A component did not answer in time."""


@dataclass(frozen=True)
class Program:
    """How to start, recognise as ready, and stop one child process: a command, or a function that is run in a fork of this process.

    `ready` returns None when the program answers, else why not yet; `broken`, asked while it runs, None unless it cannot do its work
    until it is started again. Both must themselves return within about a second. `variables` are added to the environment that it inherits.
    """

    name: str
    command: tuple[str, ...] | Callable[[], object]
    ready: Callable[[], str | None]
    broken: Callable[[], str | None] = lambda: None
    variables: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path("/")
    run_as: RunAs = field(default_factory=RunAs)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15


class Child:
    """A started program. Start it from the main thread: the kernel ends it when the thread that started it is gone."""

    def __init__(self, program: Program, *, log: Path) -> None:
        self.program = program
        self.log = log
        self._process: subprocess.Popen[bytes] | Forked | None = None
        self._asked_to_stop = False

    @property
    def pid(self) -> int | None:
        """The process id, or None before the start."""
        return self._process.pid if self._process else None

    @property
    def exit_status(self) -> int | None:
        """What the program ended with (negative: a signal), or None while it runs or before it starts."""
        return self._process.poll() if self._process else None

    @property
    def running(self) -> bool:
        """Whether the program was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the program with its output going to the end of its log file."""
        program = self.program
        self._asked_to_stop = False
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(program.command, tuple):
            self._process = Forked(
                program.command,
                name=program.name,
                log=self.log,
                folder=program.folder,
                first=_end_with_parent(program.stop_signal),
            )
            return
        variables = ("env", *(f"{name}={value}" for name, value in program.variables.items()))
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*variables, *program.run_as.prefix, *program.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=program.folder,
                start_new_session=True,
                preexec_fn=_end_with_parent(program.stop_signal),
                **program.run_as.options(),
            )

    def wait_until_ready(self, *, seconds: float = 30) -> None:
        """Return when the program answers; raises NotReadyError when it ends or when the seconds are over."""
        until = time.monotonic() + seconds
        while True:
            why = self.program.ready()
            if why is None:
                return
            if not self.running:
                raise NotReadyError(f"{self.program.name} ended with status {self.exit_status}. {self.last_lines()}")
            if time.monotonic() > until:
                raise NotReadyError(f"{self.program.name} is not ready after {seconds:g} s: {why}. {self.last_lines()}")
            time.sleep(0.05)

    def last_lines(self, *, count: int = 3) -> str:
        """Name the log file and quote its last lines, for an error message."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
        except FileNotFoundError:
            lines = []
        return f"{self.log} ends with: {' / '.join(lines) or '(nothing)'}"

    def ask_to_stop(self) -> None:
        """Send the program its stop signal, once: some take a second one as an order to drop their work."""
        if self.running and not self._asked_to_stop:
            self._asked_to_stop = True
            self.signal(self.program.stop_signal)

    def stop(self) -> None:
        """Ask the program to end, and after its stop time end its whole process group."""
        if self._process is None:
            return
        self.ask_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self.program.stop_seconds)
        with contextlib.suppress(ProcessLookupError):  # nothing of the group is left: the usual case
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program itself."""
        if self._process is not None:
            self._process.send_signal(number)


def rotate_log(log: Path) -> None:
    """Move `x.log` to `x.log.1`, `x.log.1` to `x.log.2` and so on; the oldest of the five goes."""
    for number in range(KEPT_LOGS, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        newer = log if number == 1 else log.with_name(f"{log.name}.{number - 1}")
        if newer.exists():
            newer.replace(older)


def _end_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, stop_signal.value)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(1)

    return in_child
