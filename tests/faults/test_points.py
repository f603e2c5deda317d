"""Rows 16 and 18: a process killed or stopped at each point of an alert's way; its effect is there exactly once."""

import os
import signal
from collections.abc import Iterator

import pytest

from copilot.embedded.child import Child
from tests.faults.line import Line, answer_of
from tests.faults.senders import body, now_firing

WEB = ("raw event written", "alert written", "task asked for", "committed")
RELAY = ("sent to the broker", "marked as sent")
# What one alert lives through; its third run is with a worker that nothing happens to.
WORKER = (("claimed", "incident opened"), ("grouped", "finished"))


@pytest.fixture
def started(line: Line) -> Iterator[list[Child]]:
    """Processes to end after the test."""
    found: list[Child] = []
    yield found
    for child in found:
        line.kill(child)


def require_once(line: Line, fingerprint: str, *, deliveries: int = 1) -> None:
    """The alert was counted so often, opened or joined one incident by one decision, and nothing is left to do or given up."""
    line.wait(lambda: line.outbox() == 0, seconds=120)
    [(alert, incident, counted)] = line.ask(
        "SELECT id, incident_id, deliveries FROM incidents_alert WHERE fingerprint = %s", fingerprint
    )
    assert (counted, incident is not None) == (deliveries, True)
    decided = "SELECT count(*) FROM incidents_groupingdecision WHERE alert_id = %s"
    assert line.ask(decided, alert) == [(1,)]
    told = "SELECT count(*) FROM incidents_timelineentry WHERE incident_id = %s GROUP BY text HAVING count(*) > 1"
    assert line.ask(told, incident) == []
    assert line.ask("SELECT task, cause FROM incidents_deadletter") == []


def send(line: Line, token: str, fingerprint: str) -> None:
    content = body(now_firing(fingerprint, service=fingerprint, name=f"Only{fingerprint}"))
    assert answer_of(line.web, token, content, id=fingerprint) == 202


@pytest.mark.timeout(300)
def test_row_16_a_web_server_killed_at_any_point_leaves_all_or_nothing(line: Line, started: list[Child]) -> None:
    token = line.source()
    doomed = {point: line.begin_web(point, "SIGKILL") for point in WEB}
    for _, child in doomed.values():
        child.wait_until_ready(seconds=120)
    for number, (point, (url, child)) in enumerate(doomed.items()):
        name = f"web{number}"
        content = body(now_firing(name, service=name, name=f"Only{name}"))
        assert answer_of(url, token, content, id=name) == 0, point
        line.wait_for_death(child)
        stored = line.ask("SELECT count(*) FROM incidents_alert WHERE fingerprint = %s", name)
        raw = line.ask("SELECT count(*) FROM incidents_rawevent WHERE delivery_id = %s", name)
        assert stored == raw == [(int(point == "committed"),)], point
        assert answer_of(line.web, token, content, id=name) == (200 if point == "committed" else 202), point
    started += [line.start_relay(), line.start_worker()]
    for number in range(len(WEB)):
        require_once(line, f"web{number}")


@pytest.mark.timeout(300)
def test_row_16_a_relay_killed_between_sending_and_marking_sends_again_and_it_is_done_once(
    line: Line, started: list[Child]
) -> None:
    token = line.source()
    for point in RELAY:
        send(line, token, f"relay {point}")
        line.wait_for_death(line.start_relay(point, "SIGKILL"))
    started += [line.start_relay(), line.start_worker()]
    for point in RELAY:
        require_once(line, f"relay {point}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("points", WORKER, ids=" and ".join)
def test_row_16_a_worker_killed_at_two_points_is_made_good_by_the_next(
    line: Line, started: list[Child], points: tuple[str, str]
) -> None:
    started.append(line.start_relay())
    fingerprint = f"worker {points[0]}"
    send(line, line.source(), fingerprint)
    for point in points:
        line.wait_for_death(line.start_worker(point, "SIGKILL"))
    started.append(line.start_worker())
    require_once(line, fingerprint)


@pytest.mark.timeout(300)
def test_row_18_a_worker_that_stands_still_is_replaced_and_does_no_harm_when_it_goes_on(
    line: Line, started: list[Child]
) -> None:
    started.append(line.start_relay())
    stopped = line.start_worker("claimed", "SIGSTOP", name="frozen")
    started.append(stopped)
    send(line, line.source(), "frozen")
    line.wait(
        lambda: line.ask("SELECT count(*) FROM incidents_outboxmessage WHERE claimed_until IS NOT NULL") == [(1,)]
    )
    started.append(line.start_worker())
    assert stopped.pid is not None
    try:
        # It no longer says that it lives: its lease ends, which takes a minute and a half.
        line.change("UPDATE incidents_outboxmessage SET claimed_until = now() - interval '1 second'")
        require_once(line, "frozen")
    finally:
        os.killpg(stopped.pid, signal.SIGCONT)
    send(line, line.source(), "after")
    require_once(line, "after")
    require_once(line, "frozen")
