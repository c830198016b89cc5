"""Bytes to pixels in the pool: the most urgent first, else in the order they were asked for.

Frames are handed over in small groups, because a message between threads costs as much as a
tenth of decoding a frame. Each thread decodes into a scratch array of its own, and what is wanted
is copied from there: that is quicker than to decode into fresh memory, as `wsiweb.pixels.decode`
says in `scratch`.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsiweb import loop, tracing
from wsiweb.pixels.decode import decode, decode_into, scratch
from wsiweb.wire import media

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np

    from wsiweb.frames.flights import Flight, Reader
    from wsiweb.pixels.image import PixelFormat

__all__ = ["Decoder", "Outcome"]

_JPEG = "1.2.840.10008.1.2.4.50"
_GROUP = 8  # frames, at most, that are decoded between two looks at what is most urgent
_TURN = 8  # groups until other work of the pool gets its turn
_LARGEST_SCRATCH = 2**22  # bytes; larger frames fit into no processor's cache


@dataclass(slots=True)
class Outcome:
    """What came of decoding a frame.

    Attributes
    ----------
    array : numpy.ndarray or None
        The pixels, when they are to be held.
    served : tuple of Reader
        Who has got them already; others may have come since.
    error : Exception or None
        Why there are no pixels.
    """

    flight: Flight
    array: np.ndarray | None = None
    served: tuple[Reader, ...] = ()
    error: Exception | None = None


class Decoder:
    """Decodes flights that have landed, and hands their pixels to the readers.

    Parameters
    ----------
    ended : callable
        Told on the event loop what came of each group.
    """

    def __init__(self, ended: Callable[[list[Outcome]], None]) -> None:
        self._ended = ended
        self.renew()

    def renew(self) -> None:
        """Start anew in a forked child."""
        self._lock = threading.Lock()
        self._heap: list[tuple[int, int, int, Flight]] = []
        self._count = 0
        self._workers = 0
        self._scratch = threading.local()
        self.backlog = 0  # bytes that have landed and wait here

    def add(self, flights: Iterable[Flight]) -> None:
        """Take flights that have landed; on the event loop."""
        running = asyncio.get_running_loop()
        with self._lock:
            for flight in flights:
                assert flight.received is not None  # noqa: S101 - it has landed
                self.backlog += len(flight.received.data)
                self._count += 1  # of two entries for one flight neither must be compared
                entry = (flight.priority, flight.number, self._count, flight)
                heapq.heappush(self._heap, entry)
            wanted = min(loop.threads(), len(self._heap)) - self._workers
            wanted = max(0, wanted)
            self._workers += wanted
        for _ in range(wanted):
            loop.submit(self._drain, running)

    def _drain(self, running: asyncio.AbstractEventLoop) -> None:
        """Decode until nothing is left, or it is the turn of other work."""
        for _ in range(_TURN):
            with self._lock:
                group = self._next_group()
                if not group:
                    self._workers -= 1
                    return
            outcomes = [self._decode(flight) for flight in group]
            with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits
                running.call_soon_threadsafe(self._ended, outcomes)
        loop.submit(self._drain, running)

    def _next_group(self) -> list[Flight]:
        group: list[Flight] = []
        # Smaller towards the end, so that all threads end together.
        most = max(1, min(_GROUP, len(self._heap) // (2 * loop.threads())))
        while self._heap and len(group) < most:
            *_, flight = heapq.heappop(self._heap)
            assert flight.received is not None  # noqa: S101 - it has landed
            self.backlog -= len(flight.received.data)
            if not flight.decoding:  # a flight that became more urgent is in the heap twice
                flight.decoding = True
                group.append(flight)
        return group

    def _decode(self, flight: Flight) -> Outcome:
        readers = tuple(reader for reader in flight.readers if reader.paste and not reader.over)
        if not readers:
            return Outcome(flight)
        keep = flight.keep
        try:
            began = time.perf_counter()
            target = readers[0].target() if len(readers) == 1 and readers[0].target else None
            array = self._pixels(flight, target, keep=keep)
            tracing.spend("decode", time.perf_counter() - began)
            if target is None:
                for reader in readers:
                    assert reader.paste is not None  # noqa: S101 - chosen above
                    reader.paste(flight.address, array)
        except Exception as error:
            return Outcome(flight, error=error)
        tracing.add("frames_decoded")
        return Outcome(flight, array if keep else None, readers)

    def _pixels(self, flight: Flight, target: np.ndarray | None, *, keep: bool) -> np.ndarray:
        """Decode a frame: into a target, if there is one, else into this thread's scratch array."""
        image, received = flight.image, flight.received
        assert received is not None  # noqa: S101 - it has landed
        syntax = image.transfer_syntax
        if syntax is None and received.step is media.Step.BARE:
            syntax = _JPEG  # decompressed by the archive, which makes RGB of it, whatever it was
        # Edge frames hold padding, which some writers leave out of the codestream.
        crop = image.crop_of(flight.address)
        what = f"frame {flight.address.number} of instance {flight.address.instance_uid}"
        form = image.format
        if target is None and form.nbytes > _LARGEST_SCRATCH:
            array = decode(received.data, form, transfer_syntax=syntax, crop=crop, what=what)
        else:
            array = self._scratch_for(form) if target is None else target
            decode_into(received.data, form, array, transfer_syntax=syntax, crop=crop, what=what)
            array = array.copy() if keep else array
        if keep:
            array.setflags(write=False)
        return array

    def _scratch_for(self, form: PixelFormat) -> np.ndarray:
        array: np.ndarray | None = getattr(self._scratch, "array", None)
        if array is None or array.shape != form.shape or array.dtype != form.dtype:
            array = self._scratch.array = scratch(form.shape, form.dtype)
        return array
