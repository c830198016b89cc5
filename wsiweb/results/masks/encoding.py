"""Tiles of a mask to the frames of a Segmentation (PS3.3 A.51.5, PS3.5 8.2).

Frames of one bit a pixel are packed, the first pixel into the lowest bit; those of a file follow
each other without a gap, so that one that is not a whole number of bytes shares a byte with the
next. The others are compressed, without loss, as JPEG-LS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from wsiweb.results.masks.contents import Fractions, Labels, Merged, Stack
from wsiweb.writing.encoders import jpeg_ls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wsiweb.results.masks.contents import Contents, Pixels
    from wsiweb.results.masks.style import Style

__all__ = [
    "NATIVE",
    "Binary",
    "Encoding",
    "Fractional",
    "LabelMap",
    "form_of",
    "joined_bits",
]

NATIVE = "1.2.840.10008.1.2.1"
"""UID of Explicit VR Little Endian: no compression."""

_JPEG_LS = "1.2.840.10008.1.2.4.80"  # JPEG-LS Lossless


class Encoding(Protocol):
    """How tiles become frames."""

    @property
    def name(self) -> Literal["BINARY", "FRACTIONAL", "LABELMAP"]:
        """SegmentationType."""
        ...

    @property
    def bits(self) -> int:
        """BitsAllocated."""
        ...

    @property
    def transfer_syntax(self) -> str:
        """UID of how frames are stored."""
        ...

    @property
    def sparse(self) -> bool:
        """Whether empty frames are left out."""
        ...

    @property
    def numbers(self) -> Sequence[int]:
        """Segments that have frames of their own, from 1; 0 for one that shows all of them."""
        ...

    def frames(self, tile: Pixels) -> Iterator[tuple[int, bytes]]:
        """Yield number and bytes of each frame of a tile that is not empty.

        Parameters
        ----------
        tile : numpy.ndarray
            Shape (rows, columns) or (rows, columns, segments), as `Contents.settle` returns it.
        """
        ...

    def empty(self, tile: tuple[int, int]) -> bytes:
        """Return the frame of an empty tile, whose width and height are given."""
        ...


@dataclass(frozen=True)
class Binary:
    """One bit for each pixel, a frame for each segment.

    Attributes
    ----------
    numbers : range
        The segments.
    """

    numbers: range
    name: Literal["BINARY"] = "BINARY"
    bits: int = 1
    transfer_syntax: str = NATIVE
    sparse: bool = True

    def frames(self, tile: Pixels) -> Iterator[tuple[int, bytes]]:
        """Yield the frames of the segments that a tile shows; see `Encoding`."""
        if tile.ndim == 3:
            for number in self.numbers:
                plane = tile[..., number - 1]
                if plane.max():
                    yield number, _packed(plane)
        elif len(self.numbers) == 1:
            yield 1, _packed(tile)
        else:
            for number in np.flatnonzero(np.bincount(tile.ravel())):
                if number:
                    yield int(number), _packed(tile == number)

    def empty(self, tile: tuple[int, int]) -> bytes:
        """Return zeros; see `Encoding`."""
        return bytes(-(-tile[0] * tile[1] // 8))


@dataclass(frozen=True)
class LabelMap:
    """The number of a segment for each pixel, in one frame.

    Attributes
    ----------
    bits : int
        8 or 16.
    """

    bits: int
    name: Literal["LABELMAP"] = "LABELMAP"
    transfer_syntax: str = _JPEG_LS
    sparse: bool = False
    numbers: range = range(1)

    def frames(self, tile: Pixels) -> Iterator[tuple[int, bytes]]:
        """Yield one frame; see `Encoding`."""
        yield 0, jpeg_ls(tile)

    def empty(self, tile: tuple[int, int]) -> bytes:
        """Return the frame of the background; see `Encoding`."""
        return jpeg_ls(np.zeros(tile[::-1], np.uint8 if self.bits == 8 else np.uint16))


@dataclass(frozen=True)
class Fractional:
    """Eight bits for each pixel, a frame for each segment.

    Attributes
    ----------
    numbers : range
        The segments.
    """

    numbers: range
    name: Literal["FRACTIONAL"] = "FRACTIONAL"
    bits: int = 8
    transfer_syntax: str = _JPEG_LS
    sparse: bool = False

    def frames(self, tile: Pixels) -> Iterator[tuple[int, bytes]]:
        """Yield the frames of the segments that a tile shows; see `Encoding`."""
        for number in self.numbers:
            plane = tile[..., number - 1]
            if plane.max():
                yield number, jpeg_ls(plane)

    def empty(self, tile: tuple[int, int]) -> bytes:
        """Return the frame of the background; see `Encoding`."""
        return jpeg_ls(np.zeros(tile[::-1], np.uint8))


def form_of(
    dtype: np.dtype, planes: int | None, segments: int, style: Style
) -> tuple[Contents, Encoding]:
    """Return how a mask of a type is read, and how it is stored.

    Parameters
    ----------
    dtype : numpy.dtype
        Of its numbers.
    planes : int or None
        Length of its third axis; None where there is none.
    segments : int
        How many are described.
    style : Style
        How it is to be stored.

    Raises
    ------
    ValueError
        For a type that is none of a mask, or does not go with the style or the segments.

    Examples
    --------
    >>> from wsiweb.results.masks.style import Style
    >>> form_of(np.dtype("u1"), None, 3, Style(profile="standard"))[1].name
    'LABELMAP'
    """
    if dtype.kind not in "buif":
        raise ValueError(f"A mask has truth values, whole numbers or fractions in it, not {dtype}.")
    if planes is not None and planes != segments:
        raise ValueError(
            f"A mask with three axes has shape (rows, columns, segments); it has {planes} planes, "
            f"and {segments} segments are described."
        )
    numbers = range(1, segments + 1)
    if dtype.kind == "f":
        _check_fractions(planes, segments, style)
        return Fractions(segments), Fractional(numbers)
    if style.kind == "fractional":
        raise ValueError(
            f"A fractional segmentation is made of floats from 0 to 1; the mask has {dtype}. "
            "Divide it by its highest possible number, or leave kind away."
        )
    bits = 8 if segments < 2**8 else 16
    if planes is not None:
        if style.kind == "labelmap":
            return Merged(segments), LabelMap(bits)
        return Stack(segments), Binary(numbers)
    if style.kind == "labelmap" or (style.kind, style.profile) == ("auto", "standard"):
        return Labels(segments), LabelMap(bits)
    return Labels(segments), Binary(numbers)


def _check_fractions(planes: int | None, segments: int, style: Style) -> None:
    if style.kind not in {"auto", "fractional"}:
        raise ValueError(
            f"A {style.kind} segmentation is made of whole numbers, and the mask has floats: give "
            'mask > 0.5, or kind="fractional".'
        )
    if planes is None and segments > 1:
        raise ValueError(
            f"Fractions of {segments} segments have shape (rows, columns, {segments}); the mask "
            "has two axes. If its floats are labels, give mask.astype(int)."
        )


def joined_bits(frames: Iterable[bytes], pixels: int) -> Iterator[bytes]:
    r"""Close the gaps between packed frames.

    Parameters
    ----------
    frames : iterable of bytes
        Each filled up to whole bytes.
    pixels : int
        Bits of each that count.

    Yields
    ------
    bytes
        As many as there are frames; one after the other they are the bits of all frames.

    Examples
    --------
    >>> b"".join(joined_bits([b"\x07", b"\x01"], 3))  # 111 and 100, the lowest bit first
    b'\x0f'
    """
    if pixels % 8 == 0:
        yield from frames
        return
    rest = np.empty(0, np.uint8)
    held: bytes | None = None  # one frame late, because the last one takes the rest along
    for frame in frames:
        if held is not None:
            yield held
        own = np.unpackbits(np.frombuffer(frame, np.uint8), count=pixels, bitorder="little")
        bits = np.concatenate([rest, own])
        whole = len(bits) // 8 * 8
        held, rest = np.packbits(bits[:whole], bitorder="little").tobytes(), bits[whole:]
    if held is not None:
        yield held + np.packbits(rest, bitorder="little").tobytes()


def _packed(plane: np.ndarray) -> bytes:
    return np.packbits(plane.reshape(-1), bitorder="little").tobytes()
