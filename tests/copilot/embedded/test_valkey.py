import os
import signal

import pytest
import redis

from copilot.embedded import valkey
from copilot.embedded.child import Child


def test_what_was_written_survives_a_kill_and_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("vk")
    program = valkey.program(data=folder / "data", socket=folder / "v.sock")
    child = Child(program, log=folder / "log")
    child.start()
    child.wait_until_ready()
    client = redis.Redis.from_url(valkey.url(folder / "v.sock"))
    client.set("task", "waiting")
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert (folder / "v.sock").stat().st_mode & 0o077 == 0
    client.execute_command("WAITAOF", 1, 0, 5000)  # until it is on the disk
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.stop()
    child.start()
    child.wait_until_ready()
    assert client.get("task") == b"waiting"
    client.close()
    child.stop()
