"""Shapes drawn on a tile: outlines one pixel wide, points as dots of three.

Everything is done on arrays: a tile may hold some hundred thousand shapes. One that is smaller than
a pixel and a half becomes a dot of one pixel, whatever its outline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.results.shapes.outlines import outlined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from wsiweb.results.shapes.shapes import Numbers, Shapes

__all__ = ["drawn"]

_SMALL = 1.5  # pixels of the tile
_CORNERS_AT_ONCE = 2**19
_SAMPLES_AT_ONCE = 2**21
_ELLIPSE = 64  # corners of its outline

Pair = tuple[int, int]


def drawn(
    shapes: Shapes,
    rows: Numbers,
    boxes: NDArray[Any],
    corner: Pair,
    size: Pair,
    downsample: float,
) -> NDArray[np.uint8]:
    """Return a tile on which shapes are drawn.

    Parameters
    ----------
    shapes : Shapes
        In pixels of level 0.
    rows : numpy.ndarray
        Which of them are near the tile.
    boxes : numpy.ndarray
        Shape (n, 4): the boxes of those.
    corner, size : tuple of int
        Top left pixel (x, y), and width and height, in pixels of the tile's level.
    downsample : float
        Of that level.

    Returns
    -------
    numpy.ndarray
        Shape (height, width): 255 where something is drawn, else 0.
    """
    tile = np.zeros((size[1], size[0]), np.uint8)
    origin = np.array([*corner, *corner], np.float64)
    placed = boxes.astype(np.float64) / downsample - origin
    if shapes.kind == "point":
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                _dot(tile, placed[:, :2] + (dx, dy))
        return tile
    extent = np.maximum(placed[:, 2] - placed[:, 0], placed[:, 3] - placed[:, 1])
    small = extent <= _SMALL
    _dot(tile, (placed[small, :2] + placed[small, 2:]) / 2)
    for part in _parts(shapes, rows[~small]):
        for starts, ends in _edges(shapes.take(part)):
            scaled = (one / downsample - origin[:2] for one in (starts, ends))
            _lines(tile, *scaled)
    return tile


def _parts(shapes: Shapes, rows: Numbers) -> Iterator[Numbers]:
    """Cut rows so that each part has not too many corners."""
    if not len(rows):
        return
    lengths = shapes.lengths[rows] if shapes.kind != "ellipse" else np.full(len(rows), _ELLIPSE)
    pieces = np.cumsum(lengths) // _CORNERS_AT_ONCE
    yield from np.split(rows, np.flatnonzero(np.diff(pieces)) + 1)


def _edges(shapes: Shapes) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield both ends of all edges; polygons are closed."""
    lines = outlined(shapes)
    points = lines.coordinates[:, :2].astype(np.float64)
    following = np.arange(1, len(points) + 1)
    last = np.append(lines.index[1:], len(points)) - 1
    if lines.kind == "polyline":
        inner = np.ones(len(points), bool)
        inner[last] = False
        yield points[inner], points[following[inner]]
    else:
        following[last] = lines.index
        yield points, points[following]


def _dot(tile: NDArray[np.uint8], points: NDArray[np.float64]) -> None:
    height, width = tile.shape
    x, y = np.floor(points).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    tile[y[inside].astype(np.intp), x[inside].astype(np.intp)] = 255


def _lines(tile: NDArray[np.uint8], starts: NDArray[np.float64], ends: NDArray[np.float64]) -> None:
    """Draw lines: a pixel at each step along the longer axis."""
    height, width = tile.shape
    starts, ends = _clipped(starts, ends, width, height)
    steps = np.ceil(np.abs(ends - starts).max(axis=1, initial=0)).astype(np.int64) + 1
    bounds = np.cumsum(steps)
    at = 0
    while at < len(steps):
        done = int(bounds[at - 1]) if at else 0
        stop = max(at + 1, int(np.searchsorted(bounds, done + _SAMPLES_AT_ONCE, side="right")))
        part = slice(at, stop)
        count = steps[part]
        owner = np.repeat(np.arange(stop - at), count)
        step = np.arange(len(owner)) - np.repeat(bounds[part] - count - done, count)
        share = (step / np.maximum(count - 1, 1)[owner])[:, None]
        begin = starts[part][owner]
        _dot(tile, begin + share * (ends[part][owner] - begin))
        at = stop


def _clipped(
    starts: NDArray[np.float64], ends: NDArray[np.float64], width: int, height: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cut lines at the edges of the tile (Liang and Barsky); leave out those beyond."""
    low = np.zeros(len(starts))
    high = np.ones(len(starts))
    ways = ends - starts
    for axis, length in ((0, width), (1, height)):
        way, begin = ways[:, axis], starts[:, axis]
        parallel = way == 0
        divisor = np.where(parallel, 1.0, way)
        one, other = -begin / divisor, (length - begin) / divisor
        outside = parallel & ((begin < 0) | (begin > length))
        low = np.where(parallel, low, np.maximum(low, np.minimum(one, other)))
        high = np.where(parallel, high, np.minimum(high, np.maximum(one, other)))
        high[outside] = -1
    kept = low <= high
    begin, way = starts[kept], ways[kept]
    return begin + low[kept, None] * way, begin + high[kept, None] * way
