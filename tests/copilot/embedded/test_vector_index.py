import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from copilot.embedded import vector_index
from copilot.embedded.child import Child, NotReadyError
from tests.services import free_port


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    """Two would lose vectors without an error. The lock is the server's own: it is free once that one is killed."""
    first = Child(vector_index.program(data=tmp_path / "chroma", port=free_port()), log=tmp_path / "first.log")
    first.start()
    first.wait_until_ready(seconds=60)
    second = Child(vector_index.program(data=tmp_path / "chroma", port=free_port()), log=tmp_path / "second.log")
    second.start()
    with pytest.raises(NotReadyError, match=f"is in use by process {first.pid}"):
        second.wait_until_ready(seconds=60)
    second.stop()
    first.stop()
    third = Child(vector_index.program(data=tmp_path / "chroma", port=free_port()), log=tmp_path / "third.log")
    third.start()
    third.wait_until_ready(seconds=60)
    third.stop()


def database_in(folder: Path) -> Path:
    """A database of some pages, as a server leaves it."""
    folder.mkdir()
    database = folder / vector_index.DATABASE
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE passages (text TEXT)")
        connection.executemany("INSERT INTO passages VALUES (?)", [("x" * 500,)] * 100)
        connection.commit()
    return database


def test_a_whole_database_stays_where_it_is(tmp_path: Path) -> None:
    database = database_in(tmp_path / "chroma")
    assert not vector_index.set_aside_if_damaged(tmp_path / "chroma")
    assert database.exists()
    assert not vector_index.set_aside_if_damaged(tmp_path / "not made yet")


@pytest.mark.parametrize("damage", ["truncated", "overwritten"])
def test_a_damaged_database_is_set_aside_with_all_beside_it_but_the_lock(tmp_path: Path, damage: str) -> None:
    data = tmp_path / "chroma"
    database = database_in(data)
    (data / vector_index.LOCK).write_text("1")
    (data / "segment").mkdir()
    if damage == "truncated":
        os.truncate(database, 4096)
    else:
        with database.open("r+b") as file:
            file.write(b"not a database" * 2000)
    (tmp_path / "chroma-damaged").mkdir()
    (tmp_path / "chroma-damaged" / "of the time before").touch()
    assert vector_index.set_aside_if_damaged(data)
    assert [entry.name for entry in data.iterdir()] == [vector_index.LOCK]
    assert {entry.name for entry in (tmp_path / "chroma-damaged").iterdir()} == {vector_index.DATABASE, "segment"}


def test_a_database_that_somebody_else_holds_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = database_in(tmp_path / "chroma")
    monkeypatch.setattr(vector_index, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert vector_index.why_damaged(database) is None
