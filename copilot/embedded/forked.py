"""A function of ours in a process of its own, forked from this one: what is loaded here need not be loaded again."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

_POLL_SECONDS = 0.02
_PR_SET_NAME = 15


class Forked:
    """Started when made. Fork from the main thread of a process that has no others, before it opens a database or a broker.

    Speaks as much of `subprocess.Popen` as a supervisor needs.
    """

    def __init__(
        self,
        run: Callable[[], object],
        *,
        name: str,
        log: Path,
        folder: Path,
        first: Callable[[], None] | None,
    ) -> None:
        self.returncode: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _become(run, name=name, log=log, folder=folder, first=first)

    def poll(self) -> int | None:
        """Return the exit status (negative: a signal), None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once it has ended. Raises subprocess.TimeoutExpired."""
        until = time.monotonic() + timeout if timeout is not None else None
        while (status := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            time.sleep(_POLL_SECONDS)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def _become(
    run: Callable[[], object],
    *,
    name: str,
    log: Path,
    folder: Path,
    first: Callable[[], None] | None,
) -> NoReturn:
    """Turn the fork into a process like one that was started anew, run the function, and end with its status."""
    status = 1
    try:
        os.setsid()
        if first is not None:
            first()
        _redirect(log)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(folder)
        sys.argv = ["manage.py", name]
        _call_it(f"copilot-{name}")
        run()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        # This is the end of the process, whatever happened: its log says why, its status that it failed.
        if (error := sys.exc_info()[1]) is not None:
            traceback.print_exception(error)
        with contextlib.suppress(OSError, ValueError):  # a log on a full disk
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _redirect(log: Path) -> None:
    """Read from nothing and send output to the log."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for there, here in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(there, here)


def _call_it(name: str) -> None:
    """Give the process a name of its own in lists of processes; the kernel keeps 15 characters."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NAME, name.encode()[:15])
