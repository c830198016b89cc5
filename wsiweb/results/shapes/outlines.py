"""The outlines of shapes, and what shapely makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.results.shapes.given import shapely_for
from wsiweb.results.shapes.shapes import vertices_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.results.shapes.shapes import Numbers, Shapes

__all__ = ["outlined", "self_crossing", "to_shapely"]

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
