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
import collections
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

_JPEG = "1.2.840.10008.1.2.4.50"


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

    def take(self, flight: _Flight, value: _Received | np.ndarray) -> None:
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


@dataclass(frozen=True, slots=True)
class _Received:
    """A frame as it came."""

    data: bytes
    step: media.Step  # what it was asked for as: bare pixels may not be what is stored


@dataclass(eq=False, slots=True)
class _Flight:
    """One frame on its way, and those who wait for it."""

    image: TiledImage
    address: FrameAddress
    readers: list[_Reader] = field(default_factory=list[_Reader])
    received: _Received | None = None
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
        self._encoded: ByteCache[_Received] = ByteCache(
            settings.encoded_bytes, lambda received: len(received.data)
        )
        self._decoded: ByteCache[np.ndarray] = ByteCache(settings.decoded_bytes, _bytes_of)
        self._places = settings.connections
        self._start_empty()
        loop.renew_after_fork(self)

    def _start_empty(self) -> None:
        self._flights: dict[FrameAddress, _Flight] = {}
        # By instance; not yet in a batch.
        self._queue: dict[str, collections.deque[_Flight]] = {}
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
        return self._decoded.get(address)

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
            array = self._decoded.get(address)
            if array is None:
                missing.append(address)
            else:
                tracing.add("cache_hits")
                deliver(address, array)
        await self._read(image, missing, deliver, wants_array=True)

    async def encoded(self, image: TiledImage, address: FrameAddress) -> EncodedImage:
        """Return a frame as it is stored.

        Raises
        ------
        ArchiveError
            When the frame cannot be had as it is stored.
        """
        received = self._encoded.get(address)
        if received is not None:
            tracing.add("cache_hits")
        else:
            found: list[_Received] = []
            await self._read(
                image, [address], lambda _, value: found.append(value), wants_array=False
            )
            (received,) = found
        _refuse_bare(image, address, received)
        codec = media.sniff(received.data) or _unmarked_codec(image, received.data)
        return EncodedImage(
            data=received.data,
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
        try:
            for flight in [self._join(image, address, reader) for address in addresses]:
                if flight.received is not None:
                    self._serve(flight)
            await reader.ended
        finally:
            self._leave(reader)

    def _join(self, image: TiledImage, address: FrameAddress, reader: _Reader) -> _Flight:
        """Have a reader wait for a frame: on its way, or held as it came, or to be fetched."""
        flight = self._flights.get(address)
        if flight is not None:
            tracing.add("joined")
        else:
            flight = self._flights[address] = _Flight(image, address)
            flight.received = self._encoded.get(address)
            if flight.received is None:
                self._queue.setdefault(address.instance_uid, collections.deque()).append(flight)
                self._depart_soon()
            else:
                tracing.add("cache_hits")
        flight.readers.append(reader)
        reader.waiting.add(flight)
        return flight

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
            image = queued[0].image
            instance = Resource(study=image.study_uid, series=image.series_uid, instance=uid)
            numbers = (flight.address.number for flight in queued)
            count = len(next(self.client.frames_that_fit(instance, numbers)))
            flights = [queued.popleft() for _ in range(count)]
            if not queued:
                del self._queue[uid]
            self._start(instance, [flight for flight in flights if flight.readers])

    def _start(self, instance: Resource, flights: list[_Flight]) -> None:
        if not flights:  # given up while they were queued
            return
        # In rising order, which is also how an archive reads its file.
        batch = _Batch(sorted(flights, key=lambda flight: flight.address.number))
        for flight in flights:
            flight.batch = batch
        self._under_way += 1
        batch.task = asyncio.create_task(self._fetch(instance, batch))
        batch.task.add_done_callback(self._back)

    def _back(self, _task: asyncio.Task[None]) -> None:
        self._under_way -= 1
        if self._queue:
            self._depart_soon()

    async def _fetch(self, instance: Resource, batch: _Batch) -> None:
        by_number = {flight.address.number: flight for flight in batch.flights}
        image = batch.flights[0].image

        def land(number: int, data: bytes, step: media.Step) -> None:
            _refuse_reencoded(image, number, data)
            tracing.add("frames_fetched")
            flight = by_number[number]
            flight.received = _Received(data, step)
            self._encoded.put(flight.address, flight.received)
            self._serve(flight)

        try:
            await self.client.frames(
                instance.with_frames(by_number), land, transfer_syntax=image.transfer_syntax
            )
        except BaseException as error:
            self._fail(batch, error)
            if isinstance(error, asyncio.CancelledError):
                raise

    def _fail(self, batch: _Batch, error: BaseException) -> None:
        """Tell the readers, whatever it was: a reader must never wait for a dead batch."""
        for flight in batch.flights:
            if not flight.decoding:
                for reader in self._end(flight):
                    reader.fail(flight, error)

    def _serve(self, flight: _Flight) -> None:
        """Give a frame that has landed to its readers; decode it for those who want that."""
        assert flight.received is not None  # noqa: S101 - called once it is there
        for reader in [reader for reader in flight.readers if not reader.wants_array]:
            flight.readers.remove(reader)
            reader.take(flight, flight.received)
        if not flight.readers:
            self._end(flight)
        elif not flight.decoding:
            flight.decoding = True
            running = asyncio.get_running_loop()
            loop.submit(_decode, flight).add_done_callback(
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
            if flight.received is None and not flight.readers:
                if flight.batch is None:
                    self._end(flight)  # still queued; it is passed over when its turn comes
                else:
                    batches.add(flight.batch)
        reader.waiting.clear()
        if reader.ended.done() and not reader.ended.cancelled():
            reader.ended.exception()  # seen, or not wanted any more; asyncio need not warn
        for batch in batches:
            coming = [flight for flight in batch.flights if flight.received is None]
            if batch.task and not any(flight.readers for flight in coming):
                batch.task.cancel()
                for flight in coming:
                    self._end(flight)


def _bytes_of(array: np.ndarray) -> int:
    """Bytes of memory that an array keeps alive: those of its base, when it is a view."""
    while array.base is not None:
        array = array.base  # type: ignore[assignment]
    return array.nbytes


def _decode(flight: _Flight) -> np.ndarray:
    began = time.perf_counter()
    image, received = flight.image, flight.received
    assert received is not None  # noqa: S101 - it has landed
    syntax = image.transfer_syntax
    if syntax is None and received.step is media.Step.BARE:
        syntax = _JPEG  # decompressed by the archive, which makes RGB of it, whatever it was
    array = decode(
        received.data,
        image.format,
        transfer_syntax=syntax,
        # Edge frames hold padding, which some writers leave out of the codestream.
        crop=image.crop_of(flight.address),
        what=f"frame {flight.address.number} of instance {flight.address.instance_uid}",
    )
    array.setflags(write=False)
    tracing.spend("decode", time.perf_counter() - began)
    return array


def _refuse_bare(image: TiledImage, address: FrameAddress, received: _Received) -> None:
    """Refuse bare pixels as stored bytes, unless that is known to be how they are stored."""
    stored = media.TRANSFER_SYNTAXES.get(image.transfer_syntax or "")
    if received.step is media.Step.BARE and (stored is None or stored.encapsulated):
        raise NotAcceptable(
            f"The archive does not give frame {address.number} of instance {address.instance_uid} "
            "as it is stored, only decompressed; read_region can still read it."
        )


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
