"""Rows 1 to 6 and 13: what senders and crashes do to the webhooks of a real web server."""

import http.client
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import httpx

from copilot.embedded.child import Child
from incidents.intake import signatures
from tests.faults.line import Line
from tests.faults.senders import body, now_firing
from tests.incidents.intake import senders


def test_row_1_no_acknowledged_alert_is_lost_when_the_web_server_is_killed(front: Line) -> None:
    url, child = front.start_web()
    token = front.source()
    acknowledged: list[str] = []

    def send(number: int) -> None:
        with httpx.Client(trust_env=False, timeout=10) as client:
            for count in range(200):
                name = f"kill-{number}-{count}"
                try:
                    answer = client.post(f"{url}/in/{token}", content=body(now_firing(name)))
                except httpx.HTTPError:
                    return
                if answer.status_code == 202:
                    acknowledged.append(name)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 150:
        time.sleep(0.01)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
    stored = {row[0] for row in front.ask("SELECT fingerprint FROM incidents_alert WHERE fingerprint LIKE 'kill-%%'")}
    assert set(acknowledged) <= stored
    asked = front.ask("SELECT arguments FROM incidents_outboxmessage")
    ids = {row[0] for row in front.ask("SELECT id FROM incidents_alert WHERE fingerprint LIKE 'kill-%%'")}
    assert ids <= {alert_id for row in asked for alert_id in row[0][0]}


def test_row_2_duplicates_over_many_connections_are_one_alert_counted_exactly(
    front: Line, web: tuple[str, Child]
) -> None:
    token, content = front.source(), body(now_firing("duplicate"))

    def send(_: int) -> list[int]:
        with httpx.Client(trust_env=False, timeout=60) as client:
            return [client.post(f"{web[0]}/in/{token}", content=content).status_code for _ in range(20)]

    with ThreadPoolExecutor(50) as pool:
        answers = [status for statuses in pool.map(send, range(50)) for status in statuses]
    assert answers == [202] * 1_000
    [(alert_id, deliveries)] = front.ask("SELECT id, deliveries FROM incidents_alert WHERE fingerprint = 'duplicate'")
    assert deliveries == 1_000
    assert front.ask("SELECT count(*) FROM incidents_alertevent WHERE alert_id = %s", alert_id) == [(1,)]
    assert front.ask(
        "SELECT times FROM incidents_rawevent r JOIN incidents_alert a USING (source_id) WHERE a.id = %s", alert_id
    ) == [(1_000,)]
    assert front.ask("SELECT count(*) FROM incidents_outboxmessage WHERE arguments = %s::jsonb", f"[[{alert_id}]]") == [
        (1,)
    ]


def test_row_3_of_two_at_once_the_later_by_the_senders_time_wins(
    front: Line, web: tuple[str, Child], other_web: str
) -> None:
    token = front.source()
    barrier = threading.Barrier(2)
    began = datetime.now(UTC) - timedelta(hours=1)

    def send(url: str, *, seconds: int, word: str) -> list[int]:
        found = []
        with httpx.Client(trust_env=False, timeout=60) as client:
            for pair in range(100):
                at = began + timedelta(seconds=pair * 10 + seconds)
                one = {**senders.alert("pair", at=at), "annotations": {"summary": f"{word} {pair}"}}
                barrier.wait(60)
                found.append(client.post(f"{url}/in/{token}", content=body(one)).status_code)
        return found

    with ThreadPoolExecutor(2) as pool:
        earlier = pool.submit(send, web[0], seconds=0, word="earlier")
        later = pool.submit(send, other_web, seconds=5, word="later")
    assert {*earlier.result(), *later.result()} == {202}
    [row] = front.ask("SELECT summary, deliveries, episodes, starts_at FROM incidents_alert WHERE fingerprint = 'pair'")
    assert row == ("later 99", 200, 200, began + timedelta(seconds=995))


def stream(*, alerts: int, episodes: int) -> list[dict[str, Any]]:
    """What a sender tells of some alerts that fire and resolve some times, sorted by its clock."""
    began = datetime.now(UTC) - timedelta(hours=3)
    told = []
    for episode in range(episodes):
        for number in range(alerts):
            at = began + timedelta(minutes=10 * episode, seconds=7 * number)
            ended = at + timedelta(minutes=4, seconds=number)
            told.append((at, senders.alert(f"stream-{number}", at=at)))
            told.append((ended, senders.alert(f"stream-{number}", at=at, ended=ended)))
    return [alert for _, alert in sorted(told, key=lambda one: one[0])]


def test_row_4_a_shuffled_stream_ends_as_the_sorted_one_does(
    front: Line, web: tuple[str, Child], other_web: str
) -> None:
    events = stream(alerts=10, episodes=12)
    shuffled = events.copy()
    random.Random(4).shuffle(shuffled)
    assert shuffled[0]["status"] == "resolved", "resolved before it fired"
    in_order, at_random = front.source(), front.source()

    def send(url: str, token: str, some: list[dict[str, Any]]) -> set[int]:
        with httpx.Client(trust_env=False, timeout=60) as client:
            return {client.post(f"{url}/in/{token}", content=body(one)).status_code for one in some}

    assert send(web[0], in_order, events) == {202}
    with ThreadPoolExecutor(6) as pool:
        parts = [pool.submit(send, (web[0], other_web)[n % 2], at_random, shuffled[n::6]) for n in range(6)]
        assert set().union(*(part.result() for part in parts)) == {202}
    query = """
        SELECT fingerprint, status, starts_at, ends_at, last_event_at, episodes, deliveries FROM incidents_alert a
        JOIN incidents_alertsource s ON s.id = a.source_id WHERE s.name = %s ORDER BY fingerprint
    """
    names = [f"source {front.sources - 1}", f"source {front.sources}"]
    expected, found = (front.ask(query, name) for name in names)
    assert len(expected) == 10
    assert found == expected


def test_row_5_a_signed_delivery_that_is_replayed_changes_nothing(
    front: Line, post: Callable[..., httpx.Response]
) -> None:
    secret = signatures.new_secret()
    token, content = front.source(secret), body(now_firing("replayed"))

    def signed(minutes: float, name: str) -> httpx.Response:
        at = datetime.now(UTC) + timedelta(minutes=minutes)
        return post(token, content, **signatures.signed(content, id=name, secret=secret, now=at))

    assert [signed(0, "msg_1").status_code for _ in range(3)] == [202, 200, 200]
    assert [signed(minutes, "msg_1").status_code for minutes in (-4, 4)] == [200, 200]
    for minutes in (-6, 6):
        refused = signed(minutes, "msg_2")
        assert refused.status_code == 401
        assert refused.json()["message"].count("UTC") == 2, "both clocks are told"
    assert front.ask("SELECT deliveries FROM incidents_alert WHERE fingerprint = 'replayed'") == [(1,)]


def test_row_6_a_wrong_signature_is_refused_before_anything_is_read(
    front: Line, post: Callable[..., httpx.Response]
) -> None:
    secret = signatures.new_secret()
    token, content = front.source(secret), body(now_firing("signed"))
    right = signatures.signed(content, id="msg_1", secret=secret, now=datetime.now(UTC))
    value = right[signatures.SIGNATURE]
    wrong: tuple[dict[str, str], ...] = (
        {},
        {**right, signatures.SIGNATURE: ""},
        {**right, signatures.SIGNATURE: value[:-8]},
        {**right, signatures.SIGNATURE: value.swapcase()},
        {**right, signatures.SIGNATURE: "v1a," + value[3:]},
        {**right, signatures.ID: "msg_2"},
        signatures.signed(content, id="msg_1", secret=signatures.new_secret(), now=datetime.now(UTC)),
    )
    for headers in wrong:
        assert post(token, content, **headers).status_code == 401
    assert post(token, content.replace(b"Checkout fails", b"Checkout failz"), **right).status_code == 401
    assert post(token, b"{", **right).status_code == 401, "it is not read, so nobody says that it is no JSON"
    name = f"source {front.sources}"
    query = (
        "SELECT count(*) FROM incidents_rawevent r JOIN incidents_alertsource s ON s.id = r.source_id WHERE s.name = %s"
    )
    assert front.ask(query, name) == [(0,)]
    assert post(token, content, **right).status_code == 202
    time.sleep(1.1)  # what repeats within a second is counted a second later
    assert post(token, content).status_code == 401
    assert front.ask("SELECT sum(count) FROM incidents_dropcount WHERE source = %s AND reason = 'signature'", name) == [
        (len(wrong) + 3,)
    ]


def test_row_6_how_long_the_refusal_takes_does_not_tell_how_much_was_right(
    front: Line, post: Callable[..., httpx.Response]
) -> None:
    secret = signatures.new_secret()
    token, content = front.source(secret), body(now_firing("timed"))

    def seconds(position: int) -> float:
        headers = signatures.signed(content, id="msg", secret=secret, now=datetime.now(UTC))
        value = headers[signatures.SIGNATURE]
        other = "A" if value[position] != "A" else "B"
        began = time.perf_counter()
        answer = post(
            token, content, **{**headers, signatures.SIGNATURE: f"{value[:position]}{other}{value[position + 1 :]}"}
        )
        took = time.perf_counter() - began
        assert answer.status_code == 401
        return took

    first, late = len("v1,"), -3  # of the signature's bytes
    pairs = [(seconds(first), seconds(late)) if n % 2 else (seconds(late), seconds(first))[::-1] for n in range(200)]
    slower = sum(early < later for early, later in pairs)
    # Of 200 throws of a coin 100 are heads, give or take 7: beyond five times that it is no coin.
    assert abs(slower - 100) <= 36, f"{slower} of 200, medians {[median(each) for each in zip(*pairs, strict=True)]}"


def test_row_13_a_flooding_source_is_told_to_wait_and_others_are_served(
    front: Line, post: Callable[..., httpx.Response]
) -> None:
    loud, calm = front.source(most_per_minute=60), front.source()
    content = body(now_firing("flood"))
    answers = [post(loud, content) for _ in range(160)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 30
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    assert {answer.status_code for answer in answers} == {202, 429}
    assert {post(calm, body(now_firing(f"calm-{n}"))).status_code for n in range(10)} == {202}
    told = "SELECT count(*) FROM incidents_outboxmessage WHERE task = 'incidents.tasks.tell_of_flood'"
    assert front.ask(told) == [(1,)], "people are told once"


def test_reading_an_address_changes_nothing(front: Line, web: tuple[str, Child]) -> None:
    token = front.source()
    connection = http.client.HTTPConnection(web[0].removeprefix("http://"), timeout=30)
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        connection.request(method, f"/in/{token}")
        response = connection.getresponse()
        response.read()
        assert (response.status, response.getheader("Allow")) == (405, "POST")
