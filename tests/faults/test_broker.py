"""Rows 20, 21 and 23: alerts come in while the broker is away or full, and what a dead worker had begun stands in nobody's way."""

import pytest
import redis

from tests.faults.line import Line, answer_of
from tests.faults.senders import body, now_firing

BURIED = """
    INSERT INTO incidents_outboxmessage (task, arguments, queue, created_at, published_at, attempts, claimed_by, claimed_until, failure)
    VALUES ('incidents.tasks.group_alerts', %s::jsonb, 'detect', now() - interval '5 minutes', now() - interval '5 minutes', 1,
        'worker@a-machine-that-is-gone', now() - interval '1 second', '')
"""


def grouped(line: Line, prefix: str) -> int:
    query = "SELECT count(*) FROM incidents_alert WHERE incident_id IS NOT NULL AND fingerprint LIKE %s"
    return int(line.ask(query, f"{prefix}-%")[0][0])


def send(line: Line, token: str, prefix: str, count: int) -> None:
    for number in range(count):
        content = body(now_firing(f"{prefix}-{number}", service=prefix))
        assert answer_of(line.web, token, content, id=f"{prefix}-{number}") == 202


@pytest.mark.timeout(200)
def test_row_20_without_a_broker_alerts_are_taken_and_grouped_when_it_is_back(working: Line) -> None:
    token = working.source()
    send(working, token, "here", 1)
    working.wait(lambda: grouped(working, "here") == 1)
    working.kill(working.broker)
    send(working, token, "away", 30)
    assert grouped(working, "away") == 0
    working.broker = working.start_broker()
    working.wait(lambda: grouped(working, "away") == 30)
    working.wait(lambda: working.outbox() == 0)


@pytest.mark.timeout(200)
def test_row_21_a_full_broker_refuses_and_alerts_are_taken_all_the_same(working: Line) -> None:
    token = working.source()
    client = redis.Redis.from_url(working.variables["REDIS_URL"])
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    try:
        send(working, token, "full", 10)
        working.wait(lambda: "maxmemory" in "".join(log.read_text() for log in working.folder.glob("relay-*.log")))
        assert grouped(working, "full") == 0
    finally:
        client.config_set("maxmemory", "0")
    working.wait(lambda: grouped(working, "full") == 10)


@pytest.mark.timeout(200)
def test_row_23_what_a_dead_worker_left_is_taken_up_and_others_go_on(working: Line) -> None:
    token = working.source()
    send(working, token, "left", 1)
    working.wait(lambda: grouped(working, "left") == 1)
    [(alert,)] = working.ask("SELECT id FROM incidents_alert WHERE fingerprint = 'left-0'")
    working.change("UPDATE incidents_alert SET incident_id = NULL WHERE id = %s", alert)
    working.change(BURIED, f"[[{alert}]]")
    send(working, token, "others", 3)
    working.wait(lambda: grouped(working, "others") == 3)
    working.wait(lambda: grouped(working, "left") == 1, seconds=60)
    working.wait(lambda: working.outbox() == 0)
    assert working.ask("SELECT count(*) FROM incidents_deadletter") == [(0,)]
