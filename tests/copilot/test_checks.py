import shutil
import socket
import sys
from collections import namedtuple

import pytest
from django.test import override_settings

from copilot import checks


def test_an_unsupported_python_names_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_python() == []
    version = namedtuple("version", "major minor micro")
    monkeypatch.setattr(sys, "version_info", version(3, 14, 0))
    (found,) = checks.check_python()
    assert found.id == "copilot.E001"
    assert "PYTHON=python3.11" in str(found.hint)


def test_a_disk_that_is_nearly_full_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**10, 10**10, 500_000_000))
    (found,) = checks.check_disk()
    assert "500 MB free" in found.msg
    assert "COPILOT_VAR" in str(found.hint)


def test_a_port_that_another_program_has_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with override_settings(WEB_PORT=port):
            (found,) = checks.check_port()
        assert f"Port {port}" in found.msg
        assert f"up --port {port + 1}" in str(found.hint)


@override_settings(
    DATABASE_URL="postgresql://user:secret@127.0.0.1:1/x",
    REDIS_URL="redis://:secret@127.0.0.1:1/0",
    CHROMA_URL="http://127.0.0.1:1",
)
def test_services_that_do_not_answer_are_named_without_their_passwords() -> None:
    found = checks.check_managed_services()
    assert [each.id for each in found] == ["copilot.E002", "copilot.W003", "copilot.W004"]
    assert all("127.0.0.1:1 does not answer" in each.msg for each in found)
    assert not any("secret" in each.msg for each in found)
    assert [str(each.hint).partition("correct ")[2].split()[0] for each in found] == [
        "DATABASE_URL",
        "REDIS_URL",
        "CHROMA_URL",
    ]


@override_settings(CHROMA_URL="http://index.example:1")
def test_an_index_on_another_machine_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_ask_index", lambda: None)
    assert "copilot.W005" in [each.id for each in checks.check_managed_services()]
