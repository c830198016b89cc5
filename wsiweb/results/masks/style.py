"""How a mask is to be stored: what its maker may choose."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from wsiweb.pixels.pyramid import MOST_PIXELS

__all__ = ["FractionalType", "MaskKind", "Profile", "Style"]

MaskKind = Literal["auto", "binary", "labelmap", "fractional"]
Profile = Literal["slim", "standard"]
FractionalType = Literal["probability", "occupancy"]

_TILE = 512  # pixels: of larger ones viewers fetch more than they show, of smaller ones too many
_LEAST_TILE = 16
_LONGEST = 64  # characters of a description, VR LO
_LABEL = re.compile(r"[A-Z0-9_ ]{0,16}")  # VR CS


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
        ContentLabel: up to 16 capital letters, digits, blanks and underscores.
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
        for name, value, choices in (
            ("kind", self.kind, get_args(MaskKind)),
            ("profile", self.profile, get_args(Profile)),
            ("fractional_type", self.fractional_type, get_args(FractionalType)),
        ):
            if value not in choices:
                raise ValueError(f"{name} is one of {', '.join(choices)}, not {value!r}.")
        if (self.kind, self.profile) == ("labelmap", "slim"):
            raise ValueError(
                'No viewer of the profile "slim" can show a label map: give profile="standard", '
                'or kind="binary".'
            )
        if not _LABEL.fullmatch(self.label):
            raise ValueError(
                "The label of a segmentation has up to 16 capital letters, digits, blanks and "
                f"underscores; {self.label!r} was given. The description may be any text."
            )
        if len(self.description) > _LONGEST or "\\" in self.description:
            raise ValueError(
                f"The description of a segmentation has up to {_LONGEST} characters and no "
                f"backslash; {self.description!r} was given."
            )
        _check_tile(self.tile)

    @property
    def tile(self) -> tuple[int, int]:
        """Width and height of a tile in pixels."""
        given: Any = self.tile_size
        if given is None:
            return _TILE, _TILE
        return (given, given) if isinstance(given, int) else given


def _check_tile(tile: Any) -> None:
    try:
        width, height = tile
        whole = all(edge == int(edge) for edge in tile)
    except (TypeError, ValueError):
        width, height, whole = 0, 0, False
    fits = whole and min(width, height) >= _LEAST_TILE and max(width, height) < 2**16
    if not fits or width * height > MOST_PIXELS:
        raise ValueError(
            f"tile_size is a number of pixels, or width and height, of {_LEAST_TILE} to 65535 each "
            f"and {MOST_PIXELS} pixels in all; {tile!r} was given."
        )
