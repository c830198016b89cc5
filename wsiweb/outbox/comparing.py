"""Whether two files hold the same DICOM object, so that what an archive has can be believed.

Archives may write a file meta group of their own, other lengths of sequences, or another byte order
of the same values: that is the same object. Anything else is another one, and is said by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

__all__ = ["difference"]

_PIECE = 2**20  # bytes that are read at once
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_ABOUT_FILES = frozenset({0xFFFCFFFC})  # DataSetTrailingPadding: no part of the object
_MOST_NAMES = 5


def difference(sent: Path, held: Path) -> str:
    """Return in which attributes two DICOM files differ.

    Pixel data are compared in pieces; memory holds what stands before them.

    Parameters
    ----------
    sent, held : Path
        Files with a preamble and a file meta group (PS3.10 7.1).

    Returns
    -------
    str
        Keywords; empty when both hold the same object.

    Raises
    ------
    OSError
        When a file cannot be read.
    """
    with sent.open("rb") as one, held.open("rb") as other:
        if _equal_from_here(one, other):
            return ""
        one.seek(0)
        other.seek(0)
        try:
            mine, theirs = _header(one), _header(other)
        except Exception as error:  # pydicom raises what it stumbles upon
            return f"all of it: one of the two is no DICOM that can be read ({error})"
        names = _differing(mine, theirs)
        if _syntax(mine) != _syntax(theirs):
            names.append(f"the transfer syntax ({_syntax(mine)}, held as {_syntax(theirs)})")
        elif not _equal_from_here(one, other):
            names.append("PixelData")
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} others" if more > 0 else "")


def _equal_from_here(one: BinaryIO, other: BinaryIO) -> bool:
    while True:
        piece = one.read(_PIECE)
        if piece != other.read(_PIECE):
            return False
        if not piece:
            return True


def _header(file: BinaryIO) -> Dataset:
    """Read what stands before the pixels; the file is left where they begin."""
    from pydicom.filereader import read_partial

    return read_partial(file, stop_when=lambda tag, _vr, _length: int(tag) in _PIXELS)


def _syntax(dataset: Dataset) -> str:
    return str(cast("Any", dataset).file_meta.get("TransferSyntaxUID", ""))


def _differing(one: Dataset, other: Dataset) -> list[str]:
    from pydicom.datadict import keyword_for_tag

    tags = sorted((set(one.keys()) | set(other.keys())) - _ABOUT_FILES)
    return [
        keyword_for_tag(tag) or str(tag)
        for tag in tags
        if not (tag in one and tag in other and one[tag] == other[tag])
    ]
