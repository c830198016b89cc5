"""The frames of an archive: what is held, what is on its way, and who waits for it.

The first reader of a missing frame starts a *flight*; whoever wants the same frame meanwhile
joins it. A frame that has landed is decoded in the pool, while later ones are still on their way,
and is pasted there. What nobody waits for any more is cancelled.

All of this is bookkeeping on one event loop, so it needs no locks; and it is done with
callbacks, because a task for each of 10,000 tiles costs more than fetching them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wsiweb import loop, tracing
from wsiweb.cache import ByteCache
from wsiweb.frames.decoding import Decoder, Outcome
from wsiweb.frames.departures import Departures
from wsiweb.frames.encoded import EncodedImage, Received, encoded_image
from wsiweb.frames.flights import Flight, Priority, Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    import numpy as np

    from wsiweb.client.client import DicomwebClient
    from wsiweb.pixels.image import FrameAddress, TiledImage
    from wsiweb.settings import Settings

__all__ = ["Frames"]

_BACKLOG = 16 * 2**20  # bytes that wait to be decoded, from which on no more are asked for
_EIGHTH = 8


class Frames:
    """The frames of one archive.

    All methods are for the library's event loop, except `decoded_if_held` and `forget`.

    Parameters
    ----------
    client : DicomwebClient
        Fetches what is missing.
    settings : Settings
        Budgets of the two caches.
    """

    def __init__(self, client: DicomwebClient, settings: Settings) -> None:
        self.client = client
        self.settings = settings
        self._encoded: ByteCache[Received] = ByteCache(
            settings.encoded_bytes, lambda received: len(received.data)
        )
        self._decoded: ByteCache[np.ndarray] = ByteCache(settings.decoded_bytes, _bytes_of)
        self._flights: dict[FrameAddress, Flight] = {}
        self._asked = 0
        self._decoder = Decoder(self._decoded_now)
        self._departures = Departures(client, self._landed, self._failed)
        loop.renew_after_fork(self)

    def renew(self) -> None:
        """Start anew in a forked child; what is held in memory stays."""
        self._encoded.renew()
        self._decoded.renew()
        self._flights = {}
        self._decoder.renew()
        self._departures.renew()
        self.client.renew()

    # For readers ----------------------------------------------------------------------------

    def decoded_if_held(self, address: FrameAddress) -> np.ndarray | None:
        """Return a decoded frame from memory, or None; from any thread, without waiting."""
        return self._decoded.get(address)

    def is_much(self, image: TiledImage, count: int) -> bool:
        """Whether so many frames should not push out what else is held decoded."""
        return count * image.format.nbytes > self._decoded.budget // _EIGHTH

    async def decoded(
        self,
        image: TiledImage,
        addresses: Collection[FrameAddress],
        paste: Callable[[FrameAddress, np.ndarray], None],
        *,
        target: Callable[[], np.ndarray | None] | None = None,
        priority: Priority = Priority.VISIBLE,
        also: Callable[[], None] | None = None,
    ) -> None:
        """Hand over decoded frames as they become ready, in no certain order.

        Those of a small read are held for the next one. Those of a large read are not (they
        would only push each other out), unless their bytes were held already: then they are
        wanted for a second time.

        Parameters
        ----------
        image : TiledImage
            The image that the frames are of.
        addresses : collection of FrameAddress
            Frames wanted, each once.
        paste : callable
            Called with address and array (rows, columns, samples), in several threads at once.
            The array is only lent: what is wanted must be copied before it returns.
        target : callable, optional
            Returns an array (rows, columns, samples) to decode into, in place of `paste`, when all
            that is wanted is one whole frame; else None.
        priority : Priority
            How urgent it is.
        also : callable, optional
            Called once all has been asked for, to ask for more.

        Raises
        ------
        ArchiveError, DecodeError
            The first failure; the other frames are then no longer waited for.
        """
        keep = () if self.is_much(image, len(addresses)) else addresses
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def end(error: BaseException | None) -> None:
            if not ended.done():
                _settle(ended, error)

        reader = self.begin(
            image, addresses, paste, end, target=target, keep=keep, priority=priority
        )
        try:
            if also is not None:
                also()
            await ended
        finally:
            self.leave(reader)

    def begin(
        self,
        image: TiledImage,
        addresses: Iterable[FrameAddress],
        paste: Callable[[FrameAddress, np.ndarray], None],
        ended: Callable[[BaseException | None], None],
        *,
        target: Callable[[], np.ndarray | None] | None,
        keep: Collection[FrameAddress],
        priority: Priority,
    ) -> Reader:
        """Begin to read; as `decoded`, with a callback in place of an await.

        Parameters
        ----------
        ended : callable
            Called once: with None when all has been pasted, else with what went wrong.
        keep : collection of FrameAddress
            Frames to be held decoded.

        Returns
        -------
        Reader
            For `leave`, which must be called when the frames are not wanted any more.
        """
        reader = Reader(paste, None, ended, priority, target)
        missing: list[FrameAddress] = []
        hits = 0
        for address in addresses:
            array = self._decoded.get(address)
            if array is None:
                missing.append(address)
            else:
                hits += 1
                paste(address, array)
        tracing.add("cache_hits", hits)
        self._join_all(image, missing, reader, keep)
        return reader

    async def encoded(
        self,
        image: TiledImage,
        address: FrameAddress,
        *,
        priority: Priority = Priority.VISIBLE,
        also: Callable[[], None] | None = None,
    ) -> EncodedImage:
        """Return a frame as it is stored.

        Parameters
        ----------
        image : TiledImage
            The image that the frame is of.
        address : FrameAddress
            The frame.
        priority, also
            As in `decoded`.

        Raises
        ------
        ArchiveError
            When the frame cannot be had as it is stored.
        """
        received = self._encoded.get(address)
        if received is not None:
            tracing.add("cache_hits")
            if also is not None:
                also()
        else:
            ended: asyncio.Future[Received] = asyncio.get_running_loop().create_future()

            def take(_: FrameAddress, value: Received) -> None:
                if not ended.done():
                    ended.set_result(value)

            def end(error: BaseException | None) -> None:
                if error is not None and not ended.done():
                    _settle(ended, error)

            reader = Reader(None, take, end, priority)
            self._join_all(image, [address], reader, ())
            try:
                if also is not None:
                    also()
                received = await ended
            finally:
                self.leave(reader)
        return encoded_image(image, address, received)

    def prefetch(
        self, image: TiledImage, addresses: Iterable[FrameAddress], *, decode: bool
    ) -> Reader:
        """Have frames fetched that will probably be asked for; what goes wrong is not said.

        Parameters
        ----------
        decode : bool
            Whether they will be wanted decoded.

        Returns
        -------
        Reader
            For `leave`, when they are not wanted any more.
        """

        def ignore(*_: object) -> None:
            """Take no notice: the caches hold what has come."""

        reader = Reader(
            ignore if decode else None, None if decode else ignore, ignore, Priority.AHEAD
        )
        held = self._decoded if decode else self._encoded
        missing = [address for address in addresses if address not in held]
        self._join_all(image, missing, reader, missing if decode else ())
        return reader

    def leave(self, reader: Reader) -> None:
        """Forget a reader that has all it wanted, failed or gave up; end what it alone awaited."""
        reader.over = True
        gone: list[Flight] = []
        for flight in reader.waiting:
            if reader in flight.readers:  # not when it failed, and the flight went on without it
                flight.readers.remove(reader)
            if flight.received is None and not flight.readers:
                gone.append(flight)
        reader.waiting.clear()
        self._departures.cancel_unwanted(gone)
        for flight in gone:
            self._departures.forget(flight)
            self._end(flight)

    def forget(self, instance_uids: Iterable[str]) -> None:
        """Let go of all that is held of these instances; from any thread."""
        gone = frozenset(instance_uids)
        for cache in (self._encoded, self._decoded):
            cache.discard_where(lambda address: address.instance_uid in gone)

    # Flights --------------------------------------------------------------------------------

    def _join_all(
        self,
        image: TiledImage,
        addresses: list[FrameAddress],
        reader: Reader,
        keep: Collection[FrameAddress],
    ) -> None:
        ready: list[Flight] = []
        for address in addresses:
            flight = self._join(image, address, reader)
            flight.keep = flight.keep or address in keep
            if flight.received is not None:
                ready.append(flight)
        if not addresses:
            reader.over = True
            reader.ended(None)
        self._serve(ready)

    def _join(self, image: TiledImage, address: FrameAddress, reader: Reader) -> Flight:
        """Have a reader wait for a frame: on its way, or held as it came, or to be fetched."""
        flight = self._flights.get(address)
        if flight is not None:
            tracing.add("joined")
            if reader.priority < flight.priority:
                flight.priority = reader.priority
                self._departures.hurry(flight)
        else:
            self._asked += 1
            flight = self._flights[address] = Flight(image, address, self._asked, reader.priority)
            flight.received = self._encoded.get(address)
            if flight.received is None:
                self._departures.add(flight)
            else:
                tracing.add("cache_hits")
                flight.keep = True  # wanted for a second time
        flight.readers.append(reader)
        reader.waiting.add(flight)
        return flight

    def _landed(self, flights: list[Flight]) -> None:
        tracing.add("frames_fetched", len(flights))
        for flight in flights:
            assert flight.received is not None  # noqa: S101 - it has landed
            if not self._passes_by(flight, flight.received):
                self._encoded.put(flight.address, flight.received)
        self._serve(flights)

    @staticmethod
    def _passes_by(flight: Flight, received: Received) -> bool:
        """Whether a frame is not worth holding: one of a large read, and hardly compressed.

        Else reading a level of bare pixels would take twice its memory.
        """
        if flight.keep or 2 * len(received.data) < flight.image.format.nbytes:
            return False
        return all(reader.paste is not None for reader in flight.readers)

    def _serve(self, flights: list[Flight]) -> None:
        """Give frames that have landed to their readers; decode them for those who want that."""
        coded: list[Flight] = []
        for flight in flights:
            assert flight.received is not None  # noqa: S101 - it has landed
            for reader in [reader for reader in flight.readers if reader.take is not None]:
                flight.readers.remove(reader)
                assert reader.take is not None  # noqa: S101 - chosen above
                reader.take(flight.address, flight.received)
                reader.served(flight)
            if not flight.readers:
                self._end(flight)
            elif not flight.decoding:
                coded.append(flight)
        if coded:
            self._decoder.add(coded)
            self._departures.held_back = self._decoder.backlog > _BACKLOG

    def _failed(self, flights: list[Flight], error: BaseException) -> None:
        """Tell the readers, whatever it was: a reader must never wait for a dead request."""
        for flight in flights:
            for reader in self._end(flight):
                reader.waiting.discard(flight)
                reader.fail(error)

    def _decoded_now(self, outcomes: list[Outcome]) -> None:
        late: list[Flight] = []
        for outcome in outcomes:
            flight = outcome.flight
            if outcome.error is not None:
                # A damaged frame is not held: the next read asks the archive anew.
                self._encoded.discard(flight.address)
                self._failed([flight], outcome.error)
                continue
            if outcome.array is not None:
                self._decoded.put(flight.address, outcome.array)
            for reader in outcome.served:
                reader.served(flight)
            served = outcome.served
            flight.readers = [one for one in flight.readers if one not in served and not one.over]
            if flight.readers:  # they came while it was being decoded
                flight.decoding = False
                late.append(flight)
            else:
                self._end(flight)
        if late:
            self._decoder.add(late)
        if self._departures.held_back and self._decoder.backlog < _BACKLOG // 2:
            self._departures.held_back = False
            self._departures.soon()

    def _end(self, flight: Flight) -> list[Reader]:
        """Close a flight and return those who still wait for it.

        It lets go of its readers: as a circle of references they would keep whole regions in
        memory until the garbage collector comes by.
        """
        if self._flights.get(flight.address) is flight:
            del self._flights[flight.address]
        readers, flight.readers = flight.readers, []
        return readers


def _settle(ended: asyncio.Future[None] | asyncio.Future[Received], error: BaseException | None):
    if error is None:
        ended.set_result(None)  # type: ignore[arg-type]
    elif isinstance(error, asyncio.CancelledError):
        ended.cancel()
    else:
        ended.set_exception(error)
        ended.exception()  # seen, or not wanted any more: asyncio need not warn


def _bytes_of(array: np.ndarray) -> int:
    """Bytes of memory that an array keeps alive: those of its base, when it is a view."""
    while array.base is not None:
        array = array.base  # type: ignore[assignment]
    return array.nbytes
