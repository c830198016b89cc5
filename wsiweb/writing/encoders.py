"""Tiles to codestreams; the codecs let other threads work meanwhile.

JPEG-LS is the quickest, and the smallest for flat colours and for tissue; JPEG 2000 is the smallest
for smooth numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import imagecodecs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Photometric", "jpeg", "jpeg_2000", "jpeg_ls"]

Photometric = Literal["YBR_FULL_422", "RGB", "MONOCHROME2"]

_START = b"\xff\xd8\xff\xf7"  # markers SOI and SOF55 (ISO 14495-1)
_ADOBE = b"\xff\xee\x00\x0e"
_SLACK = 2048  # bytes by which markers may make a tiny codestream larger than its pixels


def jpeg_ls(tile: NDArray[Any]) -> bytes:
    """Encode a tile as JPEG-LS; colours are interleaved by pixel.

    Parameters
    ----------
    tile : numpy.ndarray
        Shape (rows, columns) or (rows, columns, 3), uint8 or uint16, in any layout.

    Examples
    --------
    >>> import numpy as np
    >>> jpeg_ls(np.zeros((8, 8), np.uint8))[:4].hex()
    'ffd8fff7'
    """
    # Noise becomes longer than it was; no code is longer than four times what it stands for.
    # (pyjpegls, which highdicom takes, does not let other threads work meanwhile.)
    most = 4 * tile.nbytes + _SLACK
    stream = bytes(imagecodecs.jpegls_encode(np.ascontiguousarray(tile), out=most))
    # What comes before the codestream is a SPIFF header, which is none of DICOM's business.
    return stream[stream.index(_START) :]


def jpeg_2000(tile: NDArray[Any]) -> bytes:
    """Encode a tile of one sample as JPEG 2000 without loss.

    Parameters
    ----------
    tile : numpy.ndarray
        Shape (rows, columns), uint8 or uint16.
    """
    return bytes(imagecodecs.jpeg2k_encode(tile, level=0, codecformat="J2K", reversible=True))


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
