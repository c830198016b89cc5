"""Answers: bodies that are made piece by piece in a thread, and errors in words."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from wsiweb.errors import NotFound, ProtocolError, WsiwebError
from wsiweb.server.index import IndexLost
from wsiweb.wire.media import JSON
from wsiweb.wire.multipart import closing, content_type, new_boundary, part_head

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from starlette.requests import Request

__all__ = ["ERRORS", "Refusal", "gzipped", "made_in_thread", "multipart", "refusal"]

_STEP = 2**20  # bytes that are sent at once


class Refusal(HTTPException):
    """A request that is not served: an HTTP status and why, in words."""

    def __init__(self, status: int, words: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, words, headers)


def refusal(status: int, words: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as an answer: a JSON object with its words."""
    body = msgspec.json.encode({"error": words})
    return Response(body, status, headers, JSON)


async def _refused(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return refusal(error.status_code, str(error.detail), error.headers)
    if isinstance(error, NotFound):
        return refusal(404, error.message)
    if isinstance(error, ProtocolError):
        return refusal(400, error.message)
    if isinstance(error, ValueError):
        return refusal(400, str(error))
    if isinstance(error, IndexLost):
        return refusal(503, f"{error} Ask again.", {"Retry-After": "1"})
    if isinstance(error, WsiwebError):  # a damaged frame or header
        return refusal(500, f"This object cannot be served: {error}")
    # A fault of ours, a broken index, a failing disk: Starlette raises it again, for the log.
    return refusal(500, f"The server failed ({type(error).__name__}); its log says more.")


ERRORS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    HTTPException: _refused,
    WsiwebError: _refused,
    ValueError: _refused,
    Exception: _refused,
}
"""Exception handlers for Starlette: what is raised below becomes 400, 404, 500 or 503."""


def _batches(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces: each step of a streamed answer costs a change of threads."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _STEP:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


async def made_in_thread(
    pieces: Iterator[bytes], media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer whose body is made in a thread, while it is sent if it is long.

    The first megabyte is made before the status goes out: most errors are known by then.

    Parameters
    ----------
    pieces : iterator of bytes
        The body.
    media_type : str
        Its Content-Type.
    headers : mapping of str to str, optional
        Further headers.
    """
    batches = _batches(pieces)
    first = await asyncio.to_thread(next, batches, b"")
    if len(first) < _STEP:
        return Response(first, 200, headers, media_type)

    def all_of_it() -> Iterator[bytes]:
        yield first
        yield from batches

    return StreamingResponse(all_of_it(), 200, headers, media_type)


def multipart(
    parts: Iterable[Iterable[bytes]],
    part_headers: Mapping[str, str],
    *,
    sizes: Sequence[int] | None = None,
) -> tuple[Iterator[bytes], str, dict[str, str]]:
    """Return a multipart/related body, its Content-Type, and its Content-Length if that is known.

    Parameters
    ----------
    parts : iterable of iterables of bytes
        Each part in pieces.
    part_headers : mapping of str to str
        The headers of each part, its Content-Type among them.
    sizes : sequence of int, optional
        Bytes of each part, where they are known before.
    """
    boundary = new_boundary()
    head, tail = part_head(boundary, part_headers), closing(boundary)
    length: dict[str, str] = {}
    if sizes is not None:
        length["Content-Length"] = str(len(sizes) * len(head) + sum(sizes) + len(tail))

    def pieces() -> Iterator[bytes]:
        for part in parts:
            yield head
            yield from part
        yield tail

    media_type = content_type(part_headers["Content-Type"].partition(";")[0], boundary)
    return pieces(), media_type, length


def gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a body compressed, quickly rather than well."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()
