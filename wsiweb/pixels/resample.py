"""Arrays made larger or smaller, piece by piece without seams."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["margin", "resize"]

_SUPPORT = 3  # of the Lanczos filter, in output pixels when shrinking


def margin(scale: float) -> int:
    """Return how many source pixels beyond a box its resampling looks at.

    Parameters
    ----------
    scale : float
        Source pixels per output pixel.

    Examples
    --------
    >>> margin(2.0)
    7
    """
    return math.ceil(_SUPPORT * max(scale, 1.0)) + 1


def resize(
    array: np.ndarray, box: tuple[float, float, float, float], size: tuple[int, int]
) -> np.ndarray:
    """Resample a part of an array with a Lanczos filter, which neither aliases nor blurs.

    Pixels outside the box but inside the array take part at its edges, so that pieces
    resampled one by one (each with a `margin` around its box) fit without a seam.

    Parameters
    ----------
    array : numpy.ndarray
        Shape (rows, columns, samples); uint8 or any other real type.
    box : tuple of float
        Left, top, right and bottom of the part, in pixels of the array, from the corner of its
        first pixel.
    size : tuple of int
        Width and height of the result.

    Returns
    -------
    numpy.ndarray
        Shape (height, width, samples), of the same dtype; whole numbers are rounded and kept
        within their range.

    Examples
    --------
    >>> resize(np.full((4, 4, 3), 7, np.uint8), (0, 0, 4, 4), (2, 2)).tolist()[0][0]
    [7, 7, 7]
    """
    from PIL import Image

    if array.dtype == np.uint8 and array.shape[2] == 3:
        return np.asarray(_resized(Image.fromarray(array), box, size))
    if array.dtype == np.uint8:
        planes = [
            np.asarray(_resized(Image.fromarray(plane), box, size)) for plane in _planes(array)
        ]
        return np.stack(planes, axis=-1)
    floats = [
        np.asarray(_resized(Image.fromarray(plane.astype(np.float32)), box, size))
        for plane in _planes(array)
    ]
    result = np.stack(floats, axis=-1)
    if np.issubdtype(array.dtype, np.integer):
        limits = np.iinfo(array.dtype)
        result = np.clip(np.rint(result), limits.min, limits.max)
    return result.astype(array.dtype)


def _planes(array: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(array[:, :, sample]) for sample in range(array.shape[2])]


def _resized(
    image: Image.Image, box: tuple[float, float, float, float], size: tuple[int, int]
) -> Image.Image:
    from PIL import Image

    return image.resize(size, Image.Resampling.LANCZOS, box=box)
