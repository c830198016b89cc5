"""One request and its answer: the seam between the client and the way to an archive.

A transport carries; it does not judge. It knows nothing of DICOM, retries or credentials:
those are the client's. Whatever goes wrong on the way becomes `Unreachable`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from wsiweb import tracing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

__all__ = ["Payload", "Request", "Response", "Transport", "counted", "first_of_each"]


class Payload(Protocol):
    """What a request sends: of a known length, and again from its start as often as it is asked."""

    @property
    def content_type(self) -> str:
        """Its Content-Type."""
        ...

    @property
    def length(self) -> int:
        """Its bytes, counted before the first of them is sent."""
        ...

    def chunks(self) -> AsyncGenerator[bytes]:
        """Return the bytes from the start, in pieces of at most some MiB.

        An error that is raised in between ends the request: the connection is broken, so that
        nobody takes a part for the whole, and the error goes to the sender as it is.
        """
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """A request to an archive.

    Attributes
    ----------
    method : str
        HTTP method.
    url : str
        Absolute URL, percent-encoded as it goes on the wire.
    headers : mapping of str to str
        Headers; credentials among them, so they have no place in the repr. What describes the
        payload is added by the transport.
    payload : Payload or None
        What is sent.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    payload: Payload | None = None

    def described(self) -> dict[str, str]:
        """Return the headers together with those of the payload."""
        headers = dict(self.headers)
        if self.payload is not None:
            headers["Content-Type"] = self.payload.content_type
            headers["Content-Length"] = str(self.payload.length)
        return headers


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, of which the head has come and the body is still to be read.

    Attributes
    ----------
    status : int
        HTTP status.
    headers : mapping of str to str
        Header names in lower case; of repeated headers the first.
    chunks : async iterator of bytes
        The body, as it arrives; to be read once.
    """

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]

    async def read(self, limit: int | None = None) -> bytes:
        """Return the body as one value, or its first `limit` bytes."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks:
            parts.append(chunk)
            size += len(chunk)
            if limit is not None and size >= limit:
                break
        whole = b"".join(parts)
        return whole if limit is None else whole[:limit]


class Transport(Protocol):
    """The way to an archive."""

    @property
    def base_url(self) -> str:
        """Address of the DICOMweb service, without a trailing slash."""
        ...

    def send(self, request: Request) -> AbstractAsyncContextManager[Response]:
        """Send a request; the answer's connection is given back when the block ends.

        An answer may come before all of the payload is sent (a refusal, mostly); the rest of it
        is then not sent any more.

        Raises
        ------
        Unreachable
            No answer, or it broke off.
        Exception
            What the payload raised.
        """
        ...

    async def connect(self, count: int) -> int:
        """Open connections before they are needed, and return how many are ready.

        A handshake costs a round trip, and with TLS two or three. Nothing is raised: the request
        that needs a connection says what is wrong.
        """
        ...

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        ...

    def renew(self) -> None:
        """Forget the connections in a forked child: they are the parent's."""
        ...


def first_of_each(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by their name in lower case; of repeated ones the first."""
    table: dict[str, str] = {}
    for name, value in headers:
        table.setdefault(name.lower(), value)
    return table


async def counted(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Pass a body on, and count its bytes and the time it takes."""
    began = time.perf_counter()
    async for chunk in chunks:
        now = time.perf_counter()
        tracing.spend("transfer", now - began)
        tracing.add("bytes_received", len(chunk))
        yield chunk
        began = time.perf_counter()
