"""Frames: fetched once, decoded once, held within a budget of bytes.

The first reader of a missing frame starts a *flight*; whoever wants the same frame meanwhile
joins it. Missing frames are fetched in batches, each batch one request; a part is decoded in
the pool as soon as it has arrived, while later parts are still on their way. A batch that
nobody waits for any more is cancelled.

All of this is bookkeeping on one event loop, so it needs no locks; and it is done with
callbacks, because a task for each of 10,000 tiles costs more than fetching them.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsiweb import loop, tracing
from wsiweb.cache import ByteCache
from wsiweb.errors import NotAcceptable
from wsiweb.pixels.decode import decode
from wsiweb.wire import media
from wsiweb.wire.uris import Resource

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Callable, Iterable

    import numpy as np

    from wsiweb.client.client import DicomwebClient
    from wsiweb.pixels.pyramid import FrameAddress, TiledImage
    from wsiweb.settings import Settings

__all__ = ["EncodedImage", "Frames"]


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A frame's bytes as the archive sent them; nothing was decoded or encoded again.

    Attributes
    ----------
    data : bytes
        The codestream, or the bare pixels of a native frame.
    codec : Codec
        How it is encoded, told from the bytes themselves.
    media_type : str
        Its media type, such as ``"image/jpeg"``.
    size : tuple of int
        Width and height of the whole frame in pixels, padding of edge tiles included.
    photometric : str
        PhotometricInterpretation of the instance. ``"RGB"`` with a JPEG that has no Adobe
        marker means that most viewers would show false colours.
    """

    data: bytes
    codec: media.Codec
    media_type: str
    size: tuple[int, int]
    photometric: str


@dataclass(eq=False, slots=True)
class _Reader:
    """One call that waits for some frames."""

    deliver: Callable[[FrameAddress, Any], None]
    wants_array: bool
    ended: asyncio.Future[None]
    waiting: set[_Flight] = field(default_factory=set)

    def take(self, flight: _Flight, value: bytes | np.ndarray) -> None:
        self.waiting.discard(flight)
        if self.ended.done():
            return
        try:
            self.deliver(flight.address, value)
        except Exception as error:
            self.ended.set_exception(error)
            return
        if not self.waiting:
            self.ended.set_result(None)

    def fail(self, flight: _Flight, error: BaseException) -> None:
        self.waiting.discard(flight)
        if self.ended.done():
            return
        if isinstance(error, asyncio.CancelledError):
            self.ended.cancel()
        else:
            self.ended.set_exception(error)


@dataclass(eq=False, slots=True)
class _Flight:
    """One frame on its way, and those who wait for it."""

    image: TiledImage
    address: FrameAddress
    readers: list[_Reader] = field(default_factory=list[_Reader])
    data: bytes | None = None
    decoding: bool = False
    batch: _Batch | None = None


@dataclass(eq=False, slots=True)
class _Batch:
    """Frames that travel in one request."""

    flights: list[_Flight]
    task: asyncio.Task[None] | None = None


class Frames:
    """The frames of one archive.

    All methods are for the library's event loop, except `decoded_if_held`.

    Parameters
    ----------
    client : DicomwebClient
        Fetches what is missing.
    settings : Settings
        Budgets of the two caches.
    """

    def __init__(self, client: DicomwebClient, settings: Settings) -> None:
        self.client = client
        self._encoded: ByteCache[bytes] = ByteCache(settings.encoded_bytes, len)
        self._decoded: ByteCache[np.ndarray] = ByteCache(settings.decoded_bytes, _bytes_of)
        self._places = settings.connections
        self._start_empty()
        loop.renew_after_fork(self)

    def _start_empty(self) -> None:
        self._flights: dict[FrameAddress, _Flight] = {}
        self._queue: dict[str, list[_Flight]] = {}  # by instance; not yet in a batch
        self._departing = False
        self._under_way = 0

    def renew(self) -> None:
        """Start anew in a forked child; what is held in memory stays."""
        self._encoded.renew()
        self._decoded.renew()
        self._start_empty()
        self.client.renew()

    # For readers ----------------------------------------------------------------------------

    def decoded_if_held(self, address: FrameAddress) -> np.ndarray | None:
        """Return a decoded frame from memory, or None; from any thread, without waiting."""
        array = self._decoded.get(address)
        if array is not None:
            tracing.add("cache_hits")
        return array

    async def decoded(
        self,
        image: TiledImage,
        addresses: Iterable[FrameAddress],
        deliver: Callable[[FrameAddress, np.ndarray], None],
    ) -> None:
        """Deliver decoded frames as they become ready, in no certain order.

        Parameters
        ----------
        image : TiledImage
            The image that the frames are of.
        addresses : iterable of FrameAddress
            Frames wanted, each once.
        deliver : callable
            Called on the event loop with address and array (rows, columns, samples); the
            array is read-only and shared with other readers.

        Raises
        ------
        ArchiveError, DecodeError
            The first failure; the other frames are then no longer waited for.
        """
        missing: list[FrameAddress] = []
        for address in addresses:
            array = self.decoded_if_held(address)
            if array is None:
                missing.append(address)
            else:
                deliver(address, array)
        await self._read(image, missing, deliver, wants_array=True)

    async def encoded(self, image: TiledImage, address: FrameAddress) -> EncodedImage:
        """Return a frame as it is stored.

        Raises
        ------
        ArchiveError
            When the frame cannot be had.
        """
        data = self._encoded.get(address)
        if data is not None:
            tracing.add("cache_hits")
        else:
            found: list[bytes] = []
            await self._read(
                image, [address], lambda _, value: found.append(value), wants_array=False
            )
            (data,) = found
        codec = media.sniff(data) or _unmarked_codec(image, data)
        return EncodedImage(
            data=data,
            codec=codec,
            media_type=media.media_type_of(codec),
            size=image.tile_size,
            photometric=image.format.photometric,
        )

    def forget(self, instance_uids: Iterable[str]) -> None:
        """Let go of all that is held of these instances; from any thread."""
        gone = frozenset(instance_uids)
        for cache in (self._encoded, self._decoded):
            cache.discard_where(lambda address: address.instance_uid in gone)

    # Flights --------------------------------------------------------------------------------

    async def _read(
        self,
        image: TiledImage,
        addresses: list[FrameAddress],
        deliver: Callable[[FrameAddress, Any], None],
        *,
        wants_array: bool,
    ) -> None:
        if not addresses:
            return
        reader = _Reader(deliver, wants_array, asyncio.get_running_loop().create_future())
        flights: list[_Flight] = []
        for address in addresses:
            flight = self._flights.get(address)
            if flight is None:
                flight = self._flights[address] = _Flight(image, address)
                flight.data = self._encoded.get(address)
                if flight.data is None:
                    self._queue.setdefault(address.instance_uid, []).append(flight)
                    self._depart_soon()
                else:
                    tracing.add("cache_hits")
            else:
                tracing.add("joined")
            flight.readers.append(reader)
            reader.waiting.add(flight)
            flights.append(flight)
        for flight in flights:
            if flight.data is not None:
                self._serve(flight)
        try:
            await reader.ended
        finally:
            self._leave(reader)

    def _depart_soon(self) -> None:
        """Let requests go in the next round of the loop, when all that is asked now is known."""
        if not self._departing:
            self._departing = True
            asyncio.get_running_loop().call_soon(self._depart)

    def _depart(self) -> None:
        """Send as many requests as there are places for; the rest waits, and gathers meanwhile.

        So frames asked for one by one, by many readers at once, still travel in batches.
        """
        self._departing = False
        while self._queue and self._under_way < self._places:
            uid, queued = next(iter(self._queue.items()))
            flights = [flight for flight in queued if flight.readers]
            instance = Resource(
                study=queued[0].image.study_uid, series=queued[0].image.series_uid, instance=uid
            )
            numbers = (flight.address.number for flight in flights)
            fitting = next(iter(self.client.frames_that_fit(instance, numbers)), [])
            batch = _Batch(flights[: len(fitting)])
            if len(batch.flights) < len(flights):
                self._queue[uid] = flights[len(batch.flights) :]
            else:
                del self._queue[uid]
            if batch.flights:
                self._under_way += 1
                for flight in batch.flights:
                    flight.batch = batch
                batch.task = asyncio.create_task(self._fetch(instance, batch))
                batch.task.add_done_callback(self._back)

    def _back(self, _task: asyncio.Task[None]) -> None:
        self._under_way -= 1
        if self._queue:
            self._depart_soon()

    async def _fetch(self, instance: Resource, batch: _Batch) -> None:
        by_number = {flight.address.number: flight for flight in batch.flights}
        image = batch.flights[0].image

        def land(number: int, data: bytes) -> None:
            _refuse_reencoded(image, number, data)
            tracing.add("frames_fetched")
            flight = by_number[number]
            flight.data = data
            self._encoded.put(flight.address, data)
            self._serve(flight)

        try:
            await self.client.frames(
                instance.with_frames(by_number), land, transfer_syntax=image.transfer_syntax
            )
        except BaseException as error:
            # Told to the readers, whatever it was: a reader must never wait for a dead batch.
            for flight in batch.flights:
                if flight.data is None:
                    for reader in self._end(flight):
                        reader.fail(flight, error)
            if isinstance(error, asyncio.CancelledError):
                raise

    def _serve(self, flight: _Flight) -> None:
        """Give a frame that has landed to its readers; decode it for those who want that."""
        assert flight.data is not None  # noqa: S101 - called once it is there
        for reader in [reader for reader in flight.readers if not reader.wants_array]:
            flight.readers.remove(reader)
            reader.take(flight, flight.data)
        if not flight.readers:
            self._end(flight)
        elif not flight.decoding:
            flight.decoding = True
            work = loop.pool().submit(_decode, flight)
            running = asyncio.get_running_loop()
            work.add_done_callback(
                lambda done: running.call_soon_threadsafe(self._decoded_now, flight, done)
            )

    def _decoded_now(self, flight: _Flight, done: concurrent.futures.Future[np.ndarray]) -> None:
        readers = self._end(flight)
        error = done.exception()
        if error is None:
            tracing.add("frames_decoded")
            array = done.result()
            self._decoded.put(flight.address, array)
            for reader in readers:
                reader.take(flight, array)
        else:
            # A damaged frame is not held: the next read asks the archive anew.
            self._encoded.discard(flight.address)
            for reader in readers:
                reader.fail(flight, error)

    def _end(self, flight: _Flight) -> list[_Reader]:
        """Close a flight and return those who still wait for it.

        It lets go of its readers and its batch: as a circle of references they would keep whole
        regions in memory until the garbage collector comes by.
        """
        if self._flights.get(flight.address) is flight:
            del self._flights[flight.address]
        readers, flight.readers = flight.readers, []
        flight.batch = None
        return readers

    def _leave(self, reader: _Reader) -> None:
        """Forget a reader that has all it wanted, failed or gave up; end what it alone awaited."""
        batches: set[_Batch] = set()
        for flight in reader.waiting:
            flight.readers.remove(reader)
            if flight.data is None and not flight.readers:
                if flight.batch is None:
                    self._end(flight)  # still queued; it is passed over when its turn comes
                else:
                    batches.add(flight.batch)
        reader.waiting.clear()
        if reader.ended.done() and not reader.ended.cancelled():
            reader.ended.exception()  # seen, or not wanted any more; asyncio need not warn
        for batch in batches:
            if batch.task and not any(one.readers for one in batch.flights if one.data is None):
                batch.task.cancel()
                for flight in batch.flights:
                    if flight.data is None:
                        self._end(flight)


def _bytes_of(array: np.ndarray) -> int:
    """Bytes of memory that an array keeps alive: those of its base, when it is a view."""
    while array.base is not None:
        array = array.base  # type: ignore[assignment]
    return array.nbytes


def _decode(flight: _Flight) -> np.ndarray:
    began = time.perf_counter()
    assert flight.data is not None  # noqa: S101 - it has landed
    array = decode(
        flight.data,
        flight.image.format,
        transfer_syntax=flight.image.transfer_syntax,
        # Edge frames hold padding, which some writers leave out of the codestream.
        crop=flight.image.crop_of(flight.address),
        what=f"frame {flight.address.number} of instance {flight.address.instance_uid}",
    )
    array.setflags(write=False)
    tracing.spend("decode", time.perf_counter() - began)
    return array


def _unmarked_codec(image: TiledImage, data: bytes) -> media.Codec:
    """Codec of bytes that show no marker: bare pixels, if their length says so."""
    if len(data) in {image.format.native_nbytes, image.format.native_nbytes + 1}:
        return media.Codec.NATIVE
    syntax = media.TRANSFER_SYNTAXES.get(image.transfer_syntax or "")
    return media.Codec.NATIVE if syntax is None else syntax.codec


def _refuse_reencoded(image: TiledImage, number: int, data: bytes) -> None:
    """Refuse a frame that the archive has encoded anew: lossless pixels may have become lossy."""
    stored = media.TRANSFER_SYNTAXES.get(image.transfer_syntax or "")
    came = media.sniff(data)
    if stored is not None and came is not None and came is not stored.codec:
        raise NotAcceptable(
            f"Frame {number} is stored as {stored.name} and was sent as {came}: the archive "
            "encodes anew, which may lose detail, and that is not accepted silently."
        )
