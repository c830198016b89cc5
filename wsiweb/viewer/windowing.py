"""Numbers to the 256 grays that a browser shows.

Pixels of 8 bits stay as they are. Others, such as fluorescence of 16 bits, are spread from the
darkest to nearly the brightest that a channel has, the same for all its tiles: else each tile would
be lit by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wsiweb import loop, regions
from wsiweb.frames import Priority
from wsiweb.viewer.sharing import Shared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.frames import Frames
    from wsiweb.pixels.image import PixelFormat
    from wsiweb.pixels.pyramid import Pyramid

__all__ = ["Ranges", "spread"]

_LOOKED_AT = 512  # pixels along a side
_MOST_READ = 2**24  # pixels of the coarsest level; beyond that, what the format can hold counts
_BRIGHT = 99.9  # percent of the pixels that are not brighter than the brightest gray

Range = tuple[float, float]


class Ranges:
    """What is black and what is white in each channel; found out when it is first wanted.

    Parameters
    ----------
    frames : Frames
        Where pixels come from.
    pyramid : Pyramid
        The slide.
    """

    def __init__(self, frames: Frames, pyramid: Pyramid) -> None:
        self._frames = frames
        self._pyramid = pyramid
        self._shared = Shared()
        self._found: dict[tuple[int, int], Range] = {}

    async def eight_bits(
        self, pixels: np.ndarray, form: PixelFormat, channel: int, plane: int
    ) -> NDArray[np.uint8]:
        """Return pixels of a channel as a browser shows them; of MONOCHROME1, turned round."""
        if pixels.dtype != np.uint8:
            key = channel, plane
            if key not in self._found:
                self._found[key] = await self._shared.get(key, lambda: self._look(*key))
            pixels = await loop.in_pool(spread, pixels, self._found[key])
        return 255 - pixels if form.photometric == "MONOCHROME1" else pixels

    async def _look(self, channel: int, plane: int) -> Range:
        level = self._pyramid.levels[-1]
        width, height = level.size
        bits = level.format.bits_stored
        if width * height > _MOST_READ:
            low = -(1 << (bits - 1)) if level.format.signed else 0
            return float(low), float(low + (1 << bits) - 1)
        factor = max(1, width / _LOOKED_AT, height / _LOOKED_AT)
        size = max(1, round(width / factor)), max(1, round(height / factor))
        box = (0.0, 0.0, float(width), float(height))
        pixels = await regions.read_box(
            self._frames,
            level,
            box,
            size,
            channel,
            plane,
            fine=False,
            priority=Priority.VISIBLE,
        )
        return float(pixels.min()), float(np.percentile(pixels, _BRIGHT))


def spread(pixels: np.ndarray, between: Range) -> NDArray[np.uint8]:
    """Return numbers spread over 0 to 255, from the low end of a range to its high one.

    Examples
    --------
    >>> spread(np.array([0, 100, 200, 999], np.uint16), (100, 200)).tolist()
    [0, 0, 255, 255]
    """
    low, high = between
    scaled = (pixels.astype(np.float32) - np.float32(low)) * np.float32(255 / max(high - low, 1e-6))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
