"""Segmentations and heat maps as tiles of gray, on the grid of the slide.

A tile has the pixels that `read_region` of the result gives for a level of the slide, so that what
lies turned on the glass, or is as coarse as it likes, is shown where it belongs. The finest level
that is offered is the coarsest one of the slide that loses nothing of the result.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb import loop
from wsiweb.errors import NotFound
from wsiweb.results.reading.segments import color_of
from wsiweb.viewer.encoding import lossless
from wsiweb.viewer.layers.layer import About, Part, hexadecimal, named_part
from wsiweb.viewer.manifest import grid_of
from wsiweb.words import unit_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.pixels.pyramid import Level, Pyramid
    from wsiweb.results.reading.heatmap import HeatMap
    from wsiweb.results.reading.segmentation import Segmentation
    from wsiweb.results.reading.segments import StoredSegment
    from wsiweb.viewer.resource import Resource

__all__ = ["HeatMapLayer", "RasterLayer", "SegmentationLayer"]

Range = tuple[float, float]

_SAME = 1.01  # how much coarser a level of the slide may be than the result, and still be its own


class RasterLayer:
    """A layer of pixels.

    Parameters
    ----------
    about : About
        What is said of it.
    pyramid : Pyramid
        The slide.
    downsample : float
        Pixels of level 0 along the edge of one of its own.
    """

    def __init__(self, about: About, pyramid: Pyramid, downsample: float) -> None:
        self.about = about
        levels = pyramid.levels
        enough = [level for level in levels if level.downsample <= downsample * _SAME]
        self._levels = levels[len(enough) - 1 if enough else 0 :]

    def described(self) -> dict[str, Any]:
        """Return what the front end reads."""
        finest = self._levels[0]
        width, height = (edge * finest.downsample for edge in finest.size)
        low_high = self.range
        raster = {
            "levels": [grid_of(level) for level in self._levels],
            "place": [0, 0, width, height],
            "fractional": self.fractional,
            "range": None if low_high is None else list(low_high),
            "unit": self.unit,
        }
        return self.about.described(raster, shapes=False)

    @property
    def fractional(self) -> bool:
        """Whether its values are more than yes and no."""
        raise NotImplementedError

    @property
    def range(self) -> Range | None:
        """What 0 and 255 of a tile stand for; None for no and yes."""
        raise NotImplementedError

    @property
    def unit(self) -> str:
        """Unit of its values; may be empty."""
        raise NotImplementedError

    async def tile(self, part: str, number: int, column: int, row: int) -> Resource:
        """Return a tile as a PNG of 8 bits: gray, and opacity where there is nothing at places.

        Parameters
        ----------
        part : str
            Which part.
        number, column, row : int
            Zero-based, of `levels` as described. Tiles at the edge are padded.

        Raises
        ------
        NotFound
            For a part, or a place, that is not there.
        """
        place = named_part(self.about, part)
        if number >= len(self._levels):
            raise NotFound(f"Layer {self.about.id} has levels 0 to {len(self._levels) - 1}.")
        level = self._levels[number]
        across, down = level.grid
        if column >= across or row >= down:
            raise NotFound(f"There is no tile at column {column}, row {row} of {level.grid}.")
        width, height = level.tile_size
        corner = (
            round(column * width * level.downsample),
            round(row * height * level.downsample),
        )
        values = await self._read(place, corner, level, (width, height))
        return await loop.in_pool(lambda: lossless(self._gray(values)))

    async def at(
        self, part: str, point: tuple[float, float], within: float
    ) -> list[dict[str, Any]]:
        """Return what is at a point (x, y) of level 0; rasters know no nearby (`within`)."""
        del within
        place = named_part(self.about, part)
        level = self._levels[0]
        # The pixel that is drawn under the point; `_read` by itself would take the nearest corner.
        x, y = (round(math.floor(value / level.downsample) * level.downsample) for value in point)
        value = (await self._read(place, (x, y), level, (1, 1)))[0, 0]
        return self._said(place, value)

    async def _read(
        self, place: int, corner: tuple[int, int], level: Level, size: tuple[int, int]
    ) -> NDArray[Any]:
        """Read values of a part; `corner` in pixels of level 0."""
        raise NotImplementedError

    def _gray(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Return values as gray, shape (height, width, 1), or (height, width, 2) with opacity."""
        raise NotImplementedError

    def _said(self, place: int, value: Any) -> list[dict[str, Any]]:
        """Return a value in the words of the front end; nothing for no value."""
        raise NotImplementedError


class SegmentationLayer(RasterLayer):
    """A segmentation: each segment is a part."""

    def __init__(self, pyramid: Pyramid, found: Segmentation) -> None:
        algorithms = (segment.algorithm for segment in found.segments)
        about = About(
            id=found.instance_uids[0],
            kind="segmentation",
            title=found.name,
            creator=next(filter(None, algorithms), ""),
            created=found.created,
            series_uid=found.series_uid,
            instance_uids=found.instance_uids,
            parts=tuple(
                Part(
                    id=str(segment.number),
                    name=_segment_name(segment),
                    color=hexadecimal(color_of(segment, place)),
                )
                for place, segment in enumerate(found.segments)
            ),
        )
        super().__init__(about, pyramid, found.downsample)
        self._found = found

    @property
    def fractional(self) -> bool:
        """Whether its segments are fractions."""
        return self._found.type == "FRACTIONAL"

    @property
    def range(self) -> Range | None:
        """Fractions of 0 to 1."""
        return (0.0, 1.0) if self.fractional else None

    @property
    def unit(self) -> str:
        """None."""
        return ""

    async def _read(
        self, place: int, corner: tuple[int, int], level: Level, size: tuple[int, int]
    ) -> NDArray[Any]:
        number = self._found.segments[place].number
        return await self._found.read_region_async(corner, level.index, size, number)

    def _gray(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        if values.dtype == np.bool_:
            return (values.view(np.uint8) * np.uint8(255))[:, :, None]
        return np.rint(values * np.float32(255)).astype(np.uint8)[:, :, None]

    def _said(self, place: int, value: Any) -> list[dict[str, Any]]:
        if not value:
            return []
        part = self.about.parts[place]
        measured: list[dict[str, Any]] = []
        if self.fractional:
            measured = [{"name": "Fraction", "value": float(value), "unit": ""}]
        return [{"index": int(part.id), "name": part.name, "measurements": measured}]


class HeatMapLayer(RasterLayer):
    """A heat map: one part.

    Parameters
    ----------
    pyramid : Pyramid
        The slide.
    found : HeatMap
        The map.
    extremes : tuple of float or None
        Its lowest and its highest value; None for a map without values.
    """

    def __init__(self, pyramid: Pyramid, found: HeatMap, extremes: Range | None) -> None:
        name = found.quantity.meaning or found.label or found.name or "Values"
        about = About(
            id=found.instance_uid,
            kind="heatmap",
            title=found.name,
            creator="",
            created=found.created,
            series_uid=found.series_uid,
            instance_uids=(found.instance_uid,),
            parts=(Part(id="0", name=name, color=_MAP_COLOR),),
        )
        super().__init__(about, pyramid, found.downsample)
        self._found = found
        self._extremes = extremes or (0.0, 1.0)

    @property
    def fractional(self) -> bool:
        """Always."""
        return True

    @property
    def range(self) -> Range | None:
        """The lowest and the highest value."""
        return self._extremes

    @property
    def unit(self) -> str:
        """Unit of the values."""
        return unit_of(*self._found.unit)

    async def _read(
        self, place: int, corner: tuple[int, int], level: Level, size: tuple[int, int]
    ) -> NDArray[Any]:
        del place  # there is but one
        return await self._found.read_region_async(corner, level.index, size)

    def _gray(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        low, high = self._extremes
        there = np.isfinite(values)
        # A map of one value is bright everywhere: it would not be seen else.
        scale = 255 / (high - low) if high > low else 0.0
        base = 0.0 if high > low else 255.0
        known = np.where(there, values, low).astype(np.float64)
        gray = np.rint(np.clip((known - low) * scale + base, 0, 255)).astype(np.uint8)
        if there.all():
            return gray[:, :, None]
        return np.stack([gray, there * np.uint8(255)], axis=-1)

    def _said(self, place: int, value: Any) -> list[dict[str, Any]]:
        if not math.isfinite(value):
            return []
        name = self.about.parts[place].name
        measured = [{"name": name, "value": float(value), "unit": self.unit}]
        return [{"index": 0, "name": name, "measurements": measured}]


_MAP_COLOR = "#ffffff"  # a map has a palette of the front end's, and no colour of its own


def _segment_name(segment: StoredSegment) -> str:
    """Return what people call a segment: its label, unless it was made up of its number."""
    made_up = f"Segment {segment.number}"
    return segment.type[2] or made_up if segment.label == made_up else segment.label
