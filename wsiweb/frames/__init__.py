"""Frames: fetched once, decoded once, held within a budget of bytes.

====================  =============================================================
`frames`              the door: what is held, who waits for what
`flights`             a frame on its way, its readers, and how urgent they are
`departures`          what is asked for next, in which request; stragglers
`decoding`            bytes to pixels in the pool, the most urgent first
`encoded`             frames as they came: what they are, and what is refused
====================  =============================================================
"""

from __future__ import annotations

from wsiweb.frames.encoded import EncodedImage
from wsiweb.frames.flights import Priority
from wsiweb.frames.frames import Frames

__all__ = ["EncodedImage", "Frames", "Priority"]
