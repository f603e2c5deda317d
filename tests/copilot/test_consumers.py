"""Live pages, through the whole WebSocket application with a real Valkey and PostgreSQL."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from copilot import consumers, events, people, tasks
from copilot.routing import websocket_application
from incidents.models import Incident
from tests import cast

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
WAIT = 10.0


@pytest.fixture
def incident(transactional_db: None) -> Incident:
    return Incident.objects.create(
        title="checkout is slow", severity=2, started_at=NOW, opened_at=NOW, last_anomaly_at=NOW
    )


@pytest.fixture
def cookie(transactional_db: None) -> str:
    client = Client()
    client.force_login(cast.person("ada", "responder"))
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


class Page:
    """A browser page with a socket."""

    def __init__(self, path: str, *, cookie: str = "", origin: str | None = "http://localhost:8000") -> None:
        headers = [(b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode())]
        if origin is not None:
            headers.append((b"origin", origin.encode()))
        scope = {"type": "websocket", "path": path, "headers": headers, "query_string": b"", "subprotocols": []}
        self.socket = ApplicationCommunicator(websocket_application, scope)

    async def __aenter__(self) -> "Page":
        await self.socket.send_input({"type": "websocket.connect"})
        answer = await self.socket.receive_output(timeout=WAIT)
        self.accepted = answer["type"] == "websocket.accept"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.send_input({"type": "websocket.disconnect", "code": 1001})
        await self.socket.wait(timeout=WAIT)

    async def send(self, message: object) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self.socket.send_input({"type": "websocket.receive", "text": text})

    async def receive(self) -> dict[str, Any]:
        """Return what the next frame holds."""
        frame = await self._frame()
        assert frame["type"] == "websocket.send", frame
        found: dict[str, Any] = json.loads(frame["text"])
        return found

    async def events(self) -> list[dict[str, Any]]:
        return list((await self.receive())["events"])

    async def until(self, number: int) -> list[int]:
        """Return the numbers received, up to this one."""
        numbers: list[int] = []
        while not numbers or numbers[-1] < number:
            numbers += [event["number"] for event in await self.events()]
        return numbers

    async def present(self) -> list[str]:
        """Return who is here, as the page is told next."""
        while "present" not in (frame := await self.socket.receive_output(timeout=WAIT)).get("text", ""):
            assert frame["type"] == "websocket.send", frame
        return list(json.loads(frame["text"])["present"])

    async def _frame(self) -> dict[str, Any]:
        """Return the next frame that does not merely say who is here."""
        while True:
            frame: dict[str, Any] = await self.socket.receive_output(timeout=WAIT)
            if not frame.get("text", "").startswith('{"present"'):
                return frame

    async def closed_with(self) -> int:
        message = await self._frame()
        assert message["type"] == "websocket.close"
        return int(message["code"])


def publish(incident: Incident, count: int = 1) -> None:
    for number in range(count):
        events.publish(incident_id=incident.pk, kind="timeline.added", payload={"n": number})


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None, "http://localhost.evil.example"])
def test_another_site_is_refused(incident: Incident, cookie: str, origin: str | None) -> None:
    async def test() -> None:
        async with Page(f"/ws/incidents/{incident.pk}/", cookie=cookie, origin=origin) as page:
            assert not page.accepted

    run(test)


@pytest.mark.parametrize("path", ["/ws/incidents/", "/ws/incidents/{}/", "/ws/bell/"])
@pytest.mark.parametrize("cookie_value", ["", "forged-session"])
def test_nobody_signed_in_is_refused(incident: Incident, path: str, cookie_value: str) -> None:
    async def test() -> None:
        async with Page(path.format(incident.pk), cookie=cookie_value) as page:
            assert not page.accepted

    run(test)


def test_an_unknown_incident_is_refused(cookie: str) -> None:
    async def test() -> None:
        async with Page("/ws/incidents/999999/", cookie=cookie) as page:
            assert not page.accepted

    run(test)


def test_a_room_says_who_is_there_and_who_has_left(incident: Incident, cookie: str) -> None:
    other = Client()
    path = f"/ws/incidents/{incident.pk}/"

    async def test() -> None:
        await sync_to_async(lambda: other.force_login(cast.person("bo", "viewer")))()
        async with Page(path, cookie=cookie) as ada:
            await ada.send({"after": 0})
            assert await ada.present() == ["ada"]
            async with Page(path, cookie=str(other.cookies[settings.SESSION_COOKIE_NAME].value)) as bo:
                await bo.send({"after": 0})
                assert await bo.present() == ["ada", "bo"]
                assert await ada.present() == ["ada", "bo"]
            assert await ada.present() == ["ada"]

    run(test)


def test_three_hundred_events_while_the_socket_is_down_all_come_in_order_once(incident: Incident, cookie: str) -> None:
    async def test() -> None:
        path = f"/ws/incidents/{incident.pk}/"
        async with Page(path, cookie=cookie) as page:
            await page.send({"after": 0})
            assert await page.events() == []
            await sync_to_async(publish)(incident)
            assert await page.until(1) == [1]
        await sync_to_async(publish)(incident, 300)
        async with Page(path, cookie=cookie) as page:
            await sync_to_async(publish)(incident, 5)  # hints that come before the page said where it stands
            await page.send({"after": 1})
            await sync_to_async(publish)(incident, 5)
            assert await page.until(311) == list(range(2, 312))

    run(test)


def test_several_people_see_the_same(incident: Incident, cookie: str) -> None:
    async def test() -> None:
        path = f"/ws/incidents/{incident.pk}/"
        async with Page(path, cookie=cookie) as one, Page(path, cookie=cookie) as other:
            for page in (one, other):
                await page.send({"after": 0})
                await page.events()
            await sync_to_async(publish)(incident, 20)
            assert await one.until(20) == await other.until(20) == list(range(1, 21))

    run(test)


def test_a_lost_hint_is_made_good(incident: Incident, cookie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "REREAD_SECONDS", 0.1)
    monkeypatch.setattr(events, "_hint", lambda *_, **__: None)

    async def test() -> None:
        async with Page(f"/ws/incidents/{incident.pk}/", cookie=cookie) as page:
            await page.send({"after": 0})
            await page.events()
            await sync_to_async(publish)(incident, 3)
            assert await page.until(3) == [1, 2, 3]

    run(test)


def test_a_socket_closes_when_the_session_ends(
    incident: Incident, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "REREAD_SECONDS", 0.05)
    monkeypatch.setattr(consumers, "ACCESS_SECONDS", 0.1)

    async def test() -> None:
        async with Page(f"/ws/incidents/{incident.pk}/", cookie=cookie) as page:
            await page.send({"after": 0})
            await page.events()
            await Session.objects.all().adelete()
            assert await page.closed_with() == consumers.SIGNED_OUT

    run(test)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("not json", consumers.BAD_MESSAGE),
        ("[]", consumers.BAD_MESSAGE),
        ('{"after": "1"}', consumers.BAD_MESSAGE),
        ('{"after": -1}', consumers.BAD_MESSAGE),
        ('{"after": true}', consumers.BAD_MESSAGE),
        ('{"after": 99999999999999999999}', consumers.BAD_MESSAGE),
        ('{"after": ' + "1" * 5000 + "}", consumers.TOO_BIG),
    ],
)
def test_what_a_page_never_sends_closes_the_socket(incident: Incident, cookie: str, message: str, code: int) -> None:
    async def test() -> None:
        async with Page(f"/ws/incidents/{incident.pk}/", cookie=cookie) as page:
            await page.send(message)
            assert await page.closed_with() == code

    run(test)


def test_the_list_is_told_to_fetch_itself(incident: Incident, cookie: str) -> None:
    async def test() -> None:
        async with Page("/ws/incidents/", cookie=cookie) as page:
            await sync_to_async(events.publish)(incident_id=incident.pk, kind="incident.changed", payload={})
            assert await page.receive() == {"kind": "incidents.changed"}

    run(test)


def test_a_bell_rings_for_its_own_person(cookie: str) -> None:
    me = User.objects.get(username="ada")

    async def test() -> None:
        async with Page("/ws/bell/", cookie=cookie) as page:
            await sync_to_async(events.ring)([me.pk + 1])
            await sync_to_async(tasks.ring)([me.pk])
            assert await page.receive() == {"kind": "bell"}
            assert await page.socket.receive_nothing()
            await page.send("anything")
            assert await page.closed_with() == 4400

    run(test)


def test_a_person_without_a_role_and_an_incident_of_others_are_refused(incident: Incident, cookie: str) -> None:
    stranger = Client()
    stranger.force_login(cast.person("sol"))
    no_role = str(stranger.cookies[settings.SESSION_COOKIE_NAME].value)
    Incident.objects.update(is_restricted=True)

    async def test() -> None:
        path = f"/ws/incidents/{incident.pk}/"
        for someone in (no_role, cookie):
            async with Page(path, cookie=someone) as page:
                assert not page.accepted
        async with Page("/ws/incidents/", cookie=no_role) as page:
            assert not page.accepted

    run(test)


def test_an_incident_that_becomes_restricted_closes_the_socket_before_the_event(
    incident: Incident, cookie: str
) -> None:
    def restrict() -> None:
        Incident.objects.update(is_restricted=True)
        events.publish(incident_id=incident.pk, kind="incident.changed", payload={})

    async def test() -> None:
        async with Page(f"/ws/incidents/{incident.pk}/", cookie=cookie) as page:
            await page.send({"after": 0})
            await page.events()
            await sync_to_async(restrict)()
            assert await page.closed_with() == consumers.NOT_ALLOWED

    run(test)


@pytest.mark.parametrize("path", ["/ws/incidents/", "/ws/incidents/{}/"])
def test_a_lost_role_closes_the_socket_at_once(incident: Incident, cookie: str, path: str) -> None:
    def take_the_role() -> None:
        ada = User.objects.get(username="ada")
        ada.groups.clear()
        events.access_changed(ada.pk)

    async def test() -> None:
        async with Page(path.format(incident.pk), cookie=cookie) as page:
            await sync_to_async(take_the_role)()
            assert await page.closed_with() == consumers.NOT_ALLOWED

    run(test)


def test_a_deactivated_person_is_signed_out_everywhere(incident: Incident, cookie: str) -> None:
    def deactivate() -> None:
        ada = User.objects.get(username="ada")
        people.deactivate(ada)
        events.access_changed(ada.pk)

    async def test() -> None:
        async with Page("/ws/incidents/", cookie=cookie) as page:
            await sync_to_async(deactivate)()
            assert await page.closed_with() == consumers.SIGNED_OUT

    run(test)


def test_signing_out_closes_the_open_sockets(incident: Incident, cookie: str) -> None:
    browser = Client()
    browser.cookies[settings.SESSION_COOKIE_NAME] = cookie

    async def test() -> None:
        async with Page(f"/ws/incidents/{incident.pk}/", cookie=cookie) as page:
            await sync_to_async(browser.post)("/logout/")
            assert await page.closed_with() == consumers.SIGNED_OUT

    run(test)


def test_a_sender_of_very_many_messages_is_cut_off(incident: Incident, cookie: str) -> None:
    async def test() -> None:
        async with Page(f"/ws/incidents/{incident.pk}/", cookie=cookie) as page:
            for _ in range(consumers.MESSAGES + 1):
                await page.send({"after": 0})
            while (await page.socket.receive_output(timeout=WAIT))["type"] != "websocket.close":
                continue

    run(test)
