"""Thumbnails: few at a time, none for ever, each made once.

They are held by UID and not by address: a study that two archives hold looks the same from both.
What fails, and what hangs, is that of one archive.
"""

from __future__ import annotations

import asyncio
import time
from copy import copy
from typing import TYPE_CHECKING

from wsiweb.browse.asking import Turns
from wsiweb.browse.opened import open_feed
from wsiweb.browse.saying import series_of
from wsiweb.browse.sources import in_words
from wsiweb.cache import ByteCache
from wsiweb.errors import NotFound, SlideError, WsiwebError
from wsiweb.viewer.sharing import Shared

if TYPE_CHECKING:
    from wsiweb.browse.opened import Opened
    from wsiweb.browse.sources import Source
    from wsiweb.viewer.resource import Resource

__all__ = ["SIZES", "Thumbnails"]

SIZES = (16, 1024)
"""The least and the most pixels of a longest side."""

_MEMORY = 64 * 2**20
_AT_ONCE = 3  # of each archive: the slide that somebody looks at comes first
_DEADLINE = 20.0  # seconds for one, from when its turn has come
_PATIENCE = 60.0  # seconds for which one that failed is not tried again
_MOST_FAILURES = 10_000

Key = tuple[str, str, int]  # study, series, size
Asked = tuple[str, Key]  # of which archive, by its id


class Thumbnails:
    """Pictures of whole slides.

    Parameters
    ----------
    opened : Opened
        Slides that are open already.
    deadline : float
        Seconds that one may take.
    """

    def __init__(self, opened: Opened, *, deadline: float = _DEADLINE) -> None:
        self._opened = opened
        self._deadline = deadline
        self._held: ByteCache[Resource] = ByteCache(_MEMORY, lambda one: len(one.data) + 512)
        self._under_way = Shared()
        self._failed: dict[Asked, tuple[float, Exception]] = {}
        self._turns = Turns(_AT_ONCE)

    async def get(self, source: Source, study: str, series: str, size: int) -> Resource:
        """Return the thumbnail of a slide, as JPEG or PNG; ``series`` is empty for the first one.

        Raises
        ------
        NotFound
            When there is none: no slide, or one that cannot be shown; the words say why.
        ArchiveError
            When the archive fails.
        TimeoutError
            When it takes too long.
        ValueError
            For a size that makes no sense.
        """
        if not SIZES[0] <= size <= SIZES[1]:
            raise ValueError(f"A thumbnail has {SIZES[0]} to {SIZES[1]} pixels, not {size}.")
        key = (study, series, size)
        held = self._held.get(key)
        if held is not None:
            return held
        asked = (source.id, key)
        failed = self._failed.get(asked)
        if failed is not None and time.monotonic() - failed[0] < _PATIENCE:
            raise copy(failed[1])
        return await self._under_way.get(asked, lambda: self._make(source, key))

    async def _make(self, source: Source, key: Key) -> Resource:
        async with self._turns.of(source):
            try:
                async with asyncio.timeout(self._deadline):
                    picture = await self._picture(source, *key)
            except SlideError as error:  # there is a slide, and no picture of it
                raise self._failure(source, key, NotFound(in_words(error))) from error
            except (WsiwebError, ValueError, OSError) as error:
                self._failure(source, key, error)
                raise
        self._held.put(key, picture)
        return picture

    def _failure(self, source: Source, key: Key, error: Exception) -> Exception:
        """Remember a failure, without what it came through; return it."""
        if len(self._failed) >= _MOST_FAILURES:
            self._failed.clear()
        self._failed[source.id, key] = (time.monotonic(), copy(error))
        return error

    async def _picture(self, source: Source, study: str, series: str, size: int) -> Resource:
        if not series:
            listed = await series_of(source, study)
            slide = next((one for one in listed if one.modality == "SM"), None)
            if slide is None:
                raise NotFound(f"There is no slide in the study {study}.")
            series = slide.series_uid
            held = self._held.get((study, series, size))
            if held is not None:
                return held
        if self._opened.held(source, study, series):
            feed = await self._opened.feed(source, study, series)
        else:  # not among those that are looked at: hundreds of thumbnails would push these out
            feed = await open_feed(source, study, series)
        picture = await feed.get(f"thumbnail/{size}")
        self._held.put((study, series, size), picture)
        return picture

    def forget(self, study: str | None = None) -> None:
        """Forget the pictures of a study, and all failures."""
        self._failed.clear()
        if study is not None:
            self._held.discard_where(lambda key: key[0] == study)
