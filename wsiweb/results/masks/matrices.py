"""What a mask may be: an array of any kind, a file, a function, or tiles as they come.

Arrays are read in blocks: of whole tiles, of whole chunks where that can be had, and of a bounded
size. So a chunk is decoded once, and never much of the mask is in memory.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.arguments import path_of, shown
from wsiweb.results.arrays import array_of, check_function, computed, declared, described
from wsiweb.results.masks.files import opened
from wsiweb.results.masks.grid import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import ArrayLike, NDArray

    from wsiweb.results.masks.grid import Grid

    Function = Callable[[tuple[int, int], tuple[int, int]], ArrayLike]
    """Takes location (x, y) and size (width, height), and returns shape (height, width)."""

    Tiles = Iterable[tuple[int, int, ArrayLike]] | Iterable[tuple[tuple[int, int], ArrayLike]]
    """(column, row, tile), or (location, array), in any order."""

__all__ = ["Matrix", "cut", "matrix_of", "parts_of", "plain", "size_of"]

_BLOCK = 2**21  # bytes that are read at a time, where chunks are not larger
_ELSEWHERE = 2**22  # the same where others compute them, which is dear to ask for
_MOST = 2**26  # bytes that are read at a time, however large chunks are
_FUNCTION = 2048  # pixels: the widest region that a function is asked for
_HOW = (
    "A mask is a numpy, zarr or dask array, a path to a .npy, .zarr, .png or .tif file, a function "
    "of location and size, or an iterable of (column, row, tile) or (location, array)"
)


@dataclass(frozen=True)
class Matrix:
    """An array that can be read in blocks, from several threads.

    Attributes
    ----------
    array : object
        Sliced as ``array[rows, columns]``.
    shape : tuple of int
        (rows, columns) or (rows, columns, segments).
    dtype : numpy.dtype
        Of its numbers.
    chunks : tuple of int or None
        Width and height of what it is stored in, if it is.
    elsewhere : bool
        Whether its blocks are computed by others, so that several can be waited for at once.
    """

    array: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, int] | None = None
    elsewhere: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.shape[1], self.shape[0]

    @property
    def planes(self) -> int | None:
        """Length of the third axis; None where there is none."""
        return self.shape[2] if len(self.shape) == 3 else None

    def read(self, location: tuple[int, int], size: tuple[int, int]) -> NDArray[Any]:
        """Return a part, shape (rows, columns) or (rows, columns, segments).

        Parameters
        ----------
        location : tuple of int
            Its first pixel (x, y).
        size : tuple of int
            Width and height.

        Raises
        ------
        ValueError
            For an array that turns out to be of another shape than it said.
        """
        (x, y), (width, height) = location, size
        pixels = plain(self.array[y : y + height, x : x + width])
        wanted = (height, width, *self.shape[2:])
        if pixels.shape != wanted:
            raise ValueError(
                f"The mask is declared as an array whose {width} x {height} pixels (width x "
                f"height) at {(x, y)} have shape {wanted}; computed, they have {pixels.shape}. "
                "Mend what makes its blocks, or what it says of their chunks."
            )
        return pixels

    def blocks(self, grid: Grid, location: tuple[int, int]) -> Iterator[Block]:
        """Yield blocks of whole tiles that cover the mask, row by row.

        Parameters
        ----------
        grid : Grid
            The tiles of the matrix that the mask lies in.
        location : tuple of int
            Where in that matrix it begins (x, y).
        """
        width, height = self._step(grid.tile)
        starts = [first // tile * tile for first, tile in zip(location, grid.tile, strict=True)]
        ends = [
            min(-(-(first + length) // tile) * tile, whole)
            for first, length, tile, whole in zip(
                location, self.size, grid.tile, grid.size, strict=True
            )
        ]
        for y in range(starts[1], ends[1], height):
            for x in range(starts[0], ends[0], width):
                yield Block((x, y), (min(width, ends[0] - x), min(height, ends[1] - y)))

    def _step(self, tile: tuple[int, int]) -> tuple[int, int]:
        """Return width and height of the blocks that are read."""
        pixel = self.dtype.itemsize * (self.planes or 1)
        chunks = self.chunks or tile
        across, down = (
            _common(edge, min(chunk, length))
            for edge, chunk, length in zip(tile, chunks, self.size, strict=True)
        )
        while across * down * pixel > _MOST and (across, down) != tile:
            # Chunks that are too large are read in parts, which means: more than once.
            if down > tile[1]:
                down = max(tile[1], down // 2 // tile[1] * tile[1])
            else:
                across = max(tile[0], across // 2 // tile[0] * tile[0])
        least = _ELSEWHERE if self.elsewhere else _BLOCK
        wide = max(1, least // (across * down * pixel))
        wide = min(wide, -(-self.size[0] // across))
        high = max(1, least // (across * wide * down * pixel))
        return across * wide, down * high


def _common(tile: int, chunk: int) -> int:
    """Return an edge of whole tiles, and of whole chunks too unless that were far too long."""
    both = math.lcm(tile, chunk)
    least = max(tile, chunk)
    return both if both <= 2 * least else -(-least // tile) * tile


def matrix_of(mask: Any) -> Matrix | None:
    """Return what was given as a mask as something to be read in blocks.

    Parameters
    ----------
    mask : array_like or path
        See the module.

    Returns
    -------
    Matrix or None
        None for a function, and for an iterable of tiles.

    Raises
    ------
    ValueError
        For what is no mask, or an array of another number of axes.
    FileNotFoundError
        For a path to nothing.
    """
    if isinstance(mask, (str, os.PathLike)):
        return _of_array(opened(path_of(mask, "A mask")))
    if hasattr(mask, "compute") and not isinstance(getattr(mask, "shape", None), tuple):
        raise ValueError(
            f"A mask is no {type(mask).__name__} of dask: compute it, or make an array of it, such "
            "as with dask.array.from_delayed."
        )
    if hasattr(mask, "array_keys"):  # of zarr's groups
        raise ValueError(f"A zarr group is no mask: give an array in it{_named(mask)}.")
    chunked = hasattr(mask, "chunks") and hasattr(mask, "shape")
    if not chunked and (hasattr(mask, "__array__") or _is_nested(mask)):
        mask = array_of(mask, "A mask")  # masked ones stay so, block by block they are filled
    if chunked or isinstance(mask, np.ndarray):
        return _of_array(mask)
    if callable(mask):
        check_function(mask, "A mask")
        return None
    if hasattr(mask, "__iter__"):
        return None
    raise ValueError(f"{_HOW}, not {type(mask).__name__}.")


def _is_nested(mask: Any) -> bool:
    """Whether lists or tuples hold numbers, and not tiles with their places."""
    if not isinstance(mask, (list, tuple)):
        return isinstance(mask, memoryview)
    first: Any = mask[0] if mask else None
    if not isinstance(first, tuple) or not first:
        return bool(mask)
    return _depth(first[0]) == _depth(first[-1])  # a place has fewer axes than its tile


def _depth(given: Any) -> int:
    """Return how many axes nested lists have, going by what comes first in them."""
    if isinstance(given, (list, tuple)):
        return 1 + (_depth(given[0]) if given else 0)
    return np.ndim(given) if hasattr(given, "__array__") else 0


def _of_array(array: Any) -> Matrix:
    shape, dtype = declared(array, "A mask")
    if len(shape) not in {2, 3} or not all(shape):
        raise ValueError(
            "A mask has shape (rows, columns), or (rows, columns, segments) with a plane for each; "
            f"the one that was given has {shape}."
        )
    chunks: Any = getattr(array, "chunks", None)
    elsewhere = bool(chunks) and not isinstance(chunks[0], int)
    try:
        if elsewhere:  # dask lists its chunks, which need not be alike
            chunks = [max(lengths) for lengths in chunks]
        rows, columns = (int(chunks[0]), int(chunks[1])) if chunks else shape[:2]
    except (TypeError, ValueError):
        rows = columns = 0
    if min(rows, columns) < 1:
        raise ValueError(
            f"A mask is given as an array in chunks, as zarr and dask have them; the "
            f"{type(array).__name__} that was given says of its chunks: {shown(array.chunks)}."
        )
    return Matrix(
        array=array,
        shape=shape,
        dtype=dtype,
        chunks=(columns, rows) if chunks else None,
        elsewhere=elsewhere,
    )


def _named(group: Any) -> str:
    names = sorted(group.array_keys())
    return f", such as {names[0]!r}" if names else ""


def parts_of(mask: Function | Tiles, grid: Grid) -> Iterator[tuple[Block, NDArray[Any]]]:
    """Yield the parts of a mask that is a function or an iterable of tiles.

    Parameters
    ----------
    mask : callable or iterable
        See `Function` and `Tiles`. A function is called from one thread, row by row.
    grid : Grid
        The tiles of the matrix that the mask fills.

    Yields
    ------
    tuple of (Block, numpy.ndarray)
        Of whole tiles.

    Raises
    ------
    ValueError
        For a part of another shape than it should have, or one that cuts through tiles.
    IndexError
        For one that is not on the grid.
    """
    if callable(mask):
        yield from _asked(mask, grid)
        return
    try:
        items = iter(mask)
    except TypeError as error:
        raise ValueError(f"{_HOW}, not {type(mask).__name__}: {error}.") from error
    item: Any
    for item in items:
        if not isinstance(item, tuple) or len(item) not in {2, 3}:
            raise ValueError(
                f"{_HOW}; what was given yields {type(item).__name__}, not a tuple of two or three."
            )
        pixels = plain(item[-1])
        if len(item) == 3:
            block = grid.block(item[0], item[1])
            yield block, cut(pixels, block, grid.tile)
        else:
            yield grid.aligned(item[0], size_of(pixels)), pixels


def _asked(function: Function, grid: Grid) -> Iterator[tuple[Block, NDArray[Any]]]:
    width, height = (max(1, _FUNCTION // edge) * edge for edge in grid.tile)
    for y in range(0, grid.size[1], height):
        for x in range(0, grid.size[0], width):
            size = (min(width, grid.size[0] - x), min(height, grid.size[1] - y))
            given = function((x, y), size)
            pixels = plain(given)
            if pixels.ndim not in {2, 3} or pixels.shape[:2] != size[::-1]:
                raise ValueError(
                    f"The function was asked for {size[0]} x {size[1]} pixels (width x height) at "
                    f"{(x, y)}, so for shape {size[::-1]}; it returned {described(given, pixels)}."
                )
            yield Block((x, y), size), pixels


def plain(pixels: ArrayLike) -> NDArray[Any]:
    """Return numbers as an array without numpy's mask: what is masked is background.

    Examples
    --------
    >>> plain(np.ma.masked_array([[1, 2]], [[True, False]])).tolist()
    [[0, 2]]
    """
    array = array_of(computed(pixels), "A part of a mask")
    return array.filled(0) if isinstance(array, np.ma.MaskedArray) else np.asarray(array)


def size_of(pixels: NDArray[Any]) -> tuple[int, int]:
    """Return width and height of an array.

    Raises
    ------
    ValueError
        For one that is no part of a mask.
    """
    if pixels.ndim not in {2, 3}:
        raise ValueError(
            "A part of a mask has shape (rows, columns) or (rows, columns, segments); "
            f"{pixels.shape} was given."
        )
    return pixels.shape[1], pixels.shape[0]


def cut(pixels: NDArray[Any], block: Block, tile: tuple[int, int]) -> NDArray[Any]:
    """Return what of a tile lies in the matrix.

    Parameters
    ----------
    pixels : numpy.ndarray
        Shape of the tile, or of what of it lies in the matrix.
    block : Block
        What of it lies there.
    tile : tuple of int
        Width and height of a tile.

    Raises
    ------
    ValueError
        For any other shape.
    """
    if size_of(pixels) not in {tile, block.size}:
        raise ValueError(
            f"A tile has shape {tile[::-1]}, or at the edge what is left of it, here "
            f"{block.size[::-1]}; {pixels.shape} was given."
        )
    return pixels[: block.size[1], : block.size[0]]
