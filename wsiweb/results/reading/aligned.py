"""A result read upon a grid of pixels of the slide, in parts of bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsiweb.results.reading.placement import Grid, Placement

__all__ = ["Reader", "aligned"]

_MOST = 2**24  # pixels of the result that are held at a time
_LARGEST = 2**34  # bytes of one region, as of slides

Pair = tuple[int, int]


class Reader(Protocol):
    """Reads a part of a result."""

    async def __call__(self, location: Pair, size: Pair) -> np.ndarray:
        """Return pixels of the result itself, shape (height, width).

        Parameters
        ----------
        location, size : tuple of int
            Upper left corner (x, y), and width and height, in pixels of the result.
        """
        ...


async def aligned(
    read: Reader,
    extent: Pair,
    placement: Placement,
    grid: Grid,
    nothing: np.generic[Any],
) -> np.ndarray:
    """Read a result upon a grid: of each pixel, the one of the result under its centre.

    Parameters
    ----------
    read : Reader
        Reads pixels of the result; of a grid that lies on them exactly also such as are outside.
    extent : tuple of int
        Width and height of the result.
    placement : Placement
        Where it lies upon the slide.
    grid : Grid
        What is wanted.
    nothing : numpy scalar
        What is shown where the result has no pixels; its dtype is that of the pixels.

    Returns
    -------
    numpy.ndarray
        Shape (height, width).

    Raises
    ------
    ValueError
        For a grid of more than 16 GiB, or of a negative size.
    """
    width, height = grid.size
    if min(grid.size) < 0:
        raise ValueError(f"A region cannot be {width} x {height} pixels.")
    if width * height * nothing.dtype.itemsize > _LARGEST:
        raise ValueError(
            f"A region of {width} x {height} pixels is more than {_LARGEST >> 30} GiB; read it in "
            "parts, or at a coarser level."
        )
    start = placement.exact(grid)
    if start is not None:
        return await read(start, grid.size)
    out = np.full((height, width), nothing)
    for left, top, part in _parts(grid, placement):
        found = placement.source(part)
        inside = _inside(found.x, extent[0]) & _inside(found.y, extent[1])
        if not inside.any():
            continue
        x0, y0, x1, y1 = found.box()
        x0, y0 = max(x0, 0), max(y0, 0)
        x1, y1 = min(x1, extent[0]), min(y1, extent[1])
        pixels = await read((x0, y0), (x1 - x0, y1 - y0))
        target = out[top : top + part.size[1], left : left + part.size[0]]
        clipped = type(found)(np.clip(found.x, x0, x1 - 1), np.clip(found.y, y0, y1 - 1))
        np.copyto(target, clipped.pick(pixels, x0, y0), where=inside)
    return out


def _inside(values: np.ndarray, length: int) -> np.ndarray:
    return (values >= 0) & (values < length)


def _parts(grid: Grid, placement: Placement) -> Iterator[tuple[int, int, Grid]]:
    """Cut a grid until what each part needs of the result is not too much.

    Yields
    ------
    tuple
        Left and top of the part in the grid, and the part.
    """
    pending = [(0, 0, *grid.size)]
    while pending:
        left, top, width, height = pending.pop()
        if not (width and height):
            continue
        part = grid.part(left, top, width, height)
        across, down = placement.reach(part)
        if across * down <= _MOST or width == height == 1:
            yield left, top, part
        # The longer side: squares share fewer tiles with their neighbours than strips do.
        elif height == 1 or (width > 1 and width * grid.step[0] > height * grid.step[1]):
            half = width // 2
            pending += [(left + half, top, width - half, height), (left, top, half, height)]
        else:
            half = height // 2
            pending += [(left, top + half, width, height - half), (left, top, width, half)]
