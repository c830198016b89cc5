"""What a feed answers with, whichever way it then travels."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NOTHING", "Resource", "as_json", "as_text", "picture"]

# Stored objects do not change under their UIDs, but a folder may be written anew; and what shows
# patients is for one person's browser only.
_PIXELS = {"Cache-Control": "private, max-age=3600"}
_WORDS = {"Cache-Control": "private, no-cache"}


@dataclass(frozen=True, slots=True)
class Resource:
    """One answer.

    Attributes
    ----------
    media_type : str
        Such as ``"image/jpeg"``; empty where there is nothing to show.
    data : bytes
        The bytes. None at all mean that there is nothing here, as in a tile that a sparse slide
        does not hold: over HTTP that is 204, and the viewer shows the background.
    headers : mapping of str to str
        What HTTP should say of it besides: how long it may be kept.
    """

    media_type: str
    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


NOTHING = Resource("", b"", _PIXELS)
"""The answer where there is nothing to show."""


def picture(media_type: str, data: bytes) -> Resource:
    """Return pixels as an answer."""
    return Resource(media_type, data, _PIXELS)


def as_json(value: Any) -> Resource:
    """Return plain values as an answer."""
    # Numbers that are none (NaN) are no JSON: they have to be sorted out before.
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Resource("application/json", text.encode(), _WORDS)


def as_text(text: str) -> Resource:
    """Return a text as an answer."""
    return Resource("text/plain; charset=utf-8", text.encode(), _WORDS)
