"""Many regions in turn, the next ones on their way while the caller works on this one.

All that is asked for ahead is handed to the event loop in one go, and is fetched as a bulk: what
somebody looks at goes first.

Regions are put together in memory that is used over and over, and copied from there for the
caller. That sounds wasteful and is not: pages that are touched for the first time cost ten times
as much as the copy, and arrays that one thread allocates and another frees are always such pages,
while those that the caller's thread allocates and frees in turn are not.
"""

from __future__ import annotations

import collections
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from wsiweb import loop
from wsiweb.frames import Priority
from wsiweb.pixels.decode import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from wsiweb.frames import Frames
    from wsiweb.frames.flights import Reader
    from wsiweb.regions import Canvas

__all__ = ["in_turn"]

_MOST_BYTES = 2**28  # of regions under way and not yet taken
_MOMENT = 0.0005  # seconds, in which the loop's thread can take over the GIL
_FIRST = 64  # regions that are laid out before the first request leaves
_PATIENCE = 0.01  # seconds that the caller may take to name some regions, before those leave
_MOST_COPIED = 2**22  # bytes of a region that is put together on the workbench
_MOST = 1024  # regions under way, when the caller does not say


class _Workbench:
    """Arrays to put regions together in; from any thread.

    They are taken when the first tile of a region is there: of a thousand regions that are under
    way, most are still nothing.
    """

    def __init__(self) -> None:
        self._free: collections.deque[np.ndarray] = collections.deque()

    def take(self, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> np.ndarray:
        """Return an array with anything in it."""
        try:
            array = self._free.pop()  # the one used last: it may be in the processor's cache still
        except IndexError:
            return scratch(shape, dtype)
        return array if array.shape == shape and array.dtype == dtype else scratch(shape, dtype)

    def copied(self, array: np.ndarray) -> np.ndarray:
        """Return a copy, and take the array back."""
        result = array.copy()
        self._free.append(array)
        return result


class _Order:
    """A region that has been asked for.

    A `concurrent.futures.Future` would do as well, and take as long to make as to fetch the region.
    """

    __slots__ = ("_bell", "_frames", "_reader", "canvas", "done", "error")

    def __init__(self, frames: Frames, canvas: Canvas, bell: threading.Condition) -> None:
        self._frames = frames
        self._bell = bell
        self._reader: Reader | None = None
        self.canvas = canvas
        self.done = False
        self.error: BaseException | None = None

    def begin(self) -> None:
        """Ask for its frames; on the event loop."""
        if self.done:
            return
        try:
            self._begin(self.canvas)
        except Exception as error:  # whoever waits must hear of it
            self._end(error)

    def _begin(self, canvas: Canvas) -> None:
        keep = canvas.shared()
        if self._frames.is_much(canvas.image, len(keep)):
            keep = []
        self._reader = self._frames.begin(
            canvas.image,
            canvas.plan,
            canvas.paste,
            self._end,
            target=canvas.target,
            keep=keep,
            priority=Priority.BULK,
        )

    def _end(self, error: BaseException | None) -> None:
        self.error = error
        self.done = True
        with self._bell:
            self._bell.notify()

    def wait(self) -> None:
        """Block until it is there."""
        if not self.done:
            with self._bell:
                while not self.done:
                    self._bell.wait()
        if self.error is not None:
            raise loop.bare(self.error)

    def leave(self) -> None:
        """Give it up; on the event loop."""
        self.done = True
        if self._reader is not None:
            self._frames.leave(self._reader)


def in_turn(frames: Frames, wanted: Iterator[Canvas], ahead: int | None) -> Iterator[np.ndarray]:
    """Yield regions in the order asked; what is under way is given up when the caller stops.

    Parameters
    ----------
    frames : Frames
        Where the tiles come from.
    wanted : iterator of Canvas
        Taken from only as far as is read ahead.
    ahead : int or None
        Regions to have under way, fewer when they are large; None for as many as is useful.

    Raises
    ------
    ArchiveError, DecodeError
        When a tile cannot be had.
    """
    most = _MOST if ahead is None else ahead
    under_way: collections.deque[_Order] = collections.deque()
    # What is laid out later waits until the first request is back: laying out may take half as long
    # as an answer, so that from far away all is asked for at once.
    answer = frames.client.pace.soonest
    slow = max(answer, _PATIENCE)
    held, together = 0, _FIRST
    bench = _Workbench()
    bell = threading.Condition()
    process = os.getpid()
    try:
        while True:
            if os.getpid() != process:
                under_way.clear()
                raise RuntimeError(
                    "These regions were begun in the parent process, whose connections cannot be "
                    "used here; call read_regions anew in the child."
                )
            # Refilled by halves: a message to the loop for every region would cost more than it.
            if len(under_way) <= most // 2:
                fresh: list[_Order] = []
                began = time.monotonic()
                while len(under_way) < most and (held < _MOST_BYTES or not under_way):
                    canvas = next(wanted, None)
                    if canvas is None:
                        break
                    held += canvas.nbytes
                    if canvas.nbytes <= _MOST_COPIED:
                        canvas.empty = bench.take
                    fresh.append(_Order(frames, canvas, bell))
                    under_way.append(fresh[-1])
                    spent = time.monotonic() - began
                    if (len(fresh) >= together and spent > answer / 2) or spent > slow:
                        # These leave while the rest is laid out.
                        loop.call(_begin_all, fresh)
                        time.sleep(_MOMENT)
                        fresh, together, began = [], together * 4, time.monotonic()
                if fresh:
                    loop.call(_begin_all, fresh)
            if not under_way:
                return
            order = under_way.popleft()
            try:
                order.wait()
            except BaseException:
                under_way.append(order)
                raise
            held -= order.canvas.nbytes
            pixels = order.canvas.pixels()
            yield bench.copied(pixels) if order.canvas.nbytes <= _MOST_COPIED else pixels
            del pixels
    finally:
        loop.call(_leave_all, list(under_way))
        under_way.clear()  # so that a traceback does not keep them


def _begin_all(orders: list[_Order]) -> None:
    for order in orders:
        order.begin()


def _leave_all(orders: list[_Order]) -> None:
    for order in orders:
        order.leave()
