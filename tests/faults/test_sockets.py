"""Rows 54 to 59: who may open a socket or an address of a real server, and what sockets that do not behave may cost."""

import base64
import json
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from copilot.embedded.child import Child
from tests.faults.line import Line
from tests.faults.senders import wait

MIB = 1024 * 1024
SIGNED_OUT, NOT_ALLOWED, BAD_MESSAGE, TOO_BIG = 4401, 4403, 4400, 1009
CAST = """
import json
import django; django.setup()
from django.conf import settings
from django.test import Client
from tests import cast
def cookie(person):
    client = Client(); client.force_login(person); return client.cookies[settings.SESSION_COOKIE_NAME].value
people = {name: cookie(cast.person(name, role)) for name, role in (
    ("ada", "responder"), ("vera", "viewer"), ("rolf", "responder"), ("leo", "responder"), ("sid", "responder"),
    ("admin", "administrator"), ("nobody", ""))}
print(json.dumps({"cookies": people, "open": cast.incident().pk, "secret": cast.incident(is_restricted=True).pk}))
"""
PUBLISH = """
import sys
import django; django.setup()
from copilot import events
for number in range(int(sys.argv[2])):
    events.publish(incident_id=int(sys.argv[1]), kind=sys.argv[3], payload={"n": number, "text": "x" * int(sys.argv[4])})
"""
LOSE_ROLE = """
import django; django.setup()
from django.contrib.auth.models import User
from copilot import events
person = User.objects.get(username="rolf"); person.groups.clear(); events.access_changed(person.pk)
"""
ADDRESSES = """
import json
import django; django.setup()
from tests.copilot.test_every_address import ADDRESSES, OPEN, OWN
print(json.dumps([[name, path, name in OPEN, name in OWN] for name, path in ADDRESSES]))
"""


@dataclass
class House:
    """A web server with people and two incidents, one of which is not for everybody."""

    line: Line
    web: Child
    url: str
    cookies: dict[str, str]
    open: int
    secret: int

    @contextmanager
    def socket(
        self, who: str, incident: int | None = None, *, origin: str | None = "", path: str = ""
    ) -> Iterator[ClientConnection]:
        """Open a page's socket. Raises InvalidStatus when it is refused."""
        address = self.url.replace("http://", "ws://")
        cookie = {"Cookie": f"sessionid={self.cookies.get(who, who)}"} if who else {}
        where = path or f"/ws/incidents/{incident or self.open}/"
        given: Any = self.url if origin == "" else origin
        with connect(
            address + where,
            origin=given,
            additional_headers=cookie,
            proxy=None,
            open_timeout=60,
            max_size=64 * MIB,
        ) as found:
            yield found

    def publish(self, count: int, *, kind: str = "timeline.added", size: int = 10) -> None:
        self.line.python(PUBLISH, str(self.open), str(count), kind, str(size))

    def newest(self) -> int:
        return int(self.line.ask("SELECT last_event_number FROM incidents_incident WHERE id = %s", self.open)[0][0])


@pytest.fixture(scope="module")
def house(line: Line) -> House:
    url, web = line.start_web()
    return House(line, web, url, **json.loads(line.python(CAST).splitlines()[-1]))


def numbers_until(page: ClientConnection, last: int) -> list[int]:
    found: list[int] = []
    while not found or found[-1] < last:
        frame = json.loads(page.recv(timeout=60))  # who is here comes in frames of its own
        found += [event["number"] for event in frame.get("events", [])]
    return found


def code_of(page: ClientConnection) -> int:
    """Read to the end and return what the socket was closed with."""
    try:
        while True:
            page.recv(timeout=60)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 0


@pytest.mark.parametrize(
    ("who", "incident", "origin"),
    [
        ("ada", "open", "https://evil.example"),
        ("ada", "open", "null"),
        ("ada", "open", None),
        ("", "open", ""),
        ("forged", "open", ""),
        ("nobody", "open", ""),
        ("ada", "secret", ""),
    ],
)
def test_row_54_strangers_get_no_frame(house: House, who: str, incident: str, origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused, house.socket(who, getattr(house, incident), origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_row_55_sockets_close_when_their_owner_may_no_longer(house: House) -> None:
    after = json.dumps({"after": house.newest()})
    with house.socket("leo") as leaves, house.socket("rolf") as loses, house.socket("sid") as vanishes:
        for page in (leaves, loses, vanishes):
            page.send(after)
            assert json.loads(page.recv(timeout=60)) == {"events": []}
        with httpx.Client(cookies={"sessionid": house.cookies["leo"]}, trust_env=False, timeout=60) as browser:
            browser.get(f"{house.url}/incidents/")
            token = browser.cookies["csrftoken"]
            assert browser.post(f"{house.url}/logout/", headers={"X-CSRFToken": token}).status_code in (200, 302)
        house.line.python(LOSE_ROLE)
        # Nobody tells of a session that is deleted behind the program's back: it is looked at with the next change.
        house.line.change("DELETE FROM django_session WHERE session_key = %s", house.cookies["sid"])
        house.publish(1, kind="incident.changed")
        assert (code_of(leaves), code_of(loses), code_of(vanishes)) == (SIGNED_OUT, NOT_ALLOWED, SIGNED_OUT)


def test_row_56_what_no_page_sends_closes_the_socket(house: House) -> None:
    with house.socket("ada") as page:
        page.send("x" * 10 * MIB)
        assert code_of(page) == TOO_BIG
    with house.socket("ada") as page:
        with suppress(ConnectionClosed):
            for _ in range(5_000):
                page.send('{"after": 999999}')
        assert code_of(page) in {BAD_MESSAGE, 0}, "0 when it hung up before it could say why"


def silent_socket(house: House) -> socket.socket:
    """A socket that asks for everything and then reads nothing, with as little room as the system gives."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    host, port = house.url.removeprefix("http://").split(":")
    one.connect((host, int(port)))
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET /ws/incidents/{house.open}/ HTTP/1.1",
        f"Host: {host}:{port}",
        f"Origin: {house.url}",
        f"Cookie: sessionid={house.cookies['vera']}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    )
    one.sendall("\r\n".join((*lines, "", "")).encode())
    assert one.recv(12) == b"HTTP/1.1 101"
    text, mask = json.dumps({"after": house.newest()}).encode(), os.urandom(4)
    masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(text))
    one.sendall(struct.pack("!BB4s", 0x81, 0x80 | len(text), mask) + masked)
    return one


def memory(child: Child) -> float:
    return int(Path(f"/proc/{child.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB


def sockets_of(child: Child) -> int:
    return len(psutil.Process(child.pid).net_connections())


@pytest.mark.timeout(200)
def test_row_56_readers_that_do_not_read_are_dropped_and_cost_little(house: House) -> None:
    before, had = memory(house.web), sockets_of(house.web)
    start = house.newest()
    with ThreadPoolExecutor(10) as pool:
        silent = list(pool.map(lambda _: silent_socket(house), range(200)))
    with house.socket("ada") as page:
        page.send(json.dumps({"after": start}))
        house.publish(150, size=4_000)
        assert numbers_until(page, start + 150) == list(range(start + 1, start + 151))
        assert memory(house.web) < before + 150
        wait(lambda: sockets_of(house.web) < had + 100, what=lambda: f"{sockets_of(house.web)} sockets, {had} before")
    for one in silent:
        one.close()


def test_row_57_what_happened_while_the_socket_was_down_comes_in_order_once(house: House) -> None:
    start = house.newest()
    with house.socket("ada") as page:
        page.send(json.dumps({"after": start}))
        page.recv(timeout=60)
    house.publish(300)
    with house.socket("ada") as page:
        page.send(json.dumps({"after": start}))
        assert numbers_until(page, start + 300) == list(range(start + 1, start + 301))
        house.publish(5)
        assert numbers_until(page, start + 305) == list(range(start + 301, start + 306))


Asked = Callable[[str, str], int]


@contextmanager
def browser_of(house: House, who: str) -> Iterator[Asked]:
    cookies = {"sessionid": house.cookies[who]} if who else {}
    with httpx.Client(base_url=house.url, cookies=cookies, trust_env=False, timeout=60) as client:
        yield lambda method, path: client.request(method, path, headers={"Origin": "https://evil.example"}).status_code


@pytest.mark.timeout(200)
def test_rows_58_and_59_no_address_is_open_by_mistake_and_no_other_site_can_post(house: House) -> None:
    """Every address of a real server; who of the roles may what is walked in tests/copilot/test_every_address.py."""
    found = json.loads(house.line.python(ADDRESSES).splitlines()[-1])
    assert len(found) > 90
    audited = "SELECT count(*) FROM copilot_auditentry"
    before = house.line.ask(audited)
    with (
        browser_of(house, "") as stranger,
        browser_of(house, "nobody") as roleless,
        browser_of(house, "admin") as admin,
    ):
        for name, path, is_open, is_own in found:
            if not is_open:
                assert admin("POST", path) in {403, 405}, name
            if is_open or is_own:
                continue
            assert {stranger("GET", path), stranger("POST", path)} <= {302, 403, 405}, name
            assert roleless("GET", path) in {403, 405}, name
            if path.startswith("/incidents/999999/"):
                with_secret = path.replace("999999", str(house.secret), 1)
                assert admin("GET", path) in {302, 404, 405}, name
                with browser_of(house, "ada") as ada:
                    assert ada("GET", with_secret) in {403, 404, 405}, name
    time.sleep(0.2)
    assert house.line.ask(audited) == before
