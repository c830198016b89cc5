"""Numbers as a heat map stores them: as whole numbers of 16 bits, or as they are in 32.

A map of 16 bits has 65,535 steps between its lowest and its highest value, and says by slope and
intercept which value a step stands for (PS3.3 C.7.6.16.2.11). So a value that is read is at most
half a step, 1/131,068 of the range, from the one that was written; whole numbers that span fewer
steps than there are come back exactly. One stored number, below all others, stands for no value: it
is what NaN becomes (PixelPaddingValue, PS3.3 C.7.5.1.1.2), and readers that know nothing of it show
the lowest colour.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["Coding", "Encoding", "check_numbers", "range_of"]

Encoding = Literal["16-bit", "float32"]

_STEPS = 2**16 - 2  # from the lowest value, which is stored as 1, to the highest
_LARGEST = 1e38  # what float32 holds with room to spare
_SMALLEST = 2.0**-149  # of what float32 holds and is not 0
_PIECE = 2**20  # values that are worked on at a time


@dataclass(frozen=True, kw_only=True)
class Coding:
    """How the values of a map are stored: ``value = slope * stored + intercept``.

    Attributes
    ----------
    encoding : str
        ``"16-bit"`` or ``"float32"``.
    low, high : float
        Lowest and highest value.
    slope, intercept : float
        Value of a stored number.
    nothing : float
        What no value is stored as; less than all others.
    first, last : float
        What the lowest and the highest value are stored as.
    """

    encoding: Encoding
    low: float
    high: float
    slope: float
    intercept: float
    nothing: float
    first: float
    last: float

    @classmethod
    def covering(
        cls, low: float, high: float, encoding: Encoding, *, whole: bool = False
    ) -> Coding:
        """Return the coding of a range of values.

        Parameters
        ----------
        low, high : float
            Lowest and highest value.
        encoding : str
            ``"16-bit"`` or ``"float32"``.
        whole : bool
            Whether all values are whole numbers.

        Raises
        ------
        ValueError
            For a range that is none, or that float32 does not hold or tell from 0.

        Examples
        --------
        >>> Coding.covering(0, 1, "16-bit").encode(np.array([0, 0.5, 1, np.nan])).tolist()
        [1, 32768, 65535, 0]
        """
        if not (-_LARGEST <= low <= high <= _LARGEST):
            raise ValueError(
                f"The values of a map lie between two finite numbers, the lower one first, neither "
                f"beyond {_LARGEST:g}; {low!r} to {high!r} was given."
            )
        span = (high - low) or abs(low) or 1.0
        if encoding == "float32":
            _check_not_too_small(low, high)
            first, last = np.float32(low), np.float32(high)
            below = np.nextafter(first, np.float32(-np.inf))
            return cls(
                encoding=encoding,
                low=float(first),
                high=float(last),
                slope=1.0,
                intercept=0.0,
                nothing=float(min(np.float32(low - span), below)),
                first=float(first),
                last=float(last),
            )
        exact = whole and high - low <= _STEPS
        slope = 1.0 if exact else _step(span)
        return cls(
            encoding=encoding,
            low=float(low),
            high=float(high),
            slope=slope,
            intercept=low - slope,
            nothing=0.0,
            first=1.0,
            last=round((high - low) / slope) + 1.0,
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a stored number."""
        return np.dtype(np.uint16 if self.encoding == "16-bit" else np.float32)

    @property
    def _slack(self) -> float:
        """How far outside the range a value may be, and still only be rounded."""
        if self.encoding == "16-bit":
            return self.slope / 2
        relative = float(np.finfo(np.float32).eps) * max(abs(self.low), abs(self.high))
        return relative + _SMALLEST

    def encode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values as they are stored.

        Parameters
        ----------
        values : numpy.ndarray
            Real numbers of any type and shape; NaN is no value.

        Raises
        ------
        ValueError
            For values outside the range by more than rounding would explain.
        """
        stored = np.empty(values.shape, self.dtype)
        # In pieces, since the arithmetic is done in 64 bits.
        rows = max(1, _PIECE // max(1, math.prod(values.shape[1:])))
        for begin in range(0, len(values), rows):
            part = values[begin : begin + rows].astype(np.float64)
            low, high = range_of([part])
            if low < self.low - self._slack or high > self.high + self._slack:
                raise ValueError(
                    f"The map has values from {low:g} to {high:g}, and its range reaches from "
                    f"{self.low:g} to {self.high:g}. Clip the values, or give another value_range."
                )
            stored[begin : begin + rows] = self._stored(part)
        return stored

    def _stored(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        empty = np.isnan(values)
        if self.encoding == "16-bit":
            values = np.floor((values - self.low) / self.slope + 0.5) + 1
        values = np.clip(values, self.first, self.last)
        values[empty] = self.nothing
        return values


def _step(span: float) -> float:
    """Return the width of a step, so that there are no more of them than can be stored."""
    step = span / _STEPS
    # Numbers as small as that are rounded coarsely, to 0 at last.
    return step if step >= sys.float_info.min else math.nextafter(step, math.inf)


def _check_not_too_small(low: float, high: float) -> None:
    largest = max(abs(low), abs(high))
    if largest and not np.float32(largest):
        raise ValueError(
            f"Values from {low:g} to {high:g} are all 0 as float32, which has no numbers as small: "
            "leave encoding at 16-bit, or give the values in another unit."
        )


def range_of(strips: Iterable[NDArray[Any]]) -> tuple[float, float]:
    """Return the lowest and the highest value; NaN does not count, and is what nothing gives.

    Examples
    --------
    >>> range_of([np.array([[2.0, np.nan]]), np.array([[5.0, 3.0]])])
    (2.0, 5.0)
    """
    low = high = math.nan
    for strip in strips:
        # Unlike min and max, these pass over NaN, and are silent where there is nothing else.
        low = float(np.fmin(low, np.fmin.reduce(strip, axis=None)))
        high = float(np.fmax(high, np.fmax.reduce(strip, axis=None)))
    return low, high


def check_numbers(dtype: np.dtype[Any]) -> None:
    """Refuse what cannot be the values of a map.

    Raises
    ------
    ValueError
        For a type that is not one of real numbers.
    """
    if dtype.kind not in "fiub":
        raise ValueError(
            f"A heat map is made of real numbers (floats, whole numbers); what was given has dtype "
            f"{dtype}."
        )
