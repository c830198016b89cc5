"""What was given, strip by strip: arrays of any kind, and functions of a region.

A strip is some rows of a matrix in their full width. A chunked array is read in strips as high as
its chunks, so that each chunk is decoded once; only a very wide one in lower ones, to bound memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.results.arrays import array_of, check_function, computed, declared, described

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


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
    gaps : bool
        Whether there may be pixels without a value. Those that numpy masks (`numpy.ma`) then
        become NaN, for which whole numbers become float64; else they are refused.

    Attributes
    ----------
    size : tuple of int
        Width and height in pixels.
    samples : int
        Numbers per pixel.
    dtype : numpy.dtype
        Of a number.
    whole : bool
        Whether all that have a value are whole numbers, or truth values.
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
        gaps: bool = False,
    ) -> None:
        self.is_function = callable(pixels)
        if self.is_function:
            check_function(pixels, what)
        elif not all(hasattr(pixels, name) for name in ("shape", "dtype")):
            pixels = _as_array(pixels, what)
        self._pixels = pixels
        self._what = what
        self.samples = samples
        self._gaps = gaps
        if self.is_function:
            if size is None:
                raise ValueError(f"{what} is given as a function, so its size must be told.")
            self.size = size
            self.dtype = np.dtype(dtype)
            self.whole = self.dtype.kind in "iub"
            return
        shape, self.dtype = declared(pixels, what)
        self.whole = self.dtype.kind in "iub"
        if _may_be_masked(pixels):
            if np.ma.is_masked(pixels) and not gaps:
                raise ValueError(self._masked())
            if self.whole and gaps:
                self.dtype = np.dtype(np.float64)
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
            return self._checked(self._pixels[top:bottom], bottom - top)
        # Some chunks at a time: zarr holds all that it is asked for twice.
        width = self.size[0]
        columns = chunks[1] * max(1, _BLOCK // chunks[1])
        strip = np.empty((bottom - top, *self._pixels.shape[1:]), self.dtype)
        for left in range(0, width, columns):
            strip[:, left : left + columns] = self._pixels[top:bottom, left : left + columns]
        return self._checked(strip, bottom - top)

    def _checked(self, strip: Any, rows: int) -> NDArray[Any]:
        """Return a strip as what was declared; arrays that others compute may be something else."""
        strip = self._plain(strip)
        wanted = (rows, *self._pixels.shape[1:])
        if strip.shape != wanted or not _holds(self.dtype, strip.dtype):
            raise ValueError(
                f"{self._what} was declared as an array of which {rows} rows have shape {wanted} "
                f"of {self.dtype}; computed, they have {strip.shape} of {strip.dtype}. Mend what "
                "makes its blocks, or what it says of their chunks and dtype."
            )
        return strip if self.dtype.kind == "f" else strip.astype(self.dtype, copy=False)

    def _plain(self, pixels: Any) -> NDArray[Any]:
        """Return pixels without numpy's mask, and truth values as 0 and 1."""
        pixels = computed(pixels)
        if np.ma.is_masked(pixels):
            if not self._gaps:
                raise ValueError(self._masked())
            return pixels.astype(self.dtype).filled(np.nan)
        plain = np.asarray(array_of(pixels, self._what))
        # Their bytes may be others: those of PIL's pictures of one bit are 0 and 255.
        return plain != 0 if plain.dtype == np.bool_ else plain

    def _masked(self) -> str:
        return (
            f"{self._what} has a value for each pixel, and some of what was given are masked "
            "(numpy.ma): say what they are, with filled()."
        )

    def _made(self, top: int, bottom: int) -> NDArray[Any]:
        width = self.size[0]
        strip = np.empty((bottom - top, width, self.samples), self.dtype)
        for left in range(0, width, _BLOCK):
            size = (min(_BLOCK, width - left), bottom - top)
            given = self._pixels((left, top), size)
            block = self._plain(given)
            wanted = (size[1], size[0], self.samples)
            fits = block.shape == wanted or (self.samples == 1 and block.shape == wanted[:2])
            if not fits or block.dtype != self.dtype:
                raise ValueError(
                    f"The function of {self._what} was asked for {size[0]} x {size[1]} pixels at "
                    f"{(left, top)}, and is to return shape {wanted} of {self.dtype}; it returned "
                    f"{described(given, block)}."
                )
            strip[:, left : left + size[0]] = block.reshape(wanted)
        return strip


def _may_be_masked(pixels: Any) -> bool:
    # What dask says of the blocks that it has yet to compute.
    return isinstance(getattr(pixels, "_meta", pixels), np.ma.MaskedArray)


def _holds(declared: np.dtype[Any], found: np.dtype[Any]) -> bool:
    """Return whether numbers of a type may be handed over as those of another."""
    return np.can_cast(found, declared, "same_kind" if declared.kind == "f" else "safe")


def _as_array(pixels: Any, what: str) -> NDArray[Any]:
    """Return nested lists, and what says that it can be an array, as one; refuse the rest."""
    if isinstance(pixels, (list, tuple, memoryview)) or hasattr(pixels, "__array__"):
        return array_of(pixels, what)
    raise ValueError(
        f"{what} is an array (numpy, zarr, dask) or a function of location and size, not "
        f"{type(pixels).__name__}."
    )
