"""Tiles to codestreams without loss; both let other threads work meanwhile.

JPEG-LS is the quickest, and the smallest for flat colours and for tissue; JPEG 2000 is the smallest
for smooth numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["jpeg_2000", "jpeg_ls"]

_START = b"\xff\xd8\xff\xf7"  # markers SOI and SOF55 (ISO 14495-1)
_SLACK = 2048  # bytes by which markers may make a tiny codestream larger than its pixels


def jpeg_ls(tile: NDArray[Any]) -> bytes:
    """Encode a tile as JPEG-LS; colours are interleaved by pixel.

    Parameters
    ----------
    tile : numpy.ndarray
        Shape (rows, columns) or (rows, columns, 3), uint8 or uint16, C-contiguous.

    Examples
    --------
    >>> import numpy as np
    >>> jpeg_ls(np.zeros((8, 8), np.uint8))[:4].hex()
    'ffd8fff7'
    """
    import imagecodecs

    # Noise becomes larger, and the encoder reckons with no more room than the pixels take.
    stream = bytes(imagecodecs.jpegls_encode(tile, out=2 * tile.nbytes + _SLACK))
    # What comes before the codestream is a SPIFF header, which is none of DICOM's business.
    return stream[stream.index(_START) :]


def jpeg_2000(tile: NDArray[Any]) -> bytes:
    """Encode a tile of one sample as JPEG 2000 without loss.

    Parameters
    ----------
    tile : numpy.ndarray
        Shape (rows, columns), uint8 or uint16.
    """
    import imagecodecs

    return bytes(imagecodecs.jpeg2k_encode(tile, level=0, codecformat="J2K", reversible=True))
