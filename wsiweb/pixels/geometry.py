"""Pixels and slide millimetres.

Two coordinate systems meet here:

*Pixels* are (x, y) of the total pixel matrix, continuous and zero-based: (0, 0) is the top
left **corner** of the first pixel, whose centre is (0.5, 0.5), as in OpenSlide. DICOM numbers
pixels by their centres instead: TotalPixelMatrixOriginSequence is where the centre of the
first pixel lies (PS3.3 C.8.12.4 and C.7.6.2.1.1). The half pixel between the two is dealt with
here and nowhere else.

*Slide millimetres* are (x, y, z) of the slide coordinate system (PS3.3 C.8.12.2.1), with the
origin at a corner of the slide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Geometry"]

Vector = tuple[float, float, float]

_SKEW = 1e-3  # how far cosines written with few decimals may be from unit length and square


@dataclass(frozen=True)
class Geometry:
    """Where an image lies on the slide.

    Attributes
    ----------
    origin : tuple of float
        Centre of the first pixel (x, y, z) in mm.
    row_direction : tuple of float
        Unit vector along a row: the way that x, the column number, grows. First half of
        ImageOrientationSlide.
    column_direction : tuple of float
        Unit vector down a column: the way that y, the row number, grows. Second half.
    spacing : tuple of float
        Distance (x, y) in mm between columns and between rows. Mind that DICOM's PixelSpacing
        has them the other way round.

    Raises
    ------
    ValueError
        For numbers that are no geometry: spacing that is not positive, directions that are
        not of unit length or not at right angles.

    Examples
    --------
    >>> upright = Geometry((10.0, 20.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.5, 0.25))
    >>> upright.to_slide([0.5, 0.5]).tolist()
    [10.0, 20.0, 0.0]
    >>> upright.to_pixel([11.0, 20.0]).tolist()
    [2.5, 0.5]
    """

    origin: Vector
    row_direction: Vector
    column_direction: Vector
    spacing: tuple[float, float]

    def __post_init__(self) -> None:
        shape = [len(self.origin), len(self.row_direction), len(self.column_direction)]
        if shape != [3, 3, 3] or len(self.spacing) != 2:
            raise ValueError("A geometry has three vectors of three numbers and two spacings.")
        numbers = (*self.origin, *self.row_direction, *self.column_direction, *self.spacing)
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError("A geometry is made of finite numbers.")
        if min(self.spacing) <= 0:
            raise ValueError(f"Spacing is positive, not {self.spacing}.")
        row, column = np.array(self.row_direction), np.array(self.column_direction)
        products = np.array([row @ row, column @ column, row @ column])
        if not np.allclose(products, [1, 1, 0], rtol=0, atol=_SKEW):
            raise ValueError(
                f"Directions {self.row_direction} and {self.column_direction} are not unit "
                "vectors at right angles."
            )

    @property
    def _steps(self) -> NDArray[np.float64]:
        """Millimetres per pixel along x and along y: two rows of three."""
        directions = np.array([self.row_direction, self.column_direction], dtype=np.float64)
        return directions * np.array([[self.spacing[0]], [self.spacing[1]]])

    def to_slide(self, pixels: ArrayLike) -> NDArray[np.float64]:
        """Return where pixel coordinates lie on the slide.

        Parameters
        ----------
        pixels : array_like
            Shape (..., 2): x, y in pixels from the top left corner of the image.

        Returns
        -------
        numpy.ndarray
            Shape (..., 3), float64: x, y, z in mm.

        Raises
        ------
        ValueError
            If the last axis does not have two entries.
        """
        points = _points(pixels, (2,))
        return (points - 0.5) @ self._steps + np.array(self.origin)

    def to_pixel(self, slide: ArrayLike) -> NDArray[np.float64]:
        """Return the pixel coordinates of points on the slide.

        Parameters
        ----------
        slide : array_like
            Shape (..., 3): x, y, z in mm. Points off the image plane are projected on it at
            right angles. Shape (..., 2) means points at the height of the image's origin.

        Returns
        -------
        numpy.ndarray
            Shape (..., 2), float64: x, y in pixels from the top left corner of the image; the
            pixel that holds the point is its floor.

        Raises
        ------
        ValueError
            If the last axis has neither two nor three entries.
        """
        points = _points(slide, (2, 3))
        dimensions = points.shape[-1]
        offsets = points - np.array(self.origin)[:dimensions]
        # The pseudo-inverse rather than dot products: exact even where cosines were rounded.
        inverse: NDArray[Any] = np.linalg.pinv(self._steps)
        return np.asarray(offsets @ inverse[:dimensions] + 0.5, dtype=np.float64)


def _points(values: ArrayLike, dimensions: tuple[int, ...]) -> NDArray[Any]:
    points = np.asarray(values, dtype=np.float64)
    if points.ndim == 0 or points.shape[-1] not in dimensions:
        wanted = " or ".join(str(number) for number in dimensions)
        raise ValueError(f"Points have shape (..., {wanted}), not {points.shape}.")
    return points
