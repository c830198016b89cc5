"""A frame on its way, and those who wait for it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    import numpy as np

    from wsiweb.frames.encoded import Received
    from wsiweb.pixels.image import FrameAddress, TiledImage

__all__ = ["Batch", "Flight", "Priority", "Reader"]


class Priority(enum.IntEnum):
    """How urgent a frame is; what is smaller is fetched and decoded first."""

    VISIBLE = 0  # somebody waits for it, or looks at the place where it will be
    THUMBNAIL = 1
    AHEAD = 2  # will probably be asked for
    BULK = 3  # one of very many


@dataclass(eq=False, slots=True)
class Reader:
    """One call that waits for some frames.

    Attributes
    ----------
    paste : callable or None
        Takes address and pixels, in a thread of the pool or on the event loop; must copy what it
        wants, at once. None when the reader wants frames as they came.
    target : callable or None
        Returns the array to decode into when all that the reader wants is this frame; it is not
        pasted then.
    take : callable or None
        Takes address and `Received`, on the event loop.
    ended : callable
        Called on the event loop, once: with None when all is there, else with what went wrong.
    priority : Priority
        How urgent.
    waiting : set of Flight
        What has not come yet.
    over : bool
        Whether it has ended or given up.
    """

    paste: Callable[[FrameAddress, np.ndarray], None] | None
    take: Callable[[FrameAddress, Received], None] | None
    ended: Callable[[BaseException | None], None]
    priority: Priority = Priority.VISIBLE
    target: Callable[[], np.ndarray | None] | None = None
    waiting: set[Flight] = field(default_factory=set)
    over: bool = False

    def served(self, flight: Flight) -> None:
        """Note that a frame has been handed over."""
        self.waiting.discard(flight)
        if not self.waiting and not self.over:
            self.over = True
            self.ended(None)

    def fail(self, error: BaseException) -> None:
        """Say that a frame cannot be had; the others are not wanted any more either."""
        if not self.over:
            self.over = True
            self.ended(error)


@dataclass(eq=False, slots=True)
class Flight:
    """One frame on its way.

    Attributes
    ----------
    number : int
        In the order in which frames were asked for.
    priority : Priority
        That of its most urgent reader.
    keep : bool
        Whether its pixels are to be held when they are there.
    received : Received or None
        Its bytes, once they have come.
    batches : list of Batch
        The requests that it travels in: one, or two when the first is a straggler; none while it
        is queued.
    decoding : bool
        Whether a thread has taken it up.
    """

    image: TiledImage
    address: FrameAddress
    number: int
    priority: Priority
    keep: bool = False
    readers: list[Reader] = field(default_factory=list["Reader"])
    received: Received | None = None
    batches: list[Batch] = field(default_factory=list["Batch"])
    decoding: bool = False


@dataclass(eq=False, slots=True)
class Batch:
    """Frames that travel in one request."""

    flights: list[Flight]
    task: asyncio.Task[None] | None = None
    alarm: asyncio.TimerHandle | None = None  # rings when it has become a straggler
    is_twin: bool = False  # sent for the frames of a straggler

    def wanted(self) -> bool:
        """Whether anybody still waits for what has not come."""
        return any(flight.readers and flight.received is None for flight in self.flights)
