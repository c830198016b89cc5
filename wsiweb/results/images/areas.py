"""Coarser levels by averaging, whatever the factor between them.

Scanners choose sizes of levels that are no whole parts of each other. Each coarse pixel is then the
mean of the area that it covers, where a fine pixel that it covers half counts half.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

from wsiweb.writing.rows import Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8 | np.uint16]

__all__ = ["Areas", "Cut", "Taker"]


class Taker(Protocol):
    """Whatever takes rows from top to bottom."""

    def feed(self, rows: Pixels) -> None:
        """Take the next rows, shape (n, width, samples)."""
        ...

    def finish(self) -> None:
        """Hear that there are no more."""
        ...


class Cut(Rows):
    """Lets pass what lies within a size: averaging rounds sizes up, some scanners round down.

    Parameters
    ----------
    size : tuple of int
        Width and height.
    taker : Taker
        Gets the rows.
    """

    def __init__(self, size: tuple[int, int], taker: Taker) -> None:
        self._width, self._left = size
        self._taker = taker

    def feed(self, rows: Pixels) -> None:
        """Take the next rows; pass on what is within."""
        part = rows[: self._left, : self._width]
        self._left -= len(part)
        if len(part):
            self._taker.feed(part)

    def finish(self) -> None:
        """Pass on that there are no more."""
        self._taker.finish()


class Areas(Rows):
    """Reduces rows as they come by a factor that need not be whole.

    Parameters
    ----------
    fine : tuple of int
        Width and height of what comes.
    coarse : tuple of int
        Width and height of what is passed on.
    factor : float
        Fine pixels along the edge of a coarse one; 1 or more. Coarse pixel i covers fine ones from
        i times factor on. What it covers beyond the edge does not count; where that is all, it
        gets the fine pixel at the edge.
    taker : Taker
        Gets the coarse rows.
    """

    def __init__(
        self, fine: tuple[int, int], coarse: tuple[int, int], factor: float, taker: Taker
    ) -> None:
        self._columns = _bounds(coarse[0], fine[0], factor)
        self._rows = _bounds(coarse[1], fine[1], factor)
        self._taker = taker
        self._next = 0  # the coarse row that is to be made
        self._top = 0  # the fine row that is the first of those kept
        self._kept: Pixels | None = None

    def feed(self, rows: Pixels) -> None:
        """Take the next rows; pass on those that are complete."""
        kept = rows if self._kept is None else np.concatenate([self._kept, rows])
        made: list[Pixels] = []
        while self._next < len(self._rows):
            begin, end = self._rows[self._next]
            if end > self._top + len(kept):
                break
            made.append(self._made(kept, begin - self._top, end - self._top))
            self._next += 1
        # Up to the beginning of the next coarse row, none is wanted any more.
        first = math.floor(self._rows[self._next][0]) if self._next < len(self._rows) else math.inf
        gone = int(min(max(first - self._top, 0), len(kept)))
        self._kept = kept[gone:].copy()
        self._top += gone
        if made:
            self._taker.feed(np.stack(made))

    def finish(self) -> None:
        """Pass on that there are no more."""
        self._taker.finish()

    def _made(self, rows: Pixels, begin: float, end: float) -> Pixels:
        """Return one coarse row from the fine rows between two heights."""
        first, last = math.floor(begin), math.ceil(end)
        part = rows[first:last]
        weights = _weights(first, last, begin, end)
        row = np.tensordot(weights, part.astype(np.float64), axes=1)
        # What is left of each column, then what is between two of them.
        before = np.concatenate([np.zeros((1, row.shape[1])), np.cumsum(row, axis=0)])
        left, right = (_up_to(before, row, self._columns[:, side]) for side in (0, 1))
        means = (right - left) / (self._columns[:, 1] - self._columns[:, 0])[:, None]
        limits = np.iinfo(rows.dtype)
        return np.clip(np.floor(means + 0.5), 0, limits.max).astype(rows.dtype)


def _bounds(count: int, length: int, factor: float) -> NDArray[np.float64]:
    """Return where each coarse pixel begins and ends in fine ones, within the image."""
    edges = np.arange(count + 1) * factor
    begin, end = np.minimum(edges[:-1], length - 1), np.minimum(edges[1:], length)
    return np.stack([begin, end], axis=1)


def _weights(first: int, last: int, begin: float, end: float) -> NDArray[np.float64]:
    """Return how much each fine pixel counts between two places; together 1."""
    cells = np.arange(first, last)
    covered = np.minimum(cells + 1, end) - np.maximum(cells, begin)
    return covered / covered.sum()


def _up_to(
    before: NDArray[np.float64], row: NDArray[np.float64], places: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the sums of a row's pixels up to places between them."""
    whole = np.minimum(np.floor(places).astype(np.intp), len(row) - 1)
    return before[whole] + row[whole] * (places - whole)[:, None]
