"""Regions put together from tiles.

A region is laid out by `wsiweb.pixels.tiling`; its tiles come from `wsiweb.frames`. Pixels
outside the image, and tiles that a sparse slide does not hold, have the image's background.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from wsiweb.loop import in_pool
from wsiweb.pixels import resample, tiling

if TYPE_CHECKING:
    from wsiweb.frames import Frames
    from wsiweb.pixels.pyramid import FrameAddress, TiledImage

__all__ = ["held_region", "read_box", "read_region"]

_LARGEST = 2**34  # bytes of one region; more is a slip of the pen, or is better read in parts
_BAND = 2**25  # bytes of source pixels that a resampling holds at a time

Plan = dict["FrameAddress", tiling.Paste]


def _laid_out(
    image: TiledImage, location: tuple[int, int], size: tuple[int, int], channel: int, z: int
) -> tuple[np.ndarray, Plan]:
    """Return the region filled with background, and which tile goes where."""
    form = image.format
    if size[0] * size[1] * form.samples * form.dtype.itemsize > _LARGEST:
        raise ValueError(
            f"A region of {size[0]} x {size[1]} pixels is more than {_LARGEST >> 30} GiB; read it "
            "in parts (read_regions), or at a coarser level."
        )
    pastes = tiling.plan(location, size, image.size, image.tile_size)
    plan: Plan = {}
    for paste in pastes:
        address = image.frame(paste.column, paste.row, channel, z)
        if address is not None:
            plan[address] = paste
    region = np.empty((size[1], size[0], form.samples), form.dtype)
    pasted = sum(_area(paste) for paste in plan.values())
    if pasted < size[0] * size[1]:  # else each pixel will be written anyway
        region[...] = image.background
    return region, plan


def _area(paste: tiling.Paste) -> int:
    rows, columns = paste.target
    return (rows.stop - rows.start) * (columns.stop - columns.start)


def held_region(
    frames: Frames,
    image: TiledImage,
    location: tuple[int, int],
    size: tuple[int, int],
    channel: int = 0,
    z: int = 0,
) -> np.ndarray | None:
    """Return a region if all its frames are held decoded, else None; from any thread."""
    region, plan = _laid_out(image, location, size, channel, z)
    for address, paste in plan.items():
        tile = frames.decoded_if_held(address)
        if tile is None:
            return None
        region[paste.target] = tile[paste.source]
    return region


async def read_region(
    frames: Frames,
    image: TiledImage,
    location: tuple[int, int],
    size: tuple[int, int],
    channel: int = 0,
    z: int = 0,
) -> np.ndarray:
    """Read a region, pixel for pixel.

    Parameters
    ----------
    frames : Frames
        Where the tiles come from.
    image : TiledImage
        A level, or the label or overview.
    location, size : tuple of int
        Upper left corner (x, y) and width and height, in pixels of the image itself. The
        region may lie partly or wholly outside.
    channel, z : int
        Zero-based optical path and focal plane.

    Returns
    -------
    numpy.ndarray
        Shape (height, width, samples).

    Raises
    ------
    ValueError
        For a negative size, or one beyond 16 GiB.
    IndexError
        For a channel or focal plane that the image does not have.
    ArchiveError, DecodeError
        When a tile cannot be had.
    """
    region, plan = _laid_out(image, location, size, channel, z)

    def paste(address: FrameAddress, tile: np.ndarray) -> None:
        where = plan[address]
        region[where.target] = tile[where.source]

    await frames.decoded(image, plan, paste)
    return region


async def read_box(
    frames: Frames,
    image: TiledImage,
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    channel: int = 0,
    z: int = 0,
) -> np.ndarray:
    """Read a part of an image resampled to a size, in bands of bounded memory.

    Parameters
    ----------
    frames, image, channel, z
        As in `read_region`.
    box : tuple of float
        Left, top, right, bottom in pixels of the image; fractions are honoured.
    size : tuple of int
        Width and height of the result in pixels.

    Returns
    -------
    numpy.ndarray
        Shape (height, width, samples).
    """
    left, top, right, bottom = box
    width, height = size
    form = image.format
    result = np.empty((height, width, form.samples), form.dtype)
    if 0 in size:
        return result
    step_x, step_y = (right - left) / width, (bottom - top) / height
    first, last = _with_margin(left, right, step_x, image.size[0])
    row_bytes = (last - first) * form.samples * form.dtype.itemsize * max(step_y, 1.0)
    rows = max(1, min(height, int(_BAND / row_bytes)))
    for begin in range(0, height, rows):
        end = min(height, begin + rows)
        band = (top + begin * step_y, top + end * step_y)
        upper, lower = _with_margin(*band, step_y, image.size[1])
        source = await read_region(
            frames, image, (first, upper), (last - first, lower - upper), channel, z
        )
        part = (left - first, band[0] - upper, right - first, band[1] - upper)
        if part == (0, 0, width, end - begin) and source.shape[:2] == (end - begin, width):
            result[begin:end] = source
        else:
            # The sums above may overshoot the last pixel by a rounding error; Pillow refuses that.
            inside = (
                max(part[0], 0.0),
                max(part[1], 0.0),
                min(part[2], source.shape[1]),
                min(part[3], source.shape[0]),
            )
            result[begin:end] = await in_pool(resample.resize, source, inside, (width, end - begin))
        del source  # else it would live on while the next band is read
    return result


def _with_margin(begin: float, end: float, step: float, length: int) -> tuple[int, int]:
    """Widen a stretch by what the filter looks at, but not from inside the image to outside."""
    extra = resample.margin(step)
    first, last = math.floor(begin), math.ceil(end)
    return min(first, max(0, first - extra)), max(last, min(length, last + extra))
