"""A request with credentials: redirects followed, refusals renewed once, failures named.

Above it, every answer is a good one; below it, transports carry requests and know nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from wsiweb.client.retries import seconds_asked
from wsiweb.client.transport import Request
from wsiweb.errors import (
    ArchiveError,
    Busy,
    NotAcceptable,
    NotFound,
    ProtocolError,
    Unauthorized,
    WsiwebError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from wsiweb.client.auth import Auth
    from wsiweb.client.transport import Response, Transport

__all__ = ["Exchange"]

_REDIRECTS = 5
_LATELY = 2.0  # seconds for which a connection is thought to stay open; Orthanc closes after 1


class Exchange:
    """Requests to one archive; to be used on the library's event loop.

    Parameters
    ----------
    transport : Transport
        The way to the archive.
    auth : Auth
        Credentials. They are fetched once and renewed once, however many requests wait for them.
    places : int
        Requests that may be under way at once.
    """

    def __init__(self, transport: Transport, auth: Auth, places: int) -> None:
        self._transport = transport
        self._auth = auth
        self._place_count = places
        self._renewed = 0  # how often a renewal was tried
        self._has_fresh = False  # what came of the last one
        self._closed = False
        self._used = _InUse()
        self._make_locks()

    def _make_locks(self) -> None:
        self._places = asyncio.Semaphore(self._place_count)
        self._renewal = asyncio.Lock()

    def renew(self) -> None:
        """Start anew in a forked child."""
        self._make_locks()
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

    @contextlib.asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str]) -> AsyncGenerator[Response]:
        """Send a GET with credentials; the answer is a good one, or an error is raised.

        Raises
        ------
        ArchiveError
            The error that the status means, with the beginning of what the archive says of it.
        ValueError
            When this was closed.
        """
        if self._closed:
            raise ValueError(f"The connection to {self.base_url} was closed; connect again.")
        async with self._places, self._used, contextlib.AsyncExitStack() as stack:
            for renewed in (False, True):
                generation = self._renewed
                answer, at = await self._follow(stack, url, headers)
                if answer.status in {200, 204}:
                    yield answer
                    return
                error = await _error_of(answer, self._shown(at))
                await stack.aclose()
                may_renew = isinstance(error, Unauthorized) and not renewed
                if not (may_renew and await self._renew(generation)):
                    raise error

    async def _follow(
        self, stack: contextlib.AsyncExitStack, url: str, headers: Mapping[str, str]
    ) -> tuple[Response, str]:
        """Send a GET, and follow redirects; credentials stay with the archive's own origin."""
        at = url
        for _ in range(_REDIRECTS):
            secrets = await self._credentials() if self._is_home(at) else {}
            exchange = self._transport.send(Request("GET", at, {**headers, **secrets}))
            answer = await stack.enter_async_context(exchange)
            target = answer.headers.get("location")
            if answer.status not in {301, 302, 303, 307, 308} or target is None:
                return answer, at
            await stack.aclose()
            try:
                at = urljoin(at, target)
                _origin(at)
            except ValueError:
                raise ProtocolError(
                    "The archive redirects to what is no address.", url=url
                ) from None
        raise ArchiveError(f"More than {_REDIRECTS} redirects.", method="GET", url=url)

    def _is_home(self, url: str) -> bool:
        """Whether a URL is of the archive's own origin, or of its TLS side."""
        home, there = _origin(self.base_url), _origin(url)
        return there == home or (home[:2], there[:2]) == (("http", home[1]), ("https", home[1]))

    def _shown(self, url: str) -> str:
        """Return a URL as errors may show it: elsewhere a query is often a signature."""
        return url if self._is_home(url) else url.partition("?")[0]

    async def _credentials(self) -> Mapping[str, str]:
        # Under the lock, so that the first token is fetched once, and a renewal is waited for.
        async with self._renewal:
            return await self._auth.headers()

    async def _renew(self, generation: int) -> bool:
        """Renew the credentials, unless it was tried since `generation`; tell if that helped."""
        async with self._renewal:
            if self._renewed == generation:
                self._renewed += 1
                self._has_fresh = False
                self._has_fresh = await self._auth.refresh()
            return self._has_fresh


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


_MEANINGS: dict[int, tuple[type[ArchiveError], str]] = {
    401: (Unauthorized, "The archive wants credentials, or other ones; pass auth=."),
    403: (Unauthorized, "These credentials may not do this, or they have expired."),
    404: (NotFound, "The archive has no such object."),
    406: (NotAcceptable, "The archive cannot send this in an encoding that was asked for."),
    410: (NotFound, "The archive no longer has this object."),
    415: (NotAcceptable, "The archive does not know the encoding that was asked for."),
    429: (Busy, "The archive asks for fewer requests, and went on doing so."),
    503: (Busy, "The archive is overloaded or starting, and stayed so."),
}


async def _error_of(answer: Response, url: str) -> ArchiveError:
    """Turn a bad status into an error, with the beginning of what the archive says of it."""
    kind, words = _MEANINGS.get(
        answer.status, (ArchiveError, "The archive could not do this, or would not.")
    )
    text = ""
    with contextlib.suppress(WsiwebError):  # the status alone says enough
        text = (await answer.read(limit=2000)).decode("utf-8", "replace").strip()
    error = kind(words, method="GET", url=url, status=answer.status, body=" ".join(text.split()))
    if isinstance(error, Busy):
        error.retry_after = seconds_asked(answer.headers.get("retry-after"))
    return error
