"""Regions put together from tiles.

A region is laid out by `wsiweb.pixels.tiling`; its tiles come from `wsiweb.frames`. Pixels
outside the image, and tiles that a sparse slide does not hold, have the image's background.
"""

from __future__ import annotations

import functools
import math
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb import tracing
from wsiweb.frames import Priority
from wsiweb.loop import in_pool
from wsiweb.pixels import resample, tiling

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsiweb.frames import Frames
    from wsiweb.pixels.image import FrameAddress, TiledImage

__all__ = ["Canvas", "fill", "paste_held", "read_box"]

_LARGEST = 2**34  # bytes of one region; more is a slip of the pen, or is better read in parts
_BAND = 2**25  # bytes of source pixels that a resampling holds at a time

Plan = dict["FrameAddress", tiling.Paste]


class Canvas:
    """A region, and which tile goes where; tiles may be pasted by several threads at once.

    The pixels are allocated when the first tile is there: of a thousand regions that are under
    way, most are still nothing.

    Parameters
    ----------
    image : TiledImage
        A level, or the label or overview.
    location, size : tuple of int
        Upper left corner (x, y), and width and height, in pixels of the image itself; the region
        may lie outside.
    channel, z : int
        Zero-based optical path and focal plane.

    Attributes
    ----------
    nbytes : int
        Bytes of the region, allocated or not.
    plan : dict
        Where each tile goes, by its `FrameAddress`.
    empty : callable
        Allocates the pixels: takes shape and dtype; `numpy.empty` unless set otherwise.

    Raises
    ------
    ValueError
        For a negative size, or one beyond 16 GiB.
    IndexError
        For a channel or focal plane that the image does not have.
    """

    __slots__ = (
        "_is_tile",
        "_lock",
        "_pixels",
        "channel",
        "empty",
        "image",
        "location",
        "nbytes",
        "plan",
        "size",
        "z",
    )

    def __init__(
        self,
        image: TiledImage,
        location: tuple[int, int],
        size: tuple[int, int],
        channel: int = 0,
        z: int = 0,
    ) -> None:
        self.nbytes = _checked_nbytes(size, image)
        self.image = image
        self.location = location
        self.size = size
        self.channel = channel
        self.z = z
        self.plan: Plan = {}
        tile = tiling.whole_tile(location, size, image.size, image.tile_size)
        plan = tiling.plan(location, size, image.size, image.tile_size) if tile is None else [tile]
        for paste in plan:
            address = image.frame(paste.column, paste.row, channel, z)
            if address is not None:
                self.plan[address] = paste
        if not self.plan:
            image.frame(0, 0, channel, z)  # refuses what is not there, wherever the region lies
        self._is_tile = tile is not None and len(self.plan) == 1
        self.empty: Callable[[tuple[int, int, int], np.dtype[Any]], np.ndarray] = np.empty
        self._pixels: np.ndarray | None = None
        self._lock = threading.Lock()

    def pixels(self) -> np.ndarray:
        """Return the region, shape (height, width, samples), as far as it has been pasted."""
        if self._pixels is None:
            with self._lock:
                if self._pixels is None:
                    self._pixels = self._allocated()
        return self._pixels

    def _allocated(self) -> np.ndarray:
        form = self.image.format
        if self._is_tile:
            return self.empty((self.size[1], self.size[0], form.samples), form.dtype)
        pixels = self.empty((self.size[1], self.size[0], form.samples), form.dtype)
        pasted = sum(_area(paste) for paste in self.plan.values())
        if pasted < self.size[0] * self.size[1]:  # else each pixel will be written anyway
            pixels[...] = self.image.background
        return pixels

    def paste(self, address: FrameAddress, tile: np.ndarray) -> None:
        """Copy what the region has of a tile; from any thread."""
        where = self.plan[address]
        self.pixels()[where.target] = tile[where.source]

    def target(self) -> np.ndarray | None:
        """Return the array to decode into, if the region is one whole tile; from any thread."""
        return self.pixels() if self._is_tile else None

    def shared(self) -> list[FrameAddress]:
        """Return the tiles that the region has only a part of: a neighbour may want the rest."""
        if self._is_tile:
            return []
        return [
            address
            for address, paste in self.plan.items()
            if _area(paste) < math.prod(self.image.crop(paste.column, paste.row))
        ]


def _checked_nbytes(size: tuple[int, int], image: TiledImage) -> int:
    """Return the bytes of a region of a size; refuse what is beyond all reason."""
    nbytes = size[0] * size[1] * image.samples * image.dtype.itemsize
    if nbytes > _LARGEST:
        raise ValueError(
            f"A region of {size[0]} x {size[1]} pixels is more than {_LARGEST >> 30} GiB; read it "
            "in parts (read_regions), or at a coarser level."
        )
    return nbytes


def _area(paste: tiling.Paste) -> int:
    rows, columns = paste.target
    return (rows.stop - rows.start) * (columns.stop - columns.start)


def paste_held(frames: Frames, canvas: Canvas) -> bool:
    """Paste a region from memory if all its frames are held decoded; from any thread."""
    tiles: list[tuple[FrameAddress, np.ndarray]] = []
    for address in canvas.plan:
        tile = frames.decoded_if_held(address)
        if tile is None:
            return False
        tiles.append((address, tile))
    for address, tile in tiles:
        canvas.paste(address, tile)
    tracing.add("cache_hits", len(tiles))
    return True


async def fill(
    frames: Frames,
    canvas: Canvas,
    *,
    priority: Priority = Priority.VISIBLE,
    also: Callable[[], None] | None = None,
) -> np.ndarray:
    """Fetch what a region needs, and return its pixels.

    Parameters
    ----------
    frames : Frames
        Where the tiles come from.
    canvas : Canvas
        The region.
    priority : Priority
        How urgent it is.
    also : callable, optional
        Called once all has been asked for, to ask for more.

    Raises
    ------
    ArchiveError, DecodeError
        When a tile cannot be had.
    """
    await frames.decoded(
        canvas.image,
        canvas.plan,
        canvas.paste,
        target=canvas.target,
        priority=priority,
        also=also,
    )
    return canvas.pixels()


async def read_box(
    frames: Frames,
    image: TiledImage,
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    channel: int = 0,
    z: int = 0,
    *,
    fine: bool = True,
    priority: Priority = Priority.VISIBLE,
) -> np.ndarray:
    """Read a part of an image resampled to a size, in bands of bounded memory.

    Parameters
    ----------
    frames : Frames
        Where the tiles come from.
    image, channel, z
        As in `Canvas`.
    box : tuple of float
        Left, top, right, bottom in pixels of the image; fractions are honoured.
    size : tuple of int
        Width and height of the result in pixels.
    fine : bool
        As in `wsiweb.pixels.resample.resize`.
    priority : Priority
        How urgent it is.

    Returns
    -------
    numpy.ndarray
        Shape (height, width, samples).
    """
    left, top, right, bottom = box
    width, height = size
    form = image.format
    _checked_nbytes(size, image)
    result = np.empty((height, width, form.samples), form.dtype)
    if 0 in size:
        return result
    steps = (right - left) / width, (bottom - top) / height
    factors = resample.whole_factor(steps[0]), resample.whole_factor(steps[1])
    first, last = _reach(left, right, steps[0], factors[0], image.size[0])
    pixel = form.samples * form.dtype.itemsize
    row_bytes = (last - first) / factors[0] * steps[1] / factors[1] * pixel
    rows = max(1, min(height, int(_BAND / row_bytes)))
    for begin in range(0, height, rows):
        end = min(height, begin + rows)
        band = (top + begin * steps[1], top + end * steps[1])
        upper, lower = _reach(*band, steps[1], factors[1], image.size[1])
        area = (first, upper, last, lower)
        source = await _reduced(frames, image, area, factors, channel, z, priority)
        inside = (
            max((left - first) / factors[0], 0.0),
            max((band[0] - upper) / factors[1], 0.0),
            min((right - first) / factors[0], source.shape[1]),
            min((band[1] - upper) / factors[1], source.shape[0]),
        )
        if inside == (0, 0, width, end - begin) and source.shape[:2] == (end - begin, width):
            result[begin:end] = source
        else:
            band_size = (width, end - begin)
            resize = functools.partial(resample.resize, fine=fine)
            result[begin:end] = await in_pool(resize, source, inside, band_size)
        del source  # else it would live on while the next band is read
    return result


async def _reduced(
    frames: Frames,
    image: TiledImage,
    area: tuple[int, int, int, int],
    factors: tuple[int, int],
    channel: int,
    z: int,
    priority: Priority,
) -> np.ndarray:
    """Read an area (left, top, right, bottom), reduced by whole factors, strip by strip."""
    left, top, right, bottom = area
    if factors == (1, 1):
        size = (right - left, bottom - top)
        return await fill(frames, Canvas(image, (left, top), size, channel, z), priority=priority)
    row_bytes = (right - left) * image.samples * image.dtype.itemsize
    rows = max(1, int(_BAND / row_bytes / factors[1])) * factors[1]
    strips: list[np.ndarray] = []
    for upper in range(top, bottom, rows):
        size = (right - left, min(rows, bottom - upper))
        strip = await fill(
            frames, Canvas(image, (left, upper), size, channel, z), priority=priority
        )
        strips.append(await in_pool(resample.reduce, strip, factors))
        del strip
    return np.concatenate(strips)


def _reach(begin: float, end: float, step: float, factor: int, length: int) -> tuple[int, int]:
    """Widen a stretch to whole blocks and by what the filter looks at.

    But not from inside the image to outside: what is beyond the edge would shine in.
    """
    extra = resample.margin(step / factor) * factor
    first, last = math.floor(begin), math.ceil(end)
    first = min(first, max(0, first - extra)) // factor * factor
    last = max(last, min(length, last + extra))
    if end <= length:
        return first, min(length, -(-last // factor) * factor)
    return first, -(-last // factor) * factor
