"""One group of stored annotations, fetched when it is looked at."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

from wsiweb import loop
from wsiweb.arguments import level_of, real_pair
from wsiweb.errors import SlideError
from wsiweb.results.reading.groups import GroupData, GroupHeader, MeasurementData, shapes_from
from wsiweb.results.shapes.outlines import to_shapely
from wsiweb.results.shapes.places import Places

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.results.reading.bulk import BulkValues, Steps
    from wsiweb.results.reading.concepts import Concept
    from wsiweb.results.reading.slide_pixels import SlidePixels
    from wsiweb.results.shapes.shapes import Color, ShapeKind, Shapes
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["GROUPS", "AnnotationGroup"]

GROUPS = "AnnotationGroupSequence"
_MEASUREMENTS = "MeasurementsSequence"
_VALUES = "MeasurementValuesSequence"
_FLOATS = "PointCoordinatesData"
_DOUBLES = "DoublePointCoordinatesData"

Pair = tuple[float, float]


class AnnotationGroup:
    """Annotations of one kind; from `Annotations.groups`.

    Parameters
    ----------
    pyramid : Pyramid
        The slide.
    item : Attributes
        Of AnnotationGroupSequence.
    number : int
        Zero-based, in that sequence.
    values : BulkValues
        Where bulk data come from.
    place : SlidePixels
        Where coordinates lie.

    Raises
    ------
    SlideError, ProtocolError
        For an item that cannot be read.
    """

    def __init__(
        self,
        pyramid: Pyramid,
        item: Attributes,
        number: int,
        values: BulkValues,
        place: SlidePixels,
    ) -> None:
        self._pyramid = pyramid
        self._item = item
        self._number = number
        self._values = values
        self._place = place
        self._header = GroupHeader.of(item, number)
        self._shapes: Shapes | None = None

    def __repr__(self) -> str:
        return f"<AnnotationGroup {self.label!r}: {len(self)} x {self.kind}>"

    def __len__(self) -> int:
        return self._header.count

    # What it is -----------------------------------------------------------------------------

    @property
    def number(self) -> int:
        """AnnotationGroupNumber, from 1."""
        return self._header.number

    @property
    def uid(self) -> str:
        """AnnotationGroupUID."""
        return self._header.uid

    @property
    def label(self) -> str:
        """What people call it."""
        return self._header.label

    @property
    def description(self) -> str:
        """In words; may be empty."""
        return self._header.description

    @property
    def kind(self) -> ShapeKind:
        """``"point"``, ``"polygon"``, ``"polyline"``, ``"ellipse"`` or ``"rectangle"``."""
        return self._header.kind

    @property
    def type(self) -> Concept:
        """What the annotations are."""
        return self._header.type

    @property
    def category(self) -> Concept:
        """What kind of thing that is."""
        return self._header.category

    @property
    def color(self) -> Color | None:
        """Red, green and blue of 0 to 255 to show it in, if stated."""
        return self._header.color

    @property
    def generation(self) -> str:
        """``"AUTOMATIC"``, ``"SEMIAUTOMATIC"`` or ``"MANUAL"``."""
        return self._header.generation

    @property
    def algorithm(self) -> str:
        """Name of the algorithm; empty for what a person drew."""
        return self._header.algorithm

    @property
    def channels(self) -> tuple[str, ...]:
        """OpticalPathIdentifier of the channels that they are about, as in `Level.channels`.

        All channels of the slide, unless the group names some.
        """
        named = self._header.paths
        return self._pyramid.levels[0].channels if named is None else named

    @property
    def quantities(self) -> tuple[tuple[Concept, Concept], ...]:
        """Name and unit of each measurement."""
        return self._header.quantities

    # The annotations ------------------------------------------------------------------------

    def shapes(self) -> Shapes:
        """Return the annotations, fetched when asked for first.

        Returns
        -------
        Shapes
            In pixels of level 0. Their class is the label of the group, and measurements are named
            by the meanings of their codes.

        Raises
        ------
        SlideError
            For bulk data that do not belong together, or coordinates that cannot be placed on this
            slide; names instance and group.
        ArchiveError
            When the archive does not deliver.
        """
        return self._shapes or loop.run(self.load())

    async def shapes_async(self) -> Shapes:
        """Return the annotations; see `shapes`."""
        return self._shapes or await loop.wait(self.load())

    async def load(self) -> Shapes:
        """Fetch the annotations, on the library's event loop; see `shapes`."""
        if self._shapes is None:
            data = await self._data()
            place, dimensions = self._place.found()
            try:
                self._shapes = await loop.in_pool(
                    shapes_from, self._header, data, place, dimensions
                )
            except ValueError as error:
                raise self._wrong(str(error)) from None
        return self._shapes

    @property
    def coordinates(self) -> NDArray[Any]:
        """Shape (n, 2): x, y of all corners in pixels of level 0; see `Shapes.coordinates`."""
        return self.shapes().coordinates

    @property
    def index(self) -> NDArray[np.int64]:
        """Shape (count,): zero-based, the first corner of each; see `Shapes.index`."""
        return self.shapes().index

    @property
    def measurements(self) -> Mapping[str, NDArray[np.float64]]:
        """By name, shape (count,); NaN where an annotation has no value."""
        return self.shapes().measurements

    def window(self, location: Pair, size: Pair) -> NDArray[np.int64]:
        """Return which annotations a window touches.

        Parameters
        ----------
        location, size : tuple of float
            Upper left corner (x, y), width and height in pixels of level 0.

        Returns
        -------
        numpy.ndarray
            Int64, rising: zero-based numbers of the annotations whose bounding box and the window
            have a point in common.

        Raises
        ------
        ValueError
            For a window of negative size.
        """
        return self._places.window(real_pair(location, "location"), real_pair(size, "size"))

    def tiles(self, level: int) -> list[tuple[int, int]]:
        """Return the tiles of a level that annotations touch.

        Parameters
        ----------
        level : int
            Zero-based level of the slide.

        Returns
        -------
        list of (column, row)
            Row by row. A tile counts when it shares area with a polygon, ellipse or rectangle, or
            when a point or line runs through it; of its edges it has the left and the upper one.

        Raises
        ------
        IndexError
            For a level that the slide does not have.
        """
        return self._places.tiles(level_of(self._pyramid.levels, level))

    def to_shapely(self) -> NDArray[Any]:
        """Return the annotations as an array of shapely geometries, shape (count,)."""
        return to_shapely(self.shapes())

    @functools.cached_property
    def _places(self) -> Places:
        return Places(self.shapes())

    # How they are fetched -------------------------------------------------------------------

    async def _data(self) -> GroupData:
        steps = ((GROUPS, self._number),)
        is_double = _DOUBLES in self._item
        known = is_double or _FLOATS in self._item
        (values, starts), measurements = await asyncio.gather(
            self._graphics(_DOUBLES if is_double else _FLOATS, steps),
            asyncio.gather(
                *(
                    self._measurement(one, (*steps, (_MEASUREMENTS, place)))
                    for place, one in enumerate(self._item.items(_MEASUREMENTS))
                )
            ),
        )
        if values is None and not known:  # an archive that leaves bulk data out of its metadata
            is_double = True
            values = await self._values.value(self._item, _DOUBLES, steps)
        if values is None:
            raise self._wrong("it has no coordinates")
        return GroupData(values, is_double, starts, tuple(measurements))

    async def _graphics(self, keyword: str, steps: Steps) -> tuple[bytes | None, bytes | None]:
        """Return the coordinates and, where the kind has one, the index."""
        coordinates = self._values.value(self._item, keyword, steps)
        if self.kind not in {"polygon", "polyline"}:
            return await coordinates, None
        starts = self._values.value(self._item, "LongPrimitivePointIndexList", steps)
        values, index = await asyncio.gather(coordinates, starts)
        return values, index

    async def _measurement(self, item: Attributes, steps: Steps) -> MeasurementData:
        inner = item.item(_VALUES)
        way = (*steps, (_VALUES, 0))
        values = await self._values.value(inner, "FloatingPointValues", way)
        numbers = None
        if "AnnotationIndexList" in inner or "FloatingPointValues" not in inner:
            numbers = await self._values.value(inner, "AnnotationIndexList", way)
        if values is None:
            raise self._wrong("a measurement has no values")
        return MeasurementData(values, numbers)

    def _wrong(self, words: str) -> SlideError:
        uid = self._place.instance_uid
        return SlideError(f"Instance {uid}, annotation group {self.number}: {words}.")
