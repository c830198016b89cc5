"""Numbers as people read them: three significant figures; units stand in the head of a column."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsiweb_benchmarks.statistics import Ratio, Summary

__all__ = ["NOTHING", "TIMES", "count", "figures", "megabytes", "spread", "times", "with_spread"]

NOTHING = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
_MEGA = 1e6
_TIGHT = "\N{NO-BREAK SPACE}"


def figures(value: float, beside: float | None = None) -> str:
    """Return a number with three significant figures, and never with an exponent.

    Parameters
    ----------
    value : float
    beside : float, optional
        A number that it is a part of: then it has as many decimals as that one.

    Examples
    --------
    >>> [figures(value) for value in (0.02604, 1.0, 23.456, 12345.6, 0)]
    ['0.0260', '1.00', '23.5', '12,346', '0']
    """
    if not value:
        return "0"
    text = f"{value:,.{_decimals(value if beside is None else beside)}f}"
    return text if text.strip("-0.") else text.lstrip("-")  # there is no less than nothing


def spread(summary: Summary) -> str:
    """Return the spread with as many decimals as its median; nothing when none is known.

    A spread that is half the range, for want of repeats, has a ring behind it.
    """
    if summary.count < 2:
        return ""
    return f"±{summary.spread:,.{_decimals(summary.median)}f}{'°' if summary.by_range else ''}"


def with_spread(summary: Summary | None) -> str:
    r"""Return a median and its spread.

    Examples
    --------
    >>> from wsiweb_benchmarks.statistics import summarise
    >>> with_spread(summarise([1.0, 1.25, 1.5])), with_spread(summarise([1.0]))
    ('1.25\xa0±0.25°', '1.00')
    """
    if summary is None:
        return NOTHING
    return f"{figures(summary.median)}{_TIGHT}{spread(summary)}".rstrip()


def times(ratio: Ratio | None, *, spread_too: bool = False) -> str:
    """Return a ratio, such as ``1.25x`` with a multiplication sign.

    A wave before it says that it is a ratio of medians: no two repeats could be paired.
    """
    if ratio is None:
        return NOTHING
    known = f"{'' if ratio.paired else '~'}{figures(ratio.value.median)}{TIMES}"
    return f"{known}{_TIGHT}{spread(ratio.value)}".rstrip() if spread_too else known


def count(value: float | None) -> str:
    """Return how many of something there were."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def megabytes(value: float | None) -> str:
    """Return bytes as megabytes of 10^6."""
    return NOTHING if value is None else figures(value / _MEGA)


def _decimals(value: float) -> int:
    if not value:
        return 0
    # Rounded first: 9.999 is 10.0, not 10.00.
    rounded = float(f"{abs(value):.2e}")
    return max(0, 2 - math.floor(math.log10(rounded)))
