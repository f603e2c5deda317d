"""Starts components in the order of their needs, keeps them running, and stops them in reverse order."""

import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from copilot.embedded.child import Child, NotReadyError, Program, rotate_log
from copilot.embedded.running import ComponentState

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
HEALTHY_SECONDS = 60.0  # after so long without a crash, the next pause is short again
ATTEMPTS_AT_START = 4  # a service of a supervisor that was killed may take seconds to end
MOST_LOG_BYTES = 20_000_000
TICK_SECONDS, STARTING_TICK_SECONDS = 0.25, 0.1  # asking oftener takes processor time from what starts
LOG_CHECK_SECONDS = 60.0
BROKEN_CHECK_SECONDS = 10.0
BROKEN_CHECKS = 2  # in a row, before a program that runs is started again


@dataclass(frozen=True)
class Component:
    """A program and how the supervisor treats it.

    `needs` are names of components that must be up first. `once`: it does its work and ends with 0. `optional`: nobody waits
    for it, and the site starts without it. `gave_up` is the exit status that means "do not start me again".
    """

    program: Program
    needs: tuple[str, ...] = ()
    once: bool = False
    optional: bool = False
    gave_up: int | None = None
    start_seconds: float = 180.0


class Runner:
    """One component over time."""

    def __init__(self, component: Component, *, log: Path, report: Callable[[str], None]) -> None:
        self.component = component
        self.name = component.program.name
        self.state = "waiting"
        self.detail = ""
        self.restarts = 0
        self.since = _now()
        self._child = Child(component.program, log=log)
        self._report = report
        self._crashes = 0  # in a row
        self._started = self._ready = 0.0
        self._next_start = self._next_check = 0.0
        self._found_broken = 0  # in a row
        self._was_asked = False  # to end, while it ran

    @property
    def up(self) -> bool:
        """Whether what needs this component may start."""
        return self.state in {"running", "done"}

    @property
    def log(self) -> Path:
        return self._child.log

    def step(self, *, needs_met: bool) -> None:
        """Do what is due now."""
        if self.state in {"waiting", "restarting"} and needs_met and time.monotonic() >= self._next_start:
            self._child.start()
            self._started = time.monotonic()
            self._enter("starting")
        elif self.state == "starting":
            self._step_starting()
        elif self.state == "running" and not self._child.running:
            self._crashed(f"ended with {self._ending()}")
        elif self.state == "running" and time.monotonic() >= self._next_check:
            self._check()

    def _check(self) -> None:
        self._next_check = time.monotonic() + BROKEN_CHECK_SECONDS
        why = self.component.program.broken()
        self._found_broken = self._found_broken + 1 if why else 0
        if why and self._found_broken >= BROKEN_CHECKS:
            self._crashed(f"does not work: {why}")

    def _step_starting(self) -> None:
        if not self._child.running:
            if self.component.once and self._child.exit_status == 0:
                self._announce("done")
            elif self._child.exit_status == self.component.gave_up:
                self._enter("failed", self._child.last_lines(count=1))
                self._report(f"{self.name:<14} not available: {self.detail}")
            else:
                self._crashed(f"ended with {self._ending()} before it was ready")
            return
        why = "its work is not done" if self.component.once else self.component.program.ready()
        if why is None:
            self._announce("running")
        elif time.monotonic() - self._started > self.component.start_seconds and not self.component.optional:
            self._child.stop()
            self._crashed(f"was not ready after {self.component.start_seconds:g} s ({why})")
        elif why != self.detail:
            self._enter("starting", why)

    def _announce(self, state: str) -> None:
        self._ready = time.monotonic()
        self._next_check = self._ready + BROKEN_CHECK_SECONDS
        self._found_broken = 0
        self._enter(state)
        again = f" again, restart {self.restarts}" if self.restarts else ""
        self._report(
            f"{self.name:<14} {'done' if state == 'done' else 'ready'}{again}  {self._ready - self._started:.1f} s"
        )

    def _crashed(self, what: str) -> None:
        if self.state == "running" and time.monotonic() - self._ready > HEALTHY_SECONDS:
            self._crashes = 0
        pause = min(FIRST_PAUSE_SECONDS * 2**self._crashes, LONGEST_PAUSE_SECONDS)
        self._crashes += 1
        self.restarts += 1
        self._next_start = time.monotonic() + pause
        self._child.stop()  # what is left of its process group
        self._enter("restarting", f"{what}; {self._child.last_lines()}")
        self._report(f"{self.name:<14} {what}; next start in {pause:g} s")

    def give_up_reason(self) -> str | None:
        """Return why the start as a whole cannot succeed because of this component, or None."""
        if self.component.optional:
            return None
        if self.state == "failed" or (self.state == "restarting" and self._crashes >= ATTEMPTS_AT_START):
            return f"{self.name} does not start: {self.detail}"
        if self.state == "restarting" and self.component.once:
            return f"{self.name} failed: {self.detail}"
        return None

    def ask_to_stop(self) -> None:
        """Tell it to end, without waiting."""
        self._was_asked = self._was_asked or self._child.running
        self._child.ask_to_stop()

    def stop(self) -> None:
        """End it and say so."""
        was_running = self._child.running or self._was_asked  # it may end before anybody looks again
        self._was_asked = False
        self._child.stop()
        if self.state not in {"done", "failed"}:
            self._enter("stopped")
        if was_running:
            self._report(f"{self.name:<14} stopped")

    def snapshot(self) -> ComponentState:
        return ComponentState(
            name=self.name,
            state=self.state,
            pid=self._child.pid if self._child.running else None,
            since=self.since,
            restarts=self.restarts,
            detail=self.detail[:500],
        )

    def _enter(self, state: str, detail: str = "") -> None:
        if state != self.state:
            self.since = _now()
        self.state, self.detail = state, detail

    def _ending(self) -> str:
        status = self._child.exit_status
        return f"signal {-status}" if status is not None and status < 0 else f"status {status}"


class Supervisor:
    """Runs components until it is told to stop. Use it from the main thread only (see Child).

    `report` takes one line per thing that happened; `record` the state of all components whenever one changed.
    """

    def __init__(
        self,
        components: Sequence[Component],
        *,
        logs: Path,
        report: Callable[[str], None],
        record: Callable[[Sequence[ComponentState]], None],
    ) -> None:
        self._runners: Mapping[str, Runner] = {
            component.program.name: Runner(component, log=logs / f"{component.program.name}.log", report=report)
            for component in components
        }
        self._record = record
        self._recorded: list[ComponentState] = []
        self._log_check_at = 0.0
        self._logs = logs

    def start(self, *, stop: threading.Event) -> bool:
        """Start everything; return True once all that is not optional is up, False when `stop` was set before.

        Raises EmbeddedError, after stopping what had started, when something does not start.
        """
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        for runner in self._runners.values():
            rotate_log(runner.log)
        while not stop.is_set():
            self._step()
            if all(runner.up or runner.component.optional for runner in self._runners.values()):
                return True
            for runner in self._runners.values():
                if reason := runner.give_up_reason():
                    self.stop()
                    raise NotReadyError(reason)
            stop.wait(STARTING_TICK_SECONDS)
        return False

    def run(self, *, stop: threading.Event) -> None:
        """Keep everything running until `stop` is set."""
        while not stop.is_set():
            self._step()
            starting = any(runner.state in {"starting", "restarting"} for runner in self._runners.values())
            stop.wait(STARTING_TICK_SECONDS if starting else TICK_SECONDS)

    def stop(self) -> None:
        """Stop everything: each component before those that it needs, those that nobody needs side by side."""
        remaining = list(self._runners.values())
        while remaining:
            needed = {name for runner in remaining for name in runner.component.needs}
            wave = [runner for runner in remaining if runner.name not in needed]
            for runner in wave:
                runner.ask_to_stop()
            for runner in reversed(wave):
                runner.stop()
                self._record_changes()
            remaining = [runner for runner in remaining if runner.name in needed]

    def _step(self) -> None:
        for runner in self._runners.values():
            needs = [self._runners[name] for name in runner.component.needs if name in self._runners]
            runner.step(needs_met=all(need.up for need in needs))
        if time.monotonic() >= self._log_check_at:
            self._log_check_at = time.monotonic() + LOG_CHECK_SECONDS
            for runner in self._runners.values():
                _shorten(runner.log)
        self._record_changes()

    def _record_changes(self) -> None:
        states = [runner.snapshot() for runner in self._runners.values()]
        if states != self._recorded:
            self._record(states)
            self._recorded = states


def _shorten(log: Path) -> None:
    """Move what is in a long log file aside; the program goes on appending to the same, now empty, file."""
    if log.exists() and log.stat().st_size > MOST_LOG_BYTES:
        rotate_log_copy = log.with_name(f"{log.name}.1")
        shutil.copyfile(log, rotate_log_copy)
        with log.open("r+b") as file:
            file.truncate(0)


def _now() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="seconds")
