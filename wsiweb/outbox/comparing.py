"""Whether two files hold the same DICOM object, so that what an archive has can be believed.

Archives may write a file meta group of their own, other lengths of sequences, or the same values
with or without their VR: that is the same object. Anything else is another one, and is said by
name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

__all__ = ["difference"]

_PIECE = 2**20  # bytes that are read at once
_IMPLICIT = "1.2.840.10008.1.2"
_ALIKE = frozenset({_IMPLICIT, "1.2.840.10008.1.2.1"})  # the same bytes of values, little endian
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
        syntaxes = _syntax(mine), _syntax(theirs)
        if syntaxes[0] != syntaxes[1] and not _ALIKE.issuperset(syntaxes):
            names.append(f"the transfer syntax ({syntaxes[0]}, held as {syntaxes[1]})")
        elif not _equal_pixels(one, other, syntaxes):
            names.append("PixelData")
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} others" if more > 0 else "")


def _equal_pixels(one: BinaryIO, other: BinaryIO, syntaxes: tuple[str, str]) -> bool:
    heads = _head(one, syntaxes[0]), _head(other, syntaxes[1])
    return heads[0] == heads[1] and _equal_from_here(one, other)


def _head(file: BinaryIO, syntax: str) -> bytes:
    """Read the tag and the length of pixel data (PS3.5 7.1), past a VR where there is one."""
    tag = file.read(4)
    if syntax != _IMPLICIT:
        file.read(4)
    return tag + file.read(4)


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
    return [keyword_for_tag(tag) or str(tag) for tag in tags if not _equal(one, other, tag)]


def _equal(one: Dataset, other: Dataset, tag: BaseTag) -> bool:
    if tag not in one or tag not in other:
        return False
    raw = one.get_item(tag), other.get_item(tag)
    # As bytes first: of private attributes nobody knows the VR, where it is not written.
    if raw[0].value == raw[1].value:
        return True
    try:
        return one[tag] == other[tag]
    except Exception:  # pydicom cannot read the one or the other: then their bytes count
        return False
