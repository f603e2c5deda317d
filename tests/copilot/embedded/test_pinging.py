"""A worker that answers late is heard the next time."""

import os
import threading
import time
from collections.abc import Iterator

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from copilot.embedded import pinging

NODE = "slow@pinging"


@pytest.fixture
def broker_url() -> str:
    return os.environ["REDIS_URL"].replace("unix://", "redis+socket://")


@pytest.fixture
def late_once(broker_url: str) -> Iterator[None]:
    """A node on the real broker whose first reply comes when nobody waits for it any more."""
    app = Celery("slow", broker=broker_url, set_as_current=False)
    first, over = threading.Event(), threading.Event()

    def pong(_state: object = None, **_: object) -> dict[str, str]:
        if not first.is_set():
            first.set()
            time.sleep(2 * pinging.PING_SECONDS)
        return {"ok": "pong"}

    node = app.control.mailbox.Node(NODE, handlers={"ping": pong})

    def serve() -> None:
        with app.connection_for_read() as connection:
            node.channel = connection.channel()
            with node.listen(callback=node.handle_message, channel=node.channel):
                while not over.is_set():
                    try:
                        connection.drain_events(timeout=0.1)
                    except TimeoutError:
                        continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join(10)


def test_a_late_reply_is_not_taken_for_the_next_one(broker_url: str, late_once: None) -> None:
    deadline = time.monotonic() + 20
    heard = [pinging.why_worker_is_silent(broker_url, NODE)]
    while heard[-1] is not None and time.monotonic() < deadline:
        heard.append(pinging.why_worker_is_silent(broker_url, NODE))
    assert heard[0] == f"{NODE} does not answer a ping"
    assert heard[-1] is None
    assert [pinging.why_worker_is_silent(broker_url, NODE) for _ in range(3)] == [None] * 3


def test_a_broker_that_is_away_is_said() -> None:
    try:
        said = pinging.why_worker_is_silent("redis://127.0.0.1:1/0", NODE)
    except OperationalError:
        pytest.fail("it is said, not raised")
    assert said is not None
    assert said.startswith("the broker does not answer")
