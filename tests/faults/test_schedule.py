"""Row 22: the schedule started twice sends each task once, and goes on when the process that sent is killed."""

import sys

import pytest
import redis

from copilot.embedded.child import Child
from tests.faults.line import Line

EVERY_SECONDS = 5  # the tasks of the queue that is looked at


def start(line: Line, number: int) -> Child:
    """Start a relay with the schedule, in a folder of its own as on a machine of its own."""
    folder = str(line.folder / f"machine-{number}")
    return line.start(f"beat-{number}", sys.executable, "manage.py", "relay", "--beat", COPILOT_VAR=folder)


@pytest.mark.timeout(200)
def test_each_is_sent_once_by_whoever_is_left(line: Line) -> None:
    broker = redis.Redis.from_url(line.variables["REDIS_URL"])
    both = [start(line, number) for number in range(2)]

    def holders() -> list[int]:
        logs = [sorted(line.folder.glob(f"beat-{number}-*.log"))[-1].read_text() for number in range(2)]
        return [number for number, log in enumerate(logs) if "this process sends what is due" in log]

    line.wait(holders, seconds=60)
    [first] = holders()
    line.wait(lambda: broker.llen("embed") >= 2, seconds=60)
    assert holders() == [first]
    began = line.ask("SELECT clock_timestamp()")[0][0]
    before = int(broker.llen("embed"))
    line.wait(lambda: broker.llen("embed") >= before + 2, seconds=60)
    took = (line.ask("SELECT clock_timestamp()")[0][0] - began).total_seconds()
    assert broker.llen("embed") - before <= took / EVERY_SECONDS + 1, "two would send twice as many"
    line.kill(both[first])
    before = int(broker.llen("embed"))
    line.wait(lambda: broker.llen("embed") > before, seconds=60)
    assert sorted(holders()) == [0, 1]
    both[1 - first].stop()
