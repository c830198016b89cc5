"""The embedded server in a process of its own, behind a link that is as slow as it is told to be.

`Link` wraps the server (ASGI) and makes clients wait: for the round trip, for their share of the
bandwidth, for the work of preparing each frame. It waits by timers, so that waiting costs no
processor time, and it counts what it passes on. ``/_link`` is its own path, not counted: GET for
the counts, DELETE to begin counting anew, PUT (with `Terms`) when another client comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = [
    "CONTROL",
    "PAGES",
    "Counts",
    "Link",
    "Terms",
    "begin",
    "begun",
    "counts",
    "reset",
    "served",
    "watch_connections",
]

CONTROL = "/_link"
PAGES = "/_pages"  # where pages are, of a server that a browser is to read
_SLICE = 64 * 1024  # bytes that have the link for themselves
_LATE = 0.005  # seconds that a timer may come late without anything being slower for it
_PATIENCE = 120.0  # seconds until the server must have looked at its folder


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How slow the link is.

    Attributes
    ----------
    delay : float
        Seconds that each request waits before its answer's head: the round trip. A connection is
        of use one round trip after it was asked for, as after TCP's handshake; the first request
        on it waits for that too.
    bandwidth : float
        Bytes of bodies per second, shared by all connections; 0 for no limit.
    frame_cost : float
        Seconds of preparing one frame.
    workers : int
        How many frames are prepared at a time; those of one list by one worker, one after the
        other, and sent on as they are ready.
    """

    delay: float = 0.0
    bandwidth: float = 0.0
    frame_cost: float = 0.0
    workers: int = 4


class Counts(msgspec.Struct, kw_only=True):
    """What was passed on: requests, connections, bytes of bodies, and seconds of processor."""

    requests: int = 0
    connections: int = 0
    bytes_sent: int = 0
    cpu: float = 0.0


class Link:
    """An ASGI application round another.

    Parameters
    ----------
    app : ASGI application
        The server.
    terms : Terms
        How slow the link is.
    accepted : mapping, optional
        When each client's connection was accepted, by the monotonic clock. For one that is not
        there, that is when its first request comes.
    """

    def __init__(
        self, app: ASGIApp, terms: Terms, accepted: Mapping[Any, float] | None = None
    ) -> None:
        self._app = app
        self._accepted = {} if accepted is None else accepted
        self._counts = Counts()
        self._counted: set[Any] = set()
        self._cpu = time.process_time()
        self._line_free = 0.0
        self._begin(terms)

    def _begin(self, terms: Terms) -> None:
        self._terms = terms
        self._greeted: set[Any] = set()
        self._workers = asyncio.Semaphore(terms.workers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request wait, then pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == CONTROL:
            await self._control(scope["method"], receive, send)
            return
        self._counts.requests += 1
        client = scope["client"]
        self._counted.add(client)
        terms = self._terms
        if terms.delay:
            await asyncio.sleep(terms.delay + self._handshake(client, terms))
        self._greeted.add(client)
        frames = _frames_asked(scope["path"]) if terms.frame_cost else 0
        if not frames:
            await self._app(scope, receive, self._sender(send, terms, 0))
            return
        async with self._workers:
            await self._app(scope, receive, self._sender(send, terms, frames))

    def _handshake(self, client: Any, terms: Terms) -> float:
        """Return the seconds until a connection is of use."""
        if client in self._greeted:
            return 0.0
        now = time.monotonic()
        return max(0.0, self._accepted.get(client, now) + terms.delay - now)

    def _sender(self, send: Send, terms: Terms, frames: int) -> Send:
        async def counting(message: Message) -> None:
            self._counts.bytes_sent += len(message.get("body", b""))
            await send(message)

        ready = time.monotonic()  # by the clock, not by one pause after another: timers come late

        async def slow(message: Message) -> None:
            nonlocal ready
            body = message.get("body", b"")
            if not body:
                await send(message)
                return
            more = message.get("more_body", False)
            # A message holds some of the frames, or all: the headers of each end in a blank line.
            count = body.count(b"\r\n\r\n") if frames else 0
            for piece, is_last in self._slices(body, count):
                if count:
                    ready = max(ready, time.monotonic() - _LATE) + terms.frame_cost
                    await asyncio.sleep(ready - time.monotonic())
                await self._line(terms, len(piece))
                last = is_last and not more
                await counting({**message, "body": piece, "more_body": not last})

        return slow if terms.bandwidth or frames else counting

    @staticmethod
    def _slices(body: bytes, frames: int) -> Iterator[tuple[bytes, bool]]:
        # All frames have about the same length, so an equal share stands for a frame.
        size = -(-len(body) // frames) if frames else _SLICE
        view = memoryview(body)
        for start in range(0, len(body), size):
            yield bytes(view[start : start + size]), start + size >= len(body)

    async def _line(self, terms: Terms, size: int) -> None:
        """Wait for this slice's turn on the line, and until it is through."""
        if not terms.bandwidth:
            return
        now = time.monotonic()
        self._line_free = max(now - _LATE, self._line_free) + size / terms.bandwidth
        await asyncio.sleep(self._line_free - now)

    async def _control(self, method: str, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        if method == "PUT":
            self._begin(msgspec.json.decode(body, type=Terms))
        if method in {"PUT", "DELETE"}:
            self._counts, self._counted = Counts(), set()
            self._cpu = time.process_time()
        self._counts.connections = len(self._counted)
        self._counts.cpu = time.process_time() - self._cpu
        answer = msgspec.json.encode(self._counts)
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        headers.append((b"content-length", str(len(answer)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def _frames_asked(path: str) -> int:
    _, found, numbers = path.partition("/frames/")
    return numbers.count(",") + 1 if found else 0


# The other end of /_link -----------------------------------------------------------------------


def begin(control: str, terms: Terms) -> None:
    """Tell the link that another client comes, and how slow it is from now on."""
    _ask(control, "PUT", msgspec.json.encode(terms))


def reset(control: str) -> None:
    """Begin counting anew."""
    _ask(control, "DELETE")


def counts(control: str) -> Counts:
    """Return what was passed on since then."""
    return msgspec.json.decode(_ask(control, "GET"), type=Counts)


def _ask(control: str, method: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(control, data=body, method=method)  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return answer.read()


@contextlib.contextmanager
def served(folder: Path, index: Path, terms: Terms, pages: Path | None = None) -> Iterator[str]:
    """Serve a folder behind a link, in another process, and yield the base URL.

    Parameters
    ----------
    folder : Path
        DICOM files.
    index : Path
        Where the server keeps its index between runs.
    terms : Terms
        Of the link.
    pages : Path, optional
        Files that are served below ``/_pages/``, without the link: pages that read this server from
        a browser, which need no leave to do so where they come from the server itself.

    Raises
    ------
    RuntimeError
        When the server does not start.
    """
    index.parent.mkdir(parents=True, exist_ok=True)
    task = {"folder": str(folder), "index": str(index), "terms": msgspec.to_builtins(terms)}
    with begun(__name__, {**task, "pages": None if pages is None else str(pages)}) as url:
        yield url


@contextlib.contextmanager
def begun(module: str, task: Mapping[str, Any]) -> Iterator[str]:
    """Run a module in another process, and yield the first line that it says: where it serves.

    Parameters
    ----------
    module : str
        It is given the task, as JSON, and serves until its stdin ends: also when whoever started it
        is killed.
    task : mapping
        What to serve.

    Raises
    ------
    RuntimeError
        When it ends without a word.
    """
    process = subprocess.Popen(  # noqa: S603 - this very program
        [sys.executable, "-m", module, json.dumps(task)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                raise RuntimeError(f"{module} did not start with {task}.")
            yield url
        finally:
            if process.stdin:
                process.stdin.close()  # which it takes as the end
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def watch_connections() -> Mapping[Any, float]:
    """Have uvicorn note when it accepts a connection, which an application is not told.

    To be called in the process of the server, before it starts; what is returned is for `Link`.
    """
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    accepted: dict[Any, float] = {}
    made, lost = HttpToolsProtocol.connection_made, HttpToolsProtocol.connection_lost

    # Into the class itself: the server's own protocol is derived from it.
    def connection_made(self: HttpToolsProtocol, transport: Any) -> None:
        made(self, transport)
        accepted[self.client] = time.monotonic()

    def connection_lost(self: HttpToolsProtocol, exc: Exception | None) -> None:
        lost(self, exc)
        accepted.pop(self.client, None)

    HttpToolsProtocol.connection_made = connection_made
    HttpToolsProtocol.connection_lost = connection_lost
    return accepted


def _with_pages(app: ASGIApp, folder: str) -> ASGIApp:
    from starlette.staticfiles import StaticFiles

    files = StaticFiles(directory=folder)

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if not path.startswith(f"{PAGES}/"):
            await app(scope, receive, send)
            return
        await files({**scope, "path": path, "root_path": PAGES}, receive, send)

    return either


def _main() -> None:
    """Serve until stdin ends: also when whoever started this is killed."""
    from wsiweb.server import create_app, serve

    task = json.loads(sys.argv[1])
    inner = create_app(Path(task["folder"]), index=Path(task["index"]))
    inner.state.store.refresh()
    link = Link(inner, msgspec.convert(task["terms"], Terms), watch_connections())
    try:
        with serve(
            app=link if task["pages"] is None else _with_pages(link, task["pages"])
        ) as server:
            sys.stdout.write(f"{server.url}\n")
            sys.stdout.flush()
            sys.stdin.read()
    finally:
        inner.state.store.close()


if __name__ == "__main__":
    _main()
