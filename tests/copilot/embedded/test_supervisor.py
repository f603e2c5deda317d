"""The supervisor with small real programs: order, restart, giving up, and the end."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from copilot.embedded.child import EmbeddedError, Program
from copilot.embedded.running import ComponentState
from copilot.embedded.supervisor import Component, Supervisor

WAITS = "import pathlib, signal, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"


class Watched:
    """A supervisor in a folder, and what it said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self.states: dict[str, ComponentState] = {}

    def supervise(self, *components: Component) -> Supervisor:
        return Supervisor(components, logs=self.folder / "log", report=self.lines.append, record=self.record)

    def record(self, states: list[ComponentState]) -> None:
        self.states = {state.name: state for state in states}

    def program(self, name: str, code: str = WAITS) -> Program:
        """Ready once it has made its file."""
        ready = self.folder / f"{name}.ready"
        return Program(
            name=name,
            command=(sys.executable, "-c", code, str(ready)),
            ready=lambda: None if ready.exists() else "its file is not there",
            stop_seconds=5,
        )

    def run_until(self, supervisor: Supervisor, *, condition: Callable[[], bool]) -> None:
        """Let it run, in this thread, until the condition holds."""
        stop = threading.Event()
        wait = stop.wait

        def look(timeout: float | None = None) -> bool:
            if condition():
                stop.set()
            return wait(timeout)

        stop.wait = look  # type: ignore[method-assign]
        supervisor.run(stop=stop)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_components_start_after_what_they_need_and_stop_before_it(watched: Watched) -> None:
    once = Program(name="prepare", command=(sys.executable, "-c", "print('made')"), ready=lambda: None)
    supervisor = watched.supervise(
        Component(watched.program("database")),
        Component(once, needs=("database",), once=True),
        Component(watched.program("web"), needs=("prepare",)),
    )
    assert supervisor.start(stop=threading.Event())
    assert [line.split()[:2] for line in watched.lines] == [
        ["database", "ready"],
        ["prepare", "done"],
        ["web", "ready"],
    ]
    assert {state.state for state in watched.states.values()} == {"running", "done"}
    assert (watched.folder / "log" / "prepare.log").read_text() == "made\n"
    supervisor.stop()
    assert [line.split()[0] for line in watched.lines[3:]] == ["web", "database"]
    assert watched.states["web"].state == "stopped"
    assert watched.states["web"].pid is None


def test_a_crashed_program_comes_back(watched: Watched) -> None:
    supervisor = watched.supervise(Component(watched.program("web")))
    supervisor.start(stop=threading.Event())
    first = watched.states["web"].pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    watched.run_until(
        supervisor, condition=lambda: watched.states["web"].restarts == 1 and watched.states["web"].state == "running"
    )
    assert watched.states["web"].pid != first
    assert any("ended with signal 9; next start in 0.5 s" in line for line in watched.lines)
    supervisor.stop()


def test_a_program_that_runs_without_doing_its_work_is_started_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once is not enough: it may be busy."""
    monkeypatch.setattr("copilot.embedded.supervisor.BROKEN_CHECK_SECONDS", 0.05)
    answers = iter([None, "no such table", None, "no such table", "no such table"])
    program = watched.program("index")
    supervisor = watched.supervise(Component(Program(**{**vars(program), "broken": lambda: next(answers, None)})))
    supervisor.start(stop=threading.Event())
    watched.run_until(
        supervisor,
        condition=lambda: watched.states["index"].restarts == 1 and watched.states["index"].state == "running",
    )
    assert any("does not work: no such table; next start in 0.5 s" in line for line in watched.lines)
    assert next(answers, None) is None
    supervisor.stop()


def test_a_program_that_never_starts_ends_the_start_and_quotes_its_log(watched: Watched) -> None:
    supervisor = watched.supervise(
        Component(watched.program("database")),
        Component(watched.program("web", "import sys; sys.exit('no such table: incidents')"), needs=("database",)),
    )
    with pytest.raises(EmbeddedError, match=r"web does not start: ended with status 1.*no such table: incidents"):
        supervisor.start(stop=threading.Event())
    assert watched.states["database"].state == "stopped"


def test_the_site_starts_without_an_optional_program_that_gave_up(watched: Watched) -> None:
    model = watched.program("model-server", "import sys; print('no space for the model'); sys.exit(3)")
    supervisor = watched.supervise(Component(model, optional=True, gave_up=3), Component(watched.program("web")))
    assert supervisor.start(stop=threading.Event())
    watched.run_until(supervisor, condition=lambda: watched.states["model-server"].state == "failed")
    assert "no space for the model" in watched.states["model-server"].detail
    assert watched.states["model-server"].restarts == 0
    supervisor.stop()


def test_a_program_that_ignores_the_stop_signal_is_ended(watched: Watched) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAITS
    program = watched.program("web", stubborn)
    supervisor = watched.supervise(Component(Program(**{**vars(program), "stop_seconds": 0.2})))
    supervisor.start(stop=threading.Event())
    supervisor.stop()
    assert watched.states["web"].pid is None


def test_being_told_to_stop_while_starting_is_no_error(watched: Watched) -> None:
    stop = threading.Event()
    stop.set()
    supervisor = watched.supervise(Component(watched.program("web")))
    assert not supervisor.start(stop=stop)
    supervisor.stop()


def test_each_start_has_its_own_log_and_five_old_ones_are_kept(watched: Watched) -> None:
    for number in range(7):
        code = f"print('start {number}', flush=True); " + WAITS
        supervisor = watched.supervise(Component(watched.program("web", code)))
        supervisor.start(stop=threading.Event())
        supervisor.stop()
        (watched.folder / "web.ready").unlink()
    logs = watched.folder / "log"
    assert (logs / "web.log").read_text() == "start 6\n"
    assert (logs / "web.log.5").read_text() == "start 1\n"
    assert not (logs / "web.log.6").exists()
