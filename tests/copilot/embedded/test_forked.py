"""A function of ours in a process of its own."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]


def run(code: str, tmp_path: Path) -> str:
    """Run code in a process without threads, which may fork; pytest's own may have some."""
    head = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.path.insert(0, '.')\n"
    head += "from pathlib import Path\nfrom copilot.embedded.forked import Forked\n"
    head += "def start(run): return Forked(run, name='test', log=Path('log'), folder=Path('/'), first=None)\n"
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(code)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_it_says_goes_to_its_log_with_its_own_folder_and_session(tmp_path: Path) -> None:
    run(
        """
        import os
        assert start(lambda: print(os.getcwd(), os.getsid(0) == os.getpid())).wait(20) == 0
        """,
        tmp_path,
    )
    assert (tmp_path / "log").read_text() == "/ True\n"


def test_its_status_is_what_it_exits_with_and_an_error_is_in_its_log(tmp_path: Path) -> None:
    said = run(
        """
        def fail(): raise ValueError("no such luck")
        print(start(lambda: sys.exit(7)).wait(20), start(lambda: sys.exit("why")).wait(20), start(fail).wait(20))
        """,
        tmp_path,
    )
    assert said.split() == ["7", "1", "1"]
    assert "ValueError: no such luck" in (tmp_path / "log").read_text()


def test_a_signal_ends_it_even_when_its_parent_takes_the_same_one_otherwise(tmp_path: Path) -> None:
    said = run(
        """
        import signal, subprocess, time
        signal.signal(signal.SIGTERM, lambda *_: None)
        child = start(lambda: time.sleep(60))
        try: child.wait(0.2)
        except subprocess.TimeoutExpired: print(child.poll())
        child.send_signal(signal.SIGTERM)
        print(child.wait(20), child.poll())
        child.send_signal(signal.SIGTERM)  # nobody is hit once it has ended
        """,
        tmp_path,
    )
    assert said.split() == ["None", "-15", "-15"]


def test_it_does_not_hold_its_parents_lock(tmp_path: Path) -> None:
    said = run(
        """
        import os, signal, time
        from copilot.embedded.running import VarLock
        lock = VarLock(Path("var").resolve())
        lock.acquire()
        child = start(lambda: time.sleep(60))
        print(child.pid, flush=True)
        os._exit(0)  # the parent dies, its child lives on
        """,
        tmp_path,
    )
    from copilot.embedded import running

    child = int(said)
    try:
        until = time.monotonic() + 20
        while running.owner(tmp_path / "var") is not None and time.monotonic() < until:
            time.sleep(0.05)
        assert running.owner(tmp_path / "var") is None
    finally:
        os.kill(child, signal.SIGKILL)
