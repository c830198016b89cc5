"""Where the matrix of a result lies upon the slide, and which of its pixels stands for another.

A result may have pixels of its own size, cover a part of the slide, or lie turned or mirrored upon
it. Here one map is made of all that: from pixels of level 0 to pixels of the result. Both are
continuous and counted from the top left corner of a matrix. A pixel of one matrix is shown by the
pixel of the other under its centre.

Levels share their top left corner, and so do results that were made for them; but what headers say
of the origin may be half a pixel off, because many writers copy the origin of level 0, which is the
**centre** of its first pixel, into coarser matrices. So an origin within half a pixel of the
slide's own corner is taken to be that corner. All other matrices are placed through the millimetres
of their headers.

So it is with the size of pixels: what a result says of it rules. Only a matrix of the size of a
level has that level's pixels if it says of them what the level's header says, or what cannot be,
and is the level's written with few decimals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from wsiweb.errors import SlideError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wsiweb.pixels.image import TiledImage
    from wsiweb.pixels.pyramid import Level, Pyramid

__all__ = ["Grid", "Placement", "Source", "best_for"]

_SHARED = 0.52  # pixels of the result that its corner may lie beside that of the slide
_FITS = 1.0  # pixels by which a matrix of its own scale may be larger or smaller than the slide
_SAME = 1e-7  # share by which spacing that is copied or reckoned may differ
_ROUNDED = 0.05  # share that decimals which are left away may make of spacing
_SLANTED = 1e-3  # pixels that a straight line may deviate within a matrix
_EXACT = 0.01  # pixels by which matrices that lie on each other may differ
_TIE = 1e-6  # pixels; what lies on the edge between two belongs to the later one


@dataclass(frozen=True, slots=True)
class Grid:
    """Pixels that are wanted.

    Attributes
    ----------
    corner : tuple of float
        Top left corner (x, y) of the first, in pixels of level 0.
    step : tuple of float
        Width and height of each in pixels of level 0.
    size : tuple of int
        How many across and down.
    end : tuple of float
        Width and height of the slide in pixels of level 0. The last pixel of a coarse level may
        reach beyond, with its centre, too; it stands for what it has of the slide.
    """

    corner: tuple[float, float]
    step: tuple[float, float]
    size: tuple[int, int]
    end: tuple[float, float] = (math.inf, math.inf)

    def part(self, left: int, top: int, width: int, height: int) -> Grid:
        """Return a part of it, given in its own pixels."""
        x, y = self.corner
        corner = x + left * self.step[0], y + top * self.step[1]
        return Grid(corner, self.step, (width, height), self.end)

    def centres(self, axis: int) -> NDArray[np.float64]:
        """Return the centres of all pixels along an axis (0 is x) in pixels of level 0."""
        edges = self.corner[axis] + np.arange(self.size[axis]) * self.step[axis]
        centres = edges + self.step[axis] / 2
        last = self.end[axis] - 0.5  # the centre of the last pixel of level 0
        return np.where((edges < self.end[axis]) & (centres > last), last, centres)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Which pixels of a result show a grid.

    Attributes
    ----------
    x, y : numpy.ndarray
        Zero-based column and row in the result of each pixel wanted, int64; shapes that broadcast
        to (height, width) of the grid. They may lie outside of the result.
    """

    x: NDArray[np.int64]
    y: NDArray[np.int64]

    def box(self) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom of what holds them all; right and bottom are past."""
        return (
            int(self.x.min()),
            int(self.y.min()),
            int(self.x.max()) + 1,
            int(self.y.max()) + 1,
        )

    def pick(self, pixels: np.ndarray, left: int, top: int) -> np.ndarray:
        """Take them out of a part of the result.

        Parameters
        ----------
        pixels : numpy.ndarray
            The part, shape (rows, columns); it must hold them all.
        left, top : int
            Where it begins in the result.

        Returns
        -------
        numpy.ndarray
            Shape (height, width) of the grid.
        """
        columns, rows = self.x - left, self.y - top
        if columns.shape[0] == 1 and rows.shape[1] == 1:  # upright: axis by axis is far quicker
            return pixels[rows[:, 0]][:, columns[0]]
        if columns.shape[1] == 1 and rows.shape[0] == 1:  # turned by a right angle
            return pixels[rows[0]][:, columns[:, 0]].T
        return pixels[rows, columns]


@dataclass(frozen=True)
class Placement:
    """Where a result lies: ``result = matrix @ level_0 + offset``, in pixels.

    Attributes
    ----------
    matrix : tuple of tuple of float
        Two rows of two.
    offset : tuple of float
        Where the slide's corner lies in the result (x, y).
    """

    matrix: tuple[tuple[float, float], tuple[float, float]]
    offset: tuple[float, float]

    @classmethod
    def of(cls, pyramid: Pyramid, image: TiledImage) -> Placement:
        """Return where an image lies upon a slide.

        Raises
        ------
        SlideError
            When that is not said, and its size is that of no level.
        """
        base = pyramid.levels[0].geometry
        level = next((one for one in pyramid.levels if one.size == image.size), None)
        if base is None or image.geometry is None:
            if level is None:
                raise SlideError(
                    f"Instance {image.instance_uids[0]}: neither it nor the slide says both scale "
                    "and place (PixelSpacing, ImageOrientationSlide, "
                    f"TotalPixelMatrixOriginSequence), and its {image.size[0]} x {image.size[1]} "
                    "pixels are those of no level, so it cannot be placed on the slide."
                )
            return cls.scaled(level.downsample, level.downsample)
        width, height = pyramid.levels[0].size
        corners = image.geometry.to_pixel(base.to_slide([[0, 0], [width, 0], [0, height]]))
        across = (corners[1] - corners[0]) / width
        down = (corners[2] - corners[0]) / height
        upright = (
            across[0] > 0
            and down[1] > 0
            and max(abs(across[1]) * width, abs(down[0]) * height) < _SLANTED
        )
        if upright and np.abs(corners[0]).max() <= _SHARED:
            if level is not None and _is_of(level, image.geometry.spacing, pyramid):
                return cls.scaled(level.downsample, level.downsample)
            return cls.scaled(float(1 / across[0]), float(1 / down[1]))
        return cls(
            matrix=((float(across[0]), float(down[0])), (float(across[1]), float(down[1]))),
            offset=(float(corners[0][0]), float(corners[0][1])),
        )

    @classmethod
    def scaled(cls, across: float, down: float) -> Placement:
        """Return that of a matrix which has its corner in common with the slide.

        Parameters
        ----------
        across, down : float
            Pixels of level 0 along the edges of one of its pixels.
        """
        return cls(matrix=((1 / across, 0.0), (0.0, 1 / down)), offset=(0.0, 0.0))

    @property
    def downsample(self) -> float:
        """Pixels of level 0 along the edge of one of its pixels, the mean of both."""
        (a, b), (c, d) = self.matrix
        return 1 / math.sqrt(abs(a * d - b * c))

    def exact(self, grid: Grid) -> tuple[int, int] | None:
        """Return the pixel at which a grid begins that lies on the result pixel by pixel.

        Returns
        -------
        tuple of int or None
            Zero-based (x, y), which may lie outside; None for any other grid.
        """
        (a, b), (c, d) = self.matrix
        steps = a * grid.step[0], d * grid.step[1]
        drift = max(abs(step - 1) * size for step, size in zip(steps, grid.size, strict=True))
        slant = abs(b) * grid.step[1] * grid.size[1] + abs(c) * grid.step[0] * grid.size[0]
        x, y = self._at(grid.corner)
        off = max(abs(x - round(x)), abs(y - round(y)))
        return (round(x), round(y)) if max(drift, slant, off) < _EXACT else None

    def source(self, grid: Grid) -> Source:
        """Return the pixels under the centres of those of a grid, which has one at least."""
        (a, b), (c, d) = self.matrix
        x, y = grid.centres(0)[None, :], grid.centres(1)[:, None]
        far_x, far_y = float(np.abs(x).max()), float(np.abs(y).max())
        if max(abs(b) * far_y, abs(c) * far_x) < _SLANTED:
            columns, rows = a * x, d * y
        elif max(abs(a) * far_x, abs(d) * far_y) < _SLANTED:
            columns, rows = b * y, c * x
        else:
            columns, rows = a * x + b * y, c * x + d * y
        return Source(_whole(columns + self.offset[0]), _whole(rows + self.offset[1]))

    def reach(self, grid: Grid) -> tuple[float, float]:
        """Return how many pixels of the result a grid spans, across and down; roughly."""
        (a, b), (c, d) = self.matrix
        width, height = (step * size for step, size in zip(grid.step, grid.size, strict=True))
        return abs(a) * width + abs(b) * height + 1, abs(c) * width + abs(d) * height + 1

    def _at(self, point: Sequence[float]) -> tuple[float, float]:
        (a, b), (c, d) = self.matrix
        x, y = point
        return a * x + b * y + self.offset[0], c * x + d * y + self.offset[1]


def _is_of(level: Level, stated: tuple[float, float], pyramid: Pyramid) -> bool:
    """Whether a matrix of a level's size, which states a spacing (x, y) in mm, has its pixels."""
    finest = pyramid.levels[0]
    assert finest.geometry is not None  # noqa: S101 - it was asked for before
    base = finest.geometry.spacing
    reckoned = base[0] * level.downsample, base[1] * level.downsample
    copied = reckoned if level.geometry is None else level.geometry.spacing
    if any(
        all(abs(own / its - 1) < _SAME for own, its in zip(stated, spacing, strict=True))
        for spacing in (reckoned, copied)
    ):
        return True
    covered = (edge * step for edge, step in zip(finest.size, base, strict=True))
    fits = (
        abs(edge - length / step) <= _FITS
        for edge, length, step in zip(level.size, covered, stated, strict=True)
    )
    return not all(fits) and all(
        _is_rounded(own, its) for own, its in zip(stated, reckoned, strict=True)
    )


def _is_rounded(stated: float, exact: float) -> bool:
    """Whether a number is another one, written with few decimals."""
    exponent = Decimal(repr(stated)).as_tuple().exponent
    half = 0.5 * 10.0 ** int(exponent)  # of a unit of its last decimal
    return abs(stated - exact) <= min(half * (1 + _SAME), _ROUNDED * exact)


def _whole(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.floor(values + _TIE).astype(np.int64)


def best_for(placements: Sequence[Placement], downsample: float) -> int:
    """Return which of several matrices of one picture shows pixels of a size best.

    Parameters
    ----------
    placements : sequence of Placement
        At least one.
    downsample : float
        Pixels of level 0 along the edge of a pixel wanted.

    Returns
    -------
    int
        Index of the one with such pixels; else of the coarsest that is finer; else of the finest.
    """
    ratios = [one.downsample / downsample for one in placements]
    same = [number for number, ratio in enumerate(ratios) if abs(ratio - 1) < _EXACT]
    finer = [number for number, ratio in enumerate(ratios) if ratio < 1]
    if same:
        return min(same, key=lambda number: abs(ratios[number] - 1))
    if finer:
        return max(finer, key=lambda number: ratios[number])
    return min(range(len(ratios)), key=lambda number: ratios[number])
