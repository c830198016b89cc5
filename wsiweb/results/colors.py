"""Colours as DICOM keeps them: CIELab values of 16 bits (PS3.3 C.10.7.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["rgb_of"]


def rgb_of(encoded: Sequence[int]) -> tuple[int, int, int] | None:
    """Return RecommendedDisplayCIELabValue as sRGB, as it was given to the one who wrote it.

    The standard means the white of D50; highdicom, with which nearly all results are written, and
    the viewers take that of D65, and so have to be read as they write.

    Parameters
    ----------
    encoded : sequence of int
        L, a and b as they are stored, or nothing.

    Returns
    -------
    tuple of int or None
        Red, green and blue of 0 to 255; None for what is no colour.

    Examples
    --------
    >>> rgb_of(()) is None
    True
    """
    if len(encoded) != 3 or not all(0 <= value < 2**16 for value in encoded):
        return None
    from highdicom.color import CIELabColor

    return CIELabColor.from_dicom_value(tuple(encoded)).to_rgb(clip=True)
