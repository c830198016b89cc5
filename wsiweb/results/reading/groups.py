"""Annotation groups as headers describe them, and their bulk data as shapes (PS3.3 C.37.1.2)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wsiweb.errors import SlideError
from wsiweb.pixels.optional import if_readable
from wsiweb.results.colors import rgb_of
from wsiweb.results.reading.concepts import Concept
from wsiweb.results.shapes.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from wsiweb.results.shapes.shapes import Color, ShapeKind
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["GroupData", "GroupHeader", "MeasurementData", "Quantities", "shapes_from"]

_KINDS: dict[str, ShapeKind] = {
    "POINT": "point",
    "POLYGON": "polygon",
    "POLYLINE": "polyline",
    "ELLIPSE": "ellipse",
    "RECTANGLE": "rectangle",
}
_INDEXED = frozenset({"polygon", "polyline"})

Quantities = tuple[tuple[Concept, Concept], ...]
"""Name and unit of each measurement."""


class MeasurementData(NamedTuple):
    """The bulk data of a measurement.

    Attributes
    ----------
    values : bytes
        FloatingPointValues.
    numbers : bytes or None
        AnnotationIndexList; None when all annotations have a value.
    """

    values: bytes
    numbers: bytes | None


class GroupData(NamedTuple):
    """The bulk data of a group, as they are stored.

    Attributes
    ----------
    coordinates : bytes
        PointCoordinatesData, or DoublePointCoordinatesData.
    is_double : bool
        Which of the two.
    starts : bytes or None
        LongPrimitivePointIndexList, which polygons and polylines have.
    measurements : tuple of MeasurementData
        As the header lists them.
    """

    coordinates: bytes
    is_double: bool
    starts: bytes | None
    measurements: tuple[MeasurementData, ...]


@dataclass(frozen=True, kw_only=True)
class GroupHeader:
    """What a group says beside its annotations.

    Attributes
    ----------
    number : int
        AnnotationGroupNumber, from 1.
    uid : str
        AnnotationGroupUID.
    label, description : str
        In words; the description may be empty.
    kind : ShapeKind
        What its annotations are.
    count : int
        How many there are.
    type, category : Concept
        What they are.
    lab : tuple of int
        How to show them, encoded; may be empty.
    generation : str
        ``"AUTOMATIC"``, ``"SEMIAUTOMATIC"`` or ``"MANUAL"``.
    algorithm : str
        Name of what found them; empty for a person.
    has_common_z : bool
        Whether all points have one height, which is not stored with each.
    quantities : Quantities
        What was measured.
    paths : tuple of str or None
        OpticalPathIdentifier of the channels that they are about; None for all.
    """

    number: int
    uid: str
    label: str
    description: str
    kind: ShapeKind
    count: int
    type: Concept
    category: Concept
    lab: tuple[int, ...]
    generation: str
    algorithm: str
    has_common_z: bool
    quantities: Quantities
    paths: tuple[str, ...] | None

    @classmethod
    def of(cls, item: Attributes, place: int) -> GroupHeader:
        """Read an item of AnnotationGroupSequence.

        Parameters
        ----------
        item : Attributes
            The item.
        place : int
            Zero-based, in the sequence.

        Raises
        ------
        SlideError
            For a group of unknown kind or number of annotations.
        ProtocolError
            For attributes that cannot be read.
        """
        graphic = item.text("GraphicType").strip().upper()
        count = item.integer("NumberOfAnnotations")
        if graphic not in _KINDS or count is None or count < 0:
            raise SlideError(
                f"group {place + 1} has GraphicType {graphic!r} and NumberOfAnnotations {count}"
            )
        algorithm = item.item("AnnotationGroupAlgorithmIdentificationSequence")
        return cls(
            number=item.integer("AnnotationGroupNumber") or place + 1,
            uid=item.text("AnnotationGroupUID").strip(),
            label=item.text("AnnotationGroupLabel").strip(),
            description=item.text("AnnotationGroupDescription").strip(),
            kind=_KINDS[graphic],
            count=count,
            type=Concept.of(item.item("AnnotationPropertyTypeCodeSequence")),
            category=Concept.of(item.item("AnnotationPropertyCategoryCodeSequence")),
            lab=if_readable(item.integers, "RecommendedDisplayCIELabValue", ()),
            generation=item.text("AnnotationGroupGenerationType").strip().upper(),
            algorithm=algorithm.text("AlgorithmName").strip(),
            has_common_z=bool(item.numbers("CommonZCoordinateValue")),
            quantities=tuple(
                (
                    Concept.of(one.item("ConceptNameCodeSequence")),
                    Concept.of(one.item("MeasurementUnitsCodeSequence")),
                )
                for one in item.items("MeasurementsSequence")
            ),
            paths=_paths(item),
        )

    @functools.cached_property
    def color(self) -> Color | None:
        """How to show them: red, green and blue."""
        return rgb_of(self.lab)

    @property
    def class_name(self) -> str:
        """The label, unless it is the kind, which shapes without a class are stored under."""
        return "" if self.label == self.kind else self.label


def _paths(item: Attributes) -> tuple[str, ...] | None:
    """Return which optical paths a group is about; None for all, and where that is not said."""
    given = item.texts("ReferencedOpticalPathIdentifier")
    named = tuple(name.strip() for name in given if name.strip())
    applies_to_all = item.text("AnnotationAppliesToAllOpticalPaths").strip().upper() == "YES"
    return None if applies_to_all else named or None


def shapes_from(
    header: GroupHeader,
    data: GroupData,
    place: Callable[[NDArray[Any]], NDArray[Any]],
    dimensions: int,
) -> Shapes:
    """Return the annotations of a group.

    Parameters
    ----------
    header : GroupHeader
        What they are.
    data : GroupData
        What is stored.
    place : callable
        Takes stored points and returns those in level-0 pixels.
    dimensions : int
        2 or 3: of the coordinates, common heights included.

    Raises
    ------
    ValueError
        For data that do not belong together.
    """
    stored = 2 if header.has_common_z else dimensions
    numbers = _decoded("coordinates", data.coordinates, "<f8" if data.is_double else "<f4")
    if len(numbers) % stored:
        raise ValueError(f"{len(numbers)} coordinates are no points of {stored} each")
    points = numbers.reshape(-1, stored)
    index = None
    if header.kind in _INDEXED:
        if data.starts is None:
            raise ValueError("LongPrimitivePointIndexList is missing")
        index = _starts(_decoded("index", data.starts, "<u4"), stored, header.count)
    name = header.class_name
    shapes = Shapes.of(
        header.kind,
        place(points),
        index,
        classes=name,
        colors={name: header.color} if name and header.color else {},
        measurements=_measurements(header, data),
        crooked=True,
    )
    if len(shapes) != header.count:
        raise ValueError(f"{header.count} annotations are stated and {len(shapes)} are there")
    return shapes


def _decoded(what: str, data: bytes, dtype: str) -> NDArray[Any]:
    size = np.dtype(dtype).itemsize
    if len(data) % size:
        raise ValueError(f"the {what} are {len(data)} bytes, no multiple of {size}")
    return np.frombuffer(data, dtype)


def _starts(index: NDArray[np.uint32], stored: int, count: int) -> NDArray[np.int64]:
    """Return zero-based points where numbers are counted from 1."""
    numbers = index.astype(np.int64) - 1
    if len(numbers) != count or (numbers % stored).any():
        raise ValueError(
            f"LongPrimitivePointIndexList has {len(numbers)} entries for {count} annotations, or "
            f"such that do not begin a point of {stored} numbers"
        )
    return numbers // stored


def _measurements(header: GroupHeader, data: GroupData) -> Mapping[str, NDArray[np.float64]]:
    found: dict[str, NDArray[np.float64]] = {}
    for (name, _), one in zip(header.quantities, data.measurements, strict=True):
        values = _decoded("measurements", one.values, "<f4")
        column = np.full(header.count, np.nan)
        rows = np.arange(header.count)
        if one.numbers is not None:
            rows = _decoded("annotation index", one.numbers, "<u4").astype(np.int64) - 1
        inside = len(rows) == 0 or (rows.min() >= 0 and rows.max() < header.count)
        if len(rows) != len(values) or not inside:
            raise ValueError(f"the values of {name.meaning!r} do not belong to the annotations")
        column[rows] = values
        found[_unlike(name.meaning or name.value or "measurement", found)] = column
    return found


def _unlike(name: str, taken: Mapping[str, Any]) -> str:
    number, unlike = 1, name
    while unlike in taken:
        number += 1
        unlike = f"{name} ({number})"
    return unlike
