"""One coroutine for each DICOMweb transaction: search, metadata, frames, bulk data.

The client turns questions into requests and answers into values. It retries what may be
retried, renews credentials once for all that wait, steps down the ladder of encodings, and
maps every failure to an error of `wsiweb.errors`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from wsiweb.client.profile import ServerProfile
from wsiweb.client.retries import retrying, seconds_asked
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
from wsiweb.loop import in_pool
from wsiweb.wire import media
from wsiweb.wire.dicomjson import Attributes
from wsiweb.wire.multipart import MultipartReader
from wsiweb.wire.uris import Resource, rebase

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Generator,
        Iterable,
        Iterator,
        Mapping,
    )

    from wsiweb.client.auth import Auth
    from wsiweb.client.transport import Response, Transport
    from wsiweb.settings import Settings
    from wsiweb.wire.multipart import Part
    from wsiweb.wire.query import Query

__all__ = ["DicomwebClient"]

_PAGE = 200
_SMALL = 64 * 1024  # bytes of JSON that are decoded sooner than handed to a thread
_REDIRECTS = 5
_STEP_DOWN = frozenset({400, 406, 415, 500})  # what archives answer to an Accept they dislike
_JSON = {"Accept": media.DICOM_JSON, "Accept-Encoding": "gzip"}


class DicomwebClient:
    """Transactions with one archive; to be used on the library's event loop.

    Parameters
    ----------
    transport : Transport
        The way to the archive.
    auth : Auth
        Credentials.
    settings : Settings
        Limits.
    profile : ServerProfile, optional
        What is known of the archive's abilities; learnt when not given.
    """

    def __init__(
        self,
        transport: Transport,
        auth: Auth,
        settings: Settings,
        profile: ServerProfile | None = None,
    ) -> None:
        self._transport = transport
        self._auth = auth
        self._settings = settings
        self.profile = profile or ServerProfile(frames_per_request=settings.frames_per_request)
        self._renewed = 0
        self._closed = False
        self._make_locks()

    def _make_locks(self) -> None:
        self._places = asyncio.Semaphore(self._settings.connections)
        self._renewal = asyncio.Lock()

    def renew(self) -> None:
        """Start anew in a forked child."""
        self._make_locks()
        self._transport.renew()

    @property
    def base_url(self) -> str:
        """Address of the DICOMweb service."""
        return self._transport.base_url

    async def close(self) -> None:
        """Close all connections; from then on every request is refused with ValueError."""
        self._closed = True
        await self._transport.close()

    # Search ---------------------------------------------------------------------------------

    async def search(self, query: Query) -> list[Attributes]:
        """Send one QIDO-RS query (PS3.18 10.6) and return its matches; one page.

        Raises
        ------
        ArchiveError
            When the archive does not answer it.
        """
        url = self._url(query.resource)
        text = query.query_string()
        return await self._json(f"{url}?{text}" if text else url)

    async def search_pages(self, query: Query) -> AsyncIterator[list[Attributes]]:
        """Yield the matches of a query page by page, until the archive has no more.

        An archive that ignores ``offset`` repeats itself: the search ends there instead of
        going on for ever. What it repeats is not yielded again.
        """
        wanted = query.limit
        seen: set[tuple[str, ...]] = set()
        offset = query.offset
        while wanted is None or wanted > 0:
            size = _PAGE if wanted is None else min(_PAGE, wanted)
            page = await self.search(dataclasses.replace(query, limit=size, offset=offset))
            offset += len(page)
            fresh = [
                one for one in page if not (_identity(one) in seen or seen.add(_identity(one)))
            ]
            if wanted is not None:
                fresh = fresh[:wanted]
                wanted -= len(fresh)
            if fresh:
                yield fresh
            # A short page may be the archive's own limit, so only an empty or a repeated one ends
            # the search; an archive that ignores limit as well has said everything at once.
            if not fresh or len(page) > size:
                return

    # Metadata -------------------------------------------------------------------------------

    async def metadata(
        self, study_uid: str, series_uid: str, instance_uid: str | None = None
    ) -> list[Attributes]:
        """Return the headers of a series, or of one instance (PS3.18 10.4.1.1.2).

        Raises
        ------
        NotFound
            When the archive has no such series or instance.
        ArchiveError
            When it does not answer.
        """
        resource = Resource(
            study=study_uid, series=series_uid, instance=instance_uid, aspect="metadata"
        )
        headers = await self._json(self._url(resource))
        if not headers:
            raise NotFound("The archive has no such object.", url=self._url(resource))
        return headers

    async def _json(self, url: str) -> list[Attributes]:
        async def attempt() -> list[Attributes]:
            async with self._exchange(url, _JSON) as answer:
                if answer.status == 204:
                    return []
                body = await answer.read()
            with _located(url):
                if len(body) < _SMALL:
                    return Attributes.decode(body)
                return await in_pool(Attributes.decode, body)

        return await retrying(attempt, self._settings)

    # Pixels ---------------------------------------------------------------------------------

    async def frames(
        self,
        resource: Resource,
        deliver: Callable[[int, bytes], None],
        *,
        transfer_syntax: str | None = None,
    ) -> None:
        """Fetch frames (PS3.18 10.4.1.1.6) and deliver each as soon as it has arrived.

        Parameters
        ----------
        resource : Resource
            An instance with the one-based numbers of its frames, each once.
        deliver : callable
            Called with a frame's number and its bytes as stored, once for each frame, in
            the order of their arrival, on the event loop.
        transfer_syntax : str, optional
            The syntax that the frames are stored in, when it is known.

        Raises
        ------
        ArchiveError
            When a frame could not be had. Frames delivered before stay delivered.
        """
        missing = dict.fromkeys(resource.frames)

        def take(number: int, body: bytes) -> None:
            del missing[number]
            deliver(number, body)

        async def attempt() -> None:
            part = dataclasses.replace(resource, frames=tuple(missing))
            await self._down_the_ladder(part, take, transfer_syntax)

        try:
            await retrying(attempt, self._settings)
        except ArchiveError as error:
            # Some archives answer single frames only (Kheops): ask one by one, and remember.
            if len(missing) < 2 or error.status not in _STEP_DOWN | {404}:
                raise
            for number in tuple(missing):
                single = dataclasses.replace(resource, frames=(number,))
                await self.frames(single, take, transfer_syntax=transfer_syntax)
            self.profile.frames_per_request = 1

    async def _down_the_ladder(
        self,
        resource: Resource,
        take: Callable[[int, bytes], None],
        transfer_syntax: str | None,
    ) -> None:
        """Ask with one Accept after the other until the archive likes one; remember which."""
        ladder = media.frame_accepts(transfer_syntax)
        learnt = self.profile.accept
        steps = range(len(ladder)) if learnt is None else [min(learnt, len(ladder) - 1)]
        refusal: ArchiveError | None = None
        for step in steps:
            try:
                await self._frames_as(resource, ladder[step], take)
            except ArchiveError as error:
                if error.status not in _STEP_DOWN:
                    raise
                refusal = refusal or error  # the first says most: it answers the best question
            else:
                self.profile.accept = step
                return
        assert refusal is not None  # noqa: S101 - the ladder has a step
        raise refusal

    async def _frames_as(
        self, resource: Resource, accept: str, take: Callable[[int, bytes], None]
    ) -> None:
        url = self._url(resource)
        # Frames are compressed already: gzip would only cost time, on both sides.
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        expected = iter(resource.frames)
        count = 0
        async with self._exchange(url, headers) as answer:
            with _located(url):
                if answer.status == 204:
                    raise ProtocolError("Frames were asked for and no content came.")
                reader = MultipartReader(answer.headers.get("content-type", ""))
                async for part in _parts(reader, answer):
                    count += 1
                    number = next(expected, None)
                    if number is None:
                        raise ProtocolError(
                            f"{len(resource.frames)} frames were asked for and more came."
                        )
                    _refuse_document(part)
                    take(number, part.body)
                if count < len(resource.frames):
                    raise ProtocolError(
                        f"{len(resource.frames)} frames were asked for and {count} came."
                    )

    async def bulkdata(self, uri: str, *, document_url: str) -> bytes:
        """Fetch a value that the metadata names by a BulkDataURI (PS3.18 10.4.1.1.5).

        Parameters
        ----------
        uri : str
            The BulkDataURI: absolute, relative, or with the wrong host of a proxy.
        document_url : str
            Address of the metadata in which it stood.

        Raises
        ------
        ArchiveError
            When the value could not be had.
        """
        url = rebase(uri, self.base_url, document_url)

        async def attempt() -> bytes:
            accept = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
            async with self._exchange(url, {"Accept": f"{accept}, */*;q=0.5"}) as answer:
                with _located(url):
                    reader = MultipartReader(answer.headers.get("content-type", ""))
                    parts = [part async for part in _parts(reader, answer)]
                    if len(parts) != 1:
                        raise ProtocolError(f"One value was asked for and {len(parts)} came.")
            return parts[0].body

        return await retrying(attempt, self._settings)

    # The exchange ---------------------------------------------------------------------------

    def _url(self, resource: Resource) -> str:
        return f"{self.base_url}/{resource.path}"

    def frames_that_fit(self, resource: Resource, numbers: Iterable[int]) -> Iterator[list[int]]:
        """Cut frame numbers into lists that fit one request each; lazily."""
        room = self.profile.longest_url - len(self._url(resource)) - len("/frames/")
        batch: list[int] = []
        used = 0
        for number in numbers:
            width = len(str(number)) + 1
            if batch and (len(batch) >= self.profile.frames_per_request or used + width > room):
                yield batch
                batch, used = [], 0
            batch.append(number)
            used += width
        if batch:
            yield batch

    @contextlib.asynccontextmanager
    async def _exchange(self, url: str, headers: Mapping[str, str]) -> AsyncGenerator[Response]:
        """Send a GET with credentials; the answer has a good status, or an error is raised."""
        if self._closed:
            raise ValueError(f"The connection to {self.base_url} was closed; connect again.")
        async with self._places, contextlib.AsyncExitStack() as stack:
            for renewed in (False, True):
                generation = self._renewed
                answer, at = await self._follow(stack, url, headers)
                if answer.status < 300:
                    yield answer
                    return
                error = await _error_of(answer, at)
                await stack.aclose()
                may_renew = isinstance(error, Unauthorized) and not renewed
                if not (may_renew and await self._renew(generation)):
                    raise error

    async def _follow(
        self, stack: contextlib.AsyncExitStack, url: str, headers: Mapping[str, str]
    ) -> tuple[Response, str]:
        """Send a GET, and follow redirects; credentials stay with the archive's own origin."""
        home = urlsplit(self.base_url)[:2]
        at = url
        for _ in range(_REDIRECTS):
            at_home = urlsplit(at)[:2] == home
            secrets = await self._auth.headers() if at_home else {}
            exchange = self._transport.send(Request("GET", at, {**headers, **secrets}))
            answer = await stack.enter_async_context(exchange)
            target = answer.headers.get("location")
            if answer.status not in {301, 302, 303, 307, 308} or target is None:
                return answer, at
            await stack.aclose()
            at = urljoin(at, target)
        raise ArchiveError(f"More than {_REDIRECTS} redirects, the last to {at}.", url=url)

    async def _renew(self, generation: int) -> bool:
        """Renew the credentials, unless someone did since `generation`."""
        async with self._renewal:
            if self._renewed == generation and await self._auth.refresh():
                self._renewed += 1
            return self._renewed != generation


def _identity(match: Attributes) -> tuple[str, ...]:
    return tuple(
        match.text(keyword)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    )


async def _parts(reader: MultipartReader, answer: Response) -> AsyncIterator[Part]:
    async for chunk in answer.chunks:
        for part in reader.feed(chunk):
            yield part
    for part in reader.close():
        yield part


def _refuse_document(part: Part) -> None:
    """Refuse a page or a message that came where a frame was asked for (login pages do)."""
    kind = part.content_type.split(";")[0].strip().lower()
    if kind.startswith("text/") or kind in {"application/json", media.DICOM_JSON}:
        start = bytes(part.body[:200]).decode("utf-8", "replace")
        raise ProtocolError(f"A frame was asked for and {kind} came.", body=start)


@contextlib.contextmanager
def _located(url: str) -> Generator[None]:
    """Say in a protocol error where it happened: the parsers below do not know."""
    try:
        yield
    except ProtocolError as error:
        error.url = error.url or url
        error.method = error.method or "GET"
        raise


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
