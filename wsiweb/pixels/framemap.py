"""Which frame holds a tile.

In a TILED_FULL image the place of a frame follows from its number; in a TILED_SPARSE one each
frame says where it belongs, and tiles may be missing (PS3.3 C.7.6.17.3). An image may also be
split over several instances, a concatenation (PS3.3 C.7.6.16.2.2.4): then frames are counted
through all its parts.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["FrameMap"]


@dataclass(frozen=True, slots=True, eq=False)
class FrameMap:
    """From (channel, z, tile row, tile column) to (part, frame number).

    Its size grows with the frames that exist, not with the grid: what a sparse image lacks
    costs nothing. It can be pickled.

    Attributes
    ----------
    columns, rows, planes, channels : int
        Extent of the grid: tiles across and down, focal planes, optical paths.
    starts : tuple of int
        Number of frames before each part; ``(0,)`` for an image in one instance.
    cells : numpy.ndarray or None
        Occupied cells in rising order, int64; None when all are, in the order of TILED_FULL.
    numbers : numpy.ndarray or None
        Zero-based frame of each entry of `cells`, counted through all parts.

    Examples
    --------
    >>> grid = FrameMap.full(columns=3, rows=2)
    >>> grid.find(column=2, row=1)
    (0, 6)
    """

    columns: int
    rows: int
    planes: int
    channels: int
    starts: tuple[int, ...]
    cells: NDArray[np.int64] | None = field(default=None, repr=False)
    numbers: NDArray[np.int64] | None = field(default=None, repr=False)

    @classmethod
    def full(
        cls,
        *,
        columns: int,
        rows: int,
        planes: int = 1,
        channels: int = 1,
        starts: tuple[int, ...] = (0,),
    ) -> FrameMap:
        """Return the map of a TILED_FULL image: row by row, then plane by plane, path by path."""
        return cls(columns, rows, planes, channels, starts)

    @classmethod
    def sparse(
        cls,
        column: NDArray[np.int64],
        row: NDArray[np.int64],
        plane: NDArray[np.int64],
        channel: NDArray[np.int64],
        *,
        extent: tuple[int, int, int, int],
        starts: tuple[int, ...] = (0,),
    ) -> FrameMap:
        """Return the map of frames that say themselves where they belong.

        Parameters
        ----------
        column, row, plane, channel : numpy.ndarray
            Zero-based place of each frame, in frame order through all parts; int64, one
            dimension, equal length.
        extent : tuple of int
            Columns, rows, planes and channels of the grid.
        starts : tuple of int
            Number of frames before each part.

        Raises
        ------
        ValueError
            If a frame lies outside the grid, or two claim the same tile.
        """
        places = {"column": column, "row": row, "plane": plane, "channel": channel}
        for (name, values), length in zip(places.items(), extent, strict=True):
            outside = np.flatnonzero((values < 0) | (values >= length))
            if outside.size:
                frame = int(outside[0])
                raise ValueError(
                    f"frame {frame + 1} lies in tile {name} {int(values[frame])}, outside the "
                    f"grid (0 to {length - 1})"
                )
        columns, rows, planes, channels = extent
        cells = ((channel * planes + plane) * rows + row) * columns + column
        numbers = np.argsort(cells, kind="stable")
        cells = cells[numbers]
        doubled = np.flatnonzero(cells[1:] == cells[:-1])
        if doubled.size:
            first, second = numbers[int(doubled[0])], numbers[int(doubled[0]) + 1]
            raise ValueError(f"frames {int(first) + 1} and {int(second) + 1} claim the same tile")
        if len(cells) == columns * rows * planes * channels and bool(
            (numbers[1:] > numbers[:-1]).all()
        ):
            return cls(columns, rows, planes, channels, starts)  # complete, and in order
        return cls(columns, rows, planes, channels, starts, cells, numbers)

    @classmethod
    def stacked(cls, maps: Sequence[FrameMap]) -> FrameMap:
        """Return the map of all channels of several images of one grid, each in its own parts.

        Raises
        ------
        ValueError
            If grids or focal planes differ.
        """
        first = maps[0]
        if len({(one.columns, one.rows, one.planes) for one in maps}) != 1:
            raise ValueError("Only maps of one grid, with the same focal planes, can be stacked.")
        starts: list[int] = []
        cells: list[NDArray[np.int64]] = []
        numbers: list[NDArray[np.int64]] = []
        frames = channels = 0
        for one in maps:
            starts += [frames + start for start in one.starts]
            before = channels * first.planes * first.rows * first.columns
            if one.cells is not None and one.numbers is not None:
                cells.append(one.cells + before)
                numbers.append(one.numbers + frames)
            else:
                cells.append(np.arange(before, before + len(one)))
                numbers.append(np.arange(frames, frames + len(one)))
            frames += len(one)
            channels += one.channels
        grid = (first.columns, first.rows, first.planes, channels, tuple(starts))
        if all(one.cells is None for one in maps):
            return cls(*grid)
        return cls(*grid, np.concatenate(cells), np.concatenate(numbers))

    @property
    def complete(self) -> bool:
        """Whether there is a frame for each tile."""
        return len(self) == self.columns * self.rows * self.planes * self.channels

    def __len__(self) -> int:
        if self.cells is not None:
            return len(self.cells)
        return self.columns * self.rows * self.planes * self.channels

    def find(self, column: int, row: int, channel: int = 0, z: int = 0) -> tuple[int, int] | None:
        """Return where a tile is held.

        Parameters
        ----------
        column, row, channel, z : int
            Zero-based.

        Returns
        -------
        tuple of int or None
            Zero-based part, and one-based frame number within it; None for a tile that a
            sparse image does not hold.

        Raises
        ------
        IndexError
            Outside the grid. Negative numbers do not count from the end.
        """
        if not (0 <= column < self.columns and 0 <= row < self.rows):
            raise IndexError(
                f"There is no tile at column {column}, row {row}: the grid is {self.columns} x "
                f"{self.rows} tiles."
            )
        if not 0 <= channel < self.channels:
            raise IndexError(f"There is no channel {channel}: the image has {self.channels}.")
        if not 0 <= z < self.planes:
            raise IndexError(f"There is no focal plane {z}: the image has {self.planes}.")
        cell = ((channel * self.planes + z) * self.rows + row) * self.columns + column
        number = cell
        if self.cells is not None and self.numbers is not None:
            place = int(self.cells.searchsorted(cell))
            if place == len(self.cells) or self.cells[place] != cell:
                return None
            number = int(self.numbers[place])
        part = bisect_right(self.starts, number) - 1
        return part, number - self.starts[part] + 1

    def place(self, part: int, number: int) -> tuple[int, int, int, int]:
        """Return where a frame belongs: the way back of `find`.

        Parameters
        ----------
        part : int
            Zero-based part of a concatenation.
        number : int
            One-based frame number within it.

        Returns
        -------
        tuple of int
            Zero-based column, row, channel and focal plane.

        Raises
        ------
        IndexError
            If there is no such frame.
        """
        if not (0 <= part < len(self.starts) and number >= 1):
            raise IndexError(f"There is no frame {number} in part {part}.")
        frame = self.starts[part] + number - 1
        end = self.starts[part + 1] if part + 1 < len(self.starts) else len(self)
        if frame >= end:
            raise IndexError(f"There is no frame {number} in part {part}.")
        cell = frame
        if self.cells is not None:
            cell = int(self.cells[np.flatnonzero(self.numbers == frame)[0]])
        cell, column = divmod(cell, self.columns)
        cell, row = divmod(cell, self.rows)
        channel, z = divmod(cell, self.planes)
        return column, row, channel, z
