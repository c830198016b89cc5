"""Medians, their spread, and ratios pair by pair.

Other work on a machine comes and goes over minutes. Measurements that were taken one after the
other (the same repeat) met about the same of it, so two ways are compared repeat by repeat: what
slowed both drops out of their ratio. The ratio of two medians would keep it.
"""

from __future__ import annotations

from statistics import median, quantiles
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["FEW", "Ratio", "Summary", "differences", "ratio", "summarise"]

FEW = 4  # with fewer values than this, quartiles say nothing


class Summary(msgspec.Struct, frozen=True):
    """Several measurements of the same thing.

    Attributes
    ----------
    median : float
    spread : float
        Half the interquartile range; with fewer than `FEW` values half of maximum - minimum.
        Zero for a single value, of which no spread is known.
    count : int
        How many values there were.
    """

    median: float
    spread: float
    count: int

    @property
    def by_range(self) -> bool:
        """Whether the spread is half of maximum - minimum, for want of repeats."""
        return 1 < self.count < FEW


class Ratio(msgspec.Struct, frozen=True):
    """How one way compares with another.

    Attributes
    ----------
    value : Summary
        Of the ratios of the pairs.
    paired : bool
        False when the two had no repeat in common: then it is the ratio of their medians, and no
        spread is known.
    """

    value: Summary
    paired: bool = True


def summarise(values: Iterable[float]) -> Summary | None:
    """Return median and spread, or None when there are no values.

    Examples
    --------
    >>> summarise([3.0, 1.0, 2.0])
    Summary(median=2.0, spread=1.0, count=3)
    >>> summarise([1.0, 2.0, 3.0, 4.0, 100.0]).spread
    1.0
    """
    ordered = sorted(values)
    if not ordered:
        return None
    if len(ordered) < FEW:
        spread = (ordered[-1] - ordered[0]) / 2
    else:
        low, _, high = quantiles(ordered, n=4, method="inclusive")
        spread = max(0.0, (high - low) / 2)  # rounding may turn a zero into less
    return Summary(median(ordered), spread, len(ordered))


def ratio(values: Mapping[int, float], others: Mapping[int, float]) -> Ratio | None:
    """Return by how much values are larger than others, pair by pair.

    Parameters
    ----------
    values, others : mapping of int to float
        Seconds by repeat. Repeats that only one of them has are left out.

    Returns
    -------
    Ratio or None
        None when there is nothing to divide, or nothing to divide by.

    Examples
    --------
    >>> ratio({0: 2.0, 1: 20.0}, {0: 1.0, 1: 10.0, 2: 5.0}).value.median
    2.0
    """
    pairs = summarise(
        values[repeat] / others[repeat]
        for repeat in sorted(values.keys() & others.keys())
        if others[repeat] > 0
    )
    if pairs is not None:
        return Ratio(pairs)
    if not values or not others or median(others.values()) <= 0:
        return None
    return Ratio(Summary(median(values.values()) / median(others.values()), 0.0, 1), paired=False)


def differences(values: Mapping[int, float], others: Mapping[int, float]) -> Summary | None:
    """Return by how many seconds values are larger than others, pair by pair.

    None when no repeat is in both.
    """
    return summarise(values[repeat] - others[repeat] for repeat in values.keys() & others.keys())
