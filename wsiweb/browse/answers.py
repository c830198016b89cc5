"""Answers of the app: JSON, and failures in words."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from wsiweb.browse.sources import in_words
from wsiweb.errors import (
    ArchiveError,
    Busy,
    NotAcceptable,
    NotFound,
    OutboxError,
    SlideError,
    Unreachable,
    WsiwebError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from starlette.requests import Request

__all__ = ["ERRORS", "Gone", "body_of", "json_answer", "refusal", "text_of", "while_connected"]

T = TypeVar("T")

_log = logging.getLogger("wsiweb.browse")

_LARGEST = 1024 * 1024  # bytes that the page may send
_GONE = 499  # nobody reads it


class Gone(Exception):
    """The browser has gone away: nobody waits for the answer."""


def json_answer(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return values as JSON."""
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def refusal(status: int, words: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a failure in words."""
    return json_answer({"error": words}, status, headers)


# Archives that fail are no failure of this server: 502 and 504 say so. Never 401, which the page
# takes for its own cookie.
_STATUSES: tuple[tuple[type[BaseException], int], ...] = (
    (NotFound, 404),
    (Busy, 503),
    (Unreachable, 504),
    (NotAcceptable, 502),
    (ArchiveError, 502),
    (SlideError, 422),
    (OutboxError, 409),
    (WsiwebError, 500),
    (TimeoutError, 504),
    (IndexError, 404),
    (ValueError, 400),
    (OSError, 500),
)


async def _failed(_request: Request, error: Exception) -> Response:
    if isinstance(error, Gone):
        return Response(status_code=_GONE)
    if isinstance(error, HTTPException):
        words = {404: "There is no such page.", 405: "That is not done with this address."}
        return refusal(error.status_code, words.get(error.status_code, error.detail), error.headers)
    status = next((code for kind, code in _STATUSES if isinstance(error, kind)), None)
    if status is None:
        _log.error("A request failed unexpectedly.", exc_info=error)
        return refusal(500, f"Something went wrong here: {in_words(error)}")
    headers = None
    if isinstance(error, Busy) and error.retry_after is not None:
        headers = {"Retry-After": str(max(1, round(error.retry_after)))}
    return refusal(status, in_words(error), headers)


_HANDLED = (Gone, HTTPException, WsiwebError, TimeoutError, IndexError, ValueError, OSError, 500)
ERRORS: Mapping[Any, Callable[[Request, Exception], Any]] = dict.fromkeys(_HANDLED, _failed)
"""Exception handlers of the application."""


async def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON object that the page sent; an empty body is an empty object.

    Raises
    ------
    HTTPException
        For another type (415), or too much (413).
    ValueError
        For what is no JSON object.
    """
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _LARGEST:
            raise HTTPException(413, "That is more than a page has to say.")
    if not data:
        return {}
    # A form of another page can send text and fields without asking, and no JSON.
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send JSON (Content-Type: application/json).")
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"That is no JSON object: {error}") from error


def text_of(body: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return a text that the page sent.

    Raises
    ------
    ValueError
        When it is missing and has no default, or is none.
    """
    value = body.get(name)
    if value is None or value == "":
        if default is None:
            raise ValueError(f"{name} is missing.")
        return default
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"{name} is a text, not {value!r:.80}.")
    return value


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await work, and cancel it when the browser goes away: a tile that has left the view, say.

    Raises
    ------
    Gone
        When it has gone away.
    HTTPException
        503, when the work was ended by others.
    """
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if doing.cancelled():
            raise HTTPException(503, "It was given up, because something changed: ask again.")
        if doing.done():
            return doing.result()
        raise Gone
    finally:
        for task in (doing, leaving):
            task.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
