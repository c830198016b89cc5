"""From stored coordinates of annotations to pixels of the slide's level 0 (PS3.3 C.37.1.2)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from wsiweb.errors import SlideError
from wsiweb.results.planes import Plane
from wsiweb.results.shapes.shapes import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from wsiweb.pixels.geometry import Geometry
    from wsiweb.pixels.pyramid import Level, Pyramid
    from wsiweb.results.reading.find import Stored

__all__ = ["Conversion", "SlidePixels"]

Conversion: TypeAlias = "tuple[Callable[[NDArray[Any]], NDArray[Any]], int]"
"""What turns stored points into pixels of level 0, and how many numbers each of them has."""


class SlidePixels:
    """How the coordinates of an annotation object become pixels of level 0.

    Parameters
    ----------
    pyramid : Pyramid
        The slide.
    stored : Stored
        The object.
    """

    def __init__(self, pyramid: Pyramid, stored: Stored) -> None:
        self._pyramid = pyramid
        self._stored = stored
        self.instance_uid = stored.instance_uid

    def found(self) -> Conversion:
        """Find out.

        Raises
        ------
        SlideError
            For coordinates that are not on this slide.
        """
        header = self._stored.header
        if header.text("AnnotationCoordinateType").strip().upper() == "3D":
            return functools.partial(_from_slide, self._geometry()), 3
        image = header.item("ReferencedImageSequence")
        uid = image.text("ReferencedSOPInstanceUID").strip()
        level = self._level(uid)
        corner = (0, 0)
        if header.text("PixelOriginInterpretation").strip().upper() == "FRAME":
            corner = self._frame(level, uid, image.integer("ReferencedFrameNumber"))
        return functools.partial(_from_level, level.downsample, corner), 2

    def _geometry(self) -> Geometry:
        own = self._stored.header.text("FrameOfReferenceUID").strip()
        if own and own != self._pyramid.frame_of_reference_uid:
            raise self._elsewhere(f"are in the frame of reference {own}, which is not the slide's")
        try:
            return Plane.at_level(self._pyramid, 0).geometry
        except ValueError as error:
            raise self._elsewhere(f"are in millimetres. {error}") from None

    def _level(self, uid: str) -> Level:
        level = self._pyramid.level_of(uid)
        if level is None:
            raise self._elsewhere(
                f"are in pixels of instance {uid}, which is no level of this slide"
            )
        return level

    def _frame(self, level: Level, uid: str, number: int | None) -> tuple[int, int]:
        """Return the corner of a frame in pixels of its level."""
        try:
            column, row, _, _ = level.place(uid, number or 0)
        except IndexError:
            raise self._elsewhere(f"are in pixels of frame {number}, which {uid} lacks") from None
        return column * level.tile_size[0], row * level.tile_size[1]

    def _elsewhere(self, words: str) -> SlideError:
        return SlideError(f"The annotations in instance {self.instance_uid} {words}.")


def _from_level(downsample: float, corner: tuple[int, int], points: NDArray[Any]) -> NDArray[Any]:
    if downsample == 1 and corner == (0, 0):
        return points
    return (points.astype(np.float64) + corner) * downsample


def _from_slide(geometry: Geometry, points: NDArray[Any]) -> NDArray[Any]:
    placed = np.empty((len(points), 2))
    for start in range(0, len(points), BLOCK):
        placed[start : start + BLOCK] = geometry.to_pixel(points[start : start + BLOCK])
    return placed
