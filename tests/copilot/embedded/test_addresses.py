import os
import threading
from pathlib import Path

import pytest

from copilot.embedded import addresses


def test_sockets_of_a_long_path_lie_in_a_short_private_folder(tmp_path: Path) -> None:
    long = tmp_path / ("a" * 100)
    folder = addresses.prepare_sockets(long)
    assert len(os.fsencode(folder / "postgres" / ".s.PGSQL.5432")) <= addresses.MAX_SOCKET_PATH
    assert folder == addresses.sockets(long)
    assert folder != addresses.sockets(tmp_path / ("b" * 100))
    assert str(folder / "postgres") in addresses.database_url(long)
    folder.rmdir()


def test_a_socket_folder_that_somebody_else_made_is_refused(tmp_path: Path) -> None:
    long = tmp_path / ("a" * 100)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    addresses.sockets(long).symlink_to(elsewhere)
    with pytest.raises(PermissionError, match="COPILOT_VAR"):
        addresses.prepare_sockets(long)
    addresses.sockets(long).unlink()


def test_every_process_sees_the_ports_that_were_chosen(tmp_path: Path) -> None:
    assert addresses.chroma_url(tmp_path) == "http://127.0.0.1:8100"
    addresses.keep_ports(tmp_path, {"chroma": 4711, "model-server": 4712})
    assert addresses.chroma_url(tmp_path) == "http://127.0.0.1:4711"
    assert addresses.local_llm_url(tmp_path) == "http://127.0.0.1:4712/v1"


def test_processes_that_start_together_get_the_same_secret_key(tmp_path: Path) -> None:
    keys: list[str] = []
    threads = [threading.Thread(target=lambda: keys.append(addresses.secret_key(tmp_path / "var"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert (tmp_path / "var" / "secret_key").stat().st_mode & 0o077 == 0
