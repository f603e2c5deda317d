"""WebSockets of open pages: replay from the page's last number, then live. Events are re-read from the database, hints only say when."""

import asyncio
import json
import logging
from importlib import import_module
from typing import Any

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from redis.exceptions import RedisError

from copilot import boards, events, presence
from incidents.models import Incident

logger = logging.getLogger(__name__)

MESSAGE_BYTES = 4096  # a page sends nothing longer than {"after": N}
MESSAGES = 100  # in one connection; a page sends one
PAGE = 500  # events in one frame
REREAD_SECONDS = 5.0  # a hint that was lost, and was the last, is made good after so long
PRESENT_SECONDS = 30.0  # how often an open page says that it is still there
ACCESS_SECONDS = 60.0  # how old a permission may be, when nobody told that it changed

# Close codes. A page signs in again on the first and reconnects on the last.
SIGNED_OUT, NOT_ALLOWED, BAD_MESSAGE, TOO_BIG, TRY_AGAIN = 4401, 4403, 4400, 1009, 1012
# Events after which somebody may see an incident no longer: it was restricted, or a role in it ended.
ACCESS_KINDS = frozenset({"incident.changed"})
RANG = json.dumps({"kind": "bell"})
CHANGED = json.dumps({"kind": "incidents.changed"})


class SignedInConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """A socket for somebody signed in who may see what it follows.

    Both are looked at when it opens, at every message of the page, when somebody says that they changed, and each minute;
    when one has ended, the socket closes.
    """

    group = ""

    async def connect(self) -> None:
        """Refuse the handshake (403) unless somebody is signed in and allowed; otherwise join the groups and start the clock."""
        if not self.scope["user"].is_authenticated or not await self.is_allowed(self.scope["user"]):
            await self.close()
            return
        self.group = self.group_name()
        self.person = events.person_group(self.scope["user"].pk)
        await self.join()
        await self.channel_layer.group_add(self.person, self.channel_name)
        await self.accept()
        self.ticking = asyncio.create_task(self._tick_while_open())

    def group_name(self) -> str:
        """Return the channel group to follow."""
        raise NotImplementedError

    async def join(self) -> None:
        """Have what it follows told to this socket."""
        await self.channel_layer.group_add(self.group, self.channel_name)

    async def leave(self) -> None:
        """Have it told no more."""
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def is_allowed(self, user: Any) -> bool:
        """Say whether the person may see what this socket tells."""
        raise NotImplementedError

    async def tick(self) -> None:
        """Do what is due every few seconds."""

    async def disconnect(self, _code: int) -> None:
        """Leave the groups and stop the clock."""
        if self.group:
            await self.leave()
            await self.channel_layer.group_discard(self.person, self.channel_name)
        if ticking := getattr(self, "ticking", None):
            ticking.cancel()

    async def access_changed(self, _message: dict[str, Any]) -> None:
        """Look again whether the person may stay."""
        await self.still_allowed()

    async def still_allowed(self) -> bool:
        """Close the socket when the session has ended or the permission is gone, and say whether it stays open."""
        try:
            user = await self._session_user()
            code = SIGNED_OUT if user is None else 0 if await self.is_allowed(user) else NOT_ALLOWED
        except DatabaseError as error:
            logger.warning("Closing a socket of %s: the database did not answer: %s", self.group, error)
            code = TRY_AGAIN
        if code:
            await self.close(code=code)
        return not code

    async def _tick_while_open(self) -> None:
        passed = 0.0
        while True:
            await asyncio.sleep(REREAD_SECONDS)
            passed += REREAD_SECONDS
            if passed >= ACCESS_SECONDS:
                passed = 0.0
                if not await self.still_allowed():
                    return
            try:
                await self.tick()
            except DatabaseError as error:
                logger.warning("Closing a socket of %s: the database did not answer: %s", self.group, error)
                await self.close(code=TRY_AGAIN)
                return

    async def _session_user(self) -> Any:
        """Return who is signed in now, None when it is nobody or somebody else."""
        store = import_module(settings.SESSION_ENGINE).SessionStore
        # A new store: the scope's own has cached what it read when the socket opened.
        user = await get_user({"session": store(self.scope["session"].session_key)})
        same = user.is_authenticated and user.is_active and user.pk == self.scope["user"].pk
        return user if same else None


class IncidentConsumer(SignedInConsumer):
    """Follows one incident. The page sends {"after": N} once; it then gets every later event, in order, once."""

    last: int | None = None  # number of the newest event sent; None until the page said where it stands
    received = 0
    told: list[str] | None = None  # who is here, as the page was told last
    unseen_seconds = 0.0  # since this page was last noted as present

    async def connect(self) -> None:
        """Refuse or accept, as for everybody signed in."""
        # A tick and a hint may come at the same time; one of them at a time reads and sends.
        self.turn = asyncio.Lock()
        await super().connect()

    @property
    def incident_id(self) -> int:
        """Return which incident the socket's address names."""
        return int(self.scope["url_route"]["kwargs"]["incident_id"])

    def group_name(self) -> str:
        """Return the incident's group."""
        return events.incident_group(self.incident_id)

    async def is_allowed(self, user: Any) -> bool:
        """Say whether there is the incident and the person may see it."""
        visible = database_sync_to_async(Incident.objects.visible_to)
        return bool(await (await visible(user)).filter(pk=self.incident_id).aexists())

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        """Take {"after": N}; anything else closes the socket."""
        self.received += 1
        text = message.get("text")
        if text is None or len(text) > MESSAGE_BYTES:
            await self.close(code=TOO_BIG)
            return
        after = _after(text)
        if after is None or self.received > MESSAGES:
            await self.close(code=BAD_MESSAGE)
            return
        if not await self.still_allowed():
            return
        async with self.turn:
            # One frame at least, so that the page knows that it is up to date.
            await self._send_after(after, always=True)
        await self._enter()
        await self._tell_room()

    async def disconnect(self, _code: int) -> None:
        """Leave the room and the groups."""
        await super().disconnect(_code)
        if self.told is None:
            return
        try:
            await database_sync_to_async(presence.leave)(socket=self.channel_name)
        except DatabaseError as error:
            logger.warning("Somebody who left %s stays shown for a minute: %s", self.group, error)
        else:
            await self._tell_room()

    async def presence_changed(self, _message: dict[str, Any]) -> None:
        """Tell the page who is here, when that is news to it."""
        if self.last is None:
            return
        now = timezone.now()
        here = await database_sync_to_async(presence.present)(incident_id=self.incident_id, now=now)
        if here != self.told:
            self.told = here
            await self.send(text_data=json.dumps({"present": here}))

    async def _enter(self) -> None:
        self.unseen_seconds = 0.0
        self.told = self.told or []
        await database_sync_to_async(presence.enter)(
            incident_id=self.incident_id, user_id=self.scope["user"].pk, socket=self.channel_name, now=timezone.now()
        )

    async def _tell_room(self) -> None:
        try:
            await self.channel_layer.group_send(self.group, {"type": "presence.changed"})
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning(
                "Nobody at %s was told who came or went: %s. They see it within half a minute.", self.group, error
            )

    async def event_published(self, message: dict[str, Any]) -> None:
        """Send a hinted event when it is the next one; re-read when some are missing; drop it when it was sent."""
        event = message["event"]
        if event["kind"] in ACCESS_KINDS and not await self.still_allowed():
            return
        async with self.turn:
            if self.last is None or event["number"] <= self.last:
                return
            if event["number"] == self.last + 1:
                self.last = event["number"]
                await self._send([event])
            else:
                await self._send_after(self.last)

    async def tick(self) -> None:
        """Re-read what a lost hint did not tell."""
        async with self.turn:
            if self.last is not None:
                await self._send_after(self.last)
        self.unseen_seconds += REREAD_SECONDS
        if self.last is not None and self.unseen_seconds >= PRESENT_SECONDS:
            await self._enter()
            await self.presence_changed({})

    async def _send_after(self, number: int, *, always: bool = False) -> None:
        while True:
            found = await database_sync_to_async(events.since)(incident_id=self.incident_id, number=number, limit=PAGE)
            number = found[-1].number if found else number
            self.last = number
            if found or always:
                await self._send([events.as_json(number=e.number, kind=e.kind, payload=e.payload) for e in found])
            always = False
            if len(found) < PAGE:
                return

    async def _send(self, found: list[dict[str, object]]) -> None:
        await self.send(text_data=json.dumps({"events": found}))


class IncidentListConsumer(SignedInConsumer):
    """Tells the list page that it should fetch itself again."""

    async def join(self) -> None:
        """Be told together with all other lists that are open in this process."""
        await boards.of_this_loop().join(self.tell)

    async def leave(self) -> None:
        """Be told no more."""
        await boards.of_this_loop().leave(self.tell)

    def group_name(self) -> str:
        """Return the group of all list pages."""
        return events.LIST_GROUP

    async def is_allowed(self, user: Any) -> bool:
        """Say whether the person may see incidents at all; the page itself leaves out those that are not for them."""
        return bool(await database_sync_to_async(user.has_perm)("incidents.view_incident"))

    async def websocket_receive(self, _message: dict[str, Any]) -> None:
        """Refuse: the list page has nothing to say."""
        await self.close(code=BAD_MESSAGE)

    async def tell(self) -> None:
        """Say that something has changed."""
        await self.send(text_data=CHANGED)


class BellConsumer(SignedInConsumer):
    """Tells a person's page that there is something to read."""

    def group_name(self) -> str:
        """Return the group of this person's bells."""
        return events.bell_group(self.scope["user"].pk)

    async def is_allowed(self, user: Any) -> bool:
        """Say whether the person may see incidents at all: notifications are about those."""
        return bool(await database_sync_to_async(user.has_perm)("incidents.view_incident"))

    async def websocket_receive(self, _message: dict[str, Any]) -> None:
        """Refuse: a bell has nothing to say."""
        await self.close(code=BAD_MESSAGE)

    async def bell_rang(self, _message: dict[str, Any]) -> None:
        """Forward the hint."""
        await self.send(text_data=RANG)


def _after(text: str) -> int | None:
    try:
        message = json.loads(text)
    except ValueError:
        return None
    after = message.get("after") if isinstance(message, dict) else None
    return after if isinstance(after, int) and not isinstance(after, bool) and 0 <= after < 2**63 else None
