"""What shapes enclose: outlines, geometries of shapely, and pixels.

A pixel belongs to a shape when its **centre** lies inside; where a centre lies exactly on an edge,
it belongs to the shape that is to the right of it, or below. Inside means an odd number of times
surrounded (the even-odd rule): so holes are outside, and so is what a polygon that crosses itself
surrounds twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.results.shapes.boxes import boxes_of
from wsiweb.results.shapes.given import shapely_for
from wsiweb.results.shapes.shapes import AREAS, Shapes, vertices_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from wsiweb.results.planes import Plane
    from wsiweb.results.shapes.shapes import Numbers

__all__ = ["outlined", "rasterise", "self_crossing", "to_shapely"]

"""Kinds that enclose something."""

_CORNERS = 64  # of an ellipse's outline
_POLYGONS_AT_ONCE = 2**16


def outlined(shapes: Shapes) -> Shapes:
    """Return ellipses and rectangles as polygons, others as they are.

    An ellipse becomes a polygon of 64 corners that lie on it: the area is 0.2 % less.
    """
    from dataclasses import replace

    if shapes.kind == "rectangle":
        return replace(shapes, kind="polygon")
    if shapes.kind != "ellipse":
        return shapes
    axes = shapes.coordinates.astype(np.float64).reshape(len(shapes), 2, 2, -1)
    centre = axes.mean(axis=(1, 2))[:, None]
    half_long, half_short = ((axes[:, axis, 1] - axes[:, axis, 0])[:, None] / 2 for axis in (0, 1))
    angles = np.arange(_CORNERS)[None, :, None] * (2 * np.pi / _CORNERS)
    corners = centre + np.cos(angles) * half_long + np.sin(angles) * half_short
    return replace(
        shapes,
        kind="polygon",
        coordinates=corners.reshape(-1, corners.shape[-1]),
        index=np.arange(len(shapes)) * _CORNERS,
    )


def to_shapely(shapes: Shapes) -> NDArray[Any]:
    """Return shapes as an array of shapely geometries.

    Parameters
    ----------
    shapes : Shapes
        Ellipses become polygons; see `outlined`.

    Returns
    -------
    numpy.ndarray
        Shape (count,), dtype object. Polygons have their holes.

    Raises
    ------
    ModuleNotFoundError
        Without shapely (``wsiweb[shapes]``).
    """
    shapely = shapely_for("Making geometries")
    if shapes.kind == "point":
        return shapely.points(shapes.coordinates)
    lines = outlined(shapes)
    owners = np.repeat(np.arange(len(lines)), lines.lengths)
    if shapes.kind == "polyline":
        return shapely.linestrings(lines.coordinates, indices=owners)
    rings = shapely.linearrings(lines.coordinates, indices=owners)
    if shapes.holes is None:
        return shapely.polygons(rings)
    holes = shapes.holes
    inner = shapely.linearrings(
        holes.coordinates, indices=np.repeat(np.arange(len(holes)), holes.lengths)
    )
    order = np.argsort(np.concatenate([np.arange(len(lines)), holes.owner]), kind="stable")
    owner = np.concatenate([np.arange(len(lines)), holes.owner])[order]
    return shapely.polygons(np.concatenate([rings, inner])[order], indices=owner)


def self_crossing(shapes: Shapes) -> Numbers:
    """Return which polygons cross or touch themselves; of other kinds, none.

    Raises
    ------
    ModuleNotFoundError
        Without shapely (``wsiweb[shapes]``).
    """
    found: list[Numbers] = [np.empty(0, np.int64)]
    if shapes.kind == "polygon":
        shapely = shapely_for("Looking for polygons that cross themselves")
        lengths = shapes.lengths
        for start in range(0, len(shapes), _POLYGONS_AT_ONCE):
            rows = np.arange(start, min(start + _POLYGONS_AT_ONCE, len(shapes)))
            vertices, _ = vertices_of(shapes.index, lengths, rows)
            owners = np.repeat(np.arange(len(rows)), lengths[rows])
            rings = shapely.linearrings(shapes.coordinates[vertices, :2], indices=owners)
            found.append(rows[~shapely.is_valid(shapely.polygons(rings))])
    return np.concatenate(found)


def rasterise(
    shapes: Shapes | Iterable[Shapes], plane: Plane, *, downsample: float = 1.0
) -> Callable[[tuple[int, int], tuple[int, int]], NDArray[np.bool_]]:
    """Return shapes as a mask that is asked for by region, as `add_mask` takes it.

    So polygons with holes can be stored, which annotations cannot be.

    Parameters
    ----------
    shapes : Shapes or iterable of Shapes
        Polygons, ellipses or rectangles; other kinds enclose nothing.
    plane : Plane
        The pixel matrix that is filled.
    downsample : float
        Of the level in whose pixels the shapes are; 1 for level 0.

    Returns
    -------
    callable
        Takes a location (x, y) and a size (width, height) in pixels of the plane, and returns an
        array of bool, shape (height, width): true for pixels whose centre is inside a shape, by the
        even-odd rule; see the top of this module.

    Raises
    ------
    ValueError
        For points and polylines.
    """
    given = [shapes] if isinstance(shapes, Shapes) else list(shapes)
    others = sorted({one.kind for one in given} - AREAS)
    if others:
        raise ValueError(f"A {others[0]} encloses no pixels; leave it out of what is to be a mask.")
    placed = [_in_plane(outlined(one), plane, downsample) for one in given]
    boxes = [boxes_of(one) for one in placed]

    def region(location: tuple[int, int], size: tuple[int, int]) -> NDArray[np.bool_]:
        filled = np.zeros((size[1], size[0]), bool)
        end = location[0] + size[0], location[1] + size[1]
        for one, box in zip(placed, boxes, strict=True):
            inside = (box[:, :2] < end).all(axis=1) & (box[:, 2:] > location).all(axis=1)
            for row in np.flatnonzero(inside).tolist():
                _fill(filled, location, box[row], _rings_of(one, row))
        return filled

    return region


def _in_plane(shapes: Shapes, plane: Plane, downsample: float) -> Shapes:
    """Return shapes in pixels of a plane."""
    from dataclasses import replace

    def placed(points: NDArray[Any]) -> NDArray[np.float64]:
        if points.shape[1] == 3:
            return plane.geometry.to_pixel(points)
        return points.astype(np.float64) * (downsample / plane.downsample)

    holes = shapes.holes
    if holes is not None:
        holes = replace(holes, coordinates=placed(holes.coordinates))
    return replace(shapes, coordinates=placed(shapes.coordinates), holes=holes)


def _rings_of(shapes: Shapes, row: int) -> list[NDArray[Any]]:
    ends = (*shapes.index[row + 1 : row + 2], len(shapes.coordinates))
    rings = [shapes.coordinates[shapes.index[row] : ends[0]]]
    if shapes.holes is not None:
        holes = shapes.holes
        first, last = np.searchsorted(holes.owner, [row, row + 1])
        ends = (*holes.index[first + 1 : last + 1], len(holes.coordinates))
        rings += [
            holes.coordinates[begin:end]
            for begin, end in zip(holes.index[first:last], ends, strict=False)
        ]
    return rings


def _fill(
    filled: NDArray[np.bool_],
    location: tuple[int, int],
    box: NDArray[Any],
    rings: list[NDArray[Any]],
) -> None:
    """Set the pixels of one polygon in a region whose corner is at a location."""
    size = filled.shape[1], filled.shape[0]
    first = [max(0, int(np.floor(box[axis])) - location[axis]) for axis in (0, 1)]
    last = [min(size[axis], int(np.ceil(box[axis + 2])) - location[axis]) for axis in (0, 1)]
    width, height = last[0] - first[0], last[1] - first[1]
    if width <= 0 or height <= 0:
        return
    # At each place where an edge crosses the line through the centres of a row, inside and outside
    # change from the next centre on: so count the changes to the left of each centre.
    changes = np.zeros(height * (width + 1), np.int64)
    for ring in rings:
        begin = ring - (location[0] + first[0], location[1] + first[1])
        rows, columns = _changes(begin, np.roll(begin, -1, axis=0), height)
        columns = np.clip(columns, 0, width)
        changes += np.bincount(rows * (width + 1) + columns, minlength=len(changes))
    inside = np.cumsum(changes.reshape(height, width + 1), axis=1)[:, :width] % 2 == 1
    filled[first[1] : last[1], first[0] : last[0]] |= inside


def _changes(
    begin: NDArray[np.float64], end: NDArray[np.float64], height: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows, and columns from which on they are on the other side of an edge."""
    top, bottom = np.minimum(begin[:, 1], end[:, 1]), np.maximum(begin[:, 1], end[:, 1])
    # Rows whose centre is at the height of the edge's upper end or below, but above the lower.
    first = np.clip(np.ceil(top - 0.5), 0, height).astype(np.int64)
    counts = np.clip(np.ceil(bottom - 0.5), 0, height).astype(np.int64) - first
    edges = np.repeat(np.arange(len(begin)), counts)
    rows = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edges]
    rise = end[edges, 1] - begin[edges, 1]
    share = (rows + 0.5 - begin[edges, 1]) / rise
    x = begin[edges, 0] + share * (end[edges, 0] - begin[edges, 0])
    return rows, np.ceil(x - 0.5).astype(np.int64)
