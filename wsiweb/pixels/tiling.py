"""Which tiles make up a region, and where each is pasted. Integers only.

Nothing here knows what a tile holds. Coordinates are zero-based pixels of one image, (x, y)
from the top left; slices are in numpy's order (rows, columns).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import index

__all__ = ["Paste", "plan", "to_level", "whole_tile"]


@dataclass(frozen=True, slots=True)
class Paste:
    """One tile's share of a region: ``region[target] = tile[source]``.

    Attributes
    ----------
    column, row : int
        Zero-based place of the tile in the image's grid.
    source : tuple of slice
        Rows and columns to take from the tile.
    target : tuple of slice
        Rows and columns to write in the region; of the same extent as `source`.
    """

    column: int
    row: int
    source: tuple[slice, slice]
    target: tuple[slice, slice]


def plan(
    location: tuple[int, int],
    size: tuple[int, int],
    image_size: tuple[int, int],
    tile_size: tuple[int, int],
) -> list[Paste]:
    """Lay out a region over the tiles of an image.

    Parameters
    ----------
    location : tuple of int
        Upper left corner (x, y) of the region; it may lie outside the image.
    size : tuple of int
        Width and height of the region; the region may reach beyond the image.
    image_size : tuple of int
        Width and height of the image. What edge tiles hold beyond it is padding, and is
        never pasted.
    tile_size : tuple of int
        Width and height of a tile.

    Returns
    -------
    list of Paste
        One for each tile that the region touches, row by row from the top left. Their targets
        do not overlap, and together cover what the region and the image have in common: empty
        when that is nothing.

    Raises
    ------
    ValueError
        For a negative size, or a tile or image without extent.
    TypeError
        For coordinates that are not whole numbers.

    Examples
    --------
    A region of 3 x 2 pixels over the seam between two tiles:

    >>> for paste in plan((6, 0), (3, 2), image_size=(20, 20), tile_size=(8, 8)):
    ...     print(paste.column, paste.row, paste.source, paste.target)
    0 0 (slice(0, 2, None), slice(6, 8, None)) (slice(0, 2, None), slice(0, 2, None))
    1 0 (slice(0, 2, None), slice(0, 1, None)) (slice(0, 2, None), slice(2, 3, None))
    """
    if min(size) < 0:
        raise ValueError(f"A region cannot be {size[0]} x {size[1]} pixels.")
    if min(tile_size) < 1 or min(image_size) < 1:
        raise ValueError(f"No tiles of {tile_size} make up an image of {image_size}.")
    (x, columns), (y, rows) = (
        _common(index(location[axis]), index(size[axis]), index(image_size[axis]))
        for axis in (0, 1)
    )
    if not (columns and rows):
        return []
    across = _cuts(columns, x, index(tile_size[0]))
    return [
        Paste(column, row, (source_y, source_x), (target_y, target_x))
        for row, source_y, target_y in _cuts(rows, y, index(tile_size[1]))
        for column, source_x, target_x in across
    ]


def whole_tile(
    location: tuple[int, int],
    size: tuple[int, int],
    image_size: tuple[int, int],
    tile_size: tuple[int, int],
) -> Paste | None:
    """Return the `plan` of a region that is exactly one tile, else None; a fifth of the work.

    Examples
    --------
    >>> whole_tile((8, 0), (8, 8), image_size=(20, 20), tile_size=(8, 8)).column
    1
    """
    if size != tile_size:
        return None
    (x, y), (width, height) = location, size
    column, row = x // width, y // height
    if x % width or y % height or x < 0 or y < 0:
        return None
    if x + width > image_size[0] or y + height > image_size[1]:
        return None
    whole = slice(0, height), slice(0, width)
    return Paste(column, row, whole, whole)


def _common(start: int, length: int, image: int) -> tuple[int, range]:
    """Return where the region starts, and what of it lies in the image, along one axis."""
    return start, range(max(start, 0), min(start + length, image))


def _cuts(stretch: range, start: int, tile: int) -> list[tuple[int, slice, slice]]:
    """Cut a stretch at the tile borders: tile number, slice of the tile, slice of the region."""
    cuts: list[tuple[int, slice, slice]] = []
    for number in range(stretch.start // tile, (stretch.stop - 1) // tile + 1):
        edge = number * tile
        begin, end = max(stretch.start, edge), min(stretch.stop, edge + tile)
        cuts.append((number, slice(begin - edge, end - edge), slice(begin - start, end - start)))
    return cuts


def to_level(location: tuple[float, float], downsample: float) -> tuple[int, int]:
    """Return the pixel of a level that stands at a pixel of level 0.

    Parameters
    ----------
    location : tuple of float
        Point (x, y) in pixels of level 0; may be negative.
    downsample : float
        How many level-0 pixels one pixel of the level spans.

    Returns
    -------
    tuple of int
        The nearest pixel corner of the level; halves go up, on both sides of zero, so that
        neighbouring regions stay neighbours.

    Raises
    ------
    ValueError
        For a downsample that is not a positive number, or a point that is not finite.

    Examples
    --------
    >>> to_level((10, -6), 4.0)
    (3, -1)
    """
    if not (downsample > 0 and math.isfinite(downsample)):
        raise ValueError(f"A downsample is a positive number, not {downsample!r}.")
    x, y = location
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(f"A location has two finite numbers, not {location!r}.")
    return math.floor(x / downsample + 0.5), math.floor(y / downsample + 0.5)
