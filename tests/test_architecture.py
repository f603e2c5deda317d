"""House rules that a machine can check: import direction, sizes, swallowed errors, where the environment is read, mirrored tests."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("copilot", "incidents", "runbooks", "demo")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
MAX_ARGUMENTS = 6


def sources(*folders: str) -> list[Path]:
    """Our own Python files below the folders."""
    return sorted(
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "migrations" not in path.relative_to(ROOT).parts
    )


def parsed(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sources(*folders):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_imports_point_left() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "command", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)], ids=["ruff", "format", "mypy"]
)
def test_lint(command: tuple[str, ...]) -> None:
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_files_are_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {count} lines"
        for path in sources(*PACKAGES, "tests")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > MAX_FILE_LINES
    ]
    assert not long, f"over {MAX_FILE_LINES} lines, split by what they do: {long}"


def test_functions_are_short_and_take_few_arguments() -> None:
    faults = []
    for path, tree in parsed(*PACKAGES):
        for function in functions(tree):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            taken = function.args
            arguments = len(taken.posonlyargs) + len(taken.args) + len(taken.kwonlyargs)
            if lines > MAX_FUNCTION_LINES:
                faults.append(f"{path}:{function.lineno} {function.name} has {lines} lines")
            if arguments > MAX_ARGUMENTS:
                faults.append(f"{path}:{function.lineno} {function.name} takes {arguments} arguments")
    assert not faults, faults


def test_no_exception_is_swallowed() -> None:
    faults = []
    for path, tree in parsed(*PACKAGES):
        for node in ast.walk(tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            broad = node.type is None or (
                isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
            )
            silent = all(isinstance(step, ast.Pass) for step in node.body)
            if broad or silent:
                faults.append(f"{path}:{node.lineno}")
    assert not faults, f"name the error that is expected and say what is done about it: {faults}"


def test_the_environment_is_read_in_one_place() -> None:
    allowed = {"copilot/settings.py", "copilot/celery.py", "copilot/asgi.py", "demo/shop/configuration.py"}
    faults = [
        f"{path}:{node.lineno}"
        for path, tree in parsed(*PACKAGES)
        if path not in allowed
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in {"environ", "getenv"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]
    assert not faults, f"read it in copilot/settings.py and pass the value in: {faults}"


def test_the_domain_reads_no_clock() -> None:
    edges = re.compile(
        r"(views|api|webhooks|telemetry_intake|body_limit|header_limit|tasks|copilot/delivery|consumers|management|embedded|health|signin|demo|admin|settings|events|llm)\b"
    )
    faults = [
        f"{path}:{node.lineno}"
        for path, tree in parsed("copilot", "incidents", "runbooks")
        if not edges.search(path)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func) in {"datetime.now", "timezone.now", "time.time"}
    ]
    assert not faults, f"take `now` as a parameter: {faults}"


def test_no_file_is_called_after_nothing() -> None:
    nothing = {"utils.py", "helpers.py", "common.py", "core.py", "services.py", "misc.py"}
    faults = [str(path.relative_to(ROOT)) for path in sources(*PACKAGES) if path.name in nothing]
    assert not faults, f"name it after what it does, beside its caller: {faults}"


def test_every_test_folder_is_a_package() -> None:
    """Without `tests/__init__.py`, tests/incidents would hide the real package `incidents`."""
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert not [str(folder) for folder in folders if not (folder / "__init__.py").exists()]


def test_the_lock_names_no_address_and_no_cuda_build() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert not re.search(r"^nvidia", lock, flags=re.MULTILINE)
    assert "+cpu" not in lock


def test_every_dependency_imports_together() -> None:
    """A resolver that is content is no proof: some pairs of packages install together and do not import."""
    names = "celery channels channels_redis chromadb csp django drain3 environ httpx langchain langchain_anthropic langchain_ollama langchain_openai nh3 numpy opentelemetry.proto orjson psycopg redis uvicorn whitenoise"
    done = subprocess.run(
        [sys.executable, "-c", f"import importlib\nfor name in '{names}'.split(): importlib.import_module(name)"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
