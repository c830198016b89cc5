"""Views of a slide that are not given in its pixels: at a scale, in millimetres, as a whole.

Each is said in pixels of the level that serves it best, and read by `wsiweb.regions`.
"""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any

from wsiweb import regions
from wsiweb.arguments import finite, whole
from wsiweb.frames import Priority
from wsiweb.pixels.pyramid import Level

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import numpy as np

    from wsiweb.frames import Frames
    from wsiweb.pixels.image import TiledImage
    from wsiweb.pixels.pyramid import Pyramid

__all__ = ["at_mpp", "in_millimetres", "thumbnail"]

_MICROMETRES = 1000.0  # in a millimetre


def at_mpp(
    frames: Frames,
    pyramid: Pyramid,
    location: tuple[int, int],
    size: tuple[int, int],
    mpp: float,
    *,
    channel: int,
    z: int,
) -> Coroutine[Any, Any, np.ndarray]:
    """Begin `wsiweb.Slide.read`: a region at a chosen scale."""
    own = _scale(pyramid)
    if not isinstance(mpp, numbers.Real) or not 0 < mpp < float("inf"):
        raise ValueError(f"mpp must be a positive number of micrometres, not {mpp!r}.")
    image = pyramid.level_for_mpp(mpp)
    x, y = (value / image.downsample for value in whole(location, "location"))
    width, height = whole(size, "size")
    if width < 0 or height < 0:
        raise ValueError(f"The size {size} is negative.")
    step_x, step_y = (mpp / (scale * image.downsample) for scale in own)
    box = (x, y, x + width * step_x, y + height * step_y)
    return regions.read_box(frames, image, box, (width, height), channel, z)


def in_millimetres(
    frames: Frames,
    pyramid: Pyramid,
    location: tuple[float, float],
    size: tuple[float, float],
    image: Level,
    origin: str,
    *,
    channel: int,
    z: int,
) -> Coroutine[Any, Any, np.ndarray]:
    """Begin `wsiweb.Slide.read_region_mm`: a region given in millimetres."""
    location, size = finite(location, "location"), finite(size, "size")
    scale = [value * image.downsample / _MICROMETRES for value in _scale(pyramid)]
    match origin:
        case "image":
            x, y = location[0] / scale[0], location[1] / scale[1]
        case "slide":
            if image.geometry is None:
                raise ValueError("The headers do not say where on the glass the image lies.")
            x, y = image.geometry.to_pixel(location).tolist()
        case _:
            raise ValueError(f'origin is "image" or "slide", not {origin!r}.')
    corner = _nearest(x), _nearest(y)
    extent = _nearest(size[0] / scale[0]), _nearest(size[1] / scale[1])
    return regions.fill(frames, regions.Canvas(image, corner, extent, channel, z))


def thumbnail(
    frames: Frames, pyramid: Pyramid, size: int | tuple[int, int]
) -> Coroutine[Any, Any, np.ndarray]:
    """Begin `wsiweb.Slide.thumbnail`: the whole slide, made to fit."""
    box = whole(size if isinstance(size, tuple) else (size, size), "size")
    if min(box) < 1:
        raise ValueError(f"A thumbnail has at least one pixel; {size} was asked for.")
    width, height = pyramid.levels[0].size
    factor = min(1.0, box[0] / width, box[1] / height)
    fit = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = _source_for(pyramid, fit)
    # A level's last pixel may reach beyond the slide, where its size was rounded up.
    right, bottom = map(float, image.size)
    if isinstance(image, Level):
        right, bottom = width / image.downsample, height / image.downsample
    return regions.read_box(
        frames, image, (0.0, 0.0, right, bottom), fit, fine=False, priority=Priority.THUMBNAIL
    )


def _source_for(pyramid: Pyramid, fit: tuple[int, int]) -> TiledImage:
    """Return the smallest image of the whole slide that has the pixels for a thumbnail."""
    enough: list[TiledImage] = [
        level for level in pyramid.levels if level.size[0] >= fit[0] and level.size[1] >= fit[1]
    ]
    source = enough[-1] if enough else pyramid.levels[0]
    ready = pyramid.thumbnail
    # A slide without low levels would have to be read whole; its THUMBNAIL is then the better
    # source, though it may be of another quality.
    large = source.size[0] * source.size[1] > 64 * fit[0] * fit[1]
    if large and ready is not None and ready.size[0] >= fit[0]:
        return ready
    return source


def _scale(pyramid: Pyramid) -> tuple[float, float]:
    if pyramid.mpp is None:
        raise ValueError(
            "This slide has no scale (PixelSpacing is missing), so micrometres and millimetres "
            "mean nothing here; read it by level and pixel with read_region."
        )
    return pyramid.mpp


def _nearest(value: float) -> int:
    """Round to the nearest whole number, halves up: neighbouring regions stay neighbours."""
    return math.floor(value + 0.5)
