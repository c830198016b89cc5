"""The headers of a series, whether an archive has metadata of whole series or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsiweb.errors import ArchiveError, Busy, Unauthorized, Unreachable
from wsiweb.wire.query import Query

if TYPE_CHECKING:
    from wsiweb.client.client import DicomwebClient
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["series_headers"]


async def series_headers(client: DicomwebClient, study: str, series: str) -> list[Attributes]:
    """Return the headers of a series: in one request, or else instance by instance.

    Raises
    ------
    NotFound
        When the archive has no such series.
    ArchiveError
        When it does not answer.
    """
    try:
        return await client.metadata(study, series)
    except ArchiveError as error:
        # Some archives have no metadata of a series, or give up on a large one. For N
        # instances this makes N + 2 requests in all. One that is gone, overloaded or wants
        # other credentials would not answer those either.
        if isinstance(error, (Busy, Unauthorized, Unreachable)):
            raise
        refusal = error
    query = Query.build("instances", study=study, series=series)
    found = [match async for page in client.search_pages(query) for match in page]
    uids = [match.text("SOPInstanceUID") for match in found]
    if not uids:
        raise refusal
    headers: list[Attributes] = []
    for uid in uids:
        headers += await client.metadata(study, series, uid)
    return headers
