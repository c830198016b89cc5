"""The pixel matrix that a result fills, and how matrices of one slide lie upon each other.

All levels of a pyramid have their top left **corner** in common, and so have the matrices of
results: pixel i of a matrix that is d times coarser covers the pixels from i d to (i + 1) d. So its
centre lies at (i + 0.5) d, half a coarse pixel from where scaling indices would put it. Origins in
headers do not come into this: many writers copy that of level 0, which is the **centre** of its
first pixel, into all levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wsiweb.arguments import level_of, positive
from wsiweb.pixels.geometry import Geometry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.pixels.pyramid import Level, Pyramid

__all__ = ["Plane"]

_SLACK = 1.0  # pixels by which a matrix of a given scale may be larger or smaller than the slide


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A pixel matrix that covers the slide.

    Attributes
    ----------
    size : tuple of int
        Width and height in pixels.
    factors : tuple of float
        Pixels of level 0 along the width and along the height of one of its pixels. They differ
        where the pixels of the slide are not square, and its own are.
    level : Level
        The level it was made from: its own, or the coarsest that is no coarser on the whole.
    geometry : Geometry
        Where it lies on the slide.
    """

    size: tuple[int, int]
    factors: tuple[float, float]
    level: Level
    geometry: Geometry

    @property
    def downsample(self) -> float:
        """Pixels of level 0 along the edge of one of its pixels: the mean of both factors."""
        return sum(self.factors) / 2

    @classmethod
    def at_level(cls, pyramid: Pyramid, number: int) -> Plane:
        """Return the matrix of a level.

        Raises
        ------
        IndexError
            For a level that the slide does not have.
        ValueError
            For a number that is not whole, or a slide that does not say its scale or place.
        """
        level = level_of(pyramid.levels, number)
        base = _placed(pyramid)
        return cls.scaled(base, level.size, (level.downsample, level.downsample), level)

    @classmethod
    def at_mpp(cls, pyramid: Pyramid, mpp: float, size: tuple[int, int]) -> Plane:
        """Return a matrix of another scale.

        Parameters
        ----------
        pyramid : Pyramid
            The slide.
        mpp : float
            Micrometres per pixel, along both axes.
        size : tuple of int
            Width and height, which must be those of the slide at that scale, within a pixel.

        Raises
        ------
        ValueError
            For a scale or a size that does not fit the slide.
        """
        base = _placed(pyramid)
        mpp = positive(mpp, "mpp", "micrometres per pixel")
        across, down = (mpp / 1000 / spacing for spacing in base.spacing)
        factors = across, down
        whole = [
            edge / factor for edge, factor in zip(pyramid.levels[0].size, factors, strict=True)
        ]
        if any(abs(edge - wanted) > _SLACK for edge, wanted in zip(size, whole, strict=True)):
            wanted = " x ".join(f"{edge:.1f}" for edge in whole)
            raise ValueError(
                f"At {mpp} um per pixel the slide has {wanted} pixels (width x height); what was "
                f"given has {size[0]} x {size[1]}."
            )
        return cls.scaled(base, size, factors, pyramid.level_for_downsample(sum(factors) / 2))

    @classmethod
    def scaled(
        cls, base: Geometry, size: tuple[int, int], factors: tuple[float, float], level: Level
    ) -> Plane:
        """Return a matrix that has its corner in common with level 0.

        Parameters
        ----------
        base : Geometry
            Where level 0 lies.
        size, factors, level
            As of the plane.
        """
        across, down = factors
        x, y, z = base.to_slide([across / 2, down / 2]).tolist()  # the centre of its first pixel
        geometry = Geometry(
            origin=(x, y, z),
            row_direction=base.row_direction,
            column_direction=base.column_direction,
            spacing=(base.spacing[0] * across, base.spacing[1] * down),
        )
        return cls(size=size, factors=factors, level=level, geometry=geometry)

    def picks(self, other: Plane, axis: int) -> NDArray[np.int64]:
        """Return which pixel of this matrix stands for each pixel of a coarser one.

        Parameters
        ----------
        other : Plane
            The coarser matrix.
        axis : int
            0 along x, 1 along y.

        Returns
        -------
        numpy.ndarray
            Zero-based, rising, int64: of each of the other's pixels, the pixel under its centre.
        """
        step = other.factors[axis] / self.factors[axis]
        centres = (np.arange(other.size[axis]) + 0.5) * step
        return np.minimum(np.floor(centres).astype(np.int64), self.size[axis] - 1)


def _placed(pyramid: Pyramid) -> Geometry:
    geometry = pyramid.levels[0].geometry
    if geometry is None:
        raise ValueError(
            "The headers of this slide do not say its PixelSpacing, or not where on the glass it "
            "lies (ImageOrientationSlide, TotalPixelMatrixOriginSequence), so no result can be "
            "placed on it."
        )
    return geometry
