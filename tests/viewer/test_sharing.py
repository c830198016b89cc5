from __future__ import annotations

import asyncio

import pytest

from wsiweb.viewer.sharing import Shared


class Counted:
    """Work that takes until it is let go, and counts how it went."""

    def __init__(self):
        self.begun = self.cancelled = 0
        self.gate = asyncio.Event()

    async def __call__(self):
        self.begun += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return object()


async def started(*coroutines):
    tasks = [asyncio.create_task(one) for one in coroutines]
    await asyncio.sleep(0.01)
    return tasks


def test_what_several_ask_for_is_done_once():
    async def main():
        shared, work = Shared(), Counted()
        tasks = await started(*(shared.get("a", work) for _ in range(5)))
        work.gate.set()
        found = await asyncio.gather(*tasks)
        assert work.begun == 1
        assert len(set(map(id, found))) == 1
        assert not shared._works
        await shared.get("a", work)
        assert work.begun == 2  # it holds nothing that is done

    asyncio.run(main())


def test_who_gives_up_does_not_end_what_others_wait_for():
    async def main():
        shared, work = Shared(), Counted()
        first, second = await started(shared.get("a", work), shared.get("a", work))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert not work.cancelled
        work.gate.set()
        assert await second

    asyncio.run(main())


def test_what_nobody_waits_for_any_more_is_ended_and_begins_anew():
    async def main():
        shared, work = Shared(), Counted()
        tasks = await started(shared.get("a", work), shared.get("a", work))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        (again,) = await started(shared.get("a", work))
        assert (work.begun, work.cancelled) == (2, 1)
        work.gate.set()
        assert await again

    asyncio.run(main())


def test_all_who_wait_get_the_error():
    async def fails():
        await asyncio.sleep(0)
        raise ValueError("no")

    async def main():
        shared = Shared()
        found = await asyncio.gather(
            *(shared.get("a", fails) for _ in range(3)), return_exceptions=True
        )
        assert [str(one) for one in found] == ["no"] * 3

    asyncio.run(main())
