"""Colours as users give them, and as DICOM keeps them: CIELab of 16 bits (PS3.3 C.10.7.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsiweb.arguments import shown, whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["as_rgb", "rgb_of"]


def as_rgb(color: Any, what: str) -> tuple[int, int, int]:
    """Return a colour that was given as red, green and blue of 0 to 255.

    Parameters
    ----------
    color : str or sequence of int
        ``"#ff8000"``, a name that Pillow knows, such as ``"orange"``, or red, green and blue.
    what : str
        What it is the colour of, for errors.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> as_rgb("#ff8000", "class 'Tumor'")
    (255, 128, 0)
    """
    from PIL import ImageColor

    try:
        if isinstance(color, str):
            red, green, blue = ImageColor.getrgb(color)[:3]
        else:
            red, green, blue = (whole_number(part, "a colour") for part in color)
    except (TypeError, ValueError):
        red = green = blue = -1
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError(
            f'The colour of {what} is "#ff8000", a name such as "orange", or three whole numbers '
            f"of 0 to 255; {shown(color)} was given."
        )
    return red, green, blue


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
