"""Where shapes are: in which window, and in which tiles.

A box around each shape answers most of this; a million boxes are looked through in milliseconds, so
there is no tree of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.results.shapes.boxes import boxes_of
from wsiweb.results.shapes.outlines import to_shapely
from wsiweb.results.shapes.shapes import AREAS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.pixels.pyramid import Level
    from wsiweb.results.shapes.shapes import Numbers, Shapes

__all__ = ["Places"]

_PAIRS_AT_ONCE = 2**18


class Places:
    """Where shapes are; made once, asked often.

    Parameters
    ----------
    shapes : Shapes
        In level-0 pixels.
    """

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        # By column, each contiguous: a query reads all of them.
        self._left, self._top, self._right, self._bottom = np.ascontiguousarray(boxes_of(shapes).T)

    def window(self, location: tuple[float, float], size: tuple[float, float]) -> Numbers:
        """Return which shapes have a box that a window touches.

        Parameters
        ----------
        location, size : tuple of float
            Upper left corner (x, y), width and height in level-0 pixels.

        Returns
        -------
        numpy.ndarray
            Int64, rising: zero-based numbers of shapes. The edges of the window belong to it.

        Raises
        ------
        ValueError
            For a negative size, or numbers that are not finite.
        """
        (x, y), (width, height) = location, size
        if not (np.isfinite([x, y, width, height]).all() and width >= 0 and height >= 0):
            raise ValueError(
                "A window has a location (x, y) and a size (width, height) of finite numbers; "
                f"{location} and {size} were given."
            )
        inside = self._left <= x + width
        inside &= self._right >= x
        inside &= self._top <= y + height
        inside &= self._bottom >= y
        return np.flatnonzero(inside)

    def boxes(self, rows: Numbers) -> NDArray[Any]:
        """Return the boxes of some shapes: shape (n, 4), left, top, right, bottom."""
        columns = self._left, self._top, self._right, self._bottom
        return np.stack([column[rows] for column in columns], axis=1)

    def tiles(self, level: Level) -> list[tuple[int, int]]:
        """Return the tiles of a level that shapes touch.

        A tile counts when it shares area with what a polygon, ellipse or rectangle encloses, or
        when a point or a line runs through it; of the edges between tiles, a tile has the left and
        the upper one.

        Parameters
        ----------
        level : Level
            Of the slide.

        Returns
        -------
        list of (column, row)
            Row by row, each once.

        Raises
        ------
        ModuleNotFoundError
            When a shape lies in several tiles, and shapely (``wsiweb[shapes]``) is not installed.
        """
        is_area = self._shapes.kind in AREAS
        edges = [edge * level.downsample for edge in level.tile_size]
        columns, rows = level.grid
        left, right = _span(self._left, self._right, edges[0], columns, is_area)
        top, bottom = _span(self._top, self._bottom, edges[1], rows, is_area)
        touched = np.zeros((rows, columns), bool)
        there = (self._right >= 0) & (self._left <= columns * edges[0])
        there &= (self._bottom >= 0) & (self._top <= rows * edges[1])
        single = (left == right) & (top == bottom)
        touched[top[single & there], left[single & there]] = True
        several = np.flatnonzero(~single & there)
        _touch(touched, self._shapes, several, (left, top, right, bottom), (edges[0], edges[1]))
        return [(int(column), int(row)) for row, column in np.argwhere(touched)]


def _span(
    low: NDArray[Any], high: NDArray[Any], edge: float, count: int, is_area: bool
) -> tuple[Numbers, Numbers]:
    """Return the first and the last tile along an axis that boxes reach into."""
    first = np.floor(low / edge).astype(np.int64)
    # What ends at the edge between two tiles has no area in the second.
    last = (np.ceil(high / edge) - 1 if is_area else np.floor(high / edge)).astype(np.int64)
    first = np.clip(first, 0, count - 1)
    return first, np.clip(np.maximum(last, first), 0, count - 1)


def _touch(
    touched: NDArray[np.bool_],
    shapes: Shapes,
    several: Numbers,
    spans: tuple[Numbers, Numbers, Numbers, Numbers],
    edges: tuple[float, float],
) -> None:
    """Mark the tiles that shapes touch whose boxes reach into several."""
    left, top, right, bottom = (span[several] for span in spans)
    across, down = right - left + 1, bottom - top + 1
    pairs = across * down
    ends = np.cumsum(pairs)
    start = 0
    while start < len(several):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _PAIRS_AT_ONCE, side="right")))
        part = slice(start, stop)
        place = np.repeat(np.arange(stop - start), pairs[part])
        offset = np.arange(len(place)) - np.repeat(ends[part] - pairs[part] - before, pairs[part])
        column = left[part][place] + offset % across[part][place]
        row = top[part][place] + offset // across[part][place]
        wanted = ~touched[row, column]  # what is marked needs no second look
        place, column, row = place[wanted], column[wanted], row[wanted]
        if len(place):
            geometries = to_shapely(shapes.take(several[part]))
            hit = _overlap(geometries, place, column, row, edges, shapes.kind in AREAS)
            touched[row[hit], column[hit]] = True
        start = stop


def _overlap(
    geometries: NDArray[Any],
    place: Numbers,
    column: Numbers,
    row: Numbers,
    edges: tuple[float, float],
    is_area: bool,
) -> NDArray[np.bool_]:
    import shapely

    x, y = (column * edges[0], row * edges[1])
    right, bottom = (column + 1) * edges[0], (row + 1) * edges[1]
    # Boxes of shapely have all their edges: so they are made smaller by the least there is.
    right, bottom = np.nextafter(right, -np.inf), np.nextafter(bottom, -np.inf)
    if is_area:
        x, y = np.nextafter(x, np.inf), np.nextafter(y, np.inf)
    shapely.prepare(geometries)
    return shapely.intersects(geometries[place], shapely.box(x, y, right, bottom))
