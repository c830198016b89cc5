"""Arrays made larger or smaller, piece by piece without seams."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

__all__ = ["margin", "reduce", "resize", "whole_factor"]

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
    array: np.ndarray,
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    *,
    fine: bool = True,
) -> np.ndarray:
    """Resample a part of an array, without aliasing.

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
    fine : bool
        Whether with a Lanczos filter, which does not blur either; else with a Hamming filter,
        which is nearly as sharp and takes a third of the time.

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

    kind = Image.Resampling.LANCZOS if fine else Image.Resampling.HAMMING
    return _by_plane(array, lambda image: image.resize(size, kind, box=box))


def whole_factor(scale: float) -> int:
    """Return by how much an array may be reduced by plain means before it is resized.

    Two to four pixels are left for each pixel of the result, so that the Lanczos filter still
    decides what it looks like, at a fraction of the cost.

    Parameters
    ----------
    scale : float
        Source pixels per output pixel.

    Examples
    --------
    >>> whole_factor(1.5), whole_factor(100.0)
    (1, 50)
    """
    return max(1, int(scale / 2))


def reduce(array: np.ndarray, factors: tuple[int, int]) -> np.ndarray:
    """Return the means of blocks; at the right and lower edge, of what is there of a block.

    Parameters
    ----------
    array : numpy.ndarray
        Shape (rows, columns, samples).
    factors : tuple of int
        Columns and rows of a block.

    Returns
    -------
    numpy.ndarray
        Shape (rows / factor, columns / factor, samples), rounded up; of the same dtype.

    Examples
    --------
    >>> reduce(np.array([[[1], [3]], [[5], [7]]], np.uint8), (2, 2)).tolist()
    [[[4]]]
    """
    return _by_plane(array, lambda image: image.reduce(factors))


def _by_plane(array: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """Apply an operation of Pillow's, which knows 8-bit pictures and planes of floats."""
    from PIL import Image

    if array.dtype == np.uint8 and array.shape[2] == 3:
        return np.asarray(change(Image.fromarray(array)))
    kind = np.uint8 if array.dtype == np.uint8 else np.float32
    planes = [
        np.asarray(change(Image.fromarray(np.ascontiguousarray(array[:, :, sample], kind))))
        for sample in range(array.shape[2])
    ]
    result = np.stack(planes, axis=-1)
    if kind is np.float32 and np.issubdtype(array.dtype, np.integer):
        limits = np.iinfo(array.dtype)
        result = np.clip(np.rint(result), limits.min, limits.max)
    return result.astype(array.dtype, copy=False)
