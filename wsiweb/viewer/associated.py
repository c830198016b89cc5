"""Pictures of a whole slide, and those beside it: thumbnail, label and overview."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from wsiweb import loop, regions, views
from wsiweb.errors import NotAcceptable, NotFound
from wsiweb.frames import Priority
from wsiweb.viewer.encoding import lossless, lossy
from wsiweb.viewer.resource import Resource, picture
from wsiweb.viewer.tiles import as_browsers_decode
from wsiweb.viewer.windowing import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.frames import Frames
    from wsiweb.pixels.image import TiledImage
    from wsiweb.pixels.pyramid import Pyramid

__all__ = ["LARGEST_THUMBNAIL", "beside", "thumbnail"]

LARGEST_THUMBNAIL = 4096
"""Pixels along the longer side."""

_LARGEST_BESIDE = 2048


async def thumbnail(frames: Frames, pyramid: Pyramid, size: int) -> Resource:
    """Return the whole slide, made to fit into a square, as JPEG.

    Parameters
    ----------
    frames, pyramid : Frames, Pyramid
        The slide.
    size : int
        Longest side in pixels, 1 to `LARGEST_THUMBNAIL`.

    Raises
    ------
    ValueError
        For another size.
    ArchiveError, DecodeError
        When the archive does not deliver, or a frame is damaged.
    """
    if not 1 <= size <= LARGEST_THUMBNAIL:
        raise ValueError(f"A thumbnail is 1 to {LARGEST_THUMBNAIL} pixels large, not {size}.")
    pixels = await views.thumbnail(frames, pyramid, size)
    image = pyramid.levels[0]
    return await loop.in_pool(lambda: lossy(_as_shown(pixels, image)))


async def beside(frames: Frames, pyramid: Pyramid, name: Literal["label", "overview"]) -> Resource:
    """Return the label or the overview of a slide.

    Returns
    -------
    Resource
        As it is stored where it is one JPEG; else the label, which is to be read, without loss, and
        the overview as JPEG. One that is larger than a screen is made smaller.

    Raises
    ------
    NotFound
        When the slide has none.
    ArchiveError, DecodeError
        When the archive does not deliver, or a frame is damaged.
    """
    image: TiledImage | None = getattr(pyramid, name)
    if image is None:
        raise NotFound(f"This slide has no {name} image.")
    factor = max(1.0, max(image.size) / _LARGEST_BESIDE)
    if factor == 1 and image.size == image.tile_size:
        stored = await _as_stored(frames, image)
        if stored is not None:
            return stored
    width, height = image.size
    fit = max(1, round(width / factor)), max(1, round(height / factor))
    box = (0.0, 0.0, float(width), float(height))
    pixels = await regions.read_box(frames, image, box, fit, priority=Priority.THUMBNAIL)
    encode = lossless if name == "label" else lossy
    return await loop.in_pool(lambda: encode(_as_shown(pixels, image)))


async def _as_stored(frames: Frames, image: TiledImage) -> Resource | None:
    address = image.frame(0, 0)
    if address is None or image.format.photometric == "MONOCHROME1":
        return None
    try:
        frame = await frames.encoded(image, address, priority=Priority.THUMBNAIL)
    except NotAcceptable:
        return None
    data = as_browsers_decode(frame, image.format, image.size)
    return None if data is None else picture("image/jpeg", data)


def _as_shown(pixels: np.ndarray, image: TiledImage) -> NDArray[np.uint8]:
    """Return the pixels of a whole picture with 8 bits."""
    if pixels.dtype != np.uint8:
        pixels = spread(pixels, (float(pixels.min()), float(pixels.max())))
    return 255 - pixels if image.format.photometric == "MONOCHROME1" else pixels
