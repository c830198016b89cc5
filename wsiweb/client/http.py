"""HTTP: the only code that knows aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import time
import weakref
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from wsiweb import tracing
from wsiweb.client.transport import Response, counted, first_of_each
from wsiweb.errors import Unreachable
from wsiweb.loop import close_at_exit
from wsiweb.wire.uris import is_loopback, shown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager

    import aiohttp

    from wsiweb.client.transport import Payload, Request
    from wsiweb.settings import Settings

__all__ = ["HttpTransport", "tls_context"]

_CHUNK = 256 * 1024
_MOMENT = 1.0  # seconds for which connections are opened that nobody has asked for yet
_PARENTS: list[Any] = []  # sessions that a fork brought along: kept, lest they be closed here


class HttpTransport:
    """HTTP/1.1 with kept connections, over aiohttp.

    One session per event loop: after a fork the child gets a loop and a session of its own.
    A transport that is dropped without `close` closes its session when it is collected.

    Parameters
    ----------
    base_url : str
        Address of the DICOMweb service, without a trailing slash.
    settings : Settings
        Limits.
    ca : str, optional
        As of `tls_context`.
    idle : float
        Seconds for which an unused connection is kept for the next request. What is sent cannot be
        sent again as easily as a question, so it should not meet an archive that is just hanging
        up: for sending, less than archives wait (Orthanc a second).
    """

    def __init__(
        self, base_url: str, settings: Settings, *, ca: str | None = None, idle: float = 15.0
    ) -> None:
        self._base_url = base_url
        self._settings = settings
        self._idle = idle
        self._tls = tls_context(ca)
        self._proxy = _proxy_for(base_url)
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finalizer: Callable[[], Any] | None = None
        close_at_exit(self)

    @property
    def base_url(self) -> str:
        """Address of the DICOMweb service, without a trailing slash."""
        return self._base_url

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            watch = aiohttp.TraceConfig()
            watch.on_connection_create_end.append(_count_connection)
            limits = self._settings
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=limits.connections,
                    keepalive_timeout=self._idle,
                    ssl=True if self._tls is None else self._tls,
                ),
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    sock_connect=limits.connect_timeout,
                    sock_read=limits.read_timeout,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=_CHUNK * 4,
                trace_configs=[watch],
            )
            self._loop = loop
            self._finalizer = weakref.finalize(self, _close_later, self._session, loop)
        return self._session

    @contextlib.asynccontextmanager
    async def send(self, request: Request) -> AsyncGenerator[Response]:
        """Send a request; see `Transport.send`. Redirects are not followed here."""
        began = time.perf_counter()
        tracing.add("requests")
        async with contextlib.AsyncExitStack() as stack:
            if request.payload is None:
                answer = await self._begun(request, {})
            else:
                answer = await self._begun_sending(request, request.payload, stack)
            tracing.spend("wait", time.perf_counter() - began)
            if isinstance(answer, Response):
                yield answer
                return
            # Gives the connection back; closes it if not all was sent, or the body was not read.
            stack.callback(answer.release)
            chunks = counted(self._chunks(answer, request))
            async with contextlib.aclosing(chunks):
                yield Response(answer.status, first_of_each(answer.headers.items()), chunks)

    async def _begun_sending(
        self, request: Request, payload: Payload, stack: contextlib.AsyncExitStack
    ) -> aiohttp.ClientResponse | Response:
        """Send a request with a payload, until its answer begins: perhaps before all is sent."""
        import aiohttp

        from wsiweb.client.sending import Sending

        patience = self._settings.store_timeout
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self._settings.connect_timeout, sock_read=patience
        )
        sending = Sending(payload, patience)
        stack.push_async_callback(sending.settled)
        try:
            return await self._begun(
                request, {"data": sending, "timeout": timeout}, sending.watched()
            )
        except Unreachable:
            heard = sending.heard()
            if heard is None and sending.failure is None:
                raise
        if heard is None:
            raise sending.failure or AssertionError
        status, headers, body = heard
        return Response(status, first_of_each(headers), _once(body))

    async def _begun(
        self,
        request: Request,
        options: dict[str, Any],
        watch: AbstractAsyncContextManager[None] | None = None,
    ) -> aiohttp.ClientResponse:
        """Return an answer whose head has come."""
        from yarl import URL

        session = self._opened()
        try:
            async with watch or contextlib.nullcontext():
                return await session.request(
                    request.method,
                    URL(request.url, encoded=True),
                    headers=request.described(),
                    allow_redirects=False,
                    proxy=self._proxy,
                    **options,
                )
        except _failures() as error:
            failure = self._unreachable(error, request)
        raise failure

    async def connect(self, count: int) -> int:
        """Open connections before they are needed; see `Transport.connect`."""
        if self._proxy is not None:  # which has connections of its own
            return 0
        opening = [asyncio.create_task(self._connection()) for _ in range(count)]
        try:
            # One that is slow must not keep the others from those who could use them.
            await asyncio.wait(opening, timeout=_MOMENT)
        finally:
            # Given back together: else one that was open already would be taken several times.
            ready = [_given_back(one) for one in opening]
        return sum(ready)

    async def _connection(self) -> aiohttp.connector.Connection:
        import aiohttp
        from yarl import URL

        session = self._opened()
        connector = session.connector
        assert connector is not None  # noqa: S101 - it was opened just now
        url = URL(self._base_url, encoded=True)
        request = aiohttp.ClientRequest("GET", url, loop=asyncio.get_running_loop())
        watched = [
            aiohttp.tracing.Trace(session, config, config.trace_config_ctx())
            for config in session.trace_configs
        ]
        return await connector.connect(request, watched, session.timeout)

    async def _chunks(
        self, answer: aiohttp.ClientResponse, request: Request
    ) -> AsyncGenerator[bytes]:
        chunks = answer.content.iter_chunked(_CHUNK)
        chunk, failure = b"", None
        while chunk is not None:
            try:
                chunk = await anext(chunks, None)
            except _failures() as error:
                failure = self._unreachable(error, request)
            if failure is not None:
                raise failure
            if chunk is not None:
                yield chunk

    def _unreachable(self, error: Exception, request: Request) -> Unreachable:
        """Say what went wrong on the way.

        To be raised outside of the except clause, so that the original is not chained: aiohttp's
        errors carry the request, headers and all, and printed they would show credentials.
        """
        if isinstance(error, TimeoutError):
            limits = self._settings
            then = f"{limits.read_timeout:g} s for the next bytes"
            if request.payload is not None:
                then = f"{limits.store_timeout:g} s to take what is sent and to answer"
            words = (
                f"No answer in time: {limits.connect_timeout:g} s are given to connect and {then} "
                "(see wsiweb.Settings)."
            )
        else:
            words = _in_words(error)
        if self._proxy is not None:
            words += f" (By the proxy {self._proxy.rpartition('@')[2]}, as the environment says.)"
        return Unreachable(words, method=request.method, url=shown(request.url))

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        session, self._session = self._session, None
        if self._finalizer is not None:
            self._finalizer.detach()  # type: ignore[attr-defined]
            self._finalizer = None
        if session is not None and self._loop is asyncio.get_running_loop():
            await session.close()

    def renew(self) -> None:
        """Forget the session in a forked child: its sockets and its loop are the parent's."""
        if self._session is not None:
            _PARENTS.append(self._session)
        if self._finalizer is not None:
            self._finalizer.detach()  # type: ignore[attr-defined]
        self._session = self._finalizer = None


async def _once(body: bytes) -> AsyncGenerator[bytes]:
    yield body


def tls_context(ca: str | None) -> ssl.SSLContext | None:
    """Return the TLS settings for a CA bundle.

    Parameters
    ----------
    ca : str or None
        A PEM file or a folder of certificates that are trusted besides the usual ones;
        ``"system"`` for the operating system's own store (extra ``wsiweb[system-ca]``);
        None for Python's default.

    Raises
    ------
    ValueError
        When the bundle cannot be read, or the extra is not installed.
    """
    if ca is None:
        return None
    if ca == "system":
        try:
            import truststore
        except ImportError as error:
            raise ValueError(
                'ca="system" needs the package truststore: pip install "wsiweb[system-ca]".'
            ) from error
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    from pathlib import Path

    context = ssl.create_default_context()
    folder = Path(ca).is_dir()
    try:
        context.load_verify_locations(None if folder else ca, ca if folder else None)
    except OSError as error:  # ssl.SSLError is one too
        raise ValueError(f"The CA bundle {ca!r} cannot be read as PEM: {error}") from error
    return context


def _proxy_for(base_url: str) -> str | None:
    """Return the proxy that the environment (HTTPS_PROXY, NO_PROXY ...) sets for an address.

    Looked up once here: aiohttp's trust_env would look at each request, and would send the
    passwords of ~/.netrc unasked.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(host):  # NO_PROXY often forgets this machine
        return None
    proxy = getproxies().get(parts.scheme)
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


def _failures() -> tuple[type[Exception], ...]:
    """Return what goes wrong on the way; a ValueError is what odd host names come to."""
    import aiohttp

    return (aiohttp.ClientError, OSError, ValueError)


def _in_words(error: Exception) -> str:
    import aiohttp

    match error:
        case aiohttp.ClientConnectorCertificateError():
            return (
                f"The archive's certificate is not trusted ({error.certificate_error}). If your "
                'hospital has a CA of its own, pass it as ca="bundle.pem" or ca="system".'
            )
        case aiohttp.ClientConnectorDNSError():
            return "There is no such host; is the address right?"
        case aiohttp.ClientConnectorError():
            code = error.os_error.errno
            reason = os.strerror(code) if code else str(error.os_error)
            return f"No connection ({reason}); is the archive running, and the address right?"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "The connection was dropped before an answer came."
        case aiohttp.ClientPayloadError():
            return "The answer broke off in the middle."
        case aiohttp.ClientResponseError():
            return f"The answer is not HTTP as it should be ({error.message})."
        case _:
            return f"The exchange failed ({type(error).__name__}: {error})."


def _given_back(opening: asyncio.Task[aiohttp.connector.Connection]) -> bool:
    """Put a connection into the pool, or end the attempt; tell whether it can be used."""
    if not opening.done():
        opening.cancel()
        return False
    if opening.cancelled() or opening.exception() is not None:
        return False
    connection = opening.result()
    is_open = connection.protocol is not None and connection.protocol.is_connected()
    connection.release()
    return is_open


async def _count_connection(*_: object) -> None:
    tracing.add("connections")


def _close_later(session: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop) -> None:
    if session.closed or loop.is_closed():
        return
    with contextlib.suppress(RuntimeError):  # the loop stopped in between
        asyncio.run_coroutine_threadsafe(session.close(), loop)
