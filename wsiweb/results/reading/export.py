"""Results as arrays of other libraries, read or written part by part."""

from __future__ import annotations

import itertools
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.arguments import whole_number
from wsiweb.writing.parts import part_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import dask.array
    import zarr

    Pair = tuple[int, int]
    Read = Callable[[Pair, Pair], np.ndarray]
    """Takes upper left corner (x, y) and size (width, height); returns (height, width)."""

__all__ = ["to_dask", "to_zarr"]

_THERE = "{} is there already; give another path."
_BLOCK = 2048  # pixels along the edge of what is read at a time, in whole chunks


def to_dask(read: Read, size: Pair, dtype: np.dtype[Any], chunk: int) -> dask.array.Array:
    """Return a dask array whose chunks are read when they are computed.

    Parameters
    ----------
    read : callable
        Reads a part; picklable, if the array is to be computed in other processes.
    size : tuple of int
        Width and height.
    dtype : numpy.dtype
        Of what is read.
    chunk : int
        Width and height of a chunk.

    Raises
    ------
    ValueError
        When dask is not installed, or for a chunk without pixels.
    """
    try:
        import dask.array
    except ImportError as error:
        raise ValueError('Dask is not installed: pip install "wsiweb[arrays]".') from error
    width, height = size
    return dask.array.map_blocks(
        _block,
        chunks=(_cuts(height, chunk), _cuts(width, chunk)),
        dtype=dtype,
        meta=np.empty((0, 0), dtype),
        read=read,
    )


def _block(*, read: Read, block_info: Any = None) -> np.ndarray:
    (top, bottom), (left, right) = block_info[None]["array-location"]
    return read((left, top), (right - left, bottom - top))


def _cuts(length: int, chunk: int) -> tuple[int, ...]:
    _check_chunk(chunk)
    return tuple(min(chunk, length - start) for start in range(0, length, chunk))


def _check_chunk(chunk: int) -> None:
    if whole_number(chunk, "chunk") < 1:
        raise ValueError(f"A chunk has at least one pixel along its edge, not {chunk}.")


def to_zarr(
    path: Path, read: Read, size: Pair, dtype: np.dtype[Any], chunk: int
) -> zarr.Array[Any]:
    """Write a zarr array, of which two parts are in memory at a time.

    Parameters
    ----------
    path : Path
        A folder that is not there yet; it appears when all of the array is written. Of several
        who write to it at once, the first to end has it.
    read, size, dtype, chunk
        As of `to_dask`.

    Raises
    ------
    FileExistsError
        When there is something at the path, or comes to be there meanwhile; it stays as it is.
    ValueError
        When zarr is not installed, or for a chunk without pixels.
    """
    try:
        import zarr
    except ImportError as error:
        raise ValueError('Zarr is not installed: pip install "wsiweb[arrays]".') from error
    _check_chunk(chunk)
    if _taken(path):
        raise FileExistsError(_THERE.format(path))
    width, height = size
    part = part_of(path)
    try:
        chunks = min(chunk, height), min(chunk, width)
        array = zarr.create_array(str(part), shape=(height, width), chunks=chunks, dtype=dtype)
        step = chunk * max(1, _BLOCK // chunk)
        _copy(read, array, size, step)
        _settle(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return zarr.open_array(str(path), mode="r")


def _settle(part: Path, path: Path) -> None:
    """Give a folder its name, unless something else got it meanwhile."""
    try:
        if not _taken(path):  # an empty folder would be replaced without a word
            part.rename(path)
            return
    except OSError:
        if not _taken(path):
            raise
    raise FileExistsError(_THERE.format(path))


def _taken(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _copy(read: Read, array: zarr.Array[Any], size: Pair, step: int) -> None:
    """Write part after part, while the next one is read."""
    width, height = size
    corners = itertools.product(range(0, height, step), range(0, width, step))
    boxes = [
        ((left, top), (min(step, width - left), min(step, height - top))) for top, left in corners
    ]
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(read, *boxes[0])
        for number, (corner, extent) in enumerate(boxes):
            pixels = coming.result()
            if number + 1 < len(boxes):
                coming = ahead.submit(read, *boxes[number + 1])
            (left, top), (across, down) = corner, extent
            array[top : top + down, left : left + across] = pixels
