"""Slides that are being looked at: opened once, kept while they are of use."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from wsiweb.viewer.feed import Feed

if TYPE_CHECKING:
    from wsiweb.browse.sources import Source

__all__ = ["Opened", "open_feed"]

_MOST = 12  # slides: those of a study, and some that were looked at before

Key = tuple[str, str, str]  # id of the archive, study, series


class Opened:
    """The feeds of slides that were looked at lately."""

    def __init__(self) -> None:
        self._feeds: OrderedDict[Key, asyncio.Task[Feed]] = OrderedDict()

    async def feed(self, source: Source, study: str, series: str) -> Feed:
        """Return the feed of a slide; its headers are read now if it is not open.

        Raises
        ------
        NotFound, SlideError, ArchiveError
            As `wsiweb.Archive.open_slide`.
        ValueError
            For what is no UID.
        """
        key = (source.id, study, series)
        task = self._feeds.get(key)
        if task is None:
            task = self._feeds[key] = asyncio.create_task(open_feed(source, study, series))
            task.add_done_callback(lambda done: self._drop_failed(key, done))
            while len(self._feeds) > _MOST:
                self._close(next(iter(self._feeds)))
        self._feeds.move_to_end(key)
        # Whoever came first may go away: others wait for it as well.
        return await asyncio.shield(task)

    def _drop_failed(self, key: Key, task: asyncio.Task[Feed]) -> None:
        """Drop what failed, also where nobody waits any more: the next one tries it again."""
        failed = task.cancelled() or task.exception() is not None
        if failed and self._feeds.get(key) is task:
            del self._feeds[key]

    def held(self, source: Source, study: str, series: str) -> bool:
        """Tell whether a slide is open, or being opened."""
        return (source.id, study, series) in self._feeds

    def forget(self, source: Source, study: str | None = None) -> None:
        """Close the slides of an archive, or those of a study in it."""
        for key in list(self._feeds):
            if key[0] == source.id and study in {None, key[1]}:
                self._close(key)

    def _close(self, key: Key) -> None:
        # One that is being opened is not cancelled: whoever waits for it did nothing wrong.
        self._feeds.pop(key).add_done_callback(_close_feed)

    async def close(self) -> None:
        """Close all."""
        tasks = list(self._feeds.values())
        for key in list(self._feeds):
            self._close(key)
        for task in tasks:
            task.cancel()  # does nothing to what is done
        await asyncio.gather(*tasks, return_exceptions=True)


def _close_feed(task: asyncio.Task[Feed]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def open_feed(source: Source, study: str, series: str) -> Feed:
    """Open a slide of an archive."""
    archive = await source.archive()
    return Feed(await archive.open_slide_async(study, series))
