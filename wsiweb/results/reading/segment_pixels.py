"""Pixels of a segmentation: labels, one segment, or fractions, whichever way they are stored."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.regions import Canvas
from wsiweb.results.reading.aligned import aligned
from wsiweb.results.reading.placement import best_for
from wsiweb.results.reading.segments import color_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsiweb.frames import Priority
    from wsiweb.pixels.image import TiledImage
    from wsiweb.results.reading.matrices import Matrices
    from wsiweb.results.reading.pixels import Pixels
    from wsiweb.results.reading.placement import Grid
    from wsiweb.results.reading.segments import StoredSegment

__all__ = ["painted", "read_segments_on"]

Pair = tuple[int, int]

_AT_ONCE = 2**26  # bytes of segments that are read side by side


async def read_segments_on(
    pixels: Pixels,
    matrices: Matrices,
    grid: Grid,
    segment: StoredSegment | None,
    dtype: np.dtype[Any],
    priority: Priority,
) -> np.ndarray:
    """Read a segmentation upon a grid of the slide.

    Parameters
    ----------
    pixels : Pixels
        Where its frames come from.
    matrices : Matrices
        The segmentation.
    grid : Grid
        What is wanted.
    segment : StoredSegment or None
        One segment, or all of them; of fractions only one.
    dtype : numpy.dtype
        Of labels; what one segment gives is bool or float32.
    priority : Priority
        How urgent it is.

    Returns
    -------
    numpy.ndarray
        Shape (height, width).
    """
    best = best_for(matrices.placements, sum(grid.step) / 2)
    image, placement = matrices.images[best], matrices.placements[best]

    async def labels(location: Pair, size: Pair) -> np.ndarray:
        return await _labels(pixels, image, (location, size), dtype, priority)

    async def stored(location: Pair, size: Pair) -> np.ndarray:
        channel = 0
        if segment is not None and matrices.type != "LABELMAP":
            channel = image.channels.index(str(segment.number))
        canvas = Canvas(image, location, size, channel)
        return (await pixels.fill(canvas, priority=priority))[:, :, 0]

    if segment is None and matrices.type == "BINARY":
        return await aligned(labels, image.size, placement, grid, dtype.type(0))
    found = await aligned(stored, image.size, placement, grid, image.background[0])
    if segment is None:
        return found.astype(dtype, copy=False)
    if matrices.type == "LABELMAP":
        return found == segment.number
    if matrices.type == "BINARY":
        return found.view(np.bool_)  # 0 or 1 in a byte each
    return found.astype(np.float32) / np.float32(matrices.largest)


async def _labels(
    pixels: Pixels,
    image: TiledImage,
    box: tuple[Pair, Pair],
    dtype: np.dtype[Any],
    priority: Priority,
) -> np.ndarray:
    """Lay the segments of a binary segmentation over each other, the highest number on top."""
    location, size = box
    out = np.zeros((size[1], size[0]), dtype)
    channels = {int(name): channel for channel, name in enumerate(image.channels)}
    canvases = [
        (number, Canvas(image, location, size, channels[number])) for number in sorted(channels)
    ]
    canvases = [(number, canvas) for number, canvas in canvases if canvas.plan]
    together = max(1, _AT_ONCE // max(1, out.size))
    while canvases:
        group, canvases = canvases[:together], canvases[together:]
        masks = await asyncio.gather(
            *(pixels.fill(canvas, priority=priority) for _, canvas in group)
        )
        for (number, _), mask in zip(group, masks, strict=True):
            out[mask[:, :, 0] != 0] = number
        del masks, group  # else they would live on while the next ones are read
    return out


def painted(
    pixels: np.ndarray, segments: Sequence[StoredSegment], chosen: StoredSegment | None
) -> np.ndarray:
    """Return pixels in the colours of their segments.

    Parameters
    ----------
    pixels : numpy.ndarray
        Shape (height, width): labels; or of a chosen segment bool, or fractions, which are shown by
        how opaque the colour is.
    segments : sequence of StoredSegment
        All of them.
    chosen : StoredSegment or None
        The one that is shown.

    Returns
    -------
    numpy.ndarray
        Shape (height, width, 4), uint8: red, green, blue and how opaque.
    """
    picture = np.zeros((*pixels.shape, 4), np.uint8)
    for place, segment in enumerate(segments):
        if chosen is None:
            opaque = (pixels == segment.number) * np.uint8(255)
        elif chosen is segment:
            opaque = np.rint(pixels.astype(np.float32) * 255).astype(np.uint8)
        else:
            continue
        there = opaque > 0
        picture[there, :3] = color_of(segment, place)
        picture[there, 3] = opaque[there]
    return picture
