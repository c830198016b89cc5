"""What a request that stores has in its body, looked at before the server sees it."""

from __future__ import annotations

import io
from dataclasses import dataclass

from wsiweb.errors import ProtocolError
from wsiweb.server.scan import Scanned, scan
from wsiweb.wire.media import parse_content_type
from wsiweb.wire.multipart import MultipartReader, Part

__all__ = ["Parts", "objects_in", "parts_in"]


@dataclass(frozen=True, slots=True)
class Parts:
    """A multipart body.

    Attributes
    ----------
    parts : list of Part
        Those that are there to their ends.
    boundary : str
        What stands between them.
    whole : bool
        False when the body ends before its closing delimiter.
    """

    parts: list[Part]
    boundary: str
    whole: bool


def parts_in(body: bytes, content_type: str) -> Parts | None:
    """Take a body apart; None for one that is not multipart, or breaks its rules otherwise."""
    try:
        boundary = parse_content_type(content_type).parameters.get("boundary")
        if boundary is None:
            return None
        reader = MultipartReader(content_type)
        parts = reader.feed(body)
    except ProtocolError:
        return None
    try:
        parts += reader.close()
    except ProtocolError:
        return Parts(parts, boundary, whole=False)
    return Parts(parts, boundary, whole=True)


def objects_in(body: bytes, content_type: str) -> list[Scanned]:
    """Return the DICOM objects of a body, as far as they can be read."""
    found = parts_in(body, content_type)
    contents = [body] if found is None else [part.body for part in found.parts]
    objects: list[Scanned] = []
    for content in contents:
        try:
            objects.append(scan(io.BytesIO(content)))
        except ProtocolError:
            continue  # no DICOM object: the server says so, or the fault keeps silent
    return objects
