"""The set-up script on machines that it cannot work on: each ends with what to do next."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("bash", "env", "dirname", "tail", "uname", "cat", "sha256sum", "cut", "grep", "rm", "touch", "timeout")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout and a PATH with the usual tools, and no Python until the test adds one."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup", tmp_path / "scripts" / "setup")
    for name in ("pyproject.toml", "requirements.lock", "package.json", "package-lock.json"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None
        (tmp_path / "bin" / name).symlink_to(found)
    return tmp_path


def add_program(machine: Path, name: str, script: str) -> None:
    path = machine / "bin" / name
    path.write_text(f"#!{machine / 'bin' / 'bash'}\n{script}\n")
    path.chmod(0o755)


def set_up(machine: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(machine / "bin"), "HOME": str(machine), "LANG": os.environ.get("LANG", "C.UTF-8")}
    return subprocess.run(
        [machine / "bin" / "bash", "scripts/setup"],
        cwd=machine,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_too_old_a_python_is_named_with_the_ones_that_work(machine: Path) -> None:
    add_program(machine, "python3", '[[ $1 == -V ]] && { echo "Python 3.9.2"; exit 0; }; exit 1')
    done = set_up(machine)
    assert done.returncode == 1
    assert "Python 3.11, 3.12 or 3.13 is needed; python3 is Python 3.9.2." in done.stderr
    assert "apt-get install python3" in done.stderr
    assert not (machine / ".venv").exists()


def test_a_python_without_venv_names_the_debian_package(machine: Path) -> None:
    add_program(machine, "python3", '[[ $1 == -c ]] && exit 0; echo "No module named ensurepip" >&2; exit 1')
    done = set_up(machine)
    assert done.returncode == 1
    assert "No module named ensurepip" in done.stderr
    assert "apt-get install python3-venv" in done.stderr


def test_no_python_at_all_is_said(machine: Path) -> None:
    done = set_up(machine)
    assert done.returncode == 1
    assert "Python 3.11, 3.12 or 3.13 is needed" in done.stderr
