"""One DICOM file with many frames, written as the frames come (PS3.10 and PS3.5 A.4).

The header stands before the pixels, but some of it is known only after them: where each frame
begins, how well it was compressed. So the header is written twice, with the same length both
times, and nothing but offsets is kept in memory.
"""

from __future__ import annotations

import io
import os
import struct
from typing import IO, TYPE_CHECKING, Any, Literal, Self

import pydicom
from pydicom.multival import MultiValue

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from pydicom.dataset import Dataset

__all__ = ["FrameFile", "Offsets", "element", "sequence"]

Offsets = Literal["basic", "extended", "none"]

_LONG = frozenset({"OB", "OV", "OW", "SQ"})  # VRs with a length of 32 bits (PS3.5 7.1.2)
_UNDEFINED = 0xFFFFFFFF
_BASIC_LIMIT = 2**32


class FrameFile:
    """A file that is being written: under a hidden name until all of it is there.

    Parameters
    ----------
    path : Path
        Its name in the end.
    header : Dataset
        With file meta information, and with everything but functional groups per frame and
        pixels.
    frames : int
        How many will be added.
    per_frame : bytes
        Functional groups per frame as an encoded element; empty for TILED_FULL.
    offsets : "basic", "extended" or "none"
        Kind of offset table of an encapsulated file.
    raw_bytes : int
        Bytes of all frames before compression.
    lossless : bool
        Whether these frames are stored without loss, whatever happened to those that they were
        made of: LossyImageCompressionRatio then stays as it is in the header.

    Notes
    -----
    In a lossy file, LossyImageCompressionRatio is written when it is known, behind the ratios of
    earlier compressions that the header has. Bare pixels of 32 bits are taken to be floats.

    Raises
    ------
    ValueError
        When frames are missing at the end, or a basic offset table cannot reach the last one.
    """

    def __init__(
        self,
        path: Path,
        header: Dataset,
        frames: int,
        *,
        per_frame: bytes,
        offsets: Offsets,
        raw_bytes: int,
        lossless: bool = False,
    ) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._header = header
        self._per_frame = per_frame
        self._count = frames
        self._offsets: Offsets = offsets
        self._raw_bytes = raw_bytes
        self._lossy = header.get("LossyImageCompression") == "01" and not lossless
        self._earlier_ratios = _values(header.get("LossyImageCompressionRatio"))
        self._encapsulated = header.file_meta.TransferSyntaxUID.is_encapsulated
        self._lengths: list[int] = []
        head = self._head()  # before there is a file: a header that cannot be encoded leaves none
        self._file: IO[bytes] = self._part.open("wb")
        self._size = self._file.write(head)

    def add(self, frame: bytes) -> None:
        """Append the next frame."""
        if self._encapsulated:
            padded = len(frame) + len(frame) % 2
            self._file.write(struct.pack("<HHI", 0xFFFE, 0xE000, padded))
            self._file.write(frame)
            self._file.write(b"\0" * (padded - len(frame)))
            self._lengths.append(padded)
        else:
            self._file.write(frame)
            self._lengths.append(len(frame))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish and rename the file; after an error, remove it."""
        try:
            with self._file:
                if kind is None:
                    self._finish()
            if kind is None:
                self._part.replace(self._path)
        finally:
            self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        if len(self._lengths) != self._count:
            raise ValueError(f"{len(self._lengths)} frames were added, not {self._count}.")
        if self._encapsulated:
            self._file.write(struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
        elif sum(self._lengths) % 2:
            self._file.write(b"\0")
        head = self._head()
        if len(head) != self._size:  # a bug of ours, and it would overwrite the first frame
            raise ValueError(f"The header grew from {self._size} to {len(head)} bytes.")
        self._file.seek(0, os.SEEK_SET)
        self._file.write(head)

    def _head(self) -> bytes:
        """All bytes before the first frame, with what is known of the frames by now."""
        done = len(self._lengths) == self._count
        lengths = self._lengths if done else [0] * self._count
        if self._lossy:
            ratio = self._raw_bytes / max(sum(lengths), 1) if done else 0.0
            # Ten characters, whatever the number: the header must not change its length.
            own = f"{min(ratio, 99999):010.4f}"
            self._header.LossyImageCompressionRatio = [*self._earlier_ratios, own]
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, self._header, enforce_file_format=True)
        return buffer.getvalue() + self._per_frame + self._pixel_head(lengths)

    def _pixel_head(self, lengths: list[int]) -> bytes:
        if not self._encapsulated:
            size = self._raw_bytes + self._raw_bytes % 2
            if self._header.BitsAllocated == 32:  # FloatPixelData (PS3.3 C.7.6.24)
                return struct.pack("<HH2sHI", 0x7FE0, 0x0008, b"OF", 0, size)
            vr = b"OW" if self._header.BitsAllocated > 8 else b"OB"
            return struct.pack("<HH2sHI", 0x7FE0, 0x0010, vr, 0, size)
        starts = [0]
        for length in lengths[:-1]:
            starts.append(starts[-1] + length + 8)  # 8: the item's own head
        head, table = b"", b""
        if self._offsets == "extended":  # PS3.3 C.7.6.3.1.8
            head = element(0x7FE0, 0x0001, "OV", struct.pack(f"<{len(starts)}Q", *starts))
            head += element(0x7FE0, 0x0002, "OV", struct.pack(f"<{len(lengths)}Q", *lengths))
        elif self._offsets == "basic":
            if starts[-1] >= _BASIC_LIMIT:
                raise ValueError("A basic offset table ends at 4 GB: ask for an extended one.")
            table = struct.pack(f"<{len(starts)}I", *starts)
        head += struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, _UNDEFINED)
        return head + struct.pack("<HHI", 0xFFFE, 0xE000, len(table)) + table


def _values(value: Any) -> list[Any]:
    """Return the values of an attribute that may have none, one or several."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, MultiValue) else [value]


def element(group: int, number: int, vr: str, value: bytes) -> bytes:
    """Encode one element in explicit VR little endian; the value is padded to even length.

    Examples
    --------
    >>> element(0x0048, 0x0106, "SH", b"1").hex(" ")
    '48 00 06 01 53 48 02 00 31 20'
    """
    if len(value) % 2:
        value += b"\0" if vr in _LONG else b" "
    if vr in _LONG:
        return struct.pack("<HH2sHI", group, number, vr.encode(), 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr.encode(), len(value)) + value


def sequence(group: int, number: int, items: Iterable[bytes]) -> bytes:
    """Encode a sequence of items of known length."""
    encoded = (struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items)
    return element(group, number, "SQ", b"".join(encoded))
