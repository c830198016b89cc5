"""What the page is told without asking: server-sent events (HTML Living Standard 9.2), by hand.

Each page has one stream, because browsers allow six connections to a host and tiles want the rest.
A stream holds the latest of each kind of event, so a slow page gets fewer events and never old
ones, and nothing piles up.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

__all__ = ["Events", "Stream", "is_page"]

_HEARTBEAT = 15.0  # seconds: proxies and browsers drop what is silent for longer
_APART = 0.2  # seconds between two bursts of events
_MOST_STREAMS = 32
_GRACE = 3.0  # seconds in which a page whose stream broke may come back
_PAGE = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_page(text: str) -> bool:
    """Tell whether a page may call itself so."""
    return _PAGE.fullmatch(text) is not None


class Stream:
    """The events of one page, waiting to be sent."""

    def __init__(self, page: str) -> None:
        self.page = page
        self._pending: dict[str, tuple[str, Any]] = {}
        self._something = asyncio.Event()
        self.ended = False

    def put(self, event: str, data: Any, *, of: str = "") -> None:
        """Have an event sent in place of an unsent one of the same kind (and ``of`` the same)."""
        self._pending[f"{event} {of}"] = (event, data)
        self._something.set()

    def merge(self, event: str, data: dict[str, Any]) -> None:
        """Have an event sent together with what an unsent one of the same kind says."""
        before = self._pending.get(f"{event} ")
        self.put(event, data if before is None else {**before[1], **data})

    def end(self) -> None:
        """Let it end, after a word of farewell."""
        self.put("bye", {})
        self.ended = True

    async def text(self) -> AsyncGenerator[bytes]:
        """Yield the stream as it is sent."""
        yield b"retry: 2000\n\n"
        while True:
            try:
                async with asyncio.timeout(_HEARTBEAT):
                    await self._something.wait()
            except TimeoutError:
                yield b": still here\n\n"
                continue
            ended = self.ended
            pending, self._pending = self._pending, {}
            self._something.clear()
            yield b"".join(_written(*one) for one in pending.values())
            if ended:
                return
            await asyncio.sleep(_APART)


def _written(event: str, data: Any) -> bytes:
    # JSON has no line breaks outside of strings, and escapes them inside: one line it is.
    return b"event: " + event.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"


class Events:
    """All streams.

    Parameters
    ----------
    on_end : callable
        Told the name of a page whose stream has ended and that has not come back.
    """

    def __init__(self, on_end: Callable[[str], None]) -> None:
        self._streams: list[Stream] = []
        self._on_end = on_end
        self.closed = False

    def __len__(self) -> int:
        return len(self._streams)

    def tell(self, event: str, data: Any, *, of: str = "") -> None:
        """Tell all pages."""
        for stream in self._streams:
            stream.put(event, data, of=of)

    def tell_more(self, event: str, data: dict[str, Any]) -> None:
        """Tell all pages, in addition to what they were not told yet."""
        for stream in self._streams:
            stream.merge(event, data)

    def begin(self, page: str) -> Stream:
        """Return a new stream; where there are too many, the oldest ends."""
        if len(self._streams) >= _MOST_STREAMS:
            self._streams[0].end()
        stream = Stream(page)
        self._streams.append(stream)
        if self.closed:
            stream.end()
        return stream

    def over(self, stream: Stream) -> None:
        """Forget a stream that has ended, however it did."""
        if stream in self._streams:
            self._streams.remove(stream)
        if stream.page and not self.closed:
            asyncio.get_running_loop().call_later(_GRACE, self._left, stream.page)

    def _left(self, page: str) -> None:
        if all(other.page != page for other in self._streams):
            self._on_end(page)

    def close(self) -> None:
        """Let all streams end: a server waits for them before it stops."""
        self.closed = True
        for stream in self._streams:
            stream.end()
