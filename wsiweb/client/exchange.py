"""A request with credentials: redirects followed, refusals renewed once, failures named.

Above it, every answer is a good one; below it, transports carry requests and know nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from wsiweb.client.refusals import refusal
from wsiweb.client.transport import Request
from wsiweb.errors import ArchiveError, ProtocolError, Unauthorized, WsiwebError
from wsiweb.wire.uris import shown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Container, Mapping
    from contextlib import AbstractAsyncContextManager

    from wsiweb.client.credentials import Credentials
    from wsiweb.client.transport import Payload, Response, Transport

__all__ = ["Exchange"]

_GOOD = frozenset({200, 204})
_REDIRECTS = 5
_FOLLOWED = frozenset({301, 302, 303, 307, 308})
_FOLLOWED_WHOLE = frozenset({307, 308})  # with what is sent; the others make a GET of it
_LATELY = 2.0  # seconds for which a connection is thought to stay open; Orthanc closes after 1


class Exchange:
    """Requests to one archive; to be used on the library's event loop.

    Parameters
    ----------
    transport : Transport
        The way to the archive.
    credentials : Credentials
        What requests to the archive's own origin carry.
    places : int
        Requests that may be under way at once.
    """

    def __init__(self, transport: Transport, credentials: Credentials, places: int) -> None:
        self._transport = transport
        self._credentials = credentials
        self._place_count = places
        self._closed = False
        self._used = _InUse()
        self._places = asyncio.Semaphore(places)

    def renew(self) -> None:
        """Start anew in a forked child."""
        self._places = asyncio.Semaphore(self._place_count)
        self._credentials.start_anew()
        self._used = _InUse()
        self._transport.renew()

    @property
    def base_url(self) -> str:
        """Address of the DICOMweb service."""
        return self._transport.base_url

    @property
    def connected(self) -> int:
        """Connections that are probably open: as many as were in use at once just now."""
        return self._used.lately()

    @property
    def in_use(self) -> int:
        """Requests that are under way, or wait for their place."""
        return self._used.now

    async def connect(self, count: int) -> None:
        """Open up to so many connections that nobody has asked for yet."""
        if not self._closed:
            self._used.opened(await self._transport.connect(count))

    async def close(self) -> None:
        """Close all connections; from then on every request is refused with ValueError."""
        self._closed = True
        await self._transport.close()

    def get(self, url: str, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Response]:
        """Send a GET with credentials; the answer is a good one, or an error is raised.

        Raises
        ------
        ArchiveError
            The error that the status means, with the beginning of what the archive says of it.
        ValueError
            When this was closed.
        """
        return self._answer("GET", url, headers, None, _GOOD)

    def post(
        self,
        url: str,
        headers: Mapping[str, str],
        payload: Callable[[], Payload],
        good: Container[int],
    ) -> AbstractAsyncContextManager[Response]:
        """Send something with credentials. It is not sent again, unless it was not taken.

        A refusal of the credentials renews them once, and a redirect that keeps what is sent (307,
        308) is followed; both times the payload is made anew and sent from its start. Other
        redirects would turn it into a GET, and are errors.

        Parameters
        ----------
        url : str
            Absolute URL.
        headers : mapping of str to str
            Headers, beside those that describe the payload.
        payload : callable
            Makes what is sent, for each attempt anew.
        good : container of int
            Statuses of answers that the caller reads.

        Raises
        ------
        ArchiveError
            As of `get`, for any other status.
        ValueError
            When this was closed.
        Exception
            What the payload raised.
        """
        return self._answer("POST", url, headers, payload, good)

    @contextlib.asynccontextmanager
    async def _answer(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        payload: Callable[[], Payload] | None,
        good: Container[int],
    ) -> AsyncGenerator[Response]:
        if self._closed:
            raise ValueError(f"The connection to {shown(self.base_url)} was closed; connect again.")
        async with self._places, self._used, contextlib.AsyncExitStack() as stack:
            for renewed in (False, True):
                generation = self._credentials.generation
                answer, at = await self._follow(stack, method, url, headers, payload)
                if answer.status in good:
                    yield answer
                    return
                error = await _error_of(answer, method, self._shown(at))
                await stack.aclose()
                may_renew = isinstance(error, Unauthorized) and not renewed
                if not (may_renew and await self._credentials.renew(generation)):
                    raise error

    async def _follow(
        self,
        stack: contextlib.AsyncExitStack,
        method: str,
        url: str,
        headers: Mapping[str, str],
        payload: Callable[[], Payload] | None,
    ) -> tuple[Response, str]:
        """Send a request, and follow redirects; credentials stay with the archive's own origin."""
        followed = _FOLLOWED if payload is None else _FOLLOWED_WHOLE
        at = url
        for _ in range(_REDIRECTS):
            secrets = await self._credentials.headers() if self._is_home(at) else {}
            request = Request(method, at, {**headers, **secrets}, payload and payload())
            answer = await stack.enter_async_context(self._transport.send(request))
            target = answer.headers.get("location")
            if answer.status not in followed or target is None:
                return answer, at
            await stack.aclose()
            at = self._redirected(method, at, target)
        raise ArchiveError(f"More than {_REDIRECTS} redirects.", method=method, url=shown(url))

    def _redirected(self, method: str, at: str, target: str) -> str:
        """Return where a redirect leads to."""
        try:
            there = urljoin(at, target)
            scheme, _, _ = _origin(there)
        except ValueError:
            raise ProtocolError(
                "The archive redirects to what is no address.", method=method, url=shown(at)
            ) from None
        if method != "GET" and _origin(at)[0] == "https" and scheme != "https":
            raise ProtocolError(
                "The archive redirects what is sent to an address without encryption.",
                method=method,
                url=shown(at),
            )
        return there

    def _is_home(self, url: str) -> bool:
        """Whether a URL is of the archive's own origin, or of its TLS side."""
        home, there = _origin(self.base_url), _origin(url)
        return there == home or (home[:2], there[:2]) == (("http", home[1]), ("https", home[1]))

    def _shown(self, url: str) -> str:
        """Return a URL as errors may show it: elsewhere a query is often a signature."""
        return shown(url if self._is_home(url) else url.partition("?")[0])


class _InUse:
    """How many requests are under way, and how many were lately; a context of each."""

    def __init__(self) -> None:
        self.now = 0
        self._since = 0.0
        self._most, self._most_before = 0, 0

    async def __aenter__(self) -> None:
        self.lately()
        self.now += 1
        self._most = max(self._most, self.now)

    async def __aexit__(self, *_: object) -> None:
        self.now -= 1

    def opened(self, count: int) -> None:
        """Note that so many connections are open, beside one that is in use or just was."""
        self.lately()
        self._most = max(self._most, 1 + count)

    def lately(self) -> int:
        """Return the most that were under way at once, within the last seconds."""
        now = time.monotonic()
        if now - self._since > _LATELY:
            both = now - self._since > 2 * _LATELY
            self._most_before = self.now if both else self._most
            self._most, self._since = self.now, now
        return max(self._most, self._most_before)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return parts.scheme, parts.hostname or "", port


async def _error_of(answer: Response, method: str, url: str) -> ArchiveError:
    """Turn a bad status into an error, with the beginning of what the archive says of it."""
    text = ""
    with contextlib.suppress(WsiwebError):  # the status alone says enough
        text = (await answer.read(limit=2000)).decode("utf-8", "replace")
    return refusal(answer.status, answer.headers, text, method=method, url=url)
