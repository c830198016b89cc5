"""Reads ahead of plain loops: what a walk over a slide will ask for next is fetched already.

Each thread walks by itself (`wsiweb.walks`). What lies far ahead is fetched and no more: bytes are
cheap, and the walk may end. What comes next is decoded too. When a walk breaks off, what was under
way for it is cancelled, unless somebody else waits for it.
"""

from __future__ import annotations

import threading
from itertools import islice
from typing import TYPE_CHECKING

from wsiweb import loop
from wsiweb.regions import Canvas
from wsiweb.walks import Place, Walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsiweb.frames import Frames
    from wsiweb.frames.flights import Reader
    from wsiweb.pixels.image import FrameAddress
    from wsiweb.pixels.pyramid import Level

__all__ = ["ReadAhead"]

_MOST = 256  # regions ahead
_MOST_BYTES = 48 * 2**20  # of pixels ahead
_FAR = 0.03  # seconds until an answer, in which a walk gets far
_FIRST_FAR = 32  # regions ahead when a walk is recognised there
_NEXT = 16  # regions that are decoded ahead
_MOST_WALKS = 64  # threads; the oldest walk is forgotten when there are more


class ReadAhead:
    """The walks over one slide.

    Parameters
    ----------
    frames : Frames
        Where frames come from, and are held until they are asked for.
    budget : int
        Bytes of pixels that may be held. A quarter of it, at most, is for what may be asked for.
    """

    def __init__(self, frames: Frames, budget: int) -> None:
        self._frames = frames
        self._most_bytes = min(_MOST_BYTES, budget // 4)
        self._lock = threading.Lock()
        self._walks: dict[tuple[int, bool], _Guided] = {}
        loop.renew_after_fork(self)

    def renew(self) -> None:
        """Start anew in a forked child."""
        self._lock = threading.Lock()
        self._walks = {}

    def step(self, canvas: Canvas, level: Level, *, decode: bool) -> Callable[[], None] | None:
        """Note that a region is being read, and see what will be read after it; any thread.

        Parameters
        ----------
        canvas : Canvas
            The region.
        level : Level
            The level that it is on.
        decode : bool
            Whether its pixels are wanted, or its frames as they are stored.

        Returns
        -------
        callable or None
            Fetches what comes next; to be called on the event loop, after the region itself was
            asked for, so that both can travel in one request.
        """
        most = min(_MOST, self._most_bytes // max(1, canvas.nbytes))
        if most < 1:
            return None
        key = threading.get_ident(), decode
        with self._lock:
            guided = self._walks.pop(key, None) or _Guided(Walk(most))
            self._walks[key] = guided  # the last is the newest
            while len(self._walks) > _MOST_WALKS:
                del self._walks[next(iter(self._walks))]
        guided.walk.most = most
        is_far = self._frames.client.pace.soonest > _FAR
        guided.walk.first = _FIRST_FAR if is_far else Walk.first
        place = Place((level.index, canvas.channel, canvas.z), canvas.location, canvas.size)
        coming = guided.walk.go(place)
        gone, far, near = [], [], []
        if not guided.walk.goes_on:
            gone, guided.readers = guided.readers, []
            guided.coming.clear()
        for one in coming:
            there = Canvas(level, one.location, one.size, canvas.channel, canvas.z)
            far.append(list(there.plan))
            if decode:
                guided.coming[one] = far[-1]
        if decode:
            near = guided.pass_by(place)
        if not (gone or far or near):
            return None

        def fetch() -> None:
            for reader in gone:
                self._frames.leave(reader)
            self._fetch(level, far, guided.readers, decode=False)
            self._fetch(level, near, guided.readers, decode=True)

        return fetch

    def _fetch(
        self,
        level: Level,
        tiles: list[list[FrameAddress]],
        readers: list[Reader],
        decode: bool,
    ) -> None:
        addresses = dict.fromkeys(address for region in tiles for address in region)
        readers[:] = [reader for reader in readers if not reader.over]
        if addresses:
            readers.append(self._frames.prefetch(level, addresses, decode=decode))


class _Guided:
    """A walk, and the readers that fetch ahead of it."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.readers: list[Reader] = []
        # What is fetched ahead and not decoded yet, in order, each with its frames.
        self.coming: dict[Place, list[FrameAddress]] = {}
        self._next = 0  # regions that are decoded ahead

    def pass_by(self, place: Place) -> list[list[FrameAddress]]:
        """Return the frames of regions that should be decoded now that the walk is at a place."""
        if place in self.coming:  # it was not decoded ahead: what lay before it was left out
            while self.coming and place in self.coming:
                del self.coming[next(iter(self.coming))]
            self._next = 0
        self._next = max(0, self._next - 1)
        if self._next > _NEXT // 2:
            return []
        following = [self.coming.pop(one) for one in list(islice(self.coming, _NEXT - self._next))]
        self._next += len(following)
        return following
