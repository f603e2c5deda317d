"""The site as its users start it: real processes, a second start, crashes, and the end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest

from copilot.embedded import running
from copilot.embedded.child import EmbeddedError
from copilot.management.commands import up
from tests.services import ROOT, LiveSite, free_port

PATIENCE_SECONDS = 90


def manage(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=dict(environment), capture_output=True, text=True, timeout=240, check=False
    )


def eventually(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def pid_of(site: LiveSite, name: str) -> int | None:
    state = running.read_state(site.var)
    assert state is not None
    return next(each.pid for each in state.components if each.name == name)


def health(site: LiveSite) -> dict[str, str]:
    try:
        answer = httpx.get(f"{site.url}/health/ready", timeout=10)
    except httpx.TransportError:
        return {}
    return {name: each["status"] for name, each in answer.json()["components"].items()}


def test_everything_runs_and_says_so(live_site: LiveSite) -> None:
    # Status 2 while a local model is being loaded.
    assert eventually(lambda: manage("status", "--json", environment=live_site.environment).returncode == 0)
    shown = json.loads(live_site.manage("status", "--json"))
    states = {each["name"]: each["state"] for each in shown["components"]}
    assert {"postgres", "valkey", "chroma", "web", "worker", "worker-embed", "relay"} <= set(states)
    assert states["prepare"] == "done"
    assert eventually(
        lambda: set(health(live_site).values()) <= {"ok", "degraded"} and health(live_site).get("workers") == "ok"
    )
    assert (live_site.var / "log" / "web.log").exists()
    assert (live_site.var / "log").stat().st_mode & 0o077 == 0


def test_what_the_schedule_says_is_sent_to_the_workers(live_site: LiveSite) -> None:
    def received(log: str, task: str) -> bool:
        return f"Task {task}" in (live_site.var / "log" / log).read_text()

    assert eventually(lambda: received("worker.log", "incidents.tasks.release_quiet"))
    assert eventually(lambda: received("worker-embed.log", "runbooks.tasks.embed_pending"))


def test_a_second_start_on_the_same_folder_is_refused(live_site: LiveSite) -> None:
    done = manage("up", environment=live_site.environment)
    assert done.returncode == 1
    assert f"process {live_site.supervisor.pid}" in done.stderr
    assert "Traceback" not in done.stderr
    detached = manage("up", "--detach", environment=live_site.environment)
    assert detached.returncode == 1
    assert "already runs" in detached.stderr


@pytest.mark.parametrize(
    ("name", "component"), [("web", None), ("valkey", "queue"), ("chroma", "vector-index"), ("postgres", "database")]
)
def test_what_is_killed_comes_back_and_the_others_reach_it_again(
    live_site: LiveSite, name: str, component: str | None
) -> None:
    before = pid_of(live_site, name)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: pid_of(live_site, name) not in {None, before})
    assert eventually(lambda: bool(health(live_site)) and (component is None or health(live_site)[component] == "ok"))
    assert eventually(lambda: health(live_site).get("workers") == "ok")


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """A folder of its own on this test run's services, which the site then counts as managed."""
    return {**os.environ, "COPILOT_VAR": str(tmp_path / "var"), "COPILOT_PORT": str(free_port())}


def test_a_port_in_use_is_refused_with_the_next_step(elsewhere: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = manage("up", "--port", str(port), environment=elsewhere)
    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 is in use" in done.stderr
    assert f"manage.py up --port {port + 1}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_does_not_answer_is_named_before_anything_starts(elsewhere: dict[str, str]) -> None:
    done = manage("up", environment=elsewhere | {"DATABASE_URL": "postgresql://user:secret@127.0.0.1:1/x"})
    assert done.returncode == 1
    assert "PostgreSQL at 127.0.0.1:1 does not answer" in done.stderr
    assert "DATABASE_URL" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_model_is_refused_with_the_allowed_forms(elsewhere: dict[str, str]) -> None:
    done = manage("up", environment=elsewhere | {"COPILOT_LLM": "gpt"})
    assert done.returncode == 1
    assert "COPILOT_LLM='gpt'" in done.stderr
    assert "ollama:MODEL" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_runs_is_said_and_is_no_error_to_stop(elsewhere: dict[str, str]) -> None:
    status = manage("status", environment=elsewhere)
    assert status.returncode == 1
    assert "Nothing runs" in status.stdout
    down = manage("down", environment=elsewhere)
    assert down.returncode == 0
    assert "Nothing runs" in down.stdout


def test_a_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(up, "LEAST_FREE_BYTES", 10**18)
    with pytest.raises(EmbeddedError, match=r"MB free.*COPILOT_VAR"):
        up.require_space(tmp_path)
