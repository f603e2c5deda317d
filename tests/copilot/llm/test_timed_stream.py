import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from copilot.llm.timed_stream import Patience, StreamTimeout, read

Seconds = Callable[[float], timedelta]


def patience(seconds: Seconds, *, first: float = 5, idle: float = 5, total: float = 10) -> Patience:
    return Patience(seconds(first), seconds(idle), seconds(total))


def test_items_come_in_order_and_errors_rise(seconds: Seconds) -> None:
    async def stream() -> AsyncIterator[int]:
        yield 1
        yield 2
        raise KeyError("lost")

    reading = read(stream, patience=patience(seconds), counts=bool)
    assert [next(reading), next(reading)] == [1, 2]
    with pytest.raises(KeyError, match="lost"):
        next(reading)


def test_a_time_out_cancels_the_stream(seconds: Seconds) -> None:
    cancelled = threading.Event()

    async def stream() -> AsyncIterator[int]:
        try:
            await asyncio.sleep(60)
            yield 1
        finally:
            cancelled.set()

    with pytest.raises(StreamTimeout) as caught:
        list(read(stream, patience=patience(seconds, first=0.1), counts=bool))
    assert caught.value.stage == "first"
    assert cancelled.wait(5)


def test_a_reader_that_stops_cancels_the_stream(seconds: Seconds) -> None:
    cancelled = threading.Event()

    async def stream() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0.01)
        finally:
            cancelled.set()

    reading = read(stream, patience=patience(seconds), counts=bool)
    assert next(reading) == 1
    reading.close()  # type: ignore[attr-defined]
    assert cancelled.wait(5)
