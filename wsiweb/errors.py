"""Every error that wsiweb raises on purpose.

::

    WsiwebError
    ├── ArchiveError            an archive did not do what was asked
    │   ├── Unreachable         no answer at all            (also a ConnectionError)
    │   ├── Unauthorized        401 or 403
    │   ├── NotFound            404, or no such folder      (also a LookupError)
    │   ├── NotAcceptable       406, or no encoding that both sides know
    │   ├── Busy                429 or 503 after all retries; ``retry_after`` in seconds
    │   ├── TooLarge            413: more than the archive takes in one request
    │   └── ProtocolError       an answer that breaks DICOMweb
    ├── OutboxError             what is to be sent cannot be kept, or not be read back
    ├── StoreError              some of what was to be stored is not; ``receipt`` says which
    └── SlideError              the headers do not describe a slide that can be read
        └── DecodeError         a frame's bytes are not the picture that its header promises

Misuse by the caller (a level that does not exist, a negative size) is a `ValueError` or an
`IndexError`, as everywhere in Python.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ArchiveError",
    "Busy",
    "DecodeError",
    "NotAcceptable",
    "NotFound",
    "OutboxError",
    "ProtocolError",
    "SlideError",
    "StoreError",
    "TooLarge",
    "Unauthorized",
    "Unreachable",
    "WsiwebError",
]

_EXCERPT = 300


class WsiwebError(Exception):
    """Base of all errors of this library."""


class ArchiveError(WsiwebError):
    """An archive refused, failed or misbehaved.

    Parameters
    ----------
    message : str
        What was asked, what came, what to do.
    method, url : str, optional
        The request; never with credentials.
    status : int, optional
        HTTP status of the answer; None when there was no answer.
    body : str, optional
        The answer's own words; kept to an excerpt.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str | None = None,
        url: str | None = None,
        status: int | None = None,
        body: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.method = method
        self.url = url
        self.status = status
        self.body = body if len(body) <= _EXCERPT else body[:_EXCERPT] + "…"

    def __str__(self) -> str:
        text = self.message
        if self.url is not None:
            answer = "" if self.status is None else f" answered {self.status}"
            text += f" [{self.method or 'GET'} {self.url}{answer}]"
        if self.body:
            text += f" The archive says: {self.body}"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments: the default would lose them between processes.
        return (_rebuild, (type(self), self.message, self.__dict__.copy()))


def _rebuild(kind: type[ArchiveError], message: str, state: dict[str, Any]) -> ArchiveError:
    error = kind(message)
    error.__dict__.update(state)
    return error


class Unreachable(ArchiveError, ConnectionError):
    """No answer: wrong address, server gone, connection dropped, time-out."""


class Unauthorized(ArchiveError):
    """The archive wants credentials, or other ones (401, 403)."""


class NotFound(ArchiveError, LookupError):
    """The archive, or the folder, holds no such thing (404)."""


class NotAcceptable(ArchiveError):
    """No encoding that the archive offers can be read here (406, 415)."""


class Busy(ArchiveError):
    """The archive is overloaded and stayed so through all retries (429, 503).

    Attributes
    ----------
    retry_after : float or None
        Seconds that the archive asked us to wait.
    """

    retry_after: float | None = None


class TooLarge(ArchiveError):
    """What was sent is more than the archive takes in one request (413): send it in parts."""


class ProtocolError(ArchiveError):
    """The answer breaks DICOMweb: truncated, miscounted, not what its type says."""


class OutboxError(WsiwebError):
    """The outbox on this machine failed: a full disk, a damaged file, no such job.

    Nothing is half-written then: a job was taken in whole, or not at all.
    """


class StoreError(WsiwebError):
    """Some of what was to be stored is not stored; the message names the first of it, and why.

    Parameters
    ----------
    receipt : Receipt
        What became of each object (`wsiweb.wire.receipts.Receipt`). Typed loosely, because errors
        stand below all rooms; its text is the message.
    """

    def __init__(self, receipt: Any) -> None:
        super().__init__(str(receipt))
        self.receipt = receipt

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.receipt,))  # else it would be made anew of its message


class SlideError(WsiwebError):
    """The headers of a series do not describe a slide that can be read.

    The message names the attribute and the instance.
    """


class DecodeError(SlideError):
    """A frame's bytes are damaged, or not in the encoding that its header promises."""
