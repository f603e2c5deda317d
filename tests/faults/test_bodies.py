"""Rows 7 to 12: what bodies and slow clients do to a real web server."""

import gzip
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from copilot.embedded.child import Child
from tests.faults.documents import documents
from tests.faults.line import Line
from tests.faults.senders import body, now_firing

MIB = 1024 * 1024


def memory(child: Child) -> float:
    pages = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def test_row_7_a_body_that_is_too_long_is_refused_without_being_held(front: Line, web: tuple[str, Child]) -> None:
    url, child = web
    token = front.source()
    before = memory(child)
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 200:
            sent += 1
            yield b" " * MIB

    with httpx.Client(trust_env=False, timeout=60) as client:
        assert client.post(f"{url}/in/{token}", content=b" " * (10 * MIB)).status_code == 413
        try:
            status = client.post(f"{url}/in/{token}", content=endless()).status_code
        except httpx.WriteError:  # it hung up before we were done
            status = 413
        assert status == 413
        assert client.post(f"{url}/in/{token}", content=body(now_firing("after"))).status_code == 202
    assert memory(child) < before + 60
    query = "SELECT sum(count) FROM incidents_dropcount WHERE what = 'deliveries' AND reason = 'too large'"
    front.wait(lambda: front.ask(query)[0][0] >= 1)


def test_row_8_compressed_bodies_are_bounded_while_they_are_read(web: tuple[str, Child]) -> None:
    url, child = web
    bomb = gzip.compress(b"\x00" * (200 * MIB))
    assert len(bomb) < MIB
    before = memory(child)
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
    with httpx.Client(trust_env=False, timeout=60) as client:

        def status(content: bytes, **more: str) -> int:
            return client.post(f"{url}/v1/traces", content=content, headers={**headers, **more}).status_code

        assert [status(bomb) for _ in range(3)] == [413] * 3
        assert status(gzip.compress(bomb)) == 400, "what is within is no telemetry"
        assert status(gzip.compress(b"\x00" * MIB)[:-20]) == 400
        assert status(b"(\xb5/\xfd", **{"Content-Encoding": "zstd"}) == 415
        assert client.post(f"{url}/in/x", content=bomb, headers={"Content-Encoding": "gzip"}).status_code == 415
        assert status(gzip.compress(b"")) == 200
    assert memory(child) < before + 60


def test_rows_9_and_10_whatever_the_body_it_is_stored_or_refused_with_a_reason(
    front: Line, post: Callable[..., httpx.Response]
) -> None:
    token = front.source()
    sent = []
    for content, right in documents():
        answer = post(token, content)
        sent.append(content)
        assert answer.status_code in right, (content[:80], answer.text)
        if answer.status_code == 400:
            assert len(answer.json()["message"]) > 10
    query = "SELECT body FROM incidents_rawevent r JOIN incidents_alertsource s ON s.id = r.source_id WHERE s.name = %s"
    assert {bytes(row[0]) for row in front.ask(query, f"source {front.sources}")} == set(sent)


NAUGHTY = [
    "", " ", "\t", "\n\n", "\x1b[2J\x1b[31mred", "\u202egnp.exe", "\u200b\u200d", "Z̷̭a̸l̴g̵o̶", "😀👩‍👩‍👧", "' OR 1=1 --", '"; DROP TABLE incidents_alert; --',
    "<script>alert(1)</script>", "{{ 7*7 }}", "{% debug %}", "${jndi:ldap://x}", "../../etc/passwd", "%s%n%d", "\\", "null", "NaN", "-1",
    "javascript:alert(1)", "\ufeff", "\u2028", "ﷺ" * 50, "a" * 100_000, "\u0600\u0601", "田中さん", "﷽", "\U000e0041\U000e0042", "\r\nX: y", "\x00", "\ufffe",
]  # fmt: skip


def test_row_11_naughty_texts_are_stored_and_make_no_log_lines_of_their_own(
    front: Line, web: tuple[str, Child], post: Callable[..., httpx.Response]
) -> None:
    token = front.source()
    log = web[1].log
    for number, text in enumerate(NAUGHTY):
        one = now_firing(f"naughty-{number}", name=text or "x", service=text, naughty=text)
        one["annotations"] = {"summary": text, text or "empty": text}
        assert post(token, body(one)).status_code == 202
    rows = front.ask(
        "SELECT name, service, summary, labels::text FROM incidents_alert WHERE fingerprint LIKE 'naughty-%%'"
    )
    assert len(rows) == len(NAUGHTY)
    assert not [text for row in rows for text in row if "\x1b" in text or "\x00" in text]
    assert "\x1b" not in log.read_text(encoding="utf-8", errors="replace")


@pytest.mark.timeout(200)
def test_row_12_slow_clients_are_dropped_and_keep_nobody_waiting(
    front: Line, web: tuple[str, Child], post: Callable[..., httpx.Response]
) -> None:
    token = front.source()
    host, port = web[0].removeprefix("http://").split(":")
    slow = [socket.create_connection((host, int(port)), timeout=60) for _ in range(200)]
    for number, one in enumerate(slow):
        begun = b"POST /in/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
        one.sendall(begun if number % 2 else begun + b"\r\n{")  # half stop in the headers, half in the body
    assert [post(token, body(now_firing(f"meanwhile-{n}"))).status_code for n in range(20)] == [202] * 20
    answers = [one.recv(200) for one in slow]  # each is answered and closed; the socket's time-out is the limit
    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 408"}
    for one in slow:
        one.close()
    query = "SELECT reason, sum(count) FROM incidents_dropcount WHERE reason LIKE '%%too slow' GROUP BY reason"
    post(token, b"{")  # a delivery writes down what was counted in the last second
    front.wait(lambda: dict(front.ask(query)) == {"too slow": 100, "headers too slow": 100})
