"""The table of transfer syntaxes and media types, and the headers that speak of them.

The one table of the library (PS3.18 8.7.3, PS3.5 annex A): what a frame is encoded in, how it is
asked for, and how it is told from its bytes when the header lies.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from wsiweb.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DICOM",
    "DICOM_JSON",
    "JSON",
    "OCTETS",
    "RELATED",
    "TRANSFER_SYNTAXES",
    "Codec",
    "MediaRange",
    "MediaType",
    "Step",
    "TransferSyntax",
    "frame_accepts",
    "media_type_of",
    "parse_accept",
    "parse_content_type",
    "sniff",
]

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
JSON = "application/json"
OCTETS = "application/octet-stream"
RELATED = "multipart/related"


class Codec(StrEnum):
    """How the pixels of a frame are encoded."""

    NATIVE = "native pixels"
    JPEG = "JPEG"
    JPEG_LOSSLESS = "lossless JPEG"
    JPEG_LS = "JPEG-LS"
    JPEG_2000 = "JPEG 2000"
    HTJ2K = "HTJ2K"
    JPEG_XL = "JPEG XL"
    RLE = "RLE"


_MEDIA_TYPES = {
    Codec.NATIVE: OCTETS,
    Codec.JPEG: "image/jpeg",
    Codec.JPEG_LOSSLESS: "image/jpeg",
    Codec.JPEG_LS: "image/jls",
    Codec.JPEG_2000: "image/jp2",
    Codec.HTJ2K: "image/jphc",
    Codec.JPEG_XL: "image/jxl",
    Codec.RLE: "image/dicom-rle",
}


def media_type_of(codec: Codec) -> str:
    """Return the media type of frames in an encoding (PS3.18 table 8.7.3-5)."""
    return _MEDIA_TYPES[codec]


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """A DICOM transfer syntax.

    Attributes
    ----------
    uid, name : str
        As in PS3.6 annex A.
    codec : Codec
        How frames are encoded.
    lossy : bool
        Whether it may hold lossy pixels.
    big_endian, deflated : bool
        Of the dataset around them.
    """

    uid: str
    name: str
    codec: Codec
    lossy: bool = False
    big_endian: bool = False
    deflated: bool = False

    @property
    def media_type(self) -> str:
        """Media type of a frame."""
        return _MEDIA_TYPES[self.codec]

    @property
    def encapsulated(self) -> bool:
        """Whether frames are fragments instead of bare pixels (PS3.5 A.4)."""
        return self.codec is not Codec.NATIVE


_BASE = "1.2.840.10008.1.2"

TRANSFER_SYNTAXES: Mapping[str, TransferSyntax] = {
    syntax.uid: syntax
    for syntax in (
        TransferSyntax(_BASE, "Implicit VR Little Endian", Codec.NATIVE),
        TransferSyntax(f"{_BASE}.1", "Explicit VR Little Endian", Codec.NATIVE),
        TransferSyntax(
            f"{_BASE}.1.99", "Deflated Explicit VR Little Endian", Codec.NATIVE, deflated=True
        ),
        TransferSyntax(f"{_BASE}.2", "Explicit VR Big Endian", Codec.NATIVE, big_endian=True),
        TransferSyntax(f"{_BASE}.4.50", "JPEG Baseline", Codec.JPEG, lossy=True),
        TransferSyntax(f"{_BASE}.4.51", "JPEG Extended", Codec.JPEG, lossy=True),
        TransferSyntax(f"{_BASE}.4.57", "JPEG Lossless", Codec.JPEG_LOSSLESS),
        TransferSyntax(f"{_BASE}.4.70", "JPEG Lossless SV1", Codec.JPEG_LOSSLESS),
        TransferSyntax(f"{_BASE}.4.80", "JPEG-LS Lossless", Codec.JPEG_LS),
        TransferSyntax(f"{_BASE}.4.81", "JPEG-LS Near-lossless", Codec.JPEG_LS, lossy=True),
        TransferSyntax(f"{_BASE}.4.90", "JPEG 2000 Lossless", Codec.JPEG_2000),
        TransferSyntax(f"{_BASE}.4.91", "JPEG 2000", Codec.JPEG_2000, lossy=True),
        TransferSyntax(f"{_BASE}.4.110", "JPEG XL Lossless", Codec.JPEG_XL),
        TransferSyntax(f"{_BASE}.4.111", "JPEG XL JPEG Recompression", Codec.JPEG_XL, lossy=True),
        TransferSyntax(f"{_BASE}.4.112", "JPEG XL", Codec.JPEG_XL, lossy=True),
        TransferSyntax(f"{_BASE}.4.201", "HTJ2K Lossless", Codec.HTJ2K),
        TransferSyntax(f"{_BASE}.4.202", "HTJ2K Lossless RPCL", Codec.HTJ2K),
        TransferSyntax(f"{_BASE}.4.203", "HTJ2K", Codec.HTJ2K, lossy=True),
        TransferSyntax(f"{_BASE}.5", "RLE Lossless", Codec.RLE),
    )
}
"""All transfer syntaxes that still images come in, by UID."""


# Headers --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type with its parameters (RFC 9110 8.3.1).

    Attributes
    ----------
    type : str
        In lower case, such as ``"multipart/related"``.
    parameters : mapping of str to str
        Names in lower case, values unquoted.
    """

    type: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


# A token or a quoted string. Orthanc and others write "/" and "*" in values without quotes.
_PARAMETER = re.compile(
    r"""\s*;\s*(?:([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^;,"]*)))?)?""", re.DOTALL
)
_TYPE = re.compile(r"\s*([^\s/;,\"]+/[^\s/;,\"]+)\s*")
_RANGE = re.compile(r"\s*([^\s/;,\"]+/[^\s/;,\"]+|\*(?=[\s;,]|$))\s*")  # Java says * for */*
_SEPARATOR = re.compile(r"\s*(?:,[\s,]*|$)")  # empty elements count for nothing (RFC 9110 5.6.1)


def parse_content_type(header: str) -> MediaType:
    """Understand a Content-Type header, as well or badly written as servers do.

    Quoted and bare values, spaces around ``=``, semicolons inside quotes and empty parameters are
    understood; of a repeated parameter the first counts.

    Raises
    ------
    ProtocolError
        When there is no media type in it.

    Examples
    --------
    >>> parse_content_type('multipart/related; type="image/jpeg"; boundary=x').parameters["type"]
    'image/jpeg'
    """
    found = _TYPE.match(header)
    if found is None:
        raise ProtocolError(f"{header[:80]!r} is not a media type.")
    parameters, _ = _parameters(header, found.end())
    return MediaType(found[1].lower(), parameters)


def _parameters(header: str, position: int) -> tuple[dict[str, str], int]:
    """Read parameters from a position; return them and where they end."""
    parameters: dict[str, str] = {}
    while found := _PARAMETER.match(header, position):
        position = found.end()
        name, quoted, bare = found.groups()
        if name is not None:
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else (bare or "").strip()
            parameters.setdefault(name.lower(), value)
    return parameters, position


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One of the ranges of an Accept header (RFC 9110 12.5.1).

    Attributes
    ----------
    type : str
        In lower case; ``*/*`` and ``image/*`` are ranges.
    parameters : mapping of str to str
        Without ``q``.
    quality : float
        Above 0, up to 1.
    refused : frozenset of str
        Types that the range takes in, but the header excepts: ``image/jpeg`` of ``*/*,
        image/jpeg;q=0``.
    """

    type: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    quality: float = 1.0
    refused: frozenset[str] = frozenset()

    @property
    def part_type(self) -> str:
        """What is wanted inside a multipart/related; of a single part its own type."""
        if self.type != RELATED:
            return self.type
        # Orthanc writes the part's parameters inside of the quotes; so do clients made for it.
        return self.parameters.get("type", OCTETS).partition(";")[0].strip().lower()

    @property
    def transfer_syntax(self) -> str | None:
        """The transfer syntax asked for, ``*`` for any, None when none is named."""
        return self.parameters.get("transfer-syntax")

    def covers(self, media_type: str) -> bool:
        """Tell whether a media type lies in the range's own type."""
        return _covers(self.type, media_type) and not self._refuses(media_type, self.type)

    def part_covers(self, media_type: str) -> bool:
        """Tell whether a media type lies in what is wanted for a part."""
        kind = self.part_type
        return _covers(kind, media_type) and not self._refuses(media_type, kind)

    def _refuses(self, media_type: str, kind: str) -> bool:
        """Whether a type is excepted, by a range that says more than the one that takes it in."""
        return any(
            _covers(one, media_type) and _precision(one) > _precision(kind) for one in self.refused
        )


def _covers(wanted: str, media_type: str) -> bool:
    if wanted in {"*/*", media_type}:
        return True
    main, _, sub = wanted.partition("/")
    return sub == "*" and media_type.startswith(main + "/")


def _precision(kind: str) -> int:
    """Return how much a range says of a type (RFC 9110 12.5.1): the one that says most rules."""
    return 0 if kind == "*/*" else 1 if kind.endswith("/*") else 2


def parse_accept(header: str) -> tuple[MediaRange, ...]:
    """Understand an Accept header; nothing at all accepts everything.

    Returns
    -------
    tuple of MediaRange
        The most wanted first; of equal quality in the order written. Refused ones (``q=0``) are
        left out, but the others do not cover them.

    Raises
    ------
    ProtocolError
        When it is no list of media ranges.

    Examples
    --------
    >>> [one.type for one in parse_accept("text/html;q=0.5, image/*")]
    ['image/*', 'text/html']
    >>> parse_accept("*/*, image/jpeg;q=0")[0].covers("image/jpeg")
    False
    """
    header = header.strip(" \t\r\n,")
    if not header:
        return (MediaRange("*/*"),)
    ranges: list[MediaRange] = []
    refused: set[str] = set()
    position = 0
    while position < len(header):
        found = _RANGE.match(header, position)
        if found is None:
            raise ProtocolError(f"{header[:80]!r} is not a list of media types.")
        parameters, position = _parameters(header, found.end())
        separator = _SEPARATOR.match(header, position)
        if separator is None:
            raise ProtocolError(f"{header[:80]!r} is not a list of media types.")
        position = separator.end()
        quality = _quality(parameters.pop("q", "1"))
        one = MediaRange("*/*" if found[1] == "*" else found[1].lower(), parameters, quality)
        if quality > 0:
            ranges.append(one)
        elif one.transfer_syntax in {None, "*"}:  # that syntax alone is refused, else
            refused.add(one.part_type if "type" in parameters else one.type)
    excepted = frozenset(refused)
    return tuple(
        replace(one, refused=excepted) for one in sorted(ranges, key=lambda one: -one.quality)
    )


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 1.0


class Step(StrEnum):
    """A step of the Accept ladder for frames."""

    STORED = "as stored, whatever that is"
    EXACT = "in the stored transfer syntax, by name"
    BARE = "decompressed"


def frame_accepts(transfer_syntax: str | None) -> dict[Step, str]:
    """Return the ladder of Accept headers for frames, best first.

    One range in each, as some archives read only the last of several. The first asks for the bytes
    as they are stored; the second, where the stored syntax is known, for exactly that; the last for
    bare pixels. None of them allows an archive to encode anew with loss.

    Parameters
    ----------
    transfer_syntax : str or None
        UID of the stored transfer syntax, when known.

    Examples
    --------
    >>> [step.name for step in frame_accepts(None)]
    ['STORED', 'BARE']
    """
    ladder = {Step.STORED: f'{RELATED}; type="{OCTETS}"; transfer-syntax=*'}
    stored = TRANSFER_SYNTAXES.get(transfer_syntax or "")
    if stored is not None and stored.encapsulated:
        exact = f'{RELATED}; type="{stored.media_type}"; transfer-syntax={stored.uid}'
        ladder[Step.EXACT] = exact
    ladder[Step.BARE] = f'{RELATED}; type="{OCTETS}"'
    return ladder


# Bytes ----------------------------------------------------------------------------------------

_FRAME_MARKERS = {
    0xC0: Codec.JPEG,
    0xC1: Codec.JPEG,
    0xC2: Codec.JPEG,
    0xC3: Codec.JPEG_LOSSLESS,
    0xF7: Codec.JPEG_LS,
}
_LONGEST_BEGINNING = 8192  # bytes that are remembered
_MOST_SEGMENTS = 4096  # before the start of frame; an ICC profile takes some dozens
_RLE_HEADER = 64


def sniff(data: bytes | memoryview) -> Codec | None:
    """Tell the encoding of a frame from its bytes.

    Returns
    -------
    Codec or None
        None for what shows no marker: bare pixels, or something unknown.
    """
    head = bytes(data[:12])
    if head.startswith(b"\xff\xd8\xff"):
        return _sniff_jpeg(data)
    if head.startswith(b"\xff\x4f\xff\x51") or head == b"\x00\x00\x00\x0cjP  \r\n\x87\n":
        return _sniff_jpeg_2000(data)
    if head.startswith(b"\xff\x0a") or head == b"\x00\x00\x00\x0cJXL \r\n\x87\n":
        return Codec.JPEG_XL
    return Codec.RLE if _is_rle(data) else None


# What the last JPEG began with, up to what told its kind: the frames of a slide begin alike.
_known_beginning: tuple[bytes, Codec] = (b"\xff\xd8\xff\xc0\x00\x11", Codec.JPEG)


def _sniff_jpeg(data: bytes | memoryview) -> Codec | None:
    """Walk the segments up to the start of frame, which says which of the JPEGs it is."""
    global _known_beginning  # noqa: PLW0603 - a memo: what it holds changes no result
    beginning, codec = _known_beginning
    if data[: len(beginning)] == beginning:
        return codec
    position = 2
    for _ in range(_MOST_SEGMENTS):
        if position + 4 > len(data) or data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
        elif marker in _FRAME_MARKERS:
            if position < _LONGEST_BEGINNING:
                _known_beginning = bytes(data[: position + 4]), _FRAME_MARKERS[marker]
            return _FRAME_MARKERS[marker]
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def _sniff_jpeg_2000(data: bytes | memoryview) -> Codec:
    """Look for the CAP marker in the main header: it means high throughput (ISO 15444-15)."""
    whole = bytes(data[:4096])
    position = whole.find(b"\xff\x4f\xff\x51") + 2
    while position + 4 <= len(whole) and whole[position] == 0xFF:
        marker = whole[position + 1]
        if marker == 0x50:
            return Codec.HTJ2K
        if marker in {0x90, 0x93}:  # start of a tile: the main header is over
            break
        position += 2 + int.from_bytes(whole[position + 2 : position + 4], "big")
    return Codec.JPEG_2000


def _is_rle(data: bytes | memoryview) -> bool:
    """Check an RLE header (PS3.5 G.5): a count, rising offsets from 64 on, then zeros."""
    if len(data) <= _RLE_HEADER:
        return False
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, _RLE_HEADER, 4)]
    count, offsets, rest = words[0], words[1 : 1 + words[0]], words[1 + words[0] :]
    return (
        1 <= count <= 15
        and offsets[0] == _RLE_HEADER
        and all(one < two for one, two in itertools.pairwise(offsets))
        and offsets[-1] < len(data)
        and not any(rest)
    )
