"""Annotations and the regions of reports: shapes on the slide, as the front end gets them.

What is few in the view travels as flat arrays (`flat`), for the browser to draw; what is many is
drawn here, tile by tile (`wsiweb.viewer.layers.drawing`). Both ask the boxes of the shapes first
(`wsiweb.results.shapes.places`), so that a million of them do not hold anybody up.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from wsiweb import loop
from wsiweb.errors import NotFound
from wsiweb.results.shapes.outlines import outlined
from wsiweb.results.shapes.places import Places
from wsiweb.viewer.encoding import lossless
from wsiweb.viewer.layers.drawing import drawn
from wsiweb.viewer.layers.hits import touched
from wsiweb.viewer.layers.layer import About, named_part
from wsiweb.viewer.resource import NOTHING, Resource, picture
from wsiweb.viewer.sharing import Shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.results.shapes.shapes import ShapeKind, Shapes

__all__ = ["KINDS", "TOO_MANY", "ShapeLayer", "ShapesOf", "flat"]

TOO_MANY = 0xFFFFFFFF
"""In place of a count: there are more shapes in the box than were wanted."""

KINDS: dict[ShapeKind, int] = {
    "point": 0,
    "polyline": 1,
    "polygon": 2,
    "rectangle": 3,
    "ellipse": 4,
}
"""The number that stands for each kind of shape."""

_MARGIN = 3.0  # pixels of a tile; what lies beside it may reach into it by the width of its line
_MOST_HITS = 20


class ShapesOf(Protocol):
    """One part of a layer of shapes."""

    async def load(self) -> Shapes:
        """Return its shapes in pixels of level 0."""
        ...

    def said(self, shapes: Shapes, row: int) -> dict[str, Any]:
        """Return ``index``, ``name`` and ``measurements`` of one of them."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    shapes: Shapes
    places: Places

    @classmethod
    def of(cls, shapes: Shapes) -> _Loaded:
        return cls(shapes, Places(shapes))


class ShapeLayer:
    """A layer of shapes.

    Parameters
    ----------
    about : About
        What is said of it.
    pyramid : Pyramid
        The slide.
    parts : sequence of ShapesOf
        Where the shapes of each part come from, in the order of ``about.parts``.
    """

    def __init__(self, about: About, pyramid: Pyramid, parts: Sequence[ShapesOf]) -> None:
        self.about = about
        self._levels = pyramid.levels
        self._parts = parts
        self._shared = Shared()
        self._loaded: dict[int, _Loaded] = {}

    def described(self) -> dict[str, Any]:
        """Return what the front end reads."""
        return self.about.described(None, shapes=bool(self._parts))

    async def within(self, part: str, box: tuple[float, ...], most: int) -> Resource:
        """Return the shapes in a box (x, y, width, height); see `flat`."""
        _, loaded = await self._part(part)
        data = await loop.in_pool(_within, loaded, box, most)
        return picture("application/octet-stream", data)

    async def coverage(self, part: str, number: int, column: int, row: int) -> Resource:
        """Return a tile of a level of the slide on which the shapes are drawn.

        Returns
        -------
        Resource
            A PNG of 8 bits, 255 where there is a line or dot; nothing where there is none.

        Raises
        ------
        NotFound
            For a part, or a place, that is not there.
        """
        if number >= len(self._levels):
            raise NotFound(f"The slide has levels 0 to {len(self._levels) - 1}, not {number}.")
        level = self._levels[number]
        if column >= level.grid[0] or row >= level.grid[1]:
            raise NotFound(f"There is no tile at column {column}, row {row} of {level.grid}.")
        _, loaded = await self._part(part)
        corner = column * level.tile_size[0], row * level.tile_size[1]
        return await loop.in_pool(_covered, loaded, corner, level.tile_size, level.downsample)

    async def at(
        self, part: str, point: tuple[float, float], within: float
    ) -> list[dict[str, Any]]:
        """Return the shapes at a point (x, y), or `within` pixels of it; the smallest first."""
        place, loaded = await self._part(part)
        rows = await loop.in_pool(_hit, loaded, point, within)
        return [self._parts[place].said(loaded.shapes, row) for row in rows]

    async def _part(self, id: str) -> tuple[int, _Loaded]:  # noqa: A002 - as everywhere
        place = named_part(self.about, id)
        if place not in self._loaded:
            self._loaded[place] = await self._shared.get(place, lambda: self._load(place))
        return place, self._loaded[place]

    async def _load(self, place: int) -> _Loaded:
        return await loop.in_pool(_Loaded.of, await self._parts[place].load())


def _within(loaded: _Loaded, box: tuple[float, ...], most: int) -> bytes:
    x, y, width, height = box
    rows = loaded.places.window((x, y), (width, height))
    return struct.pack("<I", TOO_MANY) if len(rows) > most else flat(loaded.shapes.take(rows))


def flat(shapes: Shapes) -> bytes:
    """Return shapes as a browser reads them without looking at each.

    All numbers are little-endian, and begin at multiples of four bytes:

    ===============  ============  ===================================================
    at byte          type          what
    ===============  ============  ===================================================
    0                uint32        count of shapes; 0xFFFFFFFF: too many, nothing follows
    4                uint8         kind: 0 point, 1 polyline, 2 polygon, 3 rectangle,
                                   4 ellipse; the last two are given as polygons
    5                3 x uint8     zeros
    8                uint32[]      count + 1 offsets: shape i has the points from offset
                                   i to before offset i + 1
    12 + 4 x count   float32[]     x and y of each point, in pixels of level 0 from the
                                   corner of its top left pixel
    ===============  ============  ===================================================

    Polygons are open: the first point is not repeated at the end.

    Examples
    --------
    >>> from wsiweb.results.shapes.shapes import Shapes
    >>> data = flat(Shapes.of("point", [[1, 2], [3, 4]]))
    >>> struct.unpack("<IB3x3I4f", data)
    (2, 0, 0, 1, 2, 1.0, 2.0, 3.0, 4.0)
    """
    kind = KINDS[shapes.kind]
    count = len(shapes)
    if not count:
        return struct.pack("<IB3xI", 0, kind, 0)
    lines = outlined(shapes)
    offsets = np.append(lines.index, len(lines.coordinates)).astype("<u4")
    points = np.ascontiguousarray(lines.coordinates[:, :2], "<f4")
    return struct.pack("<IB3x", count, kind) + offsets.tobytes() + points.tobytes()


def _covered(
    loaded: _Loaded, corner: tuple[int, int], size: tuple[int, int], downsample: float
) -> Resource:
    x, y = ((value - _MARGIN) * downsample for value in corner)
    width, height = ((value + 2 * _MARGIN) * downsample for value in size)
    rows = loaded.places.window((x, y), (width, height))
    if not len(rows):
        return NOTHING
    gray = drawn(loaded.shapes, rows, loaded.places.boxes(rows), corner, size, downsample)
    return lossless(gray[:, :, None])


def _hit(loaded: _Loaded, point: tuple[float, float], within: float) -> list[int]:
    x, y = point
    rows = loaded.places.window((x - within, y - within), (2 * within, 2 * within))
    if not len(rows):
        return []
    rows = rows[touched(loaded.shapes.take(rows), point, within)]
    boxes = loaded.places.boxes(rows)
    areas: NDArray[Any] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return [int(row) for row in rows[np.argsort(areas, kind="stable")][:_MOST_HITS]]
