"""Bytes to pixels in the pool: the most urgent first, else in the order they were asked for.

Frames are handed over in small groups, because a message between threads costs as much as a
tenth of decoding a frame. Each thread decodes into a scratch array of its own, and what is wanted
is copied from there: that is quicker than to decode into fresh memory (`scratch_for` says why).
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
from wsiweb.pixels.decode import decode, decode_into, scratch_for
from wsiweb.wire import media

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np

    from wsiweb.frames.flights import Flight, Reader

__all__ = ["Decoder", "Outcome"]

_JPEG = "1.2.840.10008.1.2.4.50"
_GROUP = 4  # frames that are decoded between two looks at what is most urgent
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
            wanted = min(loop.threads(), -(-len(self._heap) // _GROUP)) - self._workers
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
        while self._heap and len(group) < _GROUP:
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
            array = self._pixels(flight, keep=keep)
            tracing.spend("decode", time.perf_counter() - began)
            for reader in readers:
                assert reader.paste is not None  # noqa: S101 - chosen above
                reader.paste(flight.address, array)
        except Exception as error:
            return Outcome(flight, error=error)
        tracing.add("frames_decoded")
        return Outcome(flight, array if keep else None, readers)

    def _pixels(self, flight: Flight, *, keep: bool) -> np.ndarray:
        image, received = flight.image, flight.received
        assert received is not None  # noqa: S101 - it has landed
        syntax = image.transfer_syntax
        if syntax is None and received.step is media.Step.BARE:
            syntax = _JPEG  # decompressed by the archive, which makes RGB of it, whatever it was
        # Edge frames hold padding, which some writers leave out of the codestream.
        crop = image.crop_of(flight.address)
        what = f"frame {flight.address.number} of instance {flight.address.instance_uid}"
        form = image.format
        if form.nbytes > _LARGEST_SCRATCH:
            array = decode(received.data, form, transfer_syntax=syntax, crop=crop, what=what)
        else:
            scratch: np.ndarray | None = getattr(self._scratch, "array", None)
            if scratch is None or scratch.shape != form.shape or scratch.dtype != form.dtype:
                scratch = self._scratch.array = scratch_for(form)
            decode_into(received.data, form, scratch, transfer_syntax=syntax, crop=crop, what=what)
            array = scratch.copy() if keep else scratch
        if keep:
            array.setflags(write=False)
        return array
