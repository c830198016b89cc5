"""Which pixel matrix of a slide a mask fills, and which coarser ones are made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsiweb.arguments import positive
from wsiweb.results.planes import Plane

if TYPE_CHECKING:
    from wsiweb.pixels.pyramid import Pyramid

__all__ = ["coarser", "fitted", "whole"]

_LONGEST_EDGE = 2**32  # pixels: TotalPixelMatrixColumns is of VR UL
_COARSER = 1.1  # times the size of a pixel, from which on another level is worth having


def whole(pyramid: Pyramid, *, level: int | None, mpp: float | None) -> Plane:
    """Return the matrix of a level (by default the finest) or of a scale.

    Raises
    ------
    ValueError
        For both, or a scale that is none.
    IndexError
        For a level that the slide does not have.
    """
    _check_one(level, mpp)
    if mpp is None:
        return Plane.at_level(pyramid, 0 if level is None else level)
    base = Plane.at_level(pyramid, 0)
    mpp = positive(mpp, "mpp", "micrometres per pixel")
    across, down = (
        edge * spacing * 1000 / mpp
        for edge, spacing in zip(base.size, base.geometry.spacing, strict=True)
    )
    if not (0.5 < max(across, down) < _LONGEST_EDGE):
        raise ValueError(
            f"At mpp={mpp:g} the slide has {across:.3g} x {down:.3g} pixels, and no mask has; the "
            f"pixels of level 0 have {base.geometry.spacing[0] * 1000:g} micrometres."
        )
    return Plane.at_mpp(pyramid, mpp, (max(1, round(across)), max(1, round(down))))


def fitted(
    pyramid: Pyramid,
    size: tuple[int, int],
    *,
    level: int | None,
    mpp: float | None,
    location: tuple[int, int] | None,
) -> Plane:
    """Return the matrix that a mask of a size is for.

    Parameters
    ----------
    pyramid : Pyramid
        The slide.
    size : tuple of int
        Width and height of the mask.
    level, mpp
        What it was made for; at most one. Without either, and for the whole slide, the level whose
        size it has.
    location : tuple of int, optional
        Where the mask of a part of the slide begins (x, y), in pixels of the matrix.

    Raises
    ------
    ValueError
        For a size that does not fit.
    IndexError
        For a level that the slide does not have, or a part that is not on the slide.
    """
    _check_one(level, mpp)
    if location is not None:
        return _around(pyramid, size, level=level, mpp=mpp, location=location)
    if mpp is not None:
        return Plane.at_mpp(pyramid, mpp, size)
    if level is None:
        same = [one.index for one in pyramid.levels if one.size == size]
        if not same:
            raise ValueError(
                f"{_has(size)}, and no level of the slide is of that size. {_advice(pyramid, size)}"
            )
        return Plane.at_level(pyramid, same[0])
    plane = Plane.at_level(pyramid, level)
    if plane.size != size:
        raise ValueError(
            f"{_has(size)}; level {level} has {plane.size[0]} x {plane.size[1]}. "
            f"{_advice(pyramid, size)}"
        )
    return plane


def coarser(pyramid: Pyramid, plane: Plane) -> list[Plane]:
    """Return the matrices of the slide's levels that are coarser than one, finest first.

    Along both axes: of a mask whose pixels are square on a slide whose pixels are not, a level may
    be coarser along one of them only.
    """
    least = max(plane.factors) * _COARSER
    return [
        Plane.at_level(pyramid, level.index) for level in pyramid.levels if level.downsample > least
    ]


def _around(
    pyramid: Pyramid,
    size: tuple[int, int],
    *,
    level: int | None,
    mpp: float | None,
    location: tuple[int, int],
) -> Plane:
    if level is None and mpp is None:
        raise ValueError(
            "The mask of a part of the slide wants level= or mpp= beside location=: of which "
            "pixels is the location, and are its own?"
        )
    plane = whole(pyramid, level=level, mpp=mpp)
    ends = [start + length for start, length in zip(location, size, strict=True)]
    if min(location) < 0 or any(end > edge for end, edge in zip(ends, plane.size, strict=True)):
        raise IndexError(
            f"A mask of {size[0]} x {size[1]} pixels at {tuple(location)} reaches beyond the "
            f"slide, which has {plane.size[0]} x {plane.size[1]} there."
        )
    return plane


def _check_one(level: int | None, mpp: float | None) -> None:
    if level is not None and mpp is not None:
        raise ValueError("A mask is for a level or for a scale: give level= or mpp=, not both.")


def _has(size: tuple[int, int]) -> str:
    return f"The mask has {size[0]} x {size[1]} pixels (width x height)"


def _advice(pyramid: Pyramid, size: tuple[int, int]) -> str:
    fits = [level.index for level in pyramid.levels if level.size == size]
    if fits:
        return f"It has the size of level {fits[0]}: give level={fits[0]}."
    if any(level.size == size[::-1] for level in pyramid.levels):
        return "It seems to be transposed: arrays have shape (height, width)."
    listed = ", ".join(f"{one.index}: {one.size[0]} x {one.size[1]}" for one in pyramid.levels)
    return (
        f"The levels are {listed}. For a mask of another scale give mpp=, for one of a part of the "
        "slide location= and level=."
    )
