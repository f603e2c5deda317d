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
