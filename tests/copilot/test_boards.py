"""Open list pages are told together, and not more often than they read."""

import asyncio

from channels.layers import get_channel_layer

from copilot import boards, events


async def change() -> None:
    await get_channel_layer().group_send(events.LIST_GROUP, {"type": "incidents.changed"})


async def soon(told: list[str], count: int) -> None:
    async with asyncio.timeout(10):
        while len(told) < count:
            await asyncio.sleep(0.01)


def test_each_is_told_and_many_changes_are_few_hints() -> None:
    told: list[str] = []

    async def one() -> None:
        told.append("one")

    async def other() -> None:
        told.append("other")

    async def broken() -> None:
        raise OSError("it has just gone")

    async def run() -> None:
        open_ones = boards.of_this_loop()
        for tell in (one, other, broken):
            await open_ones.join(tell)
        for _ in range(50):
            await change()
        await soon(told, 2)
        await asyncio.sleep(2 * boards.GAP_SECONDS)
        assert set(told) == {"one", "other"}
        assert len(told) <= 6  # the first at once, and what came in the meantime
        await open_ones.leave(other)
        told.clear()
        await change()
        await soon(told, 1)
        assert told == ["one"]
        for tell in (one, broken):
            await open_ones.leave(tell)
        told.clear()
        await open_ones.join(other)  # the last has left, and another comes
        await change()
        await soon(told, 1)
        await open_ones.leave(other)

    asyncio.run(run())
