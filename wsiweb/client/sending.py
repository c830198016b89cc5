"""A payload on its way through aiohttp: no endless stalls, its own errors, no answer overheard.

Apart from `http`, because a class that builds on aiohttp's must import it, which takes long.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
from typing import TYPE_CHECKING

from aiohttp.payload import Payload as AiohttpPayload

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator

    from aiohttp.abc import AbstractStreamWriter

    from wsiweb.client.transport import Payload

__all__ = ["Sending"]

_LONGEST = 2**20  # bytes of an answer that are left in the system's hands at most


class Sending(AiohttpPayload):
    """What aiohttp is given to send.

    aiohttp by itself waits for ever for an archive that takes no more bytes, and turns whatever a
    body raises into a failure of the connection. And when an archive refuses and hangs up while
    it is being sent something, the event loop may learn that it can write no more before it has
    read why: the answer is then still in the socket, from where `heard` gets it.

    Parameters
    ----------
    payload : Payload
        What is sent.
    patience : float
        Seconds in which the archive must take each piece, and after the last one begin to answer.

    Attributes
    ----------
    failure : Exception or None
        What the payload raised.
    """

    _autoclose = True  # it holds nothing open that aiohttp should close

    def __init__(self, payload: Payload, patience: float) -> None:
        super().__init__(payload)
        self._size = payload.length
        self._payload = payload
        self._patience = patience
        self._watch: asyncio.Timeout | None = None
        self._ended = asyncio.Event()
        self._ended.set()
        self._socket: socket.socket | None = None
        self.failure: Exception | None = None

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncGenerator[None]:
        """Raise TimeoutError in the block when nothing moves for too long once sending began."""
        async with asyncio.timeout(None) as watch:
            self._watch = watch
            try:
                yield
            finally:
                self._watch = None

    async def settled(self) -> None:
        """Wait until the payload is let go, once the request is over or was given up."""
        await self._ended.wait()
        if self._socket is not None:
            self._socket.close()

    def heard(self) -> tuple[int, list[tuple[str, str]], bytes] | None:
        """Return the answer that came before the connection broke, and was not read.

        Returns
        -------
        tuple or None
            Status, headers and body; None where there is none, and with TLS, where what is left
            in the socket cannot be understood.
        """
        if self._socket is None:
            return None
        try:
            data = self._socket.recv(_LONGEST)
            if b"\r\n\r\n" not in data:  # half a head; http.client would take it for whole
                return None
            answer = http.client.HTTPResponse(_Left(data))  # type: ignore[arg-type] - it asks for no more
            answer.begin()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        return answer.status, answer.getheaders(), body

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send all of it; called by aiohttp, in a task that it cancels when an answer came."""
        self._ended.clear()
        transport = writer.transport
        if transport is not None and transport.get_extra_info("ssl_object") is None:
            self._socket = transport.get_extra_info("socket").dup()
        try:
            async with contextlib.aclosing(self._payload.chunks()) as chunks:
                while (chunk := await self._next_of(chunks)) is not None:
                    self._moved()
                    await writer.write(chunk)
                self._moved()
        finally:
            self._ended.set()

    async def _next_of(self, chunks: AsyncGenerator[bytes]) -> bytes | None:
        try:
            return await anext(chunks, None)
        except Exception as error:
            self.failure = error
            raise

    def _moved(self) -> None:
        if self._watch is not None:
            self._watch.reschedule(asyncio.get_running_loop().time() + self._patience)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Refuse: it is not text, and may be larger than memory."""
        raise TypeError(f"What is sent cannot be shown as text ({encoding}, {errors}).")


class _Left:
    """What is left of an answer, where a socket is wanted."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)
