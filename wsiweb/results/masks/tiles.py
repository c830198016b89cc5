"""Tiles in any order, and the coarser matrices that are made of them in the same pass.

A pixel of a coarser matrix is the pixel of the mask under its centre (`Plane.picks`): a mask has no
means. So each part of the mask gives some pixels to tiles of every coarser matrix. Such a tile is
whole when it has been given all its pixels; until then it waits, in memory or, beyond a budget, in
a scratch file.
"""

from __future__ import annotations

import math
import threading
from array import array
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.results.masks.encoding import NATIVE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from wsiweb.results.masks.contents import Pixels
    from wsiweb.results.masks.encoding import Encoding
    from wsiweb.results.masks.grid import Block, Grid
    from wsiweb.results.masks.scratch import Scratch
    from wsiweb.results.planes import Plane

    Key = tuple[int, int, int]
    """Number of the matrix, column and row."""

__all__ = ["CoarserLevel", "FrameStore", "Partials"]

_LARGEST = 2**32 - 2  # bytes of pixels that are not compressed, in one element (PS3.5 7.1.1)
_FIELDS = 5  # of a frame: segment, row, column, where it begins, how long it is


class FrameStore:
    """The frames of one matrix, as they come; from any thread.

    Parameters
    ----------
    grid : Grid
        The matrix.
    encoding : Encoding
        How tiles become frames.
    scratch : Scratch
        Keeps the frames.
    """

    def __init__(self, grid: Grid, encoding: Encoding, scratch: Scratch) -> None:
        self.grid = grid
        self.encoding = encoding
        self._scratch = scratch
        self._found = array("q")
        self._lock = threading.Lock()

    def add(self, column: int, row: int, tile: Pixels) -> None:
        """Take a tile that is not empty; one at the edge may end where the matrix does.

        Raises
        ------
        ValueError
            When there are more frames by now than a file can have.
        """
        if self.encoding.transfer_syntax == NATIVE and self.raw_bytes(self.count) > _LARGEST:
            raise ValueError(
                f"{self.count} frames of {self.grid.tile[0]} x {self.grid.tile[1]} pixels are more "
                'than the 4 GB that a file without compression can have: give profile="standard".'
            )
        for number, frame in self.encoding.frames(self._filled_up(tile)):
            start = self._scratch.append(frame)
            with self._lock:
                self._found.extend((number, row, column, start, len(frame)))

    @property
    def count(self) -> int:
        """Frames that were taken so far."""
        return len(self._found) // _FIELDS

    def raw_bytes(self, frames: int) -> int:
        """Return how long frames are before compression, all together."""
        bits = self.grid.tile[0] * self.grid.tile[1] * self.encoding.bits
        return -(-frames * bits // 8)

    def in_order(self) -> NDArray[np.int64]:
        """Return the frames of the file, in the order in which they have to be.

        Returns
        -------
        numpy.ndarray
            Shape (frames, 5), int64: number of the segment, row and column (zero-based), where the
            frame begins in the scratch file and how long it is. Frames of a full matrix that are
            empty are among them; of a sparse one there is one at least.
        """
        found = np.array(self._found, np.int64).reshape(-1, _FIELDS)
        if not self.encoding.sparse:
            found = self._complete(found)
        elif not len(found):
            # Of a thing so small that no pixel of this matrix shows it: DICOM has no image without
            # a frame, and a pyramid no level without an image.
            found = self._kept(np.array([[self.encoding.numbers[0], 0, 0, 0, 0]]))
        return found[np.lexsort((found[:, 2], found[:, 1], found[:, 0]))]

    def frames(self, order: NDArray[np.int64]) -> Iterator[bytes]:
        """Yield the bytes of frames, as `in_order` lists them."""
        for start, length in order[:, 3:].tolist():
            yield self._scratch.get(start, length)

    def _complete(self, found: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the frames with those of empty tiles, all of which are the same bytes."""
        grid, numbers = self.grid, self.encoding.numbers
        shape = (len(numbers), grid.rows, grid.columns)
        there = np.zeros(shape, np.bool_)
        there[found[:, 0] - numbers[0], found[:, 1], found[:, 2]] = True
        absent = np.argwhere(~there)
        absent[:, 0] += numbers[0]
        empty = np.zeros((len(absent), _FIELDS), np.int64)
        empty[:, :3] = absent
        return np.concatenate([found, self._kept(empty)])

    def _kept(self, empty: NDArray[np.int64]) -> NDArray[np.int64]:
        """Write one empty frame, and let all of these be it."""
        if len(empty):
            frame = self.encoding.empty(self.grid.tile)
            empty[:, 3] = self._scratch.append(frame)
            empty[:, 4] = len(frame)
        return empty

    def _filled_up(self, tile: Pixels) -> Pixels:
        width, height = self.grid.tile
        if tile.shape[:2] == (height, width):
            return tile
        whole = np.zeros((height, width, *tile.shape[2:]), tile.dtype)
        whole[: tile.shape[0], : tile.shape[1]] = tile
        return whole


class Partials:
    """Tiles that are being put together: the latest in memory, others on disk; from any thread.

    Parameters
    ----------
    shape : tuple of int
        Of a tile.
    dtype : numpy.dtype
        Of its numbers.
    scratch : Scratch
        Keeps what memory does not, and nothing else.
    budget : int
        Bytes in memory; one tile is held in any case.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], scratch: Scratch, budget: int
    ) -> None:
        self._shape = shape
        self._dtype = dtype
        self._scratch = scratch
        self._size = math.prod(shape) * dtype.itemsize
        self._most = max(1, budget // self._size)
        self._held: OrderedDict[Key, Pixels] = OrderedDict()
        self._spilt: dict[Key, int] = {}
        self._free: list[int] = []
        self._rooms = 0
        self._lock = threading.Lock()

    def paste(self, key: Key, place: tuple[slice, slice], piece: Pixels) -> None:
        """Write some pixels of a tile; at first all of it is 0."""
        with self._lock:
            tile = self._taken(key)
            if tile is None:
                tile = np.zeros(self._shape, self._dtype)
            tile[place] = piece
            while len(self._held) >= self._most:
                self._spill()
            self._held[key] = tile

    def pop(self, key: Key) -> Pixels | None:
        """Return a tile, and forget it; None for one that nothing was written to."""
        with self._lock:
            return self._taken(key)

    def keys(self) -> list[Key]:
        """Return which tiles there are."""
        with self._lock:
            return [*self._spilt, *self._held]

    def _taken(self, key: Key) -> Pixels | None:
        held = self._held.pop(key, None)
        room = self._spilt.pop(key, None)
        if room is None:
            return held
        self._free.append(room)
        data = bytearray(self._scratch.get(room * self._size, self._size))
        return np.frombuffer(data, self._dtype).reshape(self._shape)

    def _spill(self) -> None:
        key, tile = self._held.popitem(last=False)
        if self._free:
            room = self._free.pop()
        else:
            room = self._rooms
            self._rooms += 1
        self._scratch.put(room * self._size, tile.tobytes())
        self._spilt[key] = room


class CoarserLevel:
    """A coarser matrix that is made of the mask as it comes; from any thread.

    Parameters
    ----------
    base : Plane
        The matrix that the mask has.
    plane : Plane
        The coarser one.
    store : FrameStore
        Takes its tiles.
    partials : Partials
        Holds tiles that wait; of all matrices.
    number : int
        What tells its tiles from those of others there.
    """

    def __init__(
        self, base: Plane, plane: Plane, store: FrameStore, partials: Partials, number: int
    ) -> None:
        self._store = store
        self._partials = partials
        self._number = number
        self._across, self._down = base.picks(plane, 0), base.picks(plane, 1)
        grid = store.grid
        widths, heights = (
            np.minimum(tile, whole - np.arange(0, whole, tile))
            for tile, whole in zip(grid.tile, grid.size, strict=True)
        )
        self._missing = np.multiply.outer(heights, widths)  # pixels that each tile waits for
        self._lock = threading.Lock()

    def take(self, block: Block, pixels: Pixels | None) -> None:
        """Take the pixels that a part of the mask gives.

        Parameters
        ----------
        block : Block
            Where the part lies in the mask; none may come twice.
        pixels : numpy.ndarray or None
            Its pixels; None for background.
        """
        columns = _within(self._across, block.location[0], block.size[0])
        rows = _within(self._down, block.location[1], block.size[1])
        if not (len(columns) and len(rows)):
            return
        part = None
        if pixels is not None:
            left, top = block.location
            part = pixels[_picked(self._down, rows, top)]
            part = part[:, _picked(self._across, columns, left)]
        for column, row in self._paste(columns, rows, part):
            self._pass_on(column, row)

    def finish(self) -> None:
        """Pass on the tiles that wait for parts that never came, which are background."""
        for key in self._partials.keys():  # noqa: SIM118 - not a dict
            number, column, row = key
            if number == self._number:
                self._pass_on(column, row)

    def _paste(self, columns: range, rows: range, part: Pixels | None) -> list[tuple[int, int]]:
        """Paste a part into tiles; return which of them are whole now."""
        width, height = self._store.grid.tile
        whole: list[tuple[int, int]] = []
        for row, source_y, target_y in _cuts(rows, height):
            for column, source_x, target_x in _cuts(columns, width):
                piece = None if part is None else part[source_y, source_x]
                if piece is not None and piece.max():
                    key = (self._number, column, row)
                    self._partials.paste(key, (target_y, target_x), piece)
                count = (source_y.stop - source_y.start) * (source_x.stop - source_x.start)
                with self._lock:
                    self._missing[row, column] -= count
                    if not self._missing[row, column]:
                        whole.append((column, row))
        return whole

    def _pass_on(self, column: int, row: int) -> None:
        tile = self._partials.pop((self._number, column, row))
        if tile is not None:
            self._store.add(column, row, tile)


def _within(picks: NDArray[np.int64], start: int, length: int) -> range:
    """Return which of the coarser pixels are picked out of a stretch of the mask."""
    first, last = np.searchsorted(picks, (start, start + length))
    return range(int(first), int(last))


def _picked(picks: NDArray[np.int64], wanted: range, start: int) -> slice | NDArray[np.int64]:
    """Return the places of picked pixels in a stretch: as a slice, which is faster, if they are."""
    places = picks[wanted.start : wanted.stop] - start
    if len(places) == 1:
        return slice(int(places[0]), int(places[0]) + 1)
    step = int(places[1] - places[0])
    if step > 0 and (np.diff(places) == step).all():
        return slice(int(places[0]), int(places[-1]) + 1, step)
    return places


def _cuts(stretch: range, tile: int) -> Iterator[tuple[int, slice, slice]]:
    """Cut a stretch at tile borders: tile, slice of the stretch, slice of the tile."""
    for number in range(stretch.start // tile, -(-stretch.stop // tile)):
        start, stop = max(stretch.start, number * tile), min(stretch.stop, (number + 1) * tile)
        edge = number * tile
        yield (
            number,
            slice(start - stretch.start, stop - stretch.start),
            slice(start - edge, stop - edge),
        )
