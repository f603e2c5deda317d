"""Reads an asynchronous stream from synchronous code, with time-outs that really end it: a silent server, a dripping one, an endless one."""

import asyncio
import os
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

Item = TypeVar("Item")
_END = object()
WATCHED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: for the first text, between two texts, and in all."""

    first: timedelta
    idle: timedelta
    total: timedelta


class StreamTimeout(Exception):
    """The stream took too long; `stage` is "first", "idle" or "total" and `waited` the limit that passed."""

    def __init__(self, stage: str, waited: timedelta) -> None:
        super().__init__(f"{stage} after {waited.total_seconds():g} s")
        self.stage = stage
        self.waited = waited


@dataclass
class _Watched:
    """Calls `watch` when a second has passed since it was last called."""

    watch: Callable[[], None] | None
    last: float

    def until(self, end: float) -> float:
        """Return when the waiting ends at the latest."""
        return end if self.watch is None else min(end, self.last + WATCHED_SECONDS)

    def look(self) -> None:
        if self.watch is not None and time.monotonic() - self.last >= WATCHED_SECONDS:
            self.last = time.monotonic()
            self.watch()


def read(
    start: Callable[[], AsyncIterator[Item]],
    *,
    patience: Patience,
    counts: Callable[[Item], bool],
    watch: Callable[[], None] | None = None,
) -> Iterator[Item]:
    """Yield what the stream yields. Raises what it raises, what `watch` raises, and StreamTimeout.

    Only items that `counts` accepts prove life: a keep-alive does not. `watch` is called about once a second, so that somebody may
    end the reading. However the reading ends, the stream is cancelled, which closes its connection.
    """
    received: queue.SimpleQueue[object] = queue.SimpleQueue()

    async def pump() -> None:
        async for item in start():
            received.put(item)

    running = asyncio.run_coroutine_threadsafe(pump(), _background_loop())
    running.add_done_callback(lambda _: received.put(_END))
    begun = last = time.monotonic()
    stage, limit = "first", patience.first
    watched = _Watched(watch, begun)
    try:
        while True:
            idle_ends, all_ends = last + limit.total_seconds(), begun + patience.total.total_seconds()
            try:
                item = received.get(timeout=max(watched.until(min(idle_ends, all_ends)) - time.monotonic(), 0.001))
            except queue.Empty:
                if time.monotonic() < min(idle_ends, all_ends):
                    watched.look()
                    continue
                ended = (stage, limit) if idle_ends <= all_ends else ("total", patience.total)
                raise StreamTimeout(*ended) from None
            watched.look()
            if item is _END:
                running.result()
                return
            if counts(item):  # type: ignore[arg-type]
                stage, limit, last = "idle", patience.idle, time.monotonic()
            yield item  # type: ignore[misc]
    finally:
        running.cancel()


_loops: dict[int, asyncio.AbstractEventLoop] = {}  # by process id: a forked worker must not use its parent's
_loops_lock = threading.Lock()


def _background_loop() -> asyncio.AbstractEventLoop:
    """Return this process's event loop in its own thread; one for good, because provider clients keep connections that belong to a loop."""
    with _loops_lock:
        loop = _loops.get(os.getpid())
        if loop is None:
            loop = _loops[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="model calls", daemon=True).start()
        return loop
