"""One coroutine for each DICOMweb transaction: search, metadata, frames, bulk data.

The client turns questions into requests and answers into values. It retries what may be
retried, steps down the ladder of encodings, and learns what the archive can do.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsiweb.client.credentials import Credentials
from wsiweb.client.download import OBJECT_ACCEPTS, save_object
from wsiweb.client.exchange import Exchange
from wsiweb.client.pace import Pace
from wsiweb.client.profile import ServerProfile, remember
from wsiweb.client.retries import retrying
from wsiweb.client.stow import send_objects
from wsiweb.errors import (
    ArchiveError,
    NotFound,
    ProtocolError,
)
from wsiweb.loop import close_at_exit, in_pool
from wsiweb.wire import media
from wsiweb.wire.dicomjson import Attributes
from wsiweb.wire.media import Step
from wsiweb.wire.multipart import MultipartReader
from wsiweb.wire.uris import Resource, rebase, shown

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Generator,
        Mapping,
        Sequence,
    )
    from pathlib import Path

    from wsiweb.client.auth import Auth
    from wsiweb.client.stow import Sendable
    from wsiweb.client.transport import Response, Transport
    from wsiweb.settings import Settings
    from wsiweb.wire.multipart import Part
    from wsiweb.wire.query import Query
    from wsiweb.wire.receipts import Answer

__all__ = ["Arrival", "DicomwebClient"]

Arrival = tuple[int, bytes, Step]  # a frame's number, its bytes, and what it was asked for as

_PAGE = 200
_PREPARED = 4  # connections for a first read; an archive that has a worker for each is spared more
_SMALL = 64 * 1024  # bytes of JSON that are decoded sooner than handed to a thread
_REDIRECTS = 5
_NO = frozenset({400, 406, 415})  # what archives answer to an Accept that they dislike
_TOO_LONG = frozenset({400, 404, 413, 414, 431, 500})  # and to a URL that is too long for them
_SHORT_URL = 2000  # characters that every archive takes
_FRAME_AT_END = re.compile(r"/frames/([0-9]{1,10})/?$")
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
    store_transport : Transport, optional
        Another way for what is stored: to another address, or with connections of its own.
    store_auth : Auth, optional
        Other credentials on that way.
    """

    def __init__(
        self,
        transport: Transport,
        auth: Auth,
        settings: Settings,
        profile: ServerProfile | None = None,
        *,
        store_transport: Transport | None = None,
        store_auth: Auth | None = None,
    ) -> None:
        credentials = Credentials(auth)
        self._exchange = Exchange(transport, credentials, settings.connections)
        self._storing = self._exchange
        if store_transport is not None:
            self._storing = Exchange(
                store_transport,
                credentials if store_auth is None else Credentials(store_auth),
                settings.connections,
            )
        self._settings = settings
        self.profile = profile or ServerProfile()
        most = settings.frames_per_request
        self.pace = Pace(
            settings.connections,
            self.profile.most_frames if most is None else min(most, self.profile.most_frames),
            fixed=most is not None,
            known=self.profile.pace,
        )
        self._start_empty()
        close_at_exit(self)

    def _start_empty(self) -> None:
        self._under_way = 0
        self._preparing: asyncio.Task[None] | None = None  # kept, lest it be collected
        self._clocks: set[_Clock] = set()

    def renew(self) -> None:
        """Start anew in a forked child."""
        self._exchange.renew()
        if self._storing is not self._exchange:
            self._storing.renew()
        self._start_empty()

    @property
    def base_url(self) -> str:
        """Address of the DICOMweb service."""
        return self._exchange.base_url

    @property
    def connected(self) -> int:
        """Connections that are probably open: as many as were in use at once just now."""
        return self._exchange.connected

    def prepare(self) -> None:
        """Begin to open the connections that a first read will want, while headers are coming.

        Only while nothing else is read: connections are open then, and must not be held back.
        """
        wanted = min(_PREPARED, self.pace.capacity) - 1  # the one of the headers is free by then
        is_idle = self._preparing is None or self._preparing.done()
        if is_idle and not self._exchange.in_use and 0 < wanted >= self.connected:
            self._preparing = asyncio.create_task(self._exchange.connect(wanted))

    async def close(self) -> None:
        """Close all connections; from then on every request is refused with ValueError."""
        if not self.pace.fixed:
            self.profile.pace = self.pace.known()
            await in_pool(remember, self.base_url, self.profile)
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.wait([self._preparing])
        await self._exchange.close()
        if self._storing is not self._exchange:
            await self._storing.close()

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

    async def search_pages(
        self, query: Query, keep: Callable[[Attributes], bool] = lambda _: True
    ) -> AsyncGenerator[list[Attributes]]:
        """Yield the matches of a query page by page, until the archive has no more.

        An archive that ignores ``offset`` repeats itself: the search ends there instead of
        going on for ever, and a warning says so where matches may be missing.

        Parameters
        ----------
        query : Query
            What is looked for; its limit is that of all pages together.
        keep : callable
            Filters matches once more; those that are left out do not count for the limit.
        """
        wanted = query.limit
        seen: set[tuple[str, ...]] = set()
        offset = query.offset
        before = 0  # matches on the page before
        while wanted is None or wanted > 0:
            size = _PAGE if wanted is None else min(_PAGE, wanted)
            page = await self.search(dataclasses.replace(query, limit=size, offset=offset))
            offset += len(page)
            fresh: list[Attributes] = []
            for match in page:
                identity = _identity(match)
                if identity not in seen:
                    seen.add(identity)
                    fresh.append(match)
            # A few known ones have moved on, in an archive that is stored into meanwhile; a page
            # as long as the one before is that one again, or another of those before it.
            again = bool(page) and not fresh and len(page) >= min(size, before)
            before = len(page)
            if again and _may_be_a_cap(len(page)):
                warnings.warn(
                    f"{shown(self.base_url)} repeats its first {len(seen)} matches instead of "
                    "going on: there may be more. Narrow the search.",
                    stacklevel=2,
                )
            kept = [match for match in fresh if keep(match)][:wanted]
            if wanted is not None:
                wanted -= len(kept)
            if kept:
                yield kept
            # More than was asked is everything; less is the end, unless it is an archive's own cap.
            short = len(page) < size and not _may_be_a_cap(len(page))
            if not fresh or short or len(page) > size:
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
            raise NotFound("The archive has no such object.", url=shown(self._url(resource)))
        return headers

    async def _json(self, url: str) -> list[Attributes]:
        async def attempt() -> list[Attributes]:
            began = time.perf_counter()
            async with self._exchange.get(url, _JSON) as answer:
                self.pace.hint(time.perf_counter() - began)
                if answer.status == 204:
                    return []
                body = await answer.read()
            with _located(url):
                if not body and answer.headers.get("content-encoding"):
                    raise ProtocolError("A compressed answer came that is empty: it was cut off.")
                if answer.headers.get("warning", "").lstrip().startswith("299"):
                    warnings.warn(f"{url} warns: {answer.headers['warning']}", stacklevel=2)
                if len(body) < _SMALL:
                    return Attributes.decode(body)
                return await in_pool(Attributes.decode, body)

        return await retrying(attempt, self._settings)

    # Pixels ---------------------------------------------------------------------------------

    async def frames(
        self,
        resource: Resource,
        deliver: Callable[[list[Arrival]], None],
        *,
        transfer_syntax: str | None = None,
    ) -> None:
        """Fetch frames (PS3.18 10.4.1.1.6) and deliver each as soon as it has arrived.

        Parameters
        ----------
        resource : Resource
            An instance with the one-based numbers of its frames, each once.
        deliver : callable
            Called on the event loop with the frames that have come together: of each its number,
            its bytes, and the step of the Accept ladder that it came by. Each frame comes once.
        transfer_syntax : str, optional
            The syntax that the frames are stored in, when it is known.

        Raises
        ------
        ArchiveError
            When a frame could not be had. Frames delivered before stay delivered.
        """
        if self.profile.most_frames == 1 < len(resource.frames):  # learnt since this was asked
            for number in resource.frames:
                alone = resource.with_frames((number,))
                await self.frames(alone, deliver, transfer_syntax=transfer_syntax)
            return
        missing = dict.fromkeys(resource.frames)
        attempts = 0

        def take(arrivals: list[Arrival]) -> None:
            for number, _, _ in arrivals:
                del missing[number]
            deliver(arrivals)

        async def attempt() -> None:
            nonlocal attempts
            attempts += 1
            # A 500 may be a no to what was asked for, but at first it is taken for bad luck.
            no = _NO | {500} if attempts > 1 else _NO
            part = resource.with_frames(missing)
            await self._down_the_ladder(part, take, transfer_syntax, no)

        try:
            await retrying(attempt, self._settings)
        except ArchiveError as error:
            refused = error.status in _NO | _TOO_LONG or isinstance(error, _Miscounted)
            if len(missing) < 2 or not refused:
                raise
            numbers = tuple(missing)
            length = len(self._url(resource.with_frames(numbers)))
            is_too_long = length > _SHORT_URL and error.status in _TOO_LONG
            if is_too_long:
                half = len(numbers) // 2
                parts = [numbers[:half], numbers[half:]]
            else:  # some archives answer single frames only (Kheops)
                parts = [(number,) for number in numbers]
            for part in parts:
                again = resource.with_frames(part)
                await self.frames(again, take, transfer_syntax=transfer_syntax)
            # Now that shorter ones have come, the length it was; or, with a 500, a passing fault.
            if is_too_long and error.status != 500:
                longest = max(_SHORT_URL, length // 2)
                self.profile.longest_url = min(self.profile.longest_url, longest)
            elif error.status != 500:
                self.profile.most_frames = self.pace.most_frames = 1

    async def _down_the_ladder(
        self,
        resource: Resource,
        take: Callable[[list[Arrival]], None],
        transfer_syntax: str | None,
        no: frozenset[int],
    ) -> None:
        """Ask with one Accept after the other until the archive likes one; remember which."""
        ladder = media.frame_accepts(transfer_syntax)
        learnt = self.profile.accept
        steps = sorted(ladder, key=lambda step: step is not learnt)  # the learnt one first
        refusal: ArchiveError | None = None
        for step in steps:
            try:
                await self._frames_as(resource, ladder[step], step, take)
            except ArchiveError as error:
                if error.status not in no:
                    raise
                # The first refusal says most: it answers the best question.
                refusal = refusal or error
            else:
                if refusal is None or refusal.status != 500:
                    self._learn(step)
                return
        assert refusal is not None  # noqa: S101 - the ladder has a step
        raise refusal

    def _learn(self, step: Step) -> None:
        if step is Step.BARE and self.profile.accept is not Step.BARE:
            warnings.warn(
                f"{shown(self.base_url)} does not give frames as they are stored, only decompressed"
                ": reading is slow, and colours are as the archive made them.",
                stacklevel=2,
            )
        self.profile.accept = step

    async def _frames_as(
        self,
        resource: Resource,
        accept: str,
        step: Step,
        take: Callable[[list[Arrival]], None],
    ) -> None:
        url = self._url(resource)
        # Frames are compressed already: gzip would only cost time, on both sides.
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        expected = dict.fromkeys(resource.frames)
        with self._timed(len(expected)) as clock:
            async with self._exchange.get(url, headers) as answer:
                clock.begins()
                with _located(url):
                    if answer.status == 204:
                        raise ProtocolError("Frames were asked for and no content came.")
                    reader = MultipartReader(answer.headers.get("content-type", ""))
                    async for chunk in answer.chunks:
                        self._take_parts(reader.feed(chunk), expected, step, take)
                    self._take_parts(reader.close(), expected, step, take)
                    if expected:
                        count = len(resource.frames) - len(expected)
                        raise _Miscounted(
                            f"{len(resource.frames)} frames were asked for and {count} came."
                        )

    @staticmethod
    def _take_parts(
        parts: list[Part],
        expected: dict[int, None],
        step: Step,
        take: Callable[[list[Arrival]], None],
    ) -> None:
        arrivals: list[Arrival] = []
        try:
            for part in parts:
                _refuse_document(part)
                number = _number_of(part, expected)
                del expected[number]
                arrivals.append((number, part.body, step))
        finally:  # what came before a part that is refused counts all the same
            if arrivals:
                take(arrivals)

    @contextlib.contextmanager
    def _timed(self, frames: int) -> Generator[_Clock]:
        """Tell the pace how an answer comes, if it comes."""
        self._under_way += 1
        clock = _Clock()
        self._clocks.add(clock)
        for other in self._clocks:
            other.places = max(other.places, self._under_way)
        try:
            yield clock
            if clock.first is not None:
                total = time.perf_counter() - clock.began
                self.pace.observe(
                    frames=frames, places=clock.places, first=clock.first, total=total
                )
        finally:
            self._under_way -= 1
            self._clocks.discard(clock)

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
            async with self._exchange.get(url, {"Accept": f"{accept}, */*;q=0.5"}) as answer:
                with _located(url):
                    reader = MultipartReader(answer.headers.get("content-type", ""))
                    parts = [part async for part in _parts(reader, answer)]
                    if len(parts) != 1:
                        raise ProtocolError(f"One value was asked for and {len(parts)} came.")
            return parts[0].body

        return await retrying(attempt, self._settings)

    # Objects --------------------------------------------------------------------------------

    async def instance(
        self, study_uid: str, series_uid: str, instance_uid: str, path: Path
    ) -> None:
        """Fetch a whole object (PS3.18 10.4.1.1.1) into a file, as the archive stores it.

        Parameters
        ----------
        study_uid, series_uid, instance_uid : str
            Of the object.
        path : Path
            The file, in a folder that exists; one of that name is replaced. It appears when all of
            the object is there. Memory holds a piece of it at a time.

        Raises
        ------
        NotFound
            When the archive has no such object.
        ArchiveError
            When it does not send it.
        OSError
            When the file cannot be written.
        """
        url = self._url(Resource(study=study_uid, series=series_uid, instance=instance_uid))

        async def attempt() -> None:
            for accept in OBJECT_ACCEPTS:
                headers = {"Accept": accept, "Accept-Encoding": "identity"}
                try:
                    async with self._exchange.get(url, headers) as answer:
                        with _located(url):
                            await save_object(answer, path)
                    return  # noqa: TRY300 - an else would be for the loop
                except ArchiveError as error:
                    if error.status not in _NO or accept == OBJECT_ACCEPTS[-1]:
                        raise

        await retrying(attempt, self._settings)

    async def store(
        self,
        files: Sequence[Sendable],
        *,
        study: str | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> Answer:
        """Send objects in one request (STOW-RS, PS3.18 10.5); one attempt only.

        Parameters
        ----------
        files : sequence of Sendable
            DICOM files.
        study : str, optional
            The study that all of them belong to; without it the archive looks by itself.
        on_bytes : callable, optional
            Told on the event loop how many bytes have left, heads included; from 0 again when all
            is sent again, because the credentials had expired or the archive points elsewhere.

        Returns
        -------
        Answer
            What the archive says of each object, and perhaps nothing.

        Raises
        ------
        ArchiveError
            When there is no answer, or a status other than 2xx, 400 with words on the objects, and
            409. Some objects may be stored nevertheless: ask before you send them again.
        FileChanged
            When a file is not as long as was said, or changes while it is sent.
        ValueError
            For no files, and for a study that is no UID.
        """
        resource = Resource(study) if study is not None else Resource(aspect="studies")
        url = f"{self._storing.base_url}/{resource.path}"
        return await send_objects(self._storing, url, files, on_bytes)

    # Addresses ------------------------------------------------------------------------------

    def _url(self, resource: Resource) -> str:
        return f"{self.base_url}/{resource.path}"

    def room_in_url(self, instance: Resource) -> int:
        """Return how many characters a list of frames may have, each with its comma."""
        return self.profile.longest_url - len(self._url(instance)) - len("/frames/")


@dataclass(eq=False, slots=True)
class _Clock:
    """How long an answer takes, and how many were on their way meanwhile."""

    began: float = dataclasses.field(default_factory=time.perf_counter)
    first: float | None = None  # seconds until it began
    places: int = 1

    def begins(self) -> None:
        self.first = time.perf_counter() - self.began


class _Miscounted(ProtocolError):
    """Fewer frames came than were asked for, though the answer is whole."""


def _may_be_a_cap(count: int) -> bool:
    """Whether a number of matches looks like an archive's own limit: those are round."""
    return count > 0 and count % 50 == 0


def _number_of(part: Part, expected: Mapping[int, None]) -> int:
    """Return which of the expected frames a part is: as it says itself, else the next.

    Parts come in the order of the list (PS3.18 10.4.4), but not from every archive.

    Raises
    ------
    ProtocolError
        When it is none of them.
    """
    if not expected:
        raise ProtocolError("More frames came than were asked for.")
    said = _FRAME_AT_END.search(part.location)
    if said is None:
        return next(iter(expected))
    number = int(said[1])
    if number not in expected:
        raise ProtocolError(
            f"Frame {number} came ({part.location[-60:]}), and was not asked for, or twice."
        )
    return number


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
        error.url = error.url or shown(url)
        error.method = error.method or "GET"
        raise
