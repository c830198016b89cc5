"""The colour of what is not there: tiles that a sparse slide does not hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from wsiweb.pixels.optional import if_readable

if TYPE_CHECKING:
    from wsiweb.pixels.image import PixelFormat
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["absent_colour", "srgb_of_lab"]

_BRIGHTFIELD = "111744"  # DCM
_D50 = (0.96422, 1.0, 0.82521)
# XYZ at D50 to linear sRGB, the Bradford adaptation to D65 included.
_TO_SRGB = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)


def absent_colour(attributes: Attributes, form: PixelFormat) -> tuple[float, ...]:
    """Return the colour of missing tiles, one number per decoded sample.

    RecommendedAbsentPixelCIELabValue where stated readably (PS3.3 C.8.12.4); else white for colour
    images. A single channel is bright in brightfield and dark in all else; what is bright is
    low in MONOCHROME1. Floating point numbers are nan, and labels what PixelPaddingValue says.
    """
    if form.floating:
        return (math.nan,)
    if attributes.text("SegmentationType"):
        padding = if_readable(attributes.integer, "PixelPaddingValue", None) or 0
        return (padding if 0 <= padding < 1 << form.bits_stored else 0,)
    top = (1 << form.bits_stored) - 1
    low = -(1 << (form.bits_stored - 1)) if form.signed else 0
    if form.samples == 3:
        encoded = if_readable(attributes.integers, "RecommendedAbsentPixelCIELabValue", ())
        if len(encoded) == 3 and all(0 <= value < 2**16 for value in encoded):
            return tuple(low + round(part * top) for part in srgb_of_lab(encoded))
        return (low + top,) * 3
    path = attributes.item("OpticalPathSequence")
    kinds = if_readable(path.items, "IlluminationTypeCodeSequence", ())
    bright = any(if_readable(kind.text, "CodeValue", "") == _BRIGHTFIELD for kind in kinds)
    inverted = form.photometric == "MONOCHROME1"
    return (low + top if bright != inverted else low,)


def srgb_of_lab(encoded: tuple[int, ...]) -> tuple[float, float, float]:
    """Return sRGB parts (0 to 1) of a CIELab colour in 16-bit code (PS3.3 C.10.7.1.1).

    Examples
    --------
    >>> [round(part, 3) for part in srgb_of_lab((65535, 0x8080, 0x8080))]
    [1.0, 1.0, 1.0]
    """
    lightness = encoded[0] / 65535 * 100
    a, b = (value / 65535 * 255 - 128 for value in encoded[1:3])
    y = (lightness + 16) / 116
    xyz = [white * _cubed(t) for white, t in zip(_D50, (y + a / 500, y, y - b / 200), strict=True)]
    linear = [sum(m * v for m, v in zip(row, xyz, strict=True)) for row in _TO_SRGB]
    red, green, blue = (_gamma(min(max(part, 0.0), 1.0)) for part in linear)
    return red, green, blue


def _cubed(t: float) -> float:
    return t**3 if t > 6 / 29 else 3 * (6 / 29) ** 2 * (t - 4 / 29)


def _gamma(part: float) -> float:
    coded = 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055
    return min(coded, 1.0)
