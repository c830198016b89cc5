"""Annotation groups: the shapes of one class and kind (PS3.3 C.37.1.2)."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.results.identity import uid_for
from wsiweb.results.shapes.bulk import Bulk
from wsiweb.results.shapes.coding import category_code, quantity_of, type_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from highdicom.ann import AnnotationGroup
    from highdicom.sr import CodedConcept
    from numpy.typing import NDArray

    from wsiweb.results.codes import Term
    from wsiweb.results.identity import Algorithm
    from wsiweb.results.shapes.coding import Quantity, Terms
    from wsiweb.results.shapes.placing import Placing, Survey
    from wsiweb.results.shapes.shapes import Color, Numbers, Shapes

__all__ = ["Group"]

_INDEXED = frozenset({"polygon", "polyline"})
_LONGEST = 64  # characters of a label, VR LO
_MOST_INDEX = 2**31 - 1  # what readers take an index for
_WHOLE_IN_FLOAT32 = 2**24
_LARGEST = float(np.finfo(np.float32).max)
# Points of one annotation, which highdicom wants to see.
_SAMPLES = {"point": 1, "polyline": 2, "polygon": 3, "ellipse": 4, "rectangle": 4}


@dataclass(frozen=True, eq=False)
class _Values:
    """One measurement of a group, without what is not given."""

    name: CodedConcept
    unit: CodedConcept
    values: NDArray[np.float32]
    numbers: NDArray[np.int32] | None  # one-based, of the annotations that have a value


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """The shapes of one class and kind, checked and ready to be written; made by `Group.of`.

    Attributes
    ----------
    shapes : Shapes
        Among them those of the group.
    rows : numpy.ndarray or None
        Which; None for all.
    label : str
        What people call the group.
    type, category : CodedConcept
        What its shapes are.
    color : Color or None
        How to show it.
    placing : Placing
        How points get to where they are stored.
    survey : Survey
        How they are stored.
    measurements : tuple
        What was measured.
    """

    shapes: Shapes
    rows: Numbers | None
    label: str
    type: CodedConcept
    category: CodedConcept
    color: Color | None
    placing: Placing
    survey: Survey
    measurements: tuple[_Values, ...]

    @classmethod
    def of(
        cls,
        shapes: Shapes,
        rows: Numbers | None,
        *,
        name: str,
        label: str,
        placing: Placing,
        terms: tuple[Terms, Terms],
        quantities: Mapping[str, Quantity | tuple[Term, Term]],
    ) -> Group:
        """Check all that a group says.

        Parameters
        ----------
        shapes, rows, label, placing
            As in `Group`.
        name : str
            Of the class.
        terms : tuple of Terms
            Type and category.
        quantities : mapping
            Codes of measurements.

        Raises
        ------
        ValueError
            For what cannot be written.
        """
        if not 0 < len(label) <= _LONGEST or "\\" in label or not label.isprintable():
            raise ValueError(
                f"The name of a class has 1 to {_LONGEST} characters and no backslash; {label!r} "
                f"has {len(label)}."
            )
        kind = type_code(terms[0], name)
        return cls(
            shapes=shapes,
            rows=rows,
            label=label,
            type=kind,
            category=category_code(terms[1], name, kind),
            color=shapes.colors.get(name),
            placing=placing,
            survey=placing.survey(shapes, rows),
            measurements=tuple(_measured(shapes, rows, quantities)),
        )

    def __len__(self) -> int:
        return len(self.shapes) if self.rows is None else len(self.rows)

    def digest(self) -> str:
        """Return a text that follows from all the group says."""
        state = hashlib.sha256(f"{self.label}\0{self.shapes.kind}".encode())
        for block in self._blocks():
            state.update(np.ascontiguousarray(block).data)
        for one in self.measurements:
            state.update(one.name.value.encode() + one.values.tobytes())
        return state.hexdigest()

    def describe(
        self, number: int, seed: tuple[str, ...], description: str, algorithm: Algorithm | None
    ) -> tuple[AnnotationGroup, list[Bulk]]:
        """Return the group as highdicom has it, with marks for its bulk data, and these.

        Parameters
        ----------
        number : int
            One-based number of the group in its object.
        seed : tuple of str
            What its UID follows from, beside the number.
        description : str
            In words; may be empty.
        algorithm : Algorithm or None
            What found the shapes; None for a person.
        """
        from highdicom.ann import AnnotationGroup
        from highdicom.color import CIELabColor

        described = AnnotationGroup(
            number=number,
            uid=uid_for(*seed, str(number)),
            label=self.label,
            annotated_property_category=self.category,
            annotated_property_type=self.type,
            graphic_type=self.shapes.kind.upper(),
            graphic_data=[self._sample()],
            algorithm_type="MANUAL" if algorithm is None else "AUTOMATIC",
            algorithm_identification=None if algorithm is None else algorithm.sequence(),
            description=description or None,
            display_color=None if self.color is None else CIELabColor.from_rgb(*self.color),
        )
        described.NumberOfAnnotations = len(self)
        bulks = self._put_coordinates(described)
        if self.measurements:
            bulks += self._put_measurements(described)
        return described, bulks

    def _sample(self) -> NDArray[Any]:
        """Return one annotation of the same kind, type and dimensions."""
        count = _SAMPLES[self.shapes.kind]
        flat = self.placing.coordinates == "2d"
        points = np.zeros((count, 2 if flat else 3), self.survey.dtype)
        points[:, 0] = np.arange(count)
        if self.survey.common_z is not None:
            points[:, 2] = self.survey.common_z
        elif not flat:
            points[:, 2] = np.arange(count)
        return points

    @property
    def _columns(self) -> int:
        """Numbers stored of each point."""
        return 2 if self.placing.coordinates == "2d" else self.survey.dimensions

    def _blocks(self) -> Iterator[NDArray[Any]]:
        for block in self.shapes.blocks(self.rows):
            stored = self.placing.stored(block)[:, : self._columns]
            yield stored.astype(self.survey.dtype, copy=False)

    def _lengths(self) -> Numbers:
        lengths = self.shapes.lengths
        return lengths if self.rows is None else lengths[self.rows]

    def _put_coordinates(self, described: AnnotationGroup) -> list[Bulk]:
        lengths = self._lengths()
        total = int(lengths.sum()) * self._columns
        what = f"The coordinates of {self.label!r}"
        coordinates = Bulk(what, total * self.survey.dtype.itemsize, self._blocks)
        if self.survey.dtype.itemsize == 8:
            described.DoublePointCoordinatesData = coordinates.mark
        else:
            described.PointCoordinatesData = coordinates.mark
        if self.survey.common_z is not None:
            described.CommonZCoordinateValue = self.survey.common_z
        if self.shapes.kind not in _INDEXED:
            return [coordinates]
        if total > _MOST_INDEX:
            raise ValueError(f"{what} are more than {_MOST_INDEX} numbers: write several objects.")
        # Readers and writers count numbers, not points, from 1.
        starts = (np.cumsum(lengths) - lengths) * self._columns + 1
        index = Bulk.of(f"The index of {self.label!r}", starts.astype("<i4"))
        described.LongPrimitivePointIndexList = index.mark
        return [coordinates, index]

    def _put_measurements(self, described: AnnotationGroup) -> list[Bulk]:
        from highdicom.ann import Measurements

        bulks: list[Bulk] = []
        described.MeasurementsSequence = []
        for one in self.measurements:
            what = f"The values of {one.name.meaning!r}"
            sample = np.zeros(1) if one.numbers is None else np.array([0.0, np.nan])
            item = Measurements(name=one.name, values=sample, unit=one.unit)
            stored = item.MeasurementValuesSequence[0]
            values = Bulk.of(what, one.values)
            stored.FloatingPointValues = values.mark
            bulks.append(values)
            if one.numbers is not None:
                numbers = Bulk.of(what, one.numbers)
                stored.AnnotationIndexList = numbers.mark
                bulks.append(numbers)
            described.MeasurementsSequence.append(item)
        return bulks


def _measured(
    shapes: Shapes, rows: Numbers | None, quantities: Mapping[str, Quantity | tuple[Term, Term]]
) -> Iterator[_Values]:
    for measurement, column in shapes.measurements.items():
        values = column if rows is None else column[rows]
        is_given = ~np.isnan(values)
        if not is_given.any():
            continue
        numbers = None
        if not is_given.all():
            numbers = (np.flatnonzero(is_given) + 1).astype("<i4")
            values = values[is_given]
        name, unit = quantity_of(measurement, quantities)
        yield _Values(name, unit, _as_stored(measurement, values), numbers)


def _as_stored(measurement: str, values: NDArray[np.float64]) -> NDArray[np.float32]:
    beyond = np.flatnonzero(np.abs(values) > _LARGEST)
    if len(beyond):
        raise ValueError(
            f"The measurement {measurement!r} has values that float32, which DICOM stores, cannot "
            f"hold, such as {values[beyond[0]]!r}. NaN is for what is not given."
        )
    stored = values.astype("<f4")
    changed = (np.abs(values) > _WHOLE_IN_FLOAT32) & (values == np.floor(values))
    changed &= stored != values
    if changed.any():
        warnings.warn(
            f"The measurement {measurement!r} has {int(changed.sum())} whole numbers above 2**24, "
            "which lose digits as float32, the type that DICOM stores. Are they names of things "
            "rather than measurements?",
            stacklevel=2,
        )
    return stored
