"""Pixels to frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import imagecodecs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.synthetic.recipe import Photometric

__all__ = ["jpeg", "native", "stored"]

_ADOBE = b"\xff\xee\x00\x0e"


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


def jpeg(tile: NDArray[np.uint8], photometric: Photometric, quality: int) -> bytes:
    """Store a tile as JPEG Baseline.

    RGB is stored as slide scanners do it: not subsampled, without an Adobe marker, and with
    component numbers 0, 1, 2. Nothing in the stream then says that it is RGB, the DICOM header
    alone does (PS3.5 8.2.1).

    Parameters
    ----------
    tile : ndarray of uint8, shape (rows, columns, 1 or 3)
    photometric : "YBR_FULL_422", "RGB" or "MONOCHROME2"
    quality : int
        1 to 100, as libjpeg counts.
    """
    if photometric == "MONOCHROME2":
        return bytes(imagecodecs.jpeg8_encode(tile[..., 0], level=quality))
    if photometric == "YBR_FULL_422":
        data = imagecodecs.jpeg8_encode(
            tile, level=quality, colorspace="RGB", outcolorspace="YCbCr", subsampling="422"
        )
        return bytes(data)
    data = imagecodecs.jpeg8_encode(
        tile, level=quality, colorspace="RGB", outcolorspace="RGB", subsampling="444"
    )
    return _anonymous(bytes(data))


def _anonymous(data: bytes) -> bytes:
    """Take from a JPEG stream what gives its colour space away."""
    stream = bytearray(data)
    if stream.startswith(_ADOBE, 2):
        del stream[2:18]
    at = 2
    while stream[at + 1] != 0xDA:  # up to the start of the scan
        if stream[at + 1] == 0xC0:
            for component in range(3):
                stream[at + 10 + 3 * component] = component
        at += 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    for component in range(3):
        stream[at + 5 + 2 * component] = component
    return bytes(stream)
