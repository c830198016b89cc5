"""Small DICOM files, made fast, and a way to ask the server without any library of ours."""

from __future__ import annotations

import http.client
import json
import struct
from dataclasses import dataclass
from urllib.parse import urlsplit

EXPLICIT = "1.2.840.10008.1.2.1"
JPEG = "1.2.840.10008.1.2.4.50"
WSI = "1.2.840.10008.5.1.4.1.1.77.1.6"
_LONG = {"OB", "OW", "SQ", "UN", "UT", "OV"}


def element(tag: int, vr: str, value: bytes | str, *, length: int | None = None) -> bytes:
    """One element in explicit VR little endian."""
    raw = value.encode() if isinstance(value, str) else value
    if len(raw) % 2:
        raw += b"\0" if vr in {"UI", "OB", "UN"} else b" "
    size = len(raw) if length is None else length
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return head + (struct.pack("<xxI", size) if vr in _LONG else struct.pack("<H", size)) + raw


def item(value: bytes) -> bytes:
    return struct.pack("<4sI", b"\xfe\xff\x00\xe0", len(value)) + value


def encapsulated(fragments: list[bytes], basic: bytes = b"") -> bytes:
    """Pixel data in fragments, behind a basic offset table."""
    body = item(basic) + b"".join(map(item, fragments)) + b"\xfe\xff\xdd\xe0\0\0\0\0"
    return element(0x7FE00010, "OB", body, length=0xFFFFFFFF)


def dicom(
    uid: str,
    *,
    study: str = "1.2.3",
    series: str = "1.2.3.4",
    syntax: str = EXPLICIT,
    pixels: bytes | None = None,
    frames: int = 1,
    shape: tuple[int, int] = (2, 2),
    bits: int = 8,
    **more: bytes,
) -> bytes:
    """A DICOM file of one grey image; `more` are whole elements, by their tag in hexadecimal."""
    rows, columns = shape
    if pixels is None:
        pixels = element(0x7FE00010, "OW", bytes(-(-rows * columns * frames * bits // 8)))
    u16 = struct.Struct("<H").pack
    elements = {
        0x00080016: element(0x00080016, "UI", WSI),
        0x00080018: element(0x00080018, "UI", uid),
        0x00080060: element(0x00080060, "CS", "SM"),
        0x0020000D: element(0x0020000D, "UI", study),
        0x0020000E: element(0x0020000E, "UI", series),
        0x00280002: element(0x00280002, "US", u16(1)),
        0x00280004: element(0x00280004, "CS", "MONOCHROME2"),
        0x00280008: element(0x00280008, "IS", str(frames)),
        0x00280010: element(0x00280010, "US", u16(rows)),
        0x00280011: element(0x00280011, "US", u16(columns)),
        0x00280100: element(0x00280100, "US", u16(bits)),
        0x00280101: element(0x00280101, "US", u16(bits)),
        0x00280103: element(0x00280103, "US", u16(0)),
        0x7FE00010: pixels,
    }
    elements.update({int(tag.lstrip("x"), 16): value for tag, value in more.items()})
    dataset = b"".join(elements[tag] for tag in sorted(elements))
    return preamble(syntax) + dataset


def preamble(syntax: str = EXPLICIT) -> bytes:
    meta = element(0x00020010, "UI", syntax)
    return bytes(128) + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


def ask(url: str, path: str, method: str = "GET", body=None, **headers: str) -> Answer:
    """One request; header names with ``_`` for ``-``."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        lower = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, lower, answer.read())
    finally:
        connection.close()
