"""A DICOM dataset up to its pixel data, as DICOM JSON (PS3.5 7, PS3.18 Annex F).

Written once per instance, at import. pydicom's own conversion makes an object of each element:
2.9 s for a sparse slide of 10,000 frames, and Python warnings for each odd value. Here elements go
from bytes to JSON values directly; pydicom is asked for its dictionary (implicit VR) and its
character sets. Its `Dataset.to_json_dict` is the judge in the tests.
"""

from __future__ import annotations

import base64
import math
import struct
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from wsiweb.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BulkPiece", "Header", "PixelElement", "read_header", "read_meta", "swapped"]

UNDEFINED = 0xFFFFFFFF
INLINE = 1024  # bytes of a binary value that is still written into the JSON
_DEEPEST = 32  # sequences in sequences; real ones have four
_LONGEST_TEXT = 64 * 2**20  # bytes of one value that is decoded into the JSON

_ITEM = 0xFFFEE000
_ITEM_END = 0xFFFEE00D
_SEQUENCE_END = 0xFFFEE0DD
_CHARACTER_SET = 0x00080005
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_OFFSET_TABLE = 0x7FE00001
_OFFSET_LENGTHS = 0x7FE00002

_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_BINARY = {"OB": 1, "UN": 1, "OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}  # bytes of a unit
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_WHOLE_TEXT = frozenset({"LT", "ST", "UT", "UR"})  # a backslash does not separate values


BulkPiece = tuple[int, int, int]
"""Offset and length of a value in bytes, and the bytes of a unit to be turned round, else 1."""


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where the pixel data lie.

    Attributes
    ----------
    tag : int
        PixelData, FloatPixelData or DoubleFloatPixelData.
    offset : int
        Of the first byte of the value.
    length : int or None
        Bytes of the value; None for an undefined length: encapsulated.
    """

    tag: int
    offset: int
    length: int | None


@dataclass(slots=True)
class Header:
    """What stands before the pixel data.

    Attributes
    ----------
    model : dict
        The dataset as a plain DICOM JSON object. A binary value above `INLINE` bytes has
        ``BulkDataURI`` set to its path: tags and one-based item numbers, joined by slashes.
    bulk : dict
        Of each of those paths: offset and length of the value, and how many bytes belong together
        that have to be turned round (big endian), else 1.
    pixels : PixelElement or None
        The pixel data, if there are any.
    extended_offsets, extended_lengths : bytes
        Values of ExtendedOffsetTable and ExtendedOffsetTableLengths.
    """

    model: dict[str, Any] = field(default_factory=dict[str, Any])
    bulk: dict[str, BulkPiece] = field(default_factory=dict[str, BulkPiece])
    pixels: PixelElement | None = None
    extended_offsets: bytes = b""
    extended_lengths: bytes = b""


def read_meta(handle: BinaryIO) -> dict[str, Any]:
    """Read preamble and file meta information (PS3.10 7.1); leave the handle at the dataset.

    Returns
    -------
    dict
        Group 0002 as a DICOM JSON object.

    Raises
    ------
    ProtocolError
        When this is not a DICOM file.
    """
    handle.seek(0)
    if handle.read(132)[128:] != b"DICM":
        raise ProtocolError("not a DICOM file: no DICM after 128 bytes")
    end = handle.seek(0, 2)
    handle.seek(132)
    reader = _Reader(handle, end, implicit=False, big_endian=False)
    reader.last_group = 0x0002
    reader.dataset(end, (), 0)
    return reader.header.model


def read_header(handle: BinaryIO, *, implicit: bool = False, big_endian: bool = False) -> Header:
    """Read a dataset up to its pixel data, from where the handle stands.

    Parameters
    ----------
    handle : binary file
        Seekable. Offsets in the result are positions in it.
    implicit, big_endian : bool
        The encoding, from the transfer syntax.

    Raises
    ------
    ProtocolError
        For what is not a DICOM dataset, or is cut off within the header.
    """
    start = handle.tell()
    end = handle.seek(0, 2)
    handle.seek(start)
    reader = _Reader(handle, end, implicit=implicit, big_endian=big_endian)
    reader.dataset(end, (), 0)
    reader.check_end()
    return reader.header


class _Reader:
    """Reads elements one after the other; `position` is that of the handle."""

    def __init__(self, handle: BinaryIO, end: int, *, implicit: bool, big_endian: bool) -> None:
        self.header = Header()
        self.last_group = 0xFFFF
        self._handle = handle
        self._position = handle.tell()
        self._end = end
        self._implicit = implicit
        order = ">" if big_endian else "<"
        self._big_endian = big_endian
        self._tag = struct.Struct(order + "HH").unpack_from
        self._u16 = struct.Struct(order + "H").unpack_from
        self._u32 = struct.Struct(order + "I").unpack_from
        self._numbers = {vr: order + code for vr, code in _NUMBERS.items()}
        self._decode: Callable[[bytes], str] = _decoder(())

    def _read(self, length: int) -> bytes:
        # The bound comes first: a hostile length must not become an allocation.
        if length > self._end - self._position:
            raise ProtocolError(
                f"the file ends at byte {self._end}, within an element at {self._position}"
            )
        data = self._handle.read(length)
        if len(data) != length:  # shorter than a moment ago: somebody is writing it
            raise ProtocolError(f"the file changed while it was read, at byte {self._position}")
        self._position += length
        return data

    def _skip(self, length: int) -> None:
        if length > self._end - self._position:
            raise ProtocolError(
                f"the file ends at byte {self._end}, within an element at {self._position}"
            )
        self._position += length
        self._handle.seek(self._position)

    def check_end(self) -> None:
        """Refuse a file that ends within the head of an element; zeros behind the last are usual.

        Raises
        ------
        ProtocolError
            When it does.
        """
        if self.header.pixels is None and any(self._read(self._end - self._position)):
            raise ProtocolError(f"the file ends at byte {self._end}, within an element")

    def _element(self) -> tuple[int, str | None, int]:
        """Read tag, VR (None where the encoding has none) and length."""
        head = self._read(8)
        group, number = self._tag(head)
        tag = group << 16 | number
        if group == 0xFFFE or self._implicit:
            return tag, None, self._u32(head, 4)[0]
        vr = head[4:6]
        if vr in _SHORT:
            return tag, vr.decode(), self._u16(head, 6)[0]
        if vr in _LONG:
            return tag, vr.decode(), self._u32(self._read(4))[0]
        return tag, None, self._u32(head, 4)[0]  # some writers fall into implicit VR half-way

    def dataset(self, end: int, path: tuple[str, ...], depth: int) -> dict[str, Any]:
        """Read elements up to `end`, an item delimiter, or the pixel data."""
        if depth > _DEEPEST:
            raise ProtocolError(f"sequences are nested more than {_DEEPEST} deep")
        model = self.header.model if depth == 0 else {}
        outer = self._decode
        while self._position + 8 <= end:
            start = self._position
            tag, vr, length = self._element()
            if tag == _ITEM_END:
                break
            if tag >> 16 > self.last_group:
                self._position = start
                self._handle.seek(start)
                break
            if tag in _PIXELS and depth == 0:
                self._stop_at_pixels(tag, length)
                break
            if vr is None or (vr == "UN" and length != UNDEFINED):
                known = _dictionary_vr(tag, model)
                vr = known if vr is None or known != "SQ" else vr
            name = f"{tag:08X}"
            if tag in _PIXELS and length == UNDEFINED:
                model[name] = self._icon((*path, name))
            elif vr == "SQ" or (length == UNDEFINED and vr == "UN"):
                model[name] = self._sequence(length, (*path, name), depth, as_un=vr == "UN")
            elif tag & 0xFFFF == 0 or tag >> 16 == 0xFFFE:
                self._skip(length)  # a group length, or a stray delimiter
            else:
                entry = self._value(tag, vr, length, (*path, name))
                if entry is not None:
                    model[name] = entry
        self._decode = outer
        return model

    def _stop_at_pixels(self, tag: int, length: int) -> None:
        self.header.pixels = PixelElement(
            tag, self._position, None if length == UNDEFINED else length
        )

    def _sequence(
        self, length: int, path: tuple[str, ...], depth: int, *, as_un: bool
    ) -> dict[str, Any]:
        if length != UNDEFINED and length > self._end - self._position:
            raise ProtocolError(f"the sequence {path[-1]} is longer than the file")
        end = self._end if length == UNDEFINED else self._position + length
        items: list[dict[str, Any]] = []
        # UN of undefined length holds implicit VR, whatever the dataset does (PS3.5 6.2.2).
        implicit, self._implicit = self._implicit, self._implicit or as_un
        while self._position + 8 <= end:
            tag, _, size = self._element()
            if tag == _SEQUENCE_END:
                break
            if tag != _ITEM:
                raise ProtocolError(f"the sequence {path[-1]} holds something that is no item")
            item_end = end if size == UNDEFINED else self._position + size
            if item_end > end:
                raise ProtocolError(f"an item of {path[-1]} is longer than its sequence")
            items.append(self.dataset(item_end, (*path, str(len(items) + 1)), depth + 1))
            if size != UNDEFINED and self._position != item_end:
                self._position = item_end
                self._handle.seek(item_end)
        else:
            if length == UNDEFINED and end == self._end:
                raise ProtocolError(f"the file ends at byte {end}, within the sequence {path[-1]}")
        self._implicit = implicit
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}

    def _icon(self, path: tuple[str, ...]) -> dict[str, Any]:
        """Read compressed pixels within a sequence: one fragment is a value, several are none."""
        fragments: list[tuple[int, int]] = []
        while True:
            tag, _, length = self._element()
            if tag == _SEQUENCE_END:
                break
            if tag != _ITEM:
                raise ProtocolError(f"{path[-1]} in {path[0]} holds something that is no item")
            fragments.append((self._position, length))
            self._skip(length)
        if len(fragments) != 2:  # the offset table, and the picture
            return {"vr": "OB"}
        after = self._position
        self._position, length = fragments[1]
        self._handle.seek(self._position)
        entry = self._binary("OB", length, path)
        self._position = self._handle.seek(after)
        return entry

    def _value(
        self, tag: int, vr: str, length: int, path: tuple[str, ...]
    ) -> dict[str, Any] | None:
        if length == UNDEFINED:
            raise ProtocolError(f"{path[-1]} is of undefined length and no sequence")
        if tag in {_OFFSET_TABLE, _OFFSET_LENGTHS} and len(path) == 1:
            value = self._read(length)
            if tag == _OFFSET_TABLE:
                self.header.extended_offsets = value
            else:
                self.header.extended_lengths = value
            return None
        if vr in _BINARY:
            return self._binary(vr, length, path)
        if length > _LONGEST_TEXT:
            self._skip(length)
            return {"vr": vr}
        value = self._read(length)
        if tag == _CHARACTER_SET:
            names = tuple(one.strip() for one in value.decode("ascii", "replace").split("\\"))
            self._decode = _decoder(names)
            return {"vr": "CS", "Value": ["ISO_IR 192"]}  # what JSON is always in (PS3.18 F.2)
        if vr in self._numbers:
            values = _numbers(value, self._numbers[vr])
        elif vr == "AT":
            values = [f"{a:04X}{b:04X}" for a, b in _pairs(value, self._tag)]
        else:
            values = _texts(vr, self._decode(value))
        return {"vr": vr, "Value": values} if values else {"vr": vr}

    def _binary(self, vr: str, length: int, path: tuple[str, ...]) -> dict[str, Any]:
        if length > INLINE:
            name = "/".join(path)
            unit = _BINARY[vr] if self._big_endian else 1
            self.header.bulk[name] = (self._position, length, unit)
            self._skip(length)
            return {"vr": vr, "BulkDataURI": name}
        value = self._read(length)
        unit = _BINARY[vr]
        if self._big_endian and unit > 1:
            value = swapped(value, unit)
        return {"vr": vr, "InlineBinary": base64.b64encode(value).decode()} if value else {"vr": vr}


def swapped(value: bytes, unit: int) -> bytes:
    """Return a value with the bytes of each unit of 2, 4 or 8 bytes turned round."""
    import numpy as np

    whole = len(value) // unit * unit
    return np.frombuffer(value[:whole], f"u{unit}").byteswap().tobytes() + value[whole:]


def _pairs(value: bytes, unpack: Callable[[bytes, int], tuple[int, int]]) -> list[tuple[int, int]]:
    return [unpack(value, at) for at in range(0, len(value) - 3, 4)]


def _numbers(value: bytes, code: str) -> list[int | float | None]:
    count = len(value) // struct.calcsize(code)
    values = struct.unpack_from(f"{code[0]}{count}{code[1]}", value)
    if code[1] in "fd":  # JSON has no NaN and no infinity
        return [one if math.isfinite(one) else None for one in values]
    return list(values)


def _texts(vr: str, text: str) -> list[Any]:
    """Cut text into values; an empty one among others is null, none at all is no value."""
    if vr in _WHOLE_TEXT:
        text = text.rstrip(" \0")
        return [text] if text else []
    values = [one.strip(" \0") if vr != "UC" else one.rstrip(" \0") for one in text.split("\\")]
    if values == [""]:
        return []
    convert = _CONVERTERS.get(vr)
    return [(convert(one) if convert else one) if one else None for one in values]


def _whole(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text  # PS3.18 F.2.3.1 allows text, and the reader shall see what is written


def _decimal(text: str) -> float | str:
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text


def _person(text: str) -> dict[str, str] | None:
    forms = zip(("Alphabetic", "Ideographic", "Phonetic"), text.split("="), strict=False)
    return {form: name for form, name in forms if name} or None


_CONVERTERS: dict[str, Callable[[str], Any]] = {"IS": _whole, "DS": _decimal, "PN": _person}


def _dictionary_vr(tag: int, model: dict[str, Any]) -> str:
    """Look up the VR of an element that does not state it."""
    if tag >> 16 & 1:
        return "LO" if 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
    from pydicom.datadict import dictionary_VR

    try:
        vr = str(dictionary_VR(tag))
    except KeyError:
        return "UN"
    if " or " not in vr:
        return vr
    if vr.startswith("US or SS"):  # which of the two, the pixels say (PS3.5 A.1)
        return "SS" if model.get("00280103", {}).get("Value") == [1] else "US"
    return "OW"


def _decoder(names: tuple[str, ...]) -> Callable[[bytes], str]:
    """Return how text is decoded under values of SpecificCharacterSet (PS3.3 C.12.1.1.2)."""

    def decode(value: bytes) -> str:
        if value.isascii() and b"\x1b" not in value:
            return value.decode("ascii")
        return _decoded(value, names)

    return decode


def _decoded(value: bytes, names: tuple[str, ...]) -> str:
    if not any(names):  # nothing declared: many write UTF-8 all the same
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    from pydicom.charset import convert_encodings, decode_bytes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an unknown character set is not worth a failed import
        try:
            return decode_bytes(value, convert_encodings(list(names)), set(b"\\^=\r\n\t\f"))
        except (LookupError, ValueError):
            return value.decode("utf-8", "replace")
