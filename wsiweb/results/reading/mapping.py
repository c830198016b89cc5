"""What the numbers stored in a parametric map mean (PS3.3 C.7.6.16.2.11)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.errors import SlideError
from wsiweb.results.reading.concepts import Concept

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.wire.dicomjson import Attributes

__all__ = ["Mapping"]

_PIECE = 2**20  # values that are worked on at a time
_SEQUENCE = "RealWorldValueMappingSequence"
_QUANTITY = ("246205007", "SCT")  # Quantity, the name of the item that says it


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapping:
    """From stored numbers to values.

    Attributes
    ----------
    quantity, unit : Concept
        What was measured, and in what; empty where it is not said.
    label : str
        Short name of the quantity.
    first, last : float
        The stored numbers that have a value; all others have none.
    slope, intercept : float
        Value of a stored number: ``slope * stored + intercept``.
    table : numpy.ndarray or None
        Values of the stored numbers from `first` to `last`, instead of slope and intercept.
    padding : tuple of float or None
        Lowest and highest of the stored numbers that stand for no value.
    """

    quantity: Concept
    unit: Concept
    label: str = ""
    first: float = -math.inf
    last: float = math.inf
    slope: float = 1.0
    intercept: float = 0.0
    table: NDArray[np.float64] | None = None
    padding: tuple[float, float] | None = None

    @classmethod
    def of(cls, header: Attributes, uid: str) -> Mapping:
        """Read it from the header of an instance.

        Parameters
        ----------
        header : Attributes
            Of the instance.
        uid : str
            Its SOPInstanceUID, said in errors.

        Raises
        ------
        SlideError
            For frames that hold different quantities.
        """
        item = _item(header, uid)
        table = np.array(item.numbers("RealWorldValueLUTData"))
        slope = item.number("RealWorldValueSlope")
        return cls(
            quantity=_quantity(item),
            unit=Concept.of(item.item("MeasurementUnitsCodeSequence")),
            label=item.text("LUTLabel").strip(),
            first=_end(item, "First", -math.inf),
            last=_end(item, "Last", math.inf),
            slope=1.0 if slope is None else slope,
            intercept=item.number("RealWorldValueIntercept") or 0.0,
            table=table if len(table) else None,
            padding=_padding(header),
        )

    def values(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Return the values of stored numbers.

        Parameters
        ----------
        stored : numpy.ndarray
            As decoded.

        Returns
        -------
        numpy.ndarray
            Of the same shape; float32, or float64 where the stored numbers are; nan for no value.
        """
        dtype = np.float64 if stored.dtype == np.float64 else np.float32
        found = np.empty(stored.shape, dtype)
        # In pieces, since the arithmetic is done in 64 bits.
        rows = max(1, _PIECE // max(1, math.prod(stored.shape[1:])))
        for begin in range(0, len(stored), rows):
            found[begin : begin + rows] = self._of_piece(stored[begin : begin + rows])
        return found

    def _of_piece(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        numbers = stored.astype(np.float64)
        empty = ~((numbers >= self.first) & (numbers <= self.last))  # NaN is empty, too
        if self.padding is not None:
            empty |= (numbers >= self.padding[0]) & (numbers <= self.padding[1])
        if self.table is None:
            found = numbers * self.slope + self.intercept
        else:
            places = np.clip(np.nan_to_num(numbers) - self.first, 0, len(self.table) - 1)
            found = self.table[places.astype(np.intp)]
        found[empty] = np.nan
        return found


def _item(header: Attributes, uid: str) -> Attributes:
    """Return the mapping that all frames have in common; an empty one where there is none."""
    shared = header.item("SharedFunctionalGroupsSequence")
    for groups in (shared, header):
        if groups.items(_SEQUENCE):
            return groups.item(_SEQUENCE)
    frames = header.items("PerFrameFunctionalGroupsSequence")
    different = {frame.raw(_SEQUENCE) for frame in frames}
    if len(different) > 1:
        raise SlideError(
            f"Instance {uid}: its frames hold {len(different)} different quantities "
            f"({_SEQUENCE}); maps of one quantity can be read."
        )
    return frames[0].item(_SEQUENCE) if frames else type(header)()


def _end(item: Attributes, which: str, default: float) -> float:
    """Return the first or the last stored number that has a value."""
    for kind in ("", "DoubleFloat"):
        number = item.number(f"{kind}RealWorldValue{which}ValueMapped")
        if number is not None:
            return number
    return default


def _quantity(item: Attributes) -> Concept:
    found = [
        Concept.of(part.item("ConceptCodeSequence"))
        for part in item.items("QuantityDefinitionSequence")
        if Concept.of(part.item("ConceptNameCodeSequence"))[:2] == _QUANTITY
    ]
    return found[0] if found else Concept("", "", item.text("LUTExplanation").strip())


def _padding(header: Attributes) -> tuple[float, float] | None:
    """Return which stored numbers are no values (PS3.3 C.7.5.1.1.2)."""
    for kind in ("", "Float", "DoubleFloat"):
        value = header.number(f"{kind}PixelPaddingValue")
        if value is not None:
            limit = header.number(f"{kind}PixelPaddingRangeLimit")
            other = value if limit is None else limit
            return min(value, other), max(value, other)
    return None
