"""Outlines to pixels: which pixels of a matrix polygons enclose.

A pixel belongs to a shape when its **centre** lies inside; where a centre lies exactly on an edge,
it belongs to the shape that is to the right of it, or below. Inside means an odd number of times
surrounded (the even-odd rule): so holes are outside, and so is what a polygon that crosses itself
surrounds twice. Of several shapes it is enough to be inside one.

Where edges cross the line through the centres of a row, inside begins and ends. So each row is a
few runs of pixels, found for all polygons at once, and only what is looked at is ever painted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.results.shapes.boxes import boxes_of
from wsiweb.results.shapes.outlines import outlined
from wsiweb.results.shapes.shapes import AREAS, Shapes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.results.planes import Plane
    from wsiweb.results.shapes.shapes import Numbers

__all__ = ["Filling"]


class Filling:
    """What shapes of one kind enclose of a pixel matrix; made once, asked often.

    Parameters
    ----------
    shapes : Shapes
        Polygons, ellipses or rectangles.
    plane : Plane
        The matrix.
    downsample : float
        Of the level in whose pixels the shapes are; 1 for level 0. Millimetres want none.

    Attributes
    ----------
    drawn : numpy.ndarray
        Shape (count,), bool: which of the shapes had a pixel in the regions asked for so far.

    Raises
    ------
    ValueError
        For points and polylines.
    """

    def __init__(self, shapes: Shapes, plane: Plane, *, downsample: float = 1.0) -> None:
        if shapes.kind not in AREAS:
            raise ValueError(
                f"A {shapes.kind} encloses no pixels; leave it out of what is to be a mask."
            )
        self._shapes = _in_plane(outlined(shapes), plane, downsample)
        boxes = boxes_of(self._shapes)
        _widen(boxes, self._shapes)
        self.drawn = np.zeros(len(shapes), np.bool_)
        # By column, each contiguous: a query reads all of them.
        self._left, self._top, self._right, self._bottom = np.ascontiguousarray(boxes.T)

    def region(self, location: tuple[int, int], size: tuple[int, int]) -> NDArray[np.bool_] | None:
        """Return which pixels of a region are inside a shape.

        Parameters
        ----------
        location : tuple of int
            Its first pixel (x, y), zero-based.
        size : tuple of int
            Width and height in pixels.

        Returns
        -------
        numpy.ndarray or None
            Bool, shape (height, width); None where none is, which is told without painting any.
        """
        (x, y), (width, height) = location, size
        there = (self._left < x + width) & (self._right > x)
        there &= (self._top < y + height) & (self._bottom > y)
        rows = np.flatnonzero(there)
        if not len(rows):
            return None
        starts, ends, owners = _runs(self._shapes.take(rows), location, size)
        self.drawn[rows[owners[ends > starts]]] = True
        starts, ends = _joined(starts, ends)
        if not len(starts):
            return None
        return _painted(starts, ends, size)


def _in_plane(shapes: Shapes, plane: Plane, downsample: float) -> Shapes:
    """Return the outlines of shapes, and nothing else of them, in pixels of a plane."""

    def placed(points: NDArray[Any]) -> NDArray[np.float64]:
        if points.shape[1] == 3:
            return plane.geometry.to_pixel(points)
        return points.astype(np.float64) * (downsample / np.array(plane.factors))

    holes = shapes.holes
    if holes is not None:
        holes = replace(holes, coordinates=placed(holes.coordinates))
    return Shapes(
        kind=shapes.kind,
        coordinates=placed(shapes.coordinates),
        index=shapes.index,
        class_of=shapes.class_of,
        holes=holes,
    )


def _widen(boxes: NDArray[np.float64], shapes: Shapes) -> None:
    """Let boxes reach around holes too, some of which are not in their polygon."""
    holes = shapes.holes
    if holes is not None and len(holes):
        for axis in (0, 1):
            column = np.ascontiguousarray(holes.coordinates[:, axis])
            np.minimum.at(boxes[:, axis], holes.owner, np.minimum.reduceat(column, holes.index))
            np.maximum.at(boxes[:, axis + 2], holes.owner, np.maximum.reduceat(column, holes.index))


def _edges(shapes: Shapes) -> tuple[NDArray[np.float64], NDArray[np.float64], Numbers]:
    """Return both ends of edges, shape (edges, 2), the upper first, and of each its polygon.

    So two polygons that share an edge are rounded alike there, and no pixel belongs to neither.
    """
    points, index, lengths = shapes.coordinates, shapes.index, shapes.lengths
    owner = np.arange(len(shapes))
    if shapes.holes is not None:
        holes = shapes.holes
        index = np.concatenate([index, holes.index + len(points)])
        points = np.concatenate([points, holes.coordinates])
        lengths = np.concatenate([lengths, holes.lengths])
        owner = np.concatenate([owner, holes.owner])
    following = np.arange(1, len(points) + 1)
    following[index + lengths - 1] = index  # the last corner of a ring is followed by the first
    ends = points[following]
    down = (points[:, 1] <= ends[:, 1])[:, None]
    return np.where(down, points, ends), np.where(down, ends, points), np.repeat(owner, lengths)


def _runs(
    shapes: Shapes, location: tuple[int, int], size: tuple[int, int]
) -> tuple[Numbers, Numbers, Numbers]:
    """Return where in a region runs of pixels begin that are inside a polygon, and where they end.

    And of each run the polygon; a run may be empty.
    Places are counted row by row, a row having one more than it has pixels: so a run that ends with
    its row does not touch one that begins with the next.
    """
    (x, y), (width, height) = location, size
    upper, lower, owner = _edges(shapes)
    # Rows whose centre is at the height of the edge's upper end or below, but above the lower.
    first = np.clip(np.ceil(upper[:, 1] - 0.5) - y, 0, height).astype(np.int64)
    counts = np.clip(np.ceil(lower[:, 1] - 0.5) - y, 0, height).astype(np.int64) - first
    edges = np.repeat(np.arange(len(owner)), counts)
    rows = np.arange(len(edges)) - np.repeat(np.cumsum(counts) - counts - first, counts)
    start, step = upper[edges], (lower - upper)[edges]
    crossing = start[:, 0] + (rows + (y + 0.5) - start[:, 1]) * step[:, 0] / step[:, 1]
    columns = np.clip(np.ceil(crossing - 0.5) - x, 0, width).astype(np.int64)
    # In each row, a closed line is crossed an even number of times: in and out by turns.
    places = np.sort((owner[edges] * height + rows) * (width + 1) + columns)
    whole = height * (width + 1)
    return places[0::2] % whole, places[1::2] % whole, places[0::2] // whole


def _joined(starts: Numbers, ends: Numbers) -> tuple[Numbers, Numbers]:
    """Return runs in order, those that overlap or touch as one, and without empty ones."""
    some = ends > starts
    starts, ends = starts[some], ends[some]
    if not len(starts):
        return starts, ends
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    apart = starts[1:] > ends[:-1]
    return starts[np.append(True, apart)], ends[np.append(apart, True)]


def _painted(starts: Numbers, ends: Numbers, size: tuple[int, int]) -> NDArray[np.bool_]:
    width, height = size
    bounds = np.empty(2 * len(starts) + 2, np.int64)
    bounds[0], bounds[1:-1:2], bounds[2::2], bounds[-1] = 0, starts, ends, height * (width + 1)
    inside = np.arange(len(bounds) - 1) % 2 == 1
    return np.repeat(inside, np.diff(bounds)).reshape(height, width + 1)[:, :width]
