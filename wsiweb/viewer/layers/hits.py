"""Which shapes are at a point: inside an outline, or near a line or dot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wsiweb.results.shapes.outlines import outlined
from wsiweb.results.shapes.shapes import AREAS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.results.shapes.shapes import Shapes

__all__ = ["touched"]


def touched(shapes: Shapes, point: tuple[float, float], within: float) -> NDArray[np.bool_]:
    """Return which shapes are at a point.

    Parameters
    ----------
    shapes : Shapes
        Whose boxes are near it.
    point : tuple of float
        (x, y), in their unit.
    within : float
        How far from a line, a dot or an outline the point may be.

    Returns
    -------
    numpy.ndarray
        Shape (count,). What an outline encloses an odd number of times is inside of it.

    Examples
    --------
    >>> from wsiweb.results.shapes.shapes import Shapes
    >>> corners = [[0, 0], [9, 0], [9, 9], [0, 9]]
    >>> touched(Shapes.of("polygon", corners), (4, 4), 0).tolist()
    [True]
    >>> touched(Shapes.of("polyline", corners), (4, 4), 0).tolist()
    [False]
    """
    lines = outlined(shapes)
    points = lines.coordinates[:, :2].astype(np.float64) - point
    if lines.kind == "point":
        return np.hypot(*points.T) <= within
    following = np.arange(1, len(points) + 1)
    last = np.append(lines.index[1:], len(points)) - 1
    is_area = shapes.kind in AREAS
    following[last] = lines.index if is_area else last  # a line ends: its last edge is a dot
    ends = points[following]
    near = np.minimum.reduceat(_distances(points, ends), lines.index) <= within
    if not is_area:
        return near
    above = (points[:, 1] > 0) != (ends[:, 1] > 0)
    way = ends - points
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = points[:, 0] - points[:, 1] * way[:, 0] / way[:, 1] > 0
    crossed = np.add.reduceat((above & crossing).astype(np.int64), lines.index)
    return near | (crossed % 2 == 1)


def _distances(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far lines are from the origin."""
    way = ends - starts
    length = (way**2).sum(axis=1)
    share = -(starts * way).sum(axis=1) / np.where(length == 0, 1.0, length)
    nearest = starts + np.clip(share, 0, 1)[:, None] * way
    return np.hypot(*nearest.T)
