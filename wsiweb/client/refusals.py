"""What the statuses of HTTP mean here: errors, in words that fit what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsiweb.client.retries import seconds_asked
from wsiweb.errors import (
    ArchiveError,
    Busy,
    NotAcceptable,
    NotFound,
    TooLarge,
    Unauthorized,
)
from wsiweb.wire.uris import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["refusal"]

_Meanings = dict[int, tuple[type[ArchiveError], str]]

_ASKING: _Meanings = {
    401: (Unauthorized, "The archive wants credentials, or other ones; pass auth=."),
    403: (Unauthorized, "These credentials may not do this, or they have expired."),
    404: (NotFound, "The archive has no such object."),
    406: (NotAcceptable, "The archive cannot send this in an encoding that was asked for."),
    410: (NotFound, "The archive no longer has this object."),
    413: (TooLarge, "The archive does not take a request as large as this."),
    415: (NotAcceptable, "The archive does not know the encoding that was asked for."),
    429: (Busy, "The archive asks for fewer requests, and went on doing so."),
    503: (Busy, "The archive is overloaded or starting, and stayed so."),
}
_MOVED = (
    "The archive points elsewhere in a way that leaves behind what is sent; connect with the new "
    "address (store_url=)."
)
_NOWHERE = "The archive takes nothing at this address (STOW-RS); is it right (store_url=)?"
_SENDING: _Meanings = {
    **dict.fromkeys((301, 302, 303), (ArchiveError, _MOVED)),
    401: (Unauthorized, "The archive wants credentials to store, or other ones (store_auth=)."),
    403: (Unauthorized, "These credentials may not store (store_auth=), or they have expired."),
    404: (NotFound, _NOWHERE),
    405: (ArchiveError, _NOWHERE),
    406: (NotAcceptable, "The archive cannot answer in DICOM JSON."),
    413: (TooLarge, "This is more than the archive takes in one request."),
    415: (NotAcceptable, "The archive does not take objects as multipart/related."),
    429: (Busy, "The archive asks for fewer requests."),
    501: (ArchiveError, _NOWHERE),
    503: (Busy, "The archive is overloaded or starting."),
    507: (ArchiveError, "The archive is out of space."),
}
_UNKNOWN = (ArchiveError, "The archive could not do this, or would not.")


def refusal(
    status: int, headers: Mapping[str, str], text: str, *, method: str, url: str
) -> ArchiveError:
    """Return the error that an answer means.

    Parameters
    ----------
    status : int
        HTTP status.
    headers : mapping of str to str
        Headers of the answer, names in lower case.
    text : str
        What the archive says of it; kept to an excerpt.
    method, url : str
        The request, as errors may show it.

    Examples
    --------
    >>> refusal(503, {"retry-after": "7"}, "", method="GET", url="http://a").retry_after
    7.0
    """
    meanings = _ASKING if method == "GET" else _SENDING
    kind, words = meanings.get(status, _UNKNOWN)
    target = headers.get("location", "").partition("?")[0]  # a query is often a signature
    if 300 <= status < 400 and target:
        words += f" It points to {target}."
    error = kind(words, method=method, url=shown(url), status=status, body=" ".join(text.split()))
    if isinstance(error, Busy):
        error.retry_after = seconds_asked(headers.get("retry-after"))
    return error
