from pathlib import Path

import pytest

from copilot.embedded import openmp


def test_a_system_that_has_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openmp, "find_library", lambda _: "libgomp.so.1")
    assert openmp.variables() == {}


def test_without_it_the_copy_of_another_package_is_linked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(openmp, "find_library", lambda _: None)
    monkeypatch.setattr(openmp.sys, "prefix", str(tmp_path))
    folder = Path(openmp.variables()["LD_LIBRARY_PATH"])
    assert (folder / openmp.NAME).resolve().name.startswith("libgomp")
    assert (folder / openmp.NAME).exists()
