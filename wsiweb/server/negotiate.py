"""What is asked for against what is stored (PS3.18 8.7.3 to 8.7.5).

Frames go out as they are stored when the request allows it: by ``transfer-syntax=*``, by naming
the stored syntax, or by asking for the image type that they are in. ``application/octet-stream``
without a transfer syntax, and anything at all (``*/*``), mean pixels without compression, as the
standard has it. Nothing is ever compressed anew.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsiweb.wire.media import (
    DICOM_JSON,
    JSON,
    OCTETS,
    RELATED,
    TRANSFER_SYNTAXES,
    MediaRange,
    parse_accept,
)

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "FrameAnswer",
    "choose_frames",
    "choose_one",
    "takes_gzip",
    "wants_json",
    "wants_multipart",
]

_EXPLICIT = "1.2.840.10008.1.2.1"
_NATIVE = frozenset({_EXPLICIT, "1.2.840.10008.1.2"})


@dataclass(frozen=True, slots=True)
class FrameAnswer:
    """How frames go out.

    Attributes
    ----------
    multipart : bool
        In a multipart/related, or alone.
    media_type : str
        Of each frame.
    transfer_syntax : str
        What its bytes are in.
    decoded : bool
        Whether they have to be decompressed first.
    """

    multipart: bool
    media_type: str
    transfer_syntax: str
    decoded: bool


@functools.lru_cache(256)  # clients ask a million times with one header
def choose_frames(accept: str, stored: str, *, single: bool) -> FrameAnswer | None:
    """Choose how frames go out.

    Parameters
    ----------
    accept : str
        The Accept header; empty accepts all.
    stored : str
        UID of the transfer syntax that they are stored in.
    single : bool
        Whether one frame is asked for, which may go alone.

    Returns
    -------
    FrameAnswer or None
        None when nothing that is asked for can be given: 406.

    Raises
    ------
    ProtocolError
        When the header is no list of media types.
    """
    for wanted in parse_accept(accept):
        answer = _frames_in(wanted, stored, single=single)
        if answer is not None:
            return answer
    return None


def _frames_in(wanted: MediaRange, stored: str, *, single: bool) -> FrameAnswer | None:
    multipart = wanted.type in {RELATED, "multipart/*", "*/*"}
    if not multipart and not single:
        return None
    syntax = TRANSFER_SYNTAXES.get(stored)
    media_type = OCTETS if syntax is None else syntax.media_type
    named = wanted.transfer_syntax
    part = MediaRange("*/*") if wanted.type == "multipart/*" else wanted
    if named in {"*", stored}:
        # Orthanc, Google and their clients ask "application/octet-stream" for stored bytes.
        if part.part_covers(media_type) or part.part_covers(OCTETS):
            return FrameAnswer(multipart, media_type, stored, decoded=False)
        return None
    if named is None and media_type != OCTETS and part.part_type not in {"*/*", OCTETS}:
        if part.part_covers(media_type):
            return FrameAnswer(multipart, media_type, stored, decoded=False)
        return None
    if named in {None, *_NATIVE} and part.part_covers(OCTETS) and syntax is not None:
        native = syntax.media_type == OCTETS and not syntax.big_endian
        return FrameAnswer(multipart, OCTETS, _EXPLICIT, decoded=not native)
    return None


def wants_multipart(
    accept: str, part_type: str, stored: Collection[str] | None = None
) -> bool | None:
    """Choose between multipart/related and a single part.

    Parameters
    ----------
    accept : str
        The Accept header.
    part_type : str
        Media type of the parts.
    stored : collection of str, optional
        The transfer syntaxes that the parts are in; None where they have none. One that is named
        in the header has to be that of all parts.

    Returns
    -------
    bool or None
        True for multipart, False for a single part, None when neither is accepted.

    Raises
    ------
    ProtocolError
        When the header is no list of media types.
    """
    for wanted in parse_accept(accept):
        named = wanted.transfer_syntax
        if stored is not None and named not in {None, "*"} and set(stored) != {named}:
            continue
        if wanted.type in {"*/*", "multipart/*"}:
            return True
        # Without a type parameter the parts may be anything (PS3.18 8.7.2).
        part = wanted.parameters.get("type", "*/*") if wanted.type == RELATED else wanted.type
        if MediaRange(part.lower()).covers(part_type):
            return wanted.type == RELATED
    return None


def choose_one(accept: str, offered: tuple[str, ...]) -> str | None:
    """Return the first of the media types that is accepted, by what is most wanted.

    Raises
    ------
    ProtocolError
        When the header is no list of media types.
    """
    for wanted in parse_accept(accept):
        for media_type in offered:
            if wanted.covers(media_type):
                return media_type
    return None


def wants_json(accept: str) -> bool:
    """Tell whether DICOM JSON is accepted.

    Raises
    ------
    ProtocolError
        When the header is no list of media types.
    """
    return choose_one(accept, (DICOM_JSON, JSON)) is not None


def takes_gzip(accept_encoding: str) -> bool:
    """Tell whether an Accept-Encoding header accepts gzip (RFC 9110 12.5.3).

    One that is missing or odd does not: nobody is harmed by a body that is not compressed.
    """
    weights: dict[str, float] = {}
    for one in accept_encoding.lower().split(","):
        coding, _, parameter = one.partition(";")
        name, _, value = parameter.partition("=")
        try:
            weights[coding.strip()] = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            weights[coding.strip()] = 0.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0
