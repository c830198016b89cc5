"""Several archives asked at once, so that one that does not answer keeps only itself waiting."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from wsiweb.browse.sources import in_words

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from wsiweb.browse.sources import Source

__all__ = ["Turns", "each_answer"]


class Turns:
    """A few requests at a time to each archive.

    Turns for all archives together were rejected: one that hangs would take them all.

    Parameters
    ----------
    each : int
        How many of each archive.
    """

    def __init__(self, each: int) -> None:
        self._each = each
        self._of: dict[str, asyncio.Semaphore] = {}

    def of(self, source: Source) -> asyncio.Semaphore:
        """Return what those wait for who ask an archive."""
        return self._of.setdefault(source.id, asyncio.Semaphore(self._each))


async def each_answer(
    sources: Iterable[Source],
    ask: Callable[[Source], Awaitable[bool]],
    patience: Callable[[Source], float],
) -> dict[str, str]:
    """Ask several archives at once; return why those failed that did, by their ids.

    Parameters
    ----------
    sources : iterable of Source
        Whom to ask.
    ask : callable
        Asks one (awaited); returns whether it had what was asked for.
    patience : callable
        Seconds that one may take once another one has answered: until then all are waited for.
    """
    began = time.monotonic()
    tasks = {asyncio.ensure_future(ask(source)): source for source in sources}
    waiting, found = set(tasks), False
    late: set[asyncio.Future[bool]] = set()
    try:
        while waiting:
            least = min(patience(tasks[task]) for task in waiting)
            left = max(0.0, began + least - time.monotonic()) if found else None
            done, waiting = await asyncio.wait(
                waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            found = found or any(_failure(task) is None and task.result() for task in done)
            if found:
                passed = time.monotonic() - began
                late |= {task for task in waiting if patience(tasks[task]) <= passed}
                waiting -= late
    finally:
        for task in tasks:
            task.cancel()  # does nothing to what is done
    words: dict[str, str] = {}
    for task, source in tasks.items():
        if task in late:
            words[source.id] = f"{source.name} has not answered within {patience(source):g} s."
        elif (error := _failure(task)) is not None:
            words[source.id] = in_words(error)
    return words


def _failure(task: asyncio.Future[bool]) -> Exception | None:
    """Return why one failed; what is no failure but an end of all is raised."""
    error = task.exception()
    if error is not None and not isinstance(error, Exception):
        raise error
    return error
