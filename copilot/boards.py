"""The open list pages of one web process: they hear of a change through one channel, and are told together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer

from copilot import events

logger = logging.getLogger(__name__)

GAP_SECONDS = 0.5  # between two hints; a page reads itself anew once a second at most
AT_ONCE = 100  # sockets that are written to before others get their turn
TELL_SECONDS = 2.0  # for one socket to take a hint

Tell = Callable[[], Awaitable[None]]


class Boards:
    """What is open in one event loop, by how each is told.

    A thousand sockets in a channel group would each wake, unpack and answer by themselves, for every change; here a change wakes one
    task, and many changes at once are one hint.
    """

    def __init__(self) -> None:
        self._open: set[Tell] = set()
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._joining = asyncio.Lock()

    async def join(self, tell: Tell) -> None:
        """Have `tell` called at every change from now on. Raises what the channel layer raises when it cannot be reached."""
        async with self._joining:
            if not self._tasks:
                layer = get_channel_layer()
                channel = await layer.new_channel()
                await layer.group_add(events.LIST_GROUP, channel)
                self._tasks = [asyncio.create_task(self._listen(channel)), asyncio.create_task(self._tell_all())]
            self._open.add(tell)

    async def leave(self, tell: Tell) -> None:
        """Call it no more; when it was the last, nothing listens any longer."""
        async with self._joining:
            self._open.discard(tell)
            if self._open:
                return
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    async def _listen(self, channel: str) -> None:
        layer = get_channel_layer()
        try:
            while True:
                await layer.receive(channel)
                self._changed.set()
        finally:
            await layer.group_discard(events.LIST_GROUP, channel)

    async def _tell_all(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            waiting = list(self._open)
            for start in range(0, len(waiting), AT_ONCE):
                await _told([asyncio.ensure_future(tell()) for tell in waiting[start : start + AT_ONCE]])
            await asyncio.sleep(GAP_SECONDS)


async def _told(tasks: list[asyncio.Future[None]]) -> None:
    done, late = await asyncio.wait(tasks, timeout=TELL_SECONDS)
    for task in late:  # it takes nothing: its pings will find that out; the others do not wait for it
        task.cancel()
    for task in done:
        if error := task.exception():
            logger.info("An open list was not told of a change: %s: %s", type(error).__name__, error)


_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Boards] = WeakKeyDictionary()


def of_this_loop() -> Boards:
    """Return the boards of the running event loop."""
    return _of_loop.setdefault(asyncio.get_running_loop(), Boards())
