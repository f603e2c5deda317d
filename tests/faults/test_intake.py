"""Rows 1, 2, 3, 5, 7, 9, 10, 11, 12, 13: what senders and crashes do to the webhooks of a real web server."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest

from copilot.embedded import postgres
from copilot.embedded.child import Child, Program
from incidents.intake import signatures
from tests.incidents.conftest import why_not
from tests.incidents.intake import senders
from tests.services import ROOT, Run, free_port

MIB = 1024 * 1024
MAKE = """
import django; django.setup()
import json, sys
from django.utils import timezone
from incidents.intake import tokens
from incidents.models import AlertSource
made = AlertSource.objects.create(created_at=timezone.now(), **json.loads(sys.argv[1]))
if len(sys.argv) > 2:
    made.signing_secrets = [tokens.seal(sys.argv[2])]; made.save()
print(tokens.issue(made, now=timezone.now()))
"""


@dataclass
class Front:
    """A database and as many web servers on it as a test wants."""

    services: Run
    variables: dict[str, str]
    dsn: str
    made: int = 0

    def start(self) -> tuple[str, Child]:
        port = free_port()
        options = ("--lifespan", "off", "--no-access-log", "--http", "copilot.header_limit:PromptHttpProtocol")
        program = Program(
            name=f"faults-web-{port}",
            command=(sys.executable, "-m", "uvicorn", "copilot.asgi:application", "--port", str(port), *options),
            ready=lambda: why_not(f"http://127.0.0.1:{port}/health/live"),
            variables=self.variables,
            folder=ROOT,
            stop_seconds=5,
        )
        return f"http://127.0.0.1:{port}", self.services.start(program, seconds=120)

    def source(self, *more: str, **fields: Any) -> str:
        """Make a source and return its token."""
        self.made += 1
        about = {"name": f"source {self.made}", "kind": "alertmanager", "most_per_minute": 1_000_000, **fields}
        command = [sys.executable, "-c", MAKE, json.dumps(about), *more]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **self.variables},
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.stdout.split()[-1]

    def ask(self, query: str, *given: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(query, given).fetchall()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def front(services: Run) -> Front:
    dsn = f"postgresql://{postgres.USER}@/faults_intake?host={quote(str(services.folder / 'sockets'))}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE faults_intake")
    variables = {"DATABASE_URL": dsn, "COPILOT_VAR": str(services.folder / "faults-intake")}
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env={**os.environ, **variables}, check=True, timeout=180)
    return Front(services, variables, dsn)


@pytest.fixture(scope="module")
def web(front: Front) -> tuple[str, Child]:
    return front.start()


@pytest.fixture
def post(web: tuple[str, Child]) -> Iterator[Callable[..., httpx.Response]]:
    with httpx.Client(base_url=web[0], trust_env=False, timeout=60) as client:

        def send(token: str, content: bytes, **headers: str) -> httpx.Response:
            return client.post(f"/in/{token}", content=content, headers={"Content-Type": "application/json", **headers})

        yield send


def body(*alerts: dict[str, Any]) -> bytes:
    return json.dumps(senders.alertmanager(*alerts)).encode()


def now_firing(fingerprint: str, **labels: str) -> dict[str, Any]:
    return senders.alert(fingerprint, at=datetime.now(UTC), **labels)


def test_row_1_no_acknowledged_alert_is_lost_when_the_web_server_is_killed(front: Front) -> None:
    url, child = front.start()
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
    front: Front, web: tuple[str, Child]
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


def test_row_3_of_two_at_once_the_later_by_the_senders_time_wins(front: Front, web: tuple[str, Child]) -> None:
    other, _ = front.start()
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
        later = pool.submit(send, other, seconds=5, word="later")
    assert {*earlier.result(), *later.result()} == {202}
    [row] = front.ask("SELECT summary, deliveries, episodes, starts_at FROM incidents_alert WHERE fingerprint = 'pair'")
    assert row == ("later 99", 200, 200, began + timedelta(seconds=995))


def test_row_5_a_signed_delivery_that_is_replayed_changes_nothing(
    front: Front, post: Callable[..., httpx.Response]
) -> None:
    secret = signatures.new_secret()
    token, content = front.source(secret), body(now_firing("replayed"))
    headers = signatures.signed(content, id="msg_1", secret=secret, now=datetime.now(UTC))
    assert post(token, content).status_code == 401
    assert [post(token, content, **headers).status_code for _ in range(3)] == [202, 200, 200]
    stale = signatures.signed(content, id="msg_2", secret=secret, now=datetime.now(UTC) - timedelta(minutes=6))
    assert post(token, content, **stale).status_code == 401
    assert front.ask("SELECT deliveries FROM incidents_alert WHERE fingerprint = 'replayed'") == [(1,)]


def memory(child: Child) -> float:
    pages = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def test_row_7_a_body_that_is_too_long_is_refused_without_being_held(front: Front, web: tuple[str, Child]) -> None:
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


def documents() -> list[tuple[bytes, set[int]]]:
    """Bodies in every state of repair, with the answers that are right for each."""
    broken = [
        b"",
        b" ",
        b"[",
        b"{",
        b"[1,]",
        b'{"a":1,}',
        b"[1 2]",
        b"nul",
        b"+1",
        b"01",
        b"1.",
        b".5",
        b"0x1",
        b"1e",
        b"'a'",
    ]
    broken += [
        b'"\t"',
        b'"\\x"',
        b'"\\u12"',
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"[NaN]",
        b'{"a" 1}',
        b"{1:1}",
        b"[]]",
        b"\xff\xfe[\x00",
    ]
    broken += [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xef\xbb\xbf",
        b"[\x00]",
        b"/**/[]",
        b"[\xff]",
        b'"\xc0\xaf"',
        b"#",
        b"true false",
    ]
    found = [(one, {400}) for one in broken]
    found += [(one, {400}) for one in (b"[]", b"{}", b"1", b'"a"', b"null", b"true", b"[[]]", b'{"alerts":[]}x')]
    found.append((b'{"alerts": []}', {202}))
    odd = [
        b"1e999",
        b"-1e999",
        b"9" * 5_000,
        b"1" * 400,
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"\\u0000"',
        b'"\x7f"',
        b"[" * 400 + b"]" * 400,
    ]
    odd += [
        b'"\xe2\x80\xae"',
        b'{"\\u0000": {"\\ud800": 1}}',
        b"null",
        b"[]",
        b"false",
        b'"\\ud83d\\ude00"',
        b"1.5e-400",
    ]
    template = body(now_firing("odd", odd="ODD"))
    found += [(template.replace(b'"ODD"', one), {202, 400}) for one in odd]
    found += [
        (template.replace(b'"labels": {', b'"labels": {' + one + b': "x", '), {202})
        for one in (b'""', b'"\\u0000"', b'"\\ud800"')
    ]
    for key in (b'"status"', b'"startsAt"', b'"endsAt"', b'"fingerprint"', b'"annotations"', b'"labels"', b'"alerts"'):
        found += [(template.replace(key + b": ", key + b": " + one + b', "was": '), {202, 400}) for one in odd]
    return found


def test_rows_9_and_10_whatever_the_body_it_is_stored_or_refused_with_a_reason(
    front: Front, post: Callable[..., httpx.Response]
) -> None:
    token = front.source()
    [(source,)] = front.ask("SELECT max(id) FROM incidents_alertsource")
    for content, right in documents():
        answer = post(token, content)
        assert answer.status_code in right, (content[:80], answer.text)
        if answer.status_code == 400:
            assert len(answer.json()["message"]) > 10
        kept = front.ask("SELECT count(*) FROM incidents_rawevent WHERE source_id = %s AND body = %s", source, content)
        assert kept == [(1,)], content[:80]


NAUGHTY = [
    "", " ", "\t", "\n\n", "\x1b[2J\x1b[31mred", "\u202egnp.exe", "\u200b\u200d", "Z̷̭a̸l̴g̵o̶", "😀👩‍👩‍👧", "' OR 1=1 --", '"; DROP TABLE incidents_alert; --',
    "<script>alert(1)</script>", "{{ 7*7 }}", "{% debug %}", "${jndi:ldap://x}", "../../etc/passwd", "%s%n%d", "\\", "null", "NaN", "-1",
    "javascript:alert(1)", "\ufeff", "\u2028", "ﷺ" * 50, "a" * 100_000, "\u0600\u0601", "田中さん", "﷽", "\U000e0041\U000e0042", "\r\nX: y", "\x00", "\ufffe",
]  # fmt: skip


def test_row_11_naughty_texts_are_stored_and_make_no_log_lines_of_their_own(
    front: Front, web: tuple[str, Child], post: Callable[..., httpx.Response]
) -> None:
    token = front.source()
    log = next((front.services.folder / "log").glob(f"faults-web-{web[0].rpartition(':')[2]}.log"))
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
    front: Front, web: tuple[str, Child], post: Callable[..., httpx.Response]
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


def test_row_13_a_flooding_source_is_told_to_wait_and_others_are_served(
    front: Front, post: Callable[..., httpx.Response]
) -> None:
    loud, calm = front.source(most_per_minute=60), front.source()
    content = body(now_firing("flood"))
    answers = [post(loud, content) for _ in range(160)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 30
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    assert {answer.status_code for answer in answers} == {202, 429}
    assert {post(calm, body(now_firing(f"calm-{n}"))).status_code for n in range(10)} == {202}


def test_reading_an_address_changes_nothing(front: Front, web: tuple[str, Child]) -> None:
    token = front.source()
    connection = http.client.HTTPConnection(web[0].removeprefix("http://"), timeout=30)
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        connection.request(method, f"/in/{token}")
        response = connection.getresponse()
        response.read()
        assert (response.status, response.getheader("Allow")) == (405, "POST")
