"""How a mask is to be stored: what its maker may choose."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from wsiweb.arguments import choice, edges, flag, shown
from wsiweb.pixels.image import MOST_PIXELS
from wsiweb.results.texts import check_text

__all__ = ["FractionalType", "MaskKind", "Profile", "Style"]

MaskKind = Literal["auto", "binary", "labelmap", "fractional"]
Profile = Literal["slim", "standard"]
FractionalType = Literal["probability", "occupancy"]

_TILE = 512  # pixels: of larger ones viewers fetch more than they show, of smaller ones too many
_LEAST_TILE = 16
_LONGEST = 64  # characters of a description, VR LO
_LABEL = re.compile(r"(?:[A-Z][A-Z0-9_ ]{0,15})?")  # VR CS


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a mask is stored.

    Attributes
    ----------
    kind : MaskKind
        ``"binary"``: a frame of one bit a pixel for each segment; they may overlap.
        ``"labelmap"``: one frame for all segments, of their numbers. ``"fractional"``: a frame
        for each segment, of the probability or the share of each pixel in 255 steps. ``"auto"``:
        fractional for floats; else what the profile prefers.
    profile : Profile
        ``"slim"``: what the viewers of today can show: binary, uncompressed, without its empty
        tiles; or fractional in JPEG-LS. ``"standard"``: what is smallest and quickest to read: a
        label map in JPEG-LS.
    tile_size : int or tuple of int
        Width and height of a tile in pixels.
    pyramid : bool
        Whether the mask is also written for the coarser levels of the slide.
    fractional_type : FractionalType
        What fractions are of: ``"probability"`` that the pixel belongs to the segment, or
        ``"occupancy"``: the share of its area that does.
    label : str
        ContentLabel: up to 16 capital letters, digits, blanks and underscores, a letter first.
    description : str
        ContentDescription: up to 64 characters.

    Raises
    ------
    ValueError
        For a choice that there is not, or two that do not go together.
    """

    kind: MaskKind = "auto"
    profile: Profile = "slim"
    tile_size: int | tuple[int, int] | None = None
    pyramid: bool = True
    fractional_type: FractionalType = "probability"
    label: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        choice(self.kind, "kind", get_args(MaskKind))
        choice(self.profile, "profile", get_args(Profile))
        choice(self.fractional_type, "fractional_type", get_args(FractionalType))
        flag(self.pyramid, "pyramid")
        if (self.kind, self.profile) == ("labelmap", "slim"):
            raise ValueError(
                'No viewer of the profile "slim" can show a label map: give profile="standard", '
                'or kind="binary".'
            )
        if not _is_label(self.label):
            raise ValueError(
                "The label of a segmentation has up to 16 capital letters, digits, blanks and "
                f"underscores, a letter first; {shown(self.label)} was given. The description may "
                "be any text."
            )
        check_text("the description of a segmentation", self.description, _LONGEST, least=0)
        _check_tile(self.tile_size)

    @property
    def tile(self) -> tuple[int, int]:
        """Width and height of a tile in pixels."""
        return (_TILE, _TILE) if self.tile_size is None else edges(self.tile_size, "tile_size")


def _is_label(text: Any) -> bool:
    return isinstance(text, str) and _LABEL.fullmatch(text) is not None


def _check_tile(given: Any) -> None:
    if given is None:
        return
    width, height = edges(given, "tile_size")
    fits = min(width, height) >= _LEAST_TILE and max(width, height) < 2**16
    if not fits or width * height > MOST_PIXELS:
        raise ValueError(
            f"tile_size is a number of pixels, or width and height, of {_LEAST_TILE} to 65535 each "
            f"and {MOST_PIXELS} pixels in all; {shown(given)} was given."
        )
