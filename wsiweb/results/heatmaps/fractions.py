"""Heat maps as fractional segmentations (PS3.3 A.51): how much of each pixel belongs to a segment.

Such a segmentation can say two things of its numbers (SegmentationFractionalType, PS3.3
C.8.20.2.3): that they are probabilities, or shares of a pixel's area. Both lie between 0 and 1, and
are stored in 255 steps. What they are the probability or the share of is said by the segment.
"""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.results.arrays import computed
from wsiweb.results.codes import coded
from wsiweb.results.heatmaps.codings import range_of
from wsiweb.results.masks.mask import write_matrix
from wsiweb.results.masks.matrices import matrix_of
from wsiweb.results.masks.segments import Segment, segments_of
from wsiweb.results.masks.style import Style
from wsiweb.results.masks.writer import MaskWriter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.results.codes import Term
    from wsiweb.results.masks.style import FractionalType
    from wsiweb.results.objects import Objects, ResultObject
    from wsiweb.results.planes import Plane
    from wsiweb.results.source import Source

__all__ = ["Shares", "write_fractions"]

_STEPS = 255
# What quantities, by value and scheme of their code, a fractional segmentation can be of.
_TYPES: dict[tuple[str, str], FractionalType] = {
    ("122157", "DCM"): "probability",  # Probability
    ("111047", "DCM"): "probability",  # Probability of cancer
    ("110854", "DCM"): "probability",  # Fractional Probabilistic Segmentation
    ("110855", "DCM"): "occupancy",  # Fractional Occupancy Segmentation
}
_NO_UNIT = ("1", "UCUM")
_ELSE = 'or leave encoding at "16-bit", which holds any numbers'


@dataclass(frozen=True, kw_only=True)
class Shares:
    """What a fractional segmentation says of its numbers; made by `Shares.of`.

    Attributes
    ----------
    segment : Segment
        What they are the probability or the share of.
    kind : FractionalType
        Which of both.
    low, high : float
        Between what they lie.
    description : str
        Of the map.
    """

    segment: Segment
    kind: FractionalType
    low: float
    high: float
    description: str

    @classmethod
    def of(
        cls,
        *,
        segment: Segment | Term | None,
        quantity: Term,
        unit: Term,
        value_range: tuple[float, float] | None,
        label: str,
        description: str,
    ) -> Shares:
        """Check what is said of a map.

        Parameters
        ----------
        segment : Segment or Term
            What the numbers are the probability or the share of.
        quantity, unit : Term
            What the numbers are.
        value_range : tuple of float or None
            Lowest and highest value that there may be; by default 0 and 1.
        label : str
            Of the segment, if it has none of its own.
        description : str
            Of the map; by default the meaning of the quantity.

        Raises
        ------
        ValueError
            For what a fractional segmentation cannot say.
        """
        concept = coded(quantity, "the quantity of a heat map")
        kind = _TYPES.get((concept.value, concept.scheme_designator))
        if kind is None:
            raise ValueError(
                "A fractional segmentation holds probabilities or shares of area, not "
                f'{concept.meaning!r}: give quantity="DCM:Probability" or '
                f'"DCM:FractionalOccupancySegmentation" if they are such, {_ELSE}.'
            )
        scale = coded(unit, "the unit of a heat map")
        if (scale.value, scale.scheme_designator) != _NO_UNIT:
            raise ValueError(
                "The numbers of a fractional segmentation have no unit, they are fractions of 1; "
                f"{scale.meaning!r} was given. Divide percents by 100, {_ELSE}."
            )
        low, high = (0.0, 1.0) if value_range is None else value_range
        if not 0 <= low <= high <= 1:
            raise ValueError(
                "A fractional segmentation holds numbers from 0 to 1, and value_range is from "
                f"{low!r} to {high!r}: divide the values by the highest possible, {_ELSE}."
            )
        return cls(
            segment=_one_segment(segment, label),
            kind=kind,
            low=float(low),
            high=float(high),
            description=description or concept.meaning,
        )


def write_fractions(
    source: Source, objects: Objects, values: Any, plane: Plane, shares: Shares, edge: int
) -> tuple[ResultObject, ...]:
    """Write a map as a fractional segmentation, with its pyramid.

    Parameters
    ----------
    source : Source
        The slide.
    objects : Objects
        Takes what is written.
    values : array_like
        Real numbers, shape (rows, columns), the size of the plane. NaN becomes 0, with a warning.
    plane : Plane
        Where the map lies.
    shares : Shares
        What its numbers are.
    edge : int
        Width and height of a tile.

    Raises
    ------
    ValueError
        For values beyond their range, or none above 0.
    """
    style = Style(
        kind="fractional",
        fractional_type=shares.kind,
        tile_size=edge,
        description=shares.description,
    )
    array = _Fractions(values, shares.low, shares.high)
    matrix = matrix_of(array)
    assert matrix is not None  # noqa: S101 - it has a shape
    with MaskWriter(source, objects, shares.segment, plane, style) as writer:
        write_matrix(writer, matrix)
        array.check_some()
        made = writer.close()
    if array.missing:
        warnings.warn(
            f"{array.missing} pixels of the map have no value, which a fractional segmentation "
            "cannot say: they are stored as 0.",
            stacklevel=4,
        )
    return made


def _one_segment(given: Any, label: str) -> Segment:
    if given is None:
        raise ValueError(
            "A fractional segmentation says of what its numbers are the probability, or the share: "
            'give segment="Neoplasm", say.'
        )
    (segment,) = segments_of([given])
    if not label:
        return segment
    if isinstance(given, Segment):
        raise ValueError(  # noqa: TRY004 - nothing is wrong with its type
            f"The segment is called {segment.label!r}, and label={label!r} was given, too: leave "
            "label away."
        )
    return Segment(label=label, type=segment.type)


class _Fractions:
    """An array of any kind as the fractions that it stands for, without gaps, part by part.

    Attributes
    ----------
    missing : int
        Of the pixels that were read, those that had no value.
    """

    def __init__(self, values: Any, low: float, high: float) -> None:
        self._values: Any = values if hasattr(values, "shape") else np.array(values)
        self._low, self._high = low, high
        self.shape: tuple[int, ...] = self._values.shape
        self.chunks: Any = getattr(self._values, "chunks", None)
        given = np.dtype(self._values.dtype)
        is_long = given.kind == "f" and given.itemsize > 4
        self.dtype = np.dtype(np.float64 if is_long else np.float32)
        self.missing = 0
        self._total = 0
        self._highest = 0.0
        self._lock = threading.Lock()

    def __getitem__(self, key: Any) -> NDArray[Any]:
        part = computed(self._values[key])
        is_masked = isinstance(part, np.ma.MaskedArray)
        part = part.astype(self.dtype)
        fractions = part.filled(np.nan) if is_masked else np.asarray(part)
        self._check_range(fractions)
        empty = np.isnan(fractions)
        fractions = np.clip(fractions, self._low, self._high)
        fractions[empty] = 0
        with self._lock:
            self.missing += int(np.count_nonzero(empty))
            self._total += fractions.size
            self._highest = max(self._highest, float(fractions.max(initial=0)))
        return fractions

    def check_some(self) -> None:
        """Refuse a map that was read and has nothing in it that can be stored."""
        if self.missing == self._total:
            raise ValueError("A heat map has at least one value; all that was given is NaN.")
        if self._highest <= 0.5 / _STEPS:
            raise ValueError(
                f"All values of the map are 0, or nearly so (at most {self._highest:g}), and a "
                f'segmentation in which nothing is segmented is none: leave encoding at "16-bit".'
            )

    def _check_range(self, fractions: NDArray[Any]) -> None:
        low, high = range_of([fractions])
        slack = 0.5 / _STEPS  # by which a value may be off, and still only be rounded
        if low < self._low - slack or high > self._high + slack:
            raise ValueError(
                f"The map has values from {low:g} to {high:g}, and its range reaches from "
                f"{self._low:g} to {self._high:g} (a fractional segmentation goes from 0 to 1). "
                f"Clip or scale the values, {_ELSE}."
            )
