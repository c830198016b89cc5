"""The box around each shape: what most questions are answered by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.results.shapes.shapes import Shapes

__all__ = ["boxes_of"]

_COLUMNS = (0, 1)


def boxes_of(shapes: Shapes) -> NDArray[Any]:
    """Return the box around each shape: shape (count, 4), left, top, right, bottom.

    In the unit of the shapes, and of their type. Of an ellipse it is the box of its outline.
    """
    if shapes.kind == "ellipse":
        axes = shapes.coordinates.astype(np.float64).reshape(len(shapes), 2, 2, -1)[..., :2]
        centre = axes.mean(axis=(1, 2))
        reach = np.sqrt((((axes[:, :, 1] - axes[:, :, 0]) / 2) ** 2).sum(axis=1))
        return np.concatenate([centre - reach, centre + reach], axis=1)
    boxes = np.empty((len(shapes), 4), shapes.coordinates.dtype)
    for axis in _COLUMNS:
        column = np.ascontiguousarray(shapes.coordinates[:, axis])
        boxes[:, axis] = np.minimum.reduceat(column, shapes.index)
        boxes[:, axis + 2] = np.maximum.reduceat(column, shapes.index)
    return boxes
