"""Work that several ask for at once, done once.

Who gives up must not end what others wait for; but what nobody waits for any more is ended, so
that a viewer that has moved on costs nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from wsiweb import loop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

__all__ = ["Shared"]

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Work:
    task: asyncio.Task[Any]
    waiting: int = 0


class Shared:
    """Work under way, by what it is about; to be used on the library's event loop."""

    def __init__(self) -> None:
        self._works: dict[Hashable, _Work] = {}
        loop.renew_after_fork(self)

    def renew(self) -> None:
        """Start anew in a forked child, where the parent's tasks never end."""
        self._works = {}

    async def get(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what work comes to; who asks for the same meanwhile gets the same.

        Parameters
        ----------
        key : hashable
            What it is about.
        work : callable
            Returns a coroutine. It is cancelled when the last one who waits for it is.
        """
        shared = self._works.get(key)
        if shared is None:
            shared = self._works[key] = _Work(asyncio.create_task(work()))
            shared.task.add_done_callback(_seen)
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting:
                shared.task.cancel()  # does nothing to what is done
                if self._works.get(key) is shared:
                    del self._works[key]


def _seen(task: asyncio.Task[Any]) -> None:
    """Take notice of how it ended, so that asyncio does not warn that nobody did."""
    if not task.cancelled():
        task.exception()
