"""Arrays to pictures that every browser shows; the codecs let other threads work meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wsiweb.viewer.resource import Resource, picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["lossless", "lossy"]

_QUALITY = 90
_LARGEST_WEBP = 16383  # pixels along a side
_PNG_LEVEL = 1


def lossless(array: NDArray[np.uint8]) -> Resource:
    """Return a picture that decodes to exactly these numbers.

    Parameters
    ----------
    array : numpy.ndarray
        Shape (height, width, samples), uint8: gray, gray and opacity, or RGB.

    Returns
    -------
    Resource
        Gray as PNG. Colour as lossless WebP: that takes half the time of a PNG.
    """
    import imagecodecs

    array = np.ascontiguousarray(array[:, :, 0] if array.shape[2] == 1 else array)
    if array.ndim == 3 and array.shape[2] == 3 and max(array.shape) <= _LARGEST_WEBP:
        data = imagecodecs.webp_encode(array, level=0, lossless=True, method=0)
        return picture("image/webp", bytes(data))
    return picture("image/png", bytes(imagecodecs.png_encode(array, level=_PNG_LEVEL)))


def lossy(array: NDArray[np.uint8]) -> Resource:
    """Return a picture as JPEG, for looking at only.

    Parameters
    ----------
    array : numpy.ndarray
        Shape (height, width, 1 or 3), uint8.
    """
    import imagecodecs

    flat = array[:, :, 0] if array.shape[2] == 1 else array
    data = imagecodecs.jpeg8_encode(np.ascontiguousarray(flat), level=_QUALITY)
    return picture("image/jpeg", bytes(data))
