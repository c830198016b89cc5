"""What a codestream says about itself, read before any decoder is let at it.

Decoders trust what they are given: they allocate whatever size a header claims, and some show
half a picture for a file that was cut short (a truncated JPEG or HTJ2K codestream decodes
without complaint). So size, sample depth and completeness are read here first. That costs a
few microseconds, since nothing is decoded.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

__all__ = ["NEXT_IN_JPEG", "CodestreamError", "OtherSize", "Stream", "cut_short", "read_jpeg"]


class CodestreamError(ValueError):
    """The bytes are not a complete codestream; says why, but not of which frame."""


class OtherSize(CodestreamError):
    """The codestream is complete, but not as large as the frame should be.

    Attributes
    ----------
    rows, columns : int
        Its size.
    """

    def __init__(self, message: str, rows: int, columns: int) -> None:
        super().__init__(message)
        self.rows = rows
        self.columns = columns


@dataclass(frozen=True, slots=True)
class Stream:
    """The outline of a codestream.

    Attributes
    ----------
    rows, columns, samples : int
        Size of the picture.
    precision : int
        Bits of a sample.
    signed : bool
        Whether samples are signed; only JPEG 2000 can say so.
    process : int
        The JPEG marker that tells the process, such as 0xC0 for baseline; 0x51 for JPEG 2000.
    colour : str
        ``"RGB"`` or ``"YCC"`` if the codestream itself says what its three samples are on the
        way in (JPEG) or on the way out (JPEG 2000); else empty, and the header has to tell.
    """

    rows: int
    columns: int
    samples: int
    precision: int
    signed: bool
    process: int
    colour: str


# The next marker after coded data, restart markers aside. Where a JPEG stuffs a zero byte
# after 0xFF, JPEG-LS stuffs a zero bit, so there a marker is any 0xFF with a high bit after.
NEXT_IN_JPEG = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_NEXT_IN_JPEG_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")

_EOI, _SOS, _APP0, _APP14, _SOF_LS = 0xD9, 0xDA, 0xE0, 0xEE, 0xF7
_FRAMES = frozenset({*range(0xC0, 0xD0), _SOF_LS}) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a segment
_RGB_IDS, _JFIF_IDS = b"RGB", b"\1\2\3"
_ADOBE = {0: "RGB", 1: "YCC"}
_PADDING = b"\x00\xff"

# The frames of a slide begin with the same tables and headers, so those that were read last are
# recognised instead of read again: that is half the cost of a look at a frame.
_known_header: tuple[bytes, Stream] | None = None


@dataclass(slots=True)
class _Walk:
    """What has been seen on the way from marker to marker."""

    process: int = 0
    frame: tuple[int, int, int, int] = (0, 0, 0, 0)  # precision, rows, columns, samples
    ids: bytes = b""
    subsampled: bool = False
    jfif: bool = False
    scanned: frozenset[int] = frozenset()
    adobe: int | None = None
    scans: int = 0
    coded: int = 0  # where the coded data of the last scan begin
    end: int = 0  # and where the next marker is

    def see(self, marker: int, body: memoryview) -> None:
        if marker in _FRAMES:
            if self.process:
                raise CodestreamError("it has two frame headers")
            if len(body) < 6 or len(body) < 6 + 3 * body[5]:
                raise CodestreamError("its frame header is too short")
            self.process = marker
            self.frame = struct.unpack_from(">BHHB", body)
            self.ids = bytes(body[6 : 6 + 3 * body[5] : 3])
            self.subsampled = len(set(bytes(body[7 : 6 + 3 * body[5] : 3]))) > 1
        elif marker == _SOS:
            if not self.process:
                raise CodestreamError("its scan comes before its frame header")
            if not body or len(body) < 1 + 2 * body[0]:
                raise CodestreamError("its scan header is too short")
            self.scanned |= frozenset(bytes(body[1 : 1 + 2 * body[0] : 2]))
        elif marker == _APP14 and len(body) >= 12 and bytes(body[:5]) == b"Adobe":
            self.adobe = body[11]
        elif marker == _APP0 and bytes(body[:5]) == b"JFIF\0":
            self.jfif = True

    def stream(self) -> Stream:
        if not self.process:
            raise CodestreamError("it ends before its frame header")
        if not self.scanned.issuperset(self.ids):
            raise CodestreamError("it ends before all components were scanned")
        precision, rows, columns, samples = self.frame
        colour = self._colour() if samples == 3 else ""
        return Stream(rows, columns, samples, precision, False, self.process, colour)

    def _colour(self) -> str:
        """Tell what three samples are, by signs of falling strength."""
        if self.adobe is not None:
            return _ADOBE.get(self.adobe, "")
        if self.subsampled:
            return "YCC"  # nobody leaves out green and blue
        if self.ids == _RGB_IDS:
            return "RGB"
        # JFIF alone is no proof: it is found on RGB as well, but not with JFIF's own identifiers.
        return "YCC" if self.jfif and self.ids == _JFIF_IDS else ""


def read_jpeg(data: bytes | memoryview) -> Stream:
    """Walk through a JPEG, lossless JPEG or JPEG-LS codestream from marker to marker.

    Parameters
    ----------
    data : bytes or memoryview
        The codestream, perhaps with padding after it.

    Returns
    -------
    Stream
        Its outline.

    Raises
    ------
    CodestreamError
        If it is cut short anywhere, is no JPEG, or goes on after its end.
    """
    global _known_header  # noqa: PLW0603 - a memo: what it holds changes no result
    view = memoryview(data)
    if _known_header is not None:
        header, stream = _known_header
        if bytes(view[: len(header)]) == header and _ends_after(view, len(header)):
            return stream
    if bytes(view[:2]) != b"\xff\xd8":
        raise CodestreamError("it does not begin as a JPEG")
    walk = _Walk()
    position, end = 2, len(view)
    while position + 2 <= end:
        if view[position] != 0xFF:
            raise CodestreamError(f"there is no marker at byte {position}")
        marker = view[position + 1]
        if marker == _EOI:
            break
        if marker == 0xFF:  # fill
            position += 1
        elif marker in _BARE:
            position += 2
        else:
            position = _past_segment(view, position, walk)
    else:
        raise cut_short(end)
    if bytes(view[position + 2 :]).strip(_PADDING):
        raise CodestreamError(
            f"its end-of-image marker comes at byte {position} of {end}, with data after it"
        )
    stream = walk.stream()
    if walk.scans == 1 and walk.end == position and walk.process != _SOF_LS:
        _known_header = bytes(view[: walk.coded]), stream
    return stream


def _ends_after(view: memoryview, coded: int) -> bool:
    """Whether the next marker after coded data is the last thing in a codestream."""
    found = NEXT_IN_JPEG.search(view, coded)
    if found is None or view[found.start() + 1] != _EOI:
        return False
    return not bytes(view[found.end() :]).strip(_PADDING)


def _past_segment(view: memoryview, position: int, walk: _Walk) -> int:
    """See the segment at a marker; return where the next marker is, past any coded data."""
    marker = view[position + 1]
    length = int.from_bytes(view[position + 2 : position + 4], "big")
    body = view[position + 4 : position + 2 + length]
    if length < 2 or len(body) != length - 2:
        raise cut_short(len(view))
    walk.see(marker, body)
    position += 2 + length
    if marker != _SOS:
        return position
    walk.scans, walk.coded = walk.scans + 1, position
    markers = _NEXT_IN_JPEG_LS if walk.process == _SOF_LS else NEXT_IN_JPEG
    found = markers.search(view, position)
    if found is None:
        raise cut_short(len(view))
    walk.end = found.start()
    return walk.end


def cut_short(received: int) -> CodestreamError:
    """Return the error of a codestream without an end, of which so many bytes came."""
    return CodestreamError(
        f"it is cut short: {received} bytes came, and no end-of-image marker among them"
    )
