"""Which series of a study is the slide itself, and which are images that were made of it.

A search cannot tell: where an image came from is said in the headers of instances, and ImageType
says DERIVED of originals as well, wherever a converter wrote them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wsiweb.client.headers import series_headers
from wsiweb.errors import ArchiveError
from wsiweb.pixels.optional import if_readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsiweb.client.client import DicomwebClient
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["original_among"]

_MOST = 16  # series whose headers are read for this


async def original_among(client: DicomwebClient, study: str, series: Sequence[str]) -> str | None:
    """Return the one series that all others were made of, by SourceImageSequence (PS3.3 C.7.6.1).

    Parameters
    ----------
    client : DicomwebClient
        The archive; to be called on the library's event loop.
    study : str
        Study Instance UID.
    series : sequence of str
        Series Instance UIDs, of whole-slide images.

    Returns
    -------
    str or None
        Its Series Instance UID; None when there are several, or it cannot be told.
    """
    if len(series) > _MOST:
        return None
    try:
        found = await asyncio.gather(*(series_headers(client, study, uid) for uid in series))
    except ArchiveError:  # the user is asked, and hears of it when it concerns the one wanted
        return None
    home = {
        header.text("SOPInstanceUID").strip(): uid
        for uid, headers in zip(series, found, strict=True)
        for header in headers
    }
    made_of = {
        uid: {home.get(source) for header in headers for source in _sources(header)} - {None, uid}
        for uid, headers in zip(series, found, strict=True)
    }
    originals = [uid for uid, sources in made_of.items() if not sources]
    return originals[0] if len(originals) == 1 else None


def _sources(header: Attributes) -> list[str]:
    """Return the instances that one was made of."""
    items = if_readable(header.items, "SourceImageSequence", ())
    return [item.text("ReferencedSOPInstanceUID").strip() for item in items]
