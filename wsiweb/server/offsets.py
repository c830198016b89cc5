"""Where each frame lies in a file (PS3.5 8.2, A.4; PS3.3 C.7.6.3.1.8).

Pure functions over a file handle. Offset tables are hints: writers leave them empty, overflow them
at 4 GiB, or copy them from elsewhere. So the fragments are always walked, reading the eight bytes
of each item's head only (40,000 frames in some 50 ms), and a table counts when it fits the walk.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from wsiweb.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CutShort",
    "EncapsulatedFrames",
    "FrameTable",
    "NativeFrames",
    "encapsulated_frames",
    "native_frames",
    "pack_table",
    "unpack_table",
]

_ITEM = b"\xfe\xff\x00\xe0"
_END = b"\xfe\xff\xdd\xe0"
_MOST_FRAGMENTS = 2**22  # four million tiles; more is an attack on memory
_STARTS = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL ")

Piece = tuple[int, int]
"""Offset in the file, and length, in bytes."""


class CutShort(ProtocolError):
    """The file ends before its pixel data do: bytes are missing."""


@dataclass(frozen=True, slots=True)
class NativeFrames:
    """Frames without compression: one after the other, without gaps.

    Attributes
    ----------
    offset : int
        Of the first frame, in bytes.
    bits : int
        Size of a frame; not always whole bytes, where a pixel is one bit.
    count : int
        Number of frames.
    """

    offset: int
    bits: int
    count: int

    def pieces(self, number: int) -> Sequence[Piece]:
        """Return the bytes that hold a frame, by its one-based number; see also `shift`."""
        first, last = (number - 1) * self.bits, number * self.bits
        return ((self.offset + first // 8, -(-last // 8) - first // 8),)

    def shift(self, number: int) -> int:
        """Return how many bits of the first byte belong to the frame before."""
        return (number - 1) * self.bits % 8

    @property
    def packed(self) -> bool:
        """Whether frames begin within bytes."""
        return self.bits % 8 != 0


@dataclass(frozen=True, slots=True, eq=False)
class EncapsulatedFrames:
    """Compressed frames, each in one fragment or several.

    Attributes
    ----------
    fragments : numpy.ndarray
        Offset and length in bytes of each fragment's value; shape (fragments, 2), int64.
    first : numpy.ndarray or None
        Index of the first fragment of each frame, and one past the last; shape (count + 1,),
        int64. None when each frame has one fragment.
    """

    fragments: np.ndarray
    first: np.ndarray | None = None

    @property
    def count(self) -> int:
        """Number of frames."""
        return len(self.fragments) if self.first is None else len(self.first) - 1

    @property
    def packed(self) -> bool:
        """False: compressed frames are whole bytes."""
        return False

    def pieces(self, number: int) -> Sequence[Piece]:
        """Return the fragments of a frame, by its one-based number."""
        if self.first is None:
            offset, length = self.fragments[number - 1].tolist()
            return ((offset, length),)
        start, end = self.first[number - 1 : number + 1].tolist()
        return [(offset, length) for offset, length in self.fragments[start:end].tolist()]


FrameTable = NativeFrames | EncapsulatedFrames


def native_frames(offset: int, length: int, *, bits: int, count: int) -> NativeFrames:
    """Return the table of frames without compression.

    Parameters
    ----------
    offset, length : int
        Of the pixel data, in bytes.
    bits : int
        Size of one frame.
    count : int
        NumberOfFrames.

    Raises
    ------
    ProtocolError
        When the pixel data are shorter than that.
    """
    if bits <= 0 or count <= 0:
        raise ProtocolError(f"{count} frames of {bits} bits are no image")
    if bits * count > length * 8:
        raise ProtocolError(
            f"{count} frames of {bits // 8} bytes do not fit the {length} bytes of pixel data"
        )
    return NativeFrames(offset, bits, count)


def encapsulated_frames(
    handle: BinaryIO,
    offset: int,
    *,
    count: int,
    extended: tuple[bytes, bytes] = (b"", b""),
) -> EncapsulatedFrames:
    """Find compressed frames.

    Parameters
    ----------
    handle : binary file
        Seekable; unbuffered is fastest here.
    offset : int
        Of the first item: the basic offset table.
    count : int
        NumberOfFrames.
    extended : tuple of bytes
        Values of ExtendedOffsetTable and ExtendedOffsetTableLengths, empty where absent.

    Raises
    ------
    CutShort
        When the fragments are cut off.
    ProtocolError
        When nothing tells which belong to which frame.
    """
    basic, fragments = _walk(handle, offset)
    if count <= 0 or count > len(fragments):
        raise ProtocolError(f"there are {len(fragments)} fragments for {count} frames")
    starts = fragments[:, 0] - 8  # a table counts from the first item after the basic one
    starts -= starts[0]
    exact = _by_extended_table(extended, starts, fragments, count)
    if exact is not None:
        return EncapsulatedFrames(exact)
    if count == len(fragments):
        return EncapsulatedFrames(fragments)
    if count == 1:
        return EncapsulatedFrames(fragments, np.array([0, len(fragments)]))
    first = _by_table(np.frombuffer(basic[: len(basic) // 4 * 4], "<u4"), starts, count)
    if first is None:
        offsets = np.frombuffer(extended[0][: len(extended[0]) // 8 * 8], "<u8")
        first = _by_table(offsets, starts, count)
    if first is None:
        first = _by_markers(handle, fragments, count)
    return EncapsulatedFrames(fragments, first)


def _walk(handle: BinaryIO, offset: int) -> tuple[bytes, np.ndarray]:
    """Walk the items; return the basic offset table, and offset and length of each fragment."""
    end = handle.seek(0, 2)
    position = offset
    found: list[int] = []
    basic: bytes | None = None
    seek, read, unpack = handle.seek, handle.read, struct.Struct("<4sI").unpack
    while position + 8 <= end:
        seek(position)
        head = read(8)
        if len(head) != 8:
            raise CutShort(f"the file ends at byte {position + len(head)}, within the pixel data")
        tag, length = unpack(head)
        if tag == _END:
            return basic or b"", np.array(found, np.int64).reshape(-1, 2)
        if tag != _ITEM:
            raise ProtocolError(f"there is no item at byte {position}, within the pixel data")
        position += 8
        if position + length > end:
            raise CutShort(f"the file ends at byte {end}, within a fragment at {position}")
        if basic is None:
            basic = read(length)
        else:
            found += (position, length)
            if len(found) > 2 * _MOST_FRAGMENTS:
                raise ProtocolError(f"more than {_MOST_FRAGMENTS} fragments")
        position += length
    # Without its delimiter nobody knows whether a fragment is missing.
    raise CutShort(f"the file ends at byte {end}, before the end of the pixel data")


def _by_extended_table(
    extended: tuple[bytes, bytes], starts: np.ndarray, fragments: np.ndarray, count: int
) -> np.ndarray | None:
    """Return the fragments at their exact lengths, without padding, if the table fits the walk."""
    if not (len(extended[0]) == len(extended[1]) == 8 * count == 8 * len(fragments)):
        return None
    offsets = np.frombuffer(extended[0], "<u8")
    lengths = np.frombuffer(extended[1], "<u8").astype(np.int64)
    spare = fragments[:, 1] - lengths
    if (offsets != starts.astype(np.uint64)).any() or ((spare != 0) & (spare != 1)).any():
        return None
    return np.stack([fragments[:, 0], lengths], axis=1)


def _by_table(offsets: np.ndarray[Any, Any], starts: np.ndarray, count: int) -> np.ndarray | None:
    """Return the first fragment of each frame, if each offset is that of a fragment, in order."""
    if len(offsets) != count or offsets[0] != 0:
        return None
    wanted = offsets.astype(np.uint64)
    known = starts.astype(np.uint64)
    first = np.searchsorted(known, wanted)
    if (first >= len(known)).any() or (known[first] != wanted).any() or (np.diff(first) <= 0).any():
        return None
    return np.append(first, len(known)).astype(np.int64)


def _by_markers(handle: BinaryIO, fragments: np.ndarray, count: int) -> np.ndarray:
    """Tell frames apart by the bytes that a compressed image begins with."""
    first: list[int] = []
    for index, position in enumerate(fragments[:, 0].tolist()):
        handle.seek(position)
        if handle.read(8).startswith(_STARTS):
            first.append(index)
    if len(first) != count or first[0] != 0:
        raise ProtocolError(
            f"there are {len(fragments)} fragments for {count} frames, and neither an offset table "
            "nor the fragments' first bytes tell which belong together"
        )
    return np.array([*first, len(fragments)], np.int64)


# Kept in the index ----------------------------------------------------------------------------

_NATIVE = struct.Struct("<cQQQ")
_FRAGMENTS = struct.Struct("<cQ")


def pack_table(table: FrameTable) -> bytes:
    """Return a table as bytes, for `unpack_table`."""
    if isinstance(table, NativeFrames):
        return _NATIVE.pack(b"N", table.offset, table.bits, table.count)
    first = b"" if table.first is None else table.first.astype("<i8").tobytes()
    head = _FRAGMENTS.pack(b"F", len(table.fragments))
    return head + table.fragments.astype("<i8").tobytes() + first


def unpack_table(data: bytes) -> FrameTable:
    """Return the table that `pack_table` packed."""
    if data[:1] == b"N":
        _, offset, bits, count = _NATIVE.unpack(data)
        return NativeFrames(offset, bits, count)
    _, count = _FRAGMENTS.unpack_from(data)
    words = np.frombuffer(data, "<i8", offset=_FRAGMENTS.size)
    fragments = words[: 2 * count].reshape(-1, 2)
    return EncapsulatedFrames(fragments, words[2 * count :] if len(words) > 2 * count else None)
