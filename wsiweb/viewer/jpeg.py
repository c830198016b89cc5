"""JPEG frames as browsers want them; pure.

What the three samples of a JPEG are, browsers tell as libjpeg does: by a JFIF marker, else by
Adobe's, else by component identifiers, else they take them for YCbCr. The header of a DICOM
instance they do not know, which alone may say that they are RGB (PS3.5 8.2.1). So a frame that
browsers would take for something else gets Adobe's marker, 16 bytes (JFIF's goes, which would
overrule it). The coded pixels are never touched.

Browsers also turn a picture by an EXIF marker and convert it by an ICC profile that it has inside:
both go, as this library, too, reads the pixels that are stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["shown_rightly"]

_START = b"\xff\xd8"
_SCAN, _ADOBE, _JFIF = 0xDA, 0xEE, 0xE0
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
# By marker, how the body of a segment begins that makes browsers change pixels.
_CHANGING = {0xE1: b"Exif\0", 0xE2: b"ICC_PROFILE\0"}
_TRANSFORMS = {"RGB": 0, "YCC": 1}


def shown_rightly(data: bytes, colour: str) -> bytes:
    r"""Return a JPEG that browsers decode to the colours that it stands for.

    Parameters
    ----------
    data : bytes
        A whole JPEG: baseline, extended or progressive, of 8 bits.
    colour : {"RGB", "YCC", ""}
        What its samples are: RGB, YCbCr; nothing for a single one.

    Returns
    -------
    bytes
        The same object where nothing has to be changed.

    Examples
    --------
    >>> frame = b"\xff\xd8" + b"\xff\xda\x00\x02..."
    >>> shown_rightly(frame, "RGB")[2:18].hex()
    'ffee000e41646f626500640000000000'
    """
    segments = list(_segments(data))
    unwanted = [span for marker, *span in segments if _changes(data, marker, span[0])]
    if colour and colour != _taken_for(data, segments):
        unwanted += [span for marker, *span in segments if _tells(data, marker, span[0])]
        marker = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([_TRANSFORMS[colour]])
    elif not unwanted:
        return data
    else:
        marker = b""
    kept: list[bytes] = [_START, marker]
    at = 2
    for start, end in sorted(unwanted):
        kept.append(data[at:start])
        at = end
    kept.append(data[at:])
    return b"".join(kept)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment before the coded pixels."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill
            position += 1
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _SCAN:
            return
        yield marker, position, end
        position = end


def _changes(data: bytes, marker: int, start: int) -> bool:
    sign = _CHANGING.get(marker)
    return sign is not None and data.startswith(sign, start + 4)


def _tells(data: bytes, marker: int, start: int) -> bool:
    """Whether a segment tells browsers what the samples are."""
    body = start + 4
    is_jfif = marker == _JFIF and data.startswith(b"JFIF\0", body)
    return is_jfif or (marker == _ADOBE and data.startswith(b"Adobe", body))


def _taken_for(data: bytes, segments: list[tuple[int, int, int]]) -> str:
    """Return what libjpeg takes three samples for: default_decompress_parms in jdapimin.c."""
    identifiers, adobe = b"", None
    for marker, start, end in segments:
        body = data[start + 4 : end]
        if marker == _JFIF and body.startswith(b"JFIF\0"):
            return "YCC"
        if marker == _ADOBE and body.startswith(b"Adobe") and len(body) >= 12:
            adobe = body[11]
        elif marker in _FRAMES:
            identifiers = body[6::3]
    if adobe is not None:
        return "RGB" if adobe == 0 else "YCC"
    return "RGB" if identifiers == b"RGB" else "YCC"
