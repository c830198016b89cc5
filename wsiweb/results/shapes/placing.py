"""From the coordinates that shapes have to those that are stored, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from wsiweb.results.planes import Plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.pixels.geometry import Geometry
    from wsiweb.pixels.pyramid import Level, Pyramid
    from wsiweb.results.shapes.shapes import Numbers, Shapes

__all__ = ["Bounds", "Coordinates", "Placing", "Survey", "bounds_of"]

Coordinates = Literal["2d", "3d"]

_SLACK = 1e-3  # pixels of level 0 beyond the edge, which calculating explains
_FINEST = 4e-6  # mm: what float32, as which reports have all points, resolves at 75 mm
# How far float32 may move a point: pixels in 2D, mm in 3D.
_COSTS: dict[Coordinates, float] = {"2d": 1e-3, "3d": 1e-6}


class Bounds(NamedTuple):
    """Between what the points of a slide lie.

    Attributes
    ----------
    least : float
        Along both axes.
    right, bottom : float
        Most along x and along y.
    """

    least: float
    right: float
    bottom: float


def bounds_of(pyramid: Pyramid, level: Level) -> Bounds:
    """Return between what points of a slide lie, in pixels of a level.

    Sizes of levels are whole, so that the last pixel of a coarse one may reach beyond level 0. It
    shows the slide nonetheless, and what is found there has to be taken at any level, as it will be
    given again when it was read in pixels of level 0: so the slide ends where that level does which
    reaches farthest, and beyond that by what storing may move a point.
    """
    levels = pyramid.levels
    slack = _COSTS["2d"] * max(one.downsample for one in levels)
    if levels[0].geometry is not None:
        slack = max(slack, _FINEST / min(levels[0].geometry.spacing))
    slack = 2 * slack + _SLACK
    right, bottom = (max(one.size[axis] * one.downsample for one in levels) for axis in (0, 1))
    scale = level.downsample
    return Bounds(-slack / scale, (right + slack) / scale, (bottom + slack) / scale)


class Survey(NamedTuple):
    """What is to be known of coordinates before they are stored.

    Attributes
    ----------
    dtype : numpy.dtype
        Float32, or float64 where the other would cost too much; little endian.
    common_z : float or None
        The one height of all points; None for pixels, and for points of different heights.
    """

    dtype: np.dtype[Any]
    common_z: float | None

    @property
    def dimensions(self) -> int:
        """Numbers stored of each point, for millimetres."""
        return 3 if self.common_z is None else 2


@dataclass(frozen=True)
class Placing:
    """How points get to where they are stored.

    Attributes
    ----------
    level : Level
        In whose pixels shapes are, or are to be.
    geometry : Geometry or None
        Where it lies on the slide; None for pixels that stay pixels.
    given : int
        Numbers of each point: 2 for pixels of the level, 3 for slide millimetres.
    coordinates : {"2d", "3d"}
        What is stored.
    bounds : Bounds
        Between what points lie, in pixels of the level.
    """

    level: Level
    geometry: Geometry | None
    given: int
    coordinates: Coordinates
    bounds: Bounds

    @classmethod
    def on(cls, pyramid: Pyramid, level: int, given: int, coordinates: Coordinates) -> Placing:
        """Return it for a level of a slide.

        Raises
        ------
        IndexError
            For a level that the slide does not have.
        ValueError
            For millimetres on a slide that does not say its scale or place.
        """
        if not 0 <= level < len(pyramid.levels):
            raise IndexError(
                f"There is no level {level}; the slide has 0 to {len(pyramid.levels) - 1}."
            )
        stay = (given, coordinates) == (2, "2d")  # these can be stored without knowing the glass
        geometry = None if stay else Plane.at_level(pyramid, level).geometry
        own = pyramid.levels[level]
        return cls(own, geometry, given, coordinates, bounds_of(pyramid, own))

    def pixels(self, points: NDArray[Any]) -> NDArray[Any]:
        """Return points in pixels of the level."""
        if self.given == 2 or self.geometry is None:
            return points
        return self.geometry.to_pixel(points)

    def stored(self, points: NDArray[Any]) -> NDArray[Any]:
        """Return points as they are stored, but for their type."""
        if self.coordinates == "2d":
            return self.pixels(points)
        if self.given == 3 or self.geometry is None:
            return points
        return self.geometry.to_slide(points)

    def survey(self, shapes: Shapes, rows: Numbers | None) -> Survey:
        """Look at all points.

        Raises
        ------
        ValueError
            When one lies outside the slide.
        """
        cost = 0.0
        heights = [np.inf, -np.inf]
        for block in shapes.blocks(rows):
            self._check_inside(self.pixels(block), shapes, rows)
            stored = self.stored(block)
            if stored.dtype != np.float32:
                cost = max(cost, float(np.abs(stored - stored.astype(np.float32)).max()))
            if self.coordinates == "3d":
                heights[0] = min(heights[0], float(stored[:, 2].min()))
                heights[1] = max(heights[1], float(stored[:, 2].max()))
        is_dear = cost > _COSTS[self.coordinates]
        return Survey(
            dtype=np.dtype("<f8" if is_dear else "<f4"),
            common_z=heights[0] if heights[0] == heights[1] else None,
        )

    def _check_inside(self, pixels: NDArray[Any], shapes: Shapes, rows: Numbers | None) -> None:
        least, *most = self.bounds
        for axis, edge in enumerate(most):
            column = pixels[:, axis]
            if column.min() < least or column.max() > edge:
                self._refuse_outside(shapes, rows)

    def _refuse_outside(self, shapes: Shapes, rows: Numbers | None) -> None:
        """Say how many points are outside, and which is the first."""
        size = self.level.size
        least, *most = self.bounds
        count, first = 0, None
        for block in shapes.blocks(rows):
            pixels = self.pixels(block)
            outside = ((pixels < least) | (pixels > np.array(most))).any(axis=1)
            count += int(outside.sum())
            if first is None and outside.any():
                first = block[np.argmax(outside)].tolist()
        raise ValueError(
            f"{count} points of the {shapes.kind}s lie outside the slide, the first of them at "
            f"{first}: level {self.level.index} has {size[0]} x {size[1]} pixels. Are these "
            "coordinates of another level (level=...)? Else clip them to the slide."
        )
