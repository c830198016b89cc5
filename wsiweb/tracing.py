"""What it cost: requests, bytes, connections, cache hits and time, counted while you read.

::

    with wsiweb.trace() as t:
        slide.read_region((0, 0), 0, (1024, 1024))
    print(t)

A trace counts what the whole process does through wsiweb while it is open: the event loop
and the cache are shared, so a frame that two threads wait for belongs to neither alone.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Trace", "add", "spend", "trace"]


@dataclass
class Trace:
    """Counts since the trace was opened; they stand still once it is closed.

    Attributes
    ----------
    requests : int
        HTTP requests sent, retries among them (in-process requests for a folder count too).
    retries : int
        Requests that were sent again after a failure.
    bytes_received : int
        Bytes of answer bodies, as read from the socket after decompression.
    connections : int
        TCP connections opened.
    frames_fetched : int
        Frames that came from the archive.
    frames_decoded : int
        Frames that were decoded.
    cache_hits : int
        Frames that were wanted and already held, encoded or decoded.
    joined : int
        Frames that were wanted while another reader's fetch of them was under way.
    seconds : dict of str to float
        Time by phase, summed over what ran side by side, so it may exceed the wall time:
        ``"wait"`` until an answer's head came, ``"transfer"`` for its body, ``"decode"``.
    """

    requests: int = 0
    retries: int = 0
    bytes_received: int = 0
    connections: int = 0
    frames_fetched: int = 0
    frames_decoded: int = 0
    cache_hits: int = 0
    joined: int = 0
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    def __str__(self) -> str:
        phases = ", ".join(f"{name} {value:.3f} s" for name, value in self.seconds.items())
        return (
            f"{self.requests} requests ({self.retries} retries, {self.connections} connections), "
            f"{self.bytes_received:,} bytes; {self.frames_fetched} frames fetched, "
            f"{self.frames_decoded} decoded, {self.cache_hits} from the cache, "
            f"{self.joined} joined" + (f"; {phases}" if phases else "")
        )


_lock = threading.Lock()
_open: tuple[Trace, ...] = ()


def _renew_lock() -> None:
    """In a forked child the lock may be held by a thread that does not exist there."""
    global _lock  # noqa: PLW0603 - see above
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


@contextmanager
def trace() -> Generator[Trace]:
    """Count requests, bytes, connections, cache hits and time while the block runs.

    Examples
    --------
    >>> with trace() as t:
    ...     pass
    >>> t.requests
    0
    """
    global _open  # noqa: PLW0603 - the open traces of the process are this module's state
    counts = Trace()
    with _lock:
        _open = (*_open, counts)
    try:
        yield counts
    finally:
        with _lock:
            _open = tuple(one for one in _open if one is not counts)


def add(name: str, amount: int = 1) -> None:
    """Add to a count of every open trace; next to nothing when none is open."""
    if _open:
        with _lock:
            for counts in _open:
                setattr(counts, name, getattr(counts, name) + amount)


def spend(phase: str, seconds: float) -> None:
    """Add time to a phase of every open trace."""
    if _open:
        with _lock:
            for counts in _open:
                counts.seconds[phase] = counts.seconds.get(phase, 0.0) + seconds
