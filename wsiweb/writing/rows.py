"""A pyramid from rows of pixels that pass by once, from top to bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from numpy.typing import NDArray

    from wsiweb.writing.part10 import FrameFile

    Pixels = NDArray[np.uint8 | np.uint16]

__all__ = ["Cascade", "Means", "Miniature", "Rows", "Tiler", "means"]


def means(rows: Pixels, down: int, right: int) -> Pixels:
    """Average blocks of ``down`` x ``right`` pixels, exactly, halves rounded up.

    Parameters
    ----------
    rows : ndarray of uint8 or uint16, shape (n * down, m * right, samples)

    Returns
    -------
    ndarray, shape (n, m, samples), dtype as given

    Examples
    --------
    >>> means(np.array([[[1], [2]], [[2], [5]]], np.uint8), 2, 2).tolist()
    [[[3]]]
    """
    count = down * right
    wide = np.uint16 if rows.dtype == np.uint8 and count <= 256 else np.uint64
    total = rows[::down].astype(wide)
    for offset in range(1, down):
        total += rows[offset::down]
    summed = total[:, ::right].copy()
    for offset in range(1, right):
        summed += total[:, offset::right]
    summed += wide(count // 2)
    summed //= wide(count)
    return summed.astype(rows.dtype)


class Means:
    """Reduces rows by a whole factor as they come.

    Blocks at the right and lower edge that are not whole are averaged over the pixels they have.
    """

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._rest: Pixels | None = None

    def feed(self, rows: Pixels) -> Pixels:
        """Take rows, return those that are complete; often fewer, perhaps none."""
        if self._factor == 1:
            return rows
        if self._rest is not None and len(self._rest):
            rows = np.concatenate([self._rest, rows])
        whole = len(rows) // self._factor * self._factor
        self._rest = rows[whole:].copy()
        return self._across(rows[:whole], self._factor)

    def finish(self) -> Pixels | None:
        """Return the last row, made of fewer rows than the others, if there is one."""
        if self._rest is None or not len(self._rest):
            return None
        return self._across(self._rest, len(self._rest))

    def _across(self, rows: Pixels, down: int) -> Pixels:
        whole = rows.shape[1] // self._factor * self._factor
        reduced = means(rows[:, :whole], down, self._factor)
        if whole == rows.shape[1]:
            return reduced
        edge = means(rows[:, whole:], down, rows.shape[1] - whole)
        return np.concatenate([reduced, edge], axis=1)


class Rows:
    """Takes the rows of one level; this one only lets them pass to the next."""

    def feed(self, rows: Pixels) -> None:
        """Take the next rows, shape (n, width, samples); here: forget them."""

    def finish(self) -> None:
        """Hear that there are no more."""


class Miniature(Rows):
    """Keeps all rows: for a level that is small."""

    def __init__(self) -> None:
        self._rows: list[Pixels] = []

    def feed(self, rows: Pixels) -> None:
        """Keep a copy of the rows."""
        self._rows.append(rows.copy())

    def picture(self) -> Pixels:
        """All rows as one picture, shape (rows, columns, samples)."""
        return np.concatenate(self._rows)


class Tiler(Rows):
    """Cuts rows into tiles, compresses them on all cores, and writes them in order.

    Parameters
    ----------
    file : FrameFile
    tile : (int, int)
        Width and height.
    kept : ndarray of bool, shape (tile rows, tile columns)
        Which tiles are written.
    background : float
        Value outside the image, and all that an empty tile holds.
    encode : callable
        Turns a tile (rows, columns, samples) into a frame; called in threads.
    pool : Executor
    written : callable
        Told how many frames each row of tiles had.
    """

    def __init__(
        self,
        file: FrameFile,
        tile: tuple[int, int],
        kept: NDArray[np.bool_],
        *,
        background: float,
        encode: Callable[[Pixels], bytes],
        pool: Executor,
        written: Callable[[int], None],
    ) -> None:
        self._file = file
        self._tile = tile
        self._kept = kept
        self._background = background
        self._encode = encode
        self._pool = pool
        self._written = written
        self._row = 0
        self._filled = 0
        self._buffer: Pixels | None = None
        self._empty: bytes | None = None

    def feed(self, rows: Pixels) -> None:
        """Take rows; each time a row of tiles is whole, write it."""
        if self._buffer is None:
            width = self._kept.shape[1] * self._tile[0]
            shape = (self._tile[1], width, rows.shape[2])
            self._buffer = np.full(shape, self._background, rows.dtype)
        while len(rows):
            part = rows[: self._tile[1] - self._filled]
            self._buffer[self._filled : self._filled + len(part), : rows.shape[1]] = part
            self._filled += len(part)
            rows = rows[len(part) :]
            if self._filled == self._tile[1]:
                self._write(self._buffer)

    def finish(self) -> None:
        """Write the last row of tiles, filled up with background."""
        if self._buffer is not None and self._filled:
            self._buffer[self._filled :] = self._background
            self._write(self._buffer)

    def _write(self, buffer: Pixels) -> None:
        width = self._tile[0]
        columns = np.flatnonzero(self._kept[self._row])
        tiles = [buffer[:, column * width : (column + 1) * width] for column in columns]
        for frame in self._pool.map(self._frame, tiles):
            self._file.add(frame)
        self._row += 1
        self._filled = 0
        self._written(len(tiles))

    def _frame(self, tile: Pixels) -> bytes:
        if not (tile == self._background).all():
            return self._encode(np.ascontiguousarray(tile))
        if self._empty is None:  # two threads may both make it: it is the same
            self._empty = self._encode(np.ascontiguousarray(tile))
        return self._empty


class Cascade:
    """All levels, each fed by the one above it.

    Parameters
    ----------
    stages : sequence of (int, Rows)
        Factor to the stage before (the first has 1), and what takes the rows.
    """

    def __init__(self, stages: Sequence[tuple[int, Rows]]) -> None:
        self._stages = [(Means(factor), rows) for factor, rows in stages]

    def feed(self, rows: Pixels) -> None:
        """Take rows of the finest level."""
        self._pass(rows, 0)

    def finish(self) -> None:
        """Pass the last rows on, level by level."""
        for index, (mean, taker) in enumerate(self._stages):
            last = mean.finish()
            if last is not None:
                taker.feed(last)
                self._pass(last, index + 1)
            taker.finish()

    def _pass(self, rows: Pixels, start: int) -> None:
        for mean, taker in self._stages[start:]:
            rows = mean.feed(rows)
            if not len(rows):
                return
            taker.feed(rows)
