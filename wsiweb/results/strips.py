"""What was given, strip by strip: arrays of any kind, and functions of a region.

A strip is some rows of a matrix in their full width. A chunked array is read in strips as high as
its chunks, so that each chunk is decoded once; only a very wide one in lower ones, to bound memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Function = Callable[[tuple[int, int], tuple[int, int]], Any]
    """Takes location (x, y) and size (width, height), returns (height, width, ...)."""

__all__ = ["Strips"]

_ROWS = 256  # of a strip, where nothing else asks for more or fewer
_MOST = 2**26  # bytes of a strip that is read at once
_PIECE = 2**23  # bytes of a strip that is handed over
_BLOCK = 2048  # pixels: about as wide is what is asked for at once


class Strips:
    """The pixels of a matrix, from top to bottom, as often as they are wanted.

    Parameters
    ----------
    pixels : array_like or callable
        A numpy, zarr or dask array, or anything with a shape and a dtype that is sliced like one:
        shape (height, width), or (height, width, samples). Or a function of location (x, y) and
        size (width, height), both in pixels of this matrix, that returns such an array; it is
        called from one thread, row by row.
    what : str
        What to call it in errors.
    size : tuple of int, optional
        Width and height; of a function it must be told.
    samples : int
        Numbers per pixel.
    dtype : numpy dtype, optional
        Of what a function returns.

    Attributes
    ----------
    size : tuple of int
        Width and height in pixels.
    samples : int
        Numbers per pixel.
    dtype : numpy.dtype
        Of a number.
    is_function : bool
        Whether the pixels are made when they are asked for, so that they had better be asked for
        once.

    Raises
    ------
    ValueError
        For anything else, or an array of another shape.
    """

    def __init__(
        self,
        pixels: Any,
        what: str,
        *,
        size: tuple[int, int] | None = None,
        samples: int = 1,
        dtype: Any = None,
    ) -> None:
        self.is_function = callable(pixels)
        if not self.is_function and not all(hasattr(pixels, name) for name in ("shape", "dtype")):
            pixels = _as_array(pixels, what)
        self._pixels = pixels
        self._what = what
        self.samples = samples
        if self.is_function:
            if size is None:
                raise ValueError(f"{what} is given as a function, so its size must be told.")
            self.size = size
            self.dtype = np.dtype(dtype)
            return
        self.dtype = np.dtype(pixels.dtype)
        shape = tuple(int(edge) for edge in pixels.shape)
        fits = len(shape) == 2 if samples == 1 else len(shape) == 3 and shape[2] == samples
        if not fits or 0 in shape:
            wanted = "(height, width)" if samples == 1 else f"(height, width, {samples})"
            raise ValueError(f"{what} has shape {wanted}; what was given has {shape}.")
        self.size = (shape[1], shape[0])
        if size is not None and self.size != size:
            turned = " It seems to be transposed." if self.size == size[::-1] else ""
            raise ValueError(
                f"{what} is to have {size[0]} x {size[1]} pixels (width x height); what was given "
                f"has {self.size[0]} x {self.size[1]}.{turned}"
            )

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Yield strips, shape (rows, width, samples); not to be written to."""
        width, height = self.size
        rows = max(1, _PIECE // (width * self.samples * self.dtype.itemsize))
        top = 0
        while top < height:
            bottom = min(height, top + self._rows(top))
            strip = self._made(top, bottom) if self.is_function else self._cut(top, bottom)
            strip = strip.reshape(bottom - top, width, self.samples)
            # What is made of a strip may be several times as large: it is handed over in pieces,
            # and in copies, which do not keep it alive while the next one is read.
            for begin in range(0, len(strip), rows):
                yield strip[begin : begin + rows].copy()
            del strip
            top = bottom

    def _rows(self, top: int) -> int:
        """Return how high the strip that begins at a row is."""
        most = max(1, _MOST // (self.size[0] * self.samples * self.dtype.itemsize))
        chunks = getattr(self._pixels, "chunks", None)
        if not chunks:
            return min(_ROWS, most)
        if isinstance(chunks[0], int):  # zarr's are all alike, dask's are listed
            end = top - top % chunks[0] + chunks[0]
        else:
            ends = np.cumsum(chunks[0])
            end = int(ends[np.searchsorted(ends, top, side="right")])
        rows = end - top
        parts = -(-rows // most)
        return -(-rows // parts)

    def _cut(self, top: int, bottom: int) -> NDArray[Any]:
        chunks = getattr(self._pixels, "chunks", None)
        if not chunks or not isinstance(chunks[0], int):
            return np.asarray(self._pixels[top:bottom])
        # Some chunks at a time: zarr holds all that it is asked for twice.
        width = self.size[0]
        columns = chunks[1] * max(1, _BLOCK // chunks[1])
        strip = np.empty((bottom - top, *self._pixels.shape[1:]), self.dtype)
        for left in range(0, width, columns):
            strip[:, left : left + columns] = self._pixels[top:bottom, left : left + columns]
        return strip

    def _made(self, top: int, bottom: int) -> NDArray[Any]:
        width = self.size[0]
        strip = np.empty((bottom - top, width, self.samples), self.dtype)
        for left in range(0, width, _BLOCK):
            size = (min(_BLOCK, width - left), bottom - top)
            block = np.asarray(self._pixels((left, top), size))
            wanted = (size[1], size[0], self.samples)
            fits = block.shape == wanted or (self.samples == 1 and block.shape == wanted[:2])
            if not fits or block.dtype != self.dtype:
                raise ValueError(
                    f"The function of {self._what} was asked for {size[0]} x {size[1]} pixels at "
                    f"{(left, top)}, and is to return shape {wanted} of {self.dtype}; it returned "
                    f"{block.shape} of {block.dtype}."
                )
            strip[:, left : left + size[0]] = block.reshape(wanted)
        return strip


def _as_array(pixels: Any, what: str) -> NDArray[Any]:
    """Return nested lists as an array; refuse the rest."""
    if isinstance(pixels, (list, tuple)):
        try:
            return np.array(pixels)
        except ValueError:
            raise ValueError(f"{what} is a nested list with rows of different lengths.") from None
    raise ValueError(
        f"{what} is an array (numpy, zarr, dask) or a function of location and size, not "
        f"{type(pixels).__name__}."
    )
