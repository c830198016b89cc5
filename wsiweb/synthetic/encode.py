"""Pixels to frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["native", "stored"]


def stored(rgb: NDArray[np.uint8], samples: int, bits: int) -> NDArray[np.uint8 | np.uint16]:
    """Turn painted RGB into what a recipe stores.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (rows, columns, 3)
    samples : int
        3, or 1: as if a nuclear dye glowed in the dark, bright where red light was absorbed.
    bits : int
        8, or 16: stretched so that 255 becomes 65535.

    Returns
    -------
    ndarray of uint8 or uint16, shape (rows, columns, samples)
    """
    values = rgb if samples == 3 else 255 - rgb[..., :1]
    return values if bits == 8 else values.astype(np.uint16) * 257


def native(tile: NDArray[np.uint8 | np.uint16]) -> bytes:
    """Store a tile as plain little-endian pixels, colour by pixel."""
    return tile.astype(tile.dtype.newbyteorder("<"), copy=False).tobytes()
