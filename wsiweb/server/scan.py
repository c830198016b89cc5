"""One DICOM file to one row of the index.

Everything that a request may need later is worked out here, once: what searches look at, the
header as JSON, where each frame and each large value lies.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

import msgspec

from wsiweb.errors import ProtocolError
from wsiweb.server.header import BulkPiece, Header, read_header, read_meta
from wsiweb.server.offsets import CutShort, FrameTable, encapsulated_frames, native_frames
from wsiweb.wire.media import TRANSFER_SYNTAXES, TransferSyntax
from wsiweb.wire.uris import is_uid

__all__ = ["BULK_MARK", "Picture", "Scanned", "body_of", "read_syntax", "scan"]

BULK_MARK = b'"BulkDataURI":"'
"""What stands in the header's JSON before the path of a large value, and nowhere else."""

_MOST_INFLATED = 2**30  # bytes of a deflated dataset; a bomb is refused
_LARGEST_SUMMARY_VALUE = 4096  # bytes of JSON; per-frame sequences are no matter of searches
_IMPLICIT = "1.2.840.10008.1.2"


class Picture(msgspec.Struct, frozen=True):
    """How the pixels of a frame are stored (PS3.3 C.7.6.3); zero or empty where not stated."""

    rows: int = 0
    columns: int = 0
    samples: int = 1
    bits_allocated: int = 0
    bits_stored: int = 0
    signed: bool = False
    photometric: str = ""
    planar: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What a file holds.

    Attributes
    ----------
    study_uid, series_uid, instance_uid, class_uid : str
        Identity.
    transfer_syntax : str
        UID of the stored transfer syntax.
    modality : str
        Of the series.
    header : bytes
        The dataset without pixel data as one DICOM JSON object, UTF-8.
    summary : bytes
        The same without its large values, for searches.
    bulk : dict
        Path of each value that is not in the header, and where it lies, as in `Header`.
    picture : Picture or None
        How frames are stored; None for an object without pixels.
    frames : FrameTable or None
        Where the frames are.
    trouble : str
        Why there is no frame table although there are pixels; empty where there is one.
    whole : bool
        False when the file ends before its pixel data do.
    """

    study_uid: str
    series_uid: str
    instance_uid: str
    class_uid: str
    transfer_syntax: str
    modality: str
    header: bytes
    summary: bytes
    bulk: dict[str, BulkPiece]
    picture: Picture | None
    frames: FrameTable | None
    trouble: str
    whole: bool = True


def scan(handle: BinaryIO) -> Scanned:
    """Read a DICOM file.

    Parameters
    ----------
    handle : binary file
        Seekable; its position does not matter.

    Raises
    ------
    ProtocolError
        When it is not a DICOM file with the UIDs of an instance; the message says why, in words
        that need no path before them.
    """
    transfer_syntax, syntax = read_syntax(handle)
    body = body_of(handle, syntax)
    header = read_header(
        body,
        implicit=transfer_syntax == _IMPLICIT,
        big_endian=syntax is not None and syntax.big_endian,
    )
    model = header.model
    uids = {name: _text(model, tag) for name, tag in _UIDS.items()}
    for name, uid in uids.items():
        if not is_uid(uid):
            raise ProtocolError(f"{name} is {uid!r}" if uid else f"it has no {name}")
    model["00083002"] = {"vr": "UI", "Value": [transfer_syntax]}
    picture = _picture(header)
    frames, trouble, whole = None, "", True
    try:
        frames = None if picture is None else _frames(body, header, picture)
    except ProtocolError as error:
        trouble, whole = error.message, not isinstance(error, CutShort)
    return Scanned(
        study_uid=uids["StudyInstanceUID"],
        series_uid=uids["SeriesInstanceUID"],
        instance_uid=uids["SOPInstanceUID"],
        class_uid=uids["SOPClassUID"],
        transfer_syntax=transfer_syntax,
        modality=_text(model, "00080060"),
        header=_encode(model),
        summary=_summary(model),
        bulk=header.bulk,
        picture=picture,
        frames=frames,
        trouble=trouble,
        whole=whole,
    )


_UIDS = {
    "StudyInstanceUID": "0020000D",
    "SeriesInstanceUID": "0020000E",
    "SOPInstanceUID": "00080018",
    "SOPClassUID": "00080016",
}


def read_syntax(handle: BinaryIO) -> tuple[str, TransferSyntax | None]:
    """Return the transfer syntax of a DICOM file; leave the handle at the dataset.

    Raises
    ------
    ProtocolError
        When it is not a DICOM file, or does not state one.
    """
    uid = _text(read_meta(handle), "00020010")
    if not is_uid(uid):
        raise ProtocolError("it states no transfer syntax")
    return uid, TRANSFER_SYNTAXES.get(uid)


def body_of(handle: BinaryIO, syntax: TransferSyntax | None) -> BinaryIO:
    """Return the file that offsets are counted in: the handle, or its dataset inflated.

    Parameters
    ----------
    handle : binary file
        Standing at the dataset.
    syntax : TransferSyntax or None
        The stored one.

    Raises
    ------
    ProtocolError
        When a deflated dataset is damaged, or larger than 1 GiB inflated.
    """
    if syntax is None or not syntax.deflated:
        return handle
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(handle.read(), _MOST_INFLATED)
    except zlib.error as error:
        raise ProtocolError(f"the deflated dataset is damaged ({error})") from error
    if not inflater.eof and inflater.unconsumed_tail:
        raise ProtocolError(f"the deflated dataset is larger than {_MOST_INFLATED} bytes")
    return io.BytesIO(data)


def _picture(header: Header) -> Picture | None:
    if header.pixels is None:
        return None
    model = header.model
    return Picture(
        rows=_integer(model, "00280010"),
        columns=_integer(model, "00280011"),
        samples=_integer(model, "00280002", 1),
        bits_allocated=_integer(model, "00280100"),
        bits_stored=_integer(model, "00280101"),
        signed=_integer(model, "00280103") == 1,
        photometric=_text(model, "00280004"),
        planar=_integer(model, "00280006"),
    )


def _frames(body: BinaryIO, header: Header, picture: Picture) -> FrameTable | None:
    pixels = header.pixels
    if pixels is None:
        return None
    count = _integer(header.model, "00280008", 1)
    if pixels.length is None:
        extended = header.extended_offsets, header.extended_lengths
        return encapsulated_frames(body, pixels.offset, count=count, extended=extended)
    end = body.seek(0, 2)
    if pixels.offset + pixels.length > end:
        raise CutShort(
            f"the file ends at byte {end}, within the {pixels.length} bytes of pixel data"
        )
    return native_frames(pixels.offset, pixels.length, bits=_frame_bits(picture), count=count)


def _frame_bits(picture: Picture) -> int:
    samples = picture.samples
    if picture.photometric == "YBR_FULL_422" and samples == 3:
        samples = 2  # two pixels share their chroma (PS3.3 C.7.6.3.1.2)
    return picture.rows * picture.columns * samples * picture.bits_allocated


def _encode(model: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(model)
    except (UnicodeEncodeError, RecursionError) as error:
        raise ProtocolError(f"its header cannot be written as JSON ({error})") from error


def _summary(model: dict[str, Any]) -> bytes:
    """Return the JSON of the attributes that searches look at: all but the large."""
    parts: list[bytes] = []
    for tag, element in model.items():
        if "BulkDataURI" in element or len(element.get("Value", ())) > 1000:
            continue
        text = _encode(element)
        if len(text) <= _LARGEST_SUMMARY_VALUE:
            parts.append(b'"' + tag.encode() + b'":' + text)
    return b"{" + b",".join(parts) + b"}"


def _first(model: dict[str, Any], tag: str) -> Any:
    values = model.get(tag, {}).get("Value")
    return values[0] if values else None


def _text(model: dict[str, Any], tag: str) -> str:
    value = _first(model, tag)
    return value if isinstance(value, str) else ""


def _integer(model: dict[str, Any], tag: str, default: int = 0) -> int:
    value = _first(model, tag)
    return value if isinstance(value, int) else default
