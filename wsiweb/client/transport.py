"""One request and its answer, over HTTP or in process: the only code that knows aiohttp.

A transport carries; it does not judge. It knows nothing of DICOM, retries or credentials:
those are the client's. Whatever goes wrong on the way becomes `Unreachable`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from wsiweb import tracing
from wsiweb.errors import Unreachable, WsiwebError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    import aiohttp

    from wsiweb.settings import Settings

__all__ = ["AsgiTransport", "HttpTransport", "Request", "Response", "Transport", "tls_context"]

_CHUNK = 256 * 1024


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
        Headers; credentials among them, so they have no place in the repr.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


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

        Raises
        ------
        Unreachable
            No answer, or it broke off.
        """
        ...

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        ...


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


class HttpTransport:
    """HTTP/1.1 with kept connections, over aiohttp.

    One session per event loop: after a fork the child gets a loop and a session of its own.
    A transport that is dropped without `close` closes its session when it is collected.
    """

    def __init__(self, base_url: str, settings: Settings, *, ca: str | None = None) -> None:
        self._base_url = base_url
        self._settings = settings
        self._tls = tls_context(ca)
        self._proxy = _proxy_for(base_url)
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finalizer: Callable[[], Any] | None = None

    @property
    def base_url(self) -> str:
        """Address of the DICOMweb service, without a trailing slash."""
        return self._base_url

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            tracing = aiohttp.TraceConfig()
            tracing.on_connection_create_end.append(_count_connection)
            limits = self._settings
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=limits.connections, ssl=True if self._tls is None else self._tls
                ),
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    sock_connect=limits.connect_timeout,
                    sock_read=limits.read_timeout,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[tracing],
            )
            self._loop = loop
            self._finalizer = weakref.finalize(self, _close_later, self._session, loop)
        return self._session

    @contextlib.asynccontextmanager
    async def send(self, request: Request) -> AsyncGenerator[Response]:
        """Send a request; see `Transport.send`. Redirects are not followed here."""
        import aiohttp
        from yarl import URL

        session = self._opened()
        began = time.perf_counter()
        tracing.add("requests")
        try:
            async with session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                allow_redirects=False,
                proxy=self._proxy,
            ) as answer:
                tracing.spend("wait", time.perf_counter() - began)
                headers = _first_of_each(answer.headers.items())
                chunks = _counted(answer.content.iter_chunked(_CHUNK))
                async with contextlib.aclosing(chunks):
                    yield Response(answer.status, headers, chunks)
        except WsiwebError:  # the reader's own; Unreachable is an OSError too
            raise
        except TimeoutError as error:
            raise Unreachable(
                "No answer in time: "
                f"{self._settings.connect_timeout:g} s are given to connect and "
                f"{self._settings.read_timeout:g} s for the next bytes (see wsiweb.Settings).",
                method=request.method,
                url=request.url,
            ) from error
        except (aiohttp.ClientError, OSError, ssl.SSLError) as error:
            raise Unreachable(_in_words(error), method=request.method, url=request.url) from error

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        session, self._session = self._session, None
        if self._finalizer is not None:
            self._finalizer.detach()  # type: ignore[attr-defined]
            self._finalizer = None
        if session is not None and self._loop is asyncio.get_running_loop():
            await session.close()


def _proxy_for(base_url: str) -> str | None:
    """Return the proxy that the environment (HTTPS_PROXY, NO_PROXY ...) sets for an address.

    Looked up once here: aiohttp's trust_env would look at each request, and would send the
    passwords of ~/.netrc unasked.
    """
    parts = urlsplit(base_url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)


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
            return f"No connection ({error.os_error.strerror or error.os_error}); is it running?"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "The connection was dropped before an answer came."
        case aiohttp.ClientPayloadError():
            return "The answer broke off in the middle."
        case _:
            return f"The exchange failed ({type(error).__name__}: {error})."


def _first_of_each(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by their name in lower case; of repeated ones the first."""
    table: dict[str, str] = {}
    for name, value in headers:
        table.setdefault(name.lower(), value)
    return table


async def _count_connection(*_: object) -> None:
    tracing.add("connections")


async def _counted(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    began = time.perf_counter()
    async for chunk in chunks:
        now = time.perf_counter()
        tracing.spend("transfer", now - began)
        tracing.add("bytes_received", len(chunk))
        yield chunk
        began = time.perf_counter()


def _close_later(session: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop) -> None:
    if session.closed or loop.is_closed():
        return
    with contextlib.suppress(RuntimeError):  # the loop stopped in between
        asyncio.run_coroutine_threadsafe(session.close(), loop)


class AsgiTransport:
    """Requests answered by an ASGI application in this process: a local folder as an archive.

    Parameters
    ----------
    app : callable
        The ASGI 3 application.
    base_url : str
        What stands before the paths in messages, such as ``file:///data/slides``.
    put_away : callable
        Closes what the application holds open; called by `close` and when the transport is
        dropped. The application must be able to go on after it.
    """

    def __init__(
        self, app: Callable[..., Any], base_url: str, put_away: Callable[[], None]
    ) -> None:
        self._app = app
        self._base_url = base_url
        self._put_away = put_away
        weakref.finalize(self, put_away)

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
        events: asyncio.Queue[dict[str, Any] | BaseException] = asyncio.Queue(maxsize=4)
        gone = asyncio.Event()
        task = asyncio.create_task(self._answer(request, events, gone))
        try:
            head = await _next_event(events, request)
            tracing.spend("wait", time.perf_counter() - began)
            headers = _first_of_each(
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in head["headers"]
            )
            chunks = _counted(_body(events, request))
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
        events: asyncio.Queue[dict[str, Any] | BaseException],
        gone: asyncio.Event,
    ) -> None:
        parts = urlsplit(request.url[len(self._base_url) :])
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
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
                    for name, value in request.headers.items()
                    if name != "Accept-Encoding"  # there is no wire to save here
                ),
            ],
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 0),
        }
        try:
            await self._app(scope, receive, events.put)
        except Exception as error:
            await events.put(error)

    async def close(self) -> None:
        """Close what the application holds open."""
        self._put_away()


async def _next_event(
    events: asyncio.Queue[dict[str, Any] | BaseException], request: Request
) -> dict[str, Any]:
    event = await events.get()
    if isinstance(event, BaseException):
        raise Unreachable(
            f"The embedded server failed ({type(event).__name__}: {event}).",
            method=request.method,
            url=request.url,
        ) from event
    return event


async def _body(
    events: asyncio.Queue[dict[str, Any] | BaseException], request: Request
) -> AsyncIterator[bytes]:
    more = True
    while more:
        event = await _next_event(events, request)
        more = event.get("more_body", False)
        if event.get("body"):
            yield event["body"]
