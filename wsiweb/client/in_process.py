"""Requests answered in this process: a local folder as an archive, without a socket."""

from __future__ import annotations

import asyncio
import contextlib
import time
import weakref
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from wsiweb import tracing
from wsiweb.client.transport import Response, counted, first_of_each
from wsiweb.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from wsiweb.client.transport import Payload, Request

    Application = Callable[..., Any]
    _Events = asyncio.Queue[dict[str, Any] | Exception]

__all__ = ["AsgiTransport"]


class AsgiTransport:
    """Requests answered by an ASGI application in this process: a local folder as an archive.

    Parameters
    ----------
    start : callable
        Returns the ASGI 3 application, and a function that closes what it holds open, after
        which it must be able to go on. Called again in a forked child: a database is not carried
        through a fork.
    base_url : str
        What stands before the paths in messages, such as ``file:///data/slides``.
    """

    def __init__(
        self, start: Callable[[], tuple[Application, Callable[[], None]]], base_url: str
    ) -> None:
        self._start = start
        self._base_url = base_url
        self._parents: list[Application] = []
        self._app, self._put_away = start()
        weakref.finalize(self, self._put_away)

    @property
    def base_url(self) -> str:
        """What stands before the paths."""
        return self._base_url

    @contextlib.asynccontextmanager
    async def send(self, request: Request) -> AsyncGenerator[Response]:
        """Run the application for one request; see `Transport.send`."""
        if not request.url.startswith(self._base_url + "/"):
            raise Unreachable(
                "This address is outside the folder.", method=request.method, url=request.url
            )
        tracing.add("requests")
        began = time.perf_counter()
        # Room for a few chunks: the application waits when nobody reads, as on a socket.
        events: _Events = asyncio.Queue(maxsize=4)
        gone = asyncio.Event()
        task = asyncio.create_task(self._answer(request, events, gone))
        try:
            head = await _next_event(events)
            tracing.spend("wait", time.perf_counter() - began)
            headers = first_of_each(
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in head["headers"]
            )
            chunks = counted(_body(events))
            async with contextlib.aclosing(chunks):
                yield Response(head["status"], headers, chunks)
        finally:
            gone.set()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _answer(
        self,
        request: Request,
        events: _Events,
        gone: asyncio.Event,
    ) -> None:
        parts = urlsplit(request.url[len(self._base_url) :])
        chunks = _chunks(request.payload)

        async def receive() -> dict[str, Any]:
            try:
                chunk = await anext(chunks, None)
            except Exception as error:
                # The sender hears of it before the application does: what that may answer to half
                # a body is no answer to what was meant to be sent.
                await events.put(error)
                return {"type": "http.disconnect"}
            if chunk is not None:
                return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}
            await gone.wait()
            return {"type": "http.disconnect"}

        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": unquote(parts.path),
            "raw_path": parts.path.encode("ascii"),
            "query_string": parts.query.encode("ascii"),
            "root_path": "",
            "headers": [
                (b"host", b"localhost"),
                *(
                    (name.lower().encode("latin-1"), value.encode("latin-1"))
                    for name, value in request.described().items()
                    if name != "Accept-Encoding"  # there is no wire to save here
                ),
            ],
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 0),
        }
        try:
            async with contextlib.aclosing(chunks):
                await self._app(scope, receive, events.put)
        except Exception as error:
            failure = Unreachable(
                f"The embedded server failed ({type(error).__name__}: {error}).",
                method=request.method,
                url=request.url,
            )
            failure.__cause__ = error
            await events.put(failure)

    async def connect(self, count: int) -> int:
        """There is nothing to connect."""
        return count

    async def close(self) -> None:
        """Close what the application holds open."""
        self._put_away()

    def renew(self) -> None:
        """Start an application of the child's own; the parent's is kept, lest it be closed."""
        self._parents.append(self._app)
        self._app, self._put_away = self._start()
        weakref.finalize(self, self._put_away)


async def _next_event(events: _Events) -> dict[str, Any]:
    event = await events.get()
    if isinstance(event, Exception):
        raise event
    return event


async def _body(events: _Events) -> AsyncIterator[bytes]:
    more = True
    while more:
        event = await _next_event(events)
        more = event.get("more_body", False)
        if event.get("body"):
            yield event["body"]


async def _chunks(payload: Payload | None) -> AsyncGenerator[bytes]:
    """Yield what is sent, and nothing at its end, as ASGI has it."""
    if payload is not None:
        async with contextlib.aclosing(payload.chunks()) as chunks:
            async for chunk in chunks:
                if chunk:
                    yield chunk
    yield b""
