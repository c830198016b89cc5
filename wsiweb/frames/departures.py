"""What is asked for next, and in which request.

Frames queue by urgency and instance. How many requests go, and how many frames in each, is what
the archive's pace says (`wsiweb.client.pace`); frames asked for one by one, by many readers at
once, still travel in batches. A request that takes several times as long as others did is a
straggler: what it should bring is asked for once more, and the first to come counts.

What is on its way is bounded in bytes, for a frame may have 20 KB or 2 MB.
"""

from __future__ import annotations

import asyncio
import collections
import math
from operator import itemgetter
from typing import TYPE_CHECKING

from wsiweb.frames.encoded import Received, refuse_reencoded
from wsiweb.frames.flights import Batch, Flight, Priority
from wsiweb.wire import media
from wsiweb.wire.uris import Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsiweb.client.client import Arrival, DicomwebClient

__all__ = ["Departures"]

_MOST_BYTES = 32 * 2**20  # of frames that are on their way
_PACKED = 10  # times smaller than its pixels is a frame, until one has come
_ALONG = 16  # frames of a request for what is looked at, with what comes along
_RUN = 64  # frames of a list that are in rising order, before those that are wanted later
_LATE, _AT_LEAST = 4.0, 0.25  # times the expected seconds, and seconds, that make a straggler
_TWINS = 0.05  # share of requests that may be sent twice

Key = tuple[Priority, str]


class _Queue:
    """Frames of one instance that are equally urgent."""

    def __init__(self) -> None:
        self.flights: collections.deque[Flight] = collections.deque()
        self.live = 0  # without those that were given up, or became more urgent


class Departures:
    """The frames of one archive that are still to be asked for, and the requests under way.

    Parameters
    ----------
    client : DicomwebClient
        Carries the requests.
    landed : callable
        Told of flights whose bytes have come.
    failed : callable
        Told of flights that will not come, and why.
    """

    def __init__(
        self,
        client: DicomwebClient,
        landed: Callable[[list[Flight]], None],
        failed: Callable[[list[Flight], BaseException], None],
    ) -> None:
        self._client = client
        self._landed = landed
        self._failed = failed
        self.renew()

    def renew(self) -> None:
        """Start anew in a forked child."""
        self._queues: dict[Key, _Queue] = {}
        self._waits_in: dict[Flight, Key] = {}
        self._leaving = False
        self._under_way: set[Batch] = set()
        self._bytes = 0.0  # that are on their way, as far as one can know
        self._frame_bytes: float | None = None
        self._sent = self._twins = 0
        self.held_back = False  # while the decoder has more than it can do

    @property
    def idle(self) -> bool:
        """Whether nothing is queued and nothing is under way."""
        return not self._waits_in and not self._under_way

    # Queued -------------------------------------------------------------------------------

    def add(self, flight: Flight) -> None:
        """Have a frame asked for."""
        key = flight.priority, flight.address.instance_uid
        queue = self._queues.setdefault(key, _Queue())
        queue.flights.append(flight)
        queue.live += 1
        self._waits_in[flight] = key
        self.soon()

    def hurry(self, flight: Flight) -> None:
        """Note that a frame has become more urgent."""
        if self.forget(flight):
            self.add(flight)

    def forget(self, flight: Flight) -> bool:
        """Take a frame out of its queue; tell whether it was in one."""
        key = self._waits_in.pop(flight, None)
        if key is None:
            return False
        self._queues[key].live -= 1
        if not self._queues[key].live:
            del self._queues[key]
        return True

    def soon(self) -> None:
        """Let requests go in the next round of the loop, when all that is asked now is known."""
        if not self._leaving and self._queues:
            self._leaving = True
            asyncio.get_running_loop().call_soon(self._leave)

    # Sent ---------------------------------------------------------------------------------

    def _leave(self) -> None:
        """Send what there is room for; the rest waits, and gathers meanwhile."""
        self._leaving = False
        while self._queues and self._send_some(min(self._queues, key=itemgetter(0))):
            pass

    def _send_some(self, key: Key) -> bool:
        """Send requests for the most urgent frames of an instance; tell whether any went."""
        priority = key[0]
        waiting = self._queues[key].live
        pace = self._client.pace
        plan = pace.plan(waiting, self._client.connected)
        limit = max(plan.places, pace.capacity)
        if priority >= Priority.AHEAD and pace.most_places > 2:
            limit = min(limit, pace.most_places - 1)  # a place stays free for what is looked at
        elif priority is Priority.VISIBLE:
            limit = pace.most_places
        room = self._room(self._queues[key].flights[0])
        free = min(plan.places, limit - len(self._under_way), room)
        if free <= 0:
            return False
        share = min(plan.frames, pace.most_frames)
        if plan.frames > 1 and not pace.fixed:
            share = min(pace.most_frames, math.ceil(waiting / free))
        share = max(1, min(share, room // free))
        while free and key in self._queues:
            flights = self._take(key, share)
            ahead = Priority.AHEAD, key[1]
            if priority is Priority.VISIBLE and key not in self._queues and ahead in self._queues:
                # What will be looked at next comes along, after what is looked at now.
                along = min(room, pace.most_frames, _ALONG) - len(flights)
                flights += self._take(ahead, along)
            self._send(flights)
            free -= 1
            room -= len(flights)
        if key in self._queues:
            self._queues[key] = self._queues.pop(key)  # to the end: others get their turn
        return True

    def _room(self, flight: Flight) -> int:
        """Return how many more frames may be on their way; one always may."""
        if self._frame_bytes is None:
            stored = media.TRANSFER_SYNTAXES.get(flight.image.transfer_syntax or "")
            packed = 1 if stored is not None and not stored.encapsulated else _PACKED
            self._frame_bytes = max(1.0, flight.image.format.nbytes / packed)
        if self.held_back:
            return 0
        if not self._under_way:
            return max(1, int(_MOST_BYTES / self._frame_bytes))
        return int((_MOST_BYTES - self._bytes) / self._frame_bytes)

    def _take(self, key: Key, most: int) -> list[Flight]:
        """Take frames from a queue, as many as fit into one request."""
        queue = self._queues[key].flights
        image = queue[0].image
        instance = _resource(queue[0])
        fits = self._client.room_in_url(instance)
        taken: list[Flight] = []
        used = 0
        while queue and len(taken) < most:
            flight = queue[0]
            if self._waits_in.get(flight) != key:  # given up, or more urgent now
                queue.popleft()
                continue
            used += len(str(flight.address.number)) + 1
            if (taken and used > fits) or flight.image is not image:
                break
            queue.popleft()
            taken.append(flight)
            self.forget(flight)
        return taken

    def _send(self, flights: list[Flight], *, is_twin: bool = False) -> None:
        if not flights:
            return
        batch = Batch(_in_order(flights), is_twin=is_twin)
        for flight in flights:
            flight.batches.append(batch)
        size = len(flights) * (self._frame_bytes or 0.0)
        self._bytes += size
        self._under_way.add(batch)
        self._sent += 1
        batch.task = asyncio.create_task(self._fetch(batch))
        batch.task.add_done_callback(lambda _: self._back(batch, size))
        expected = self._client.pace.expected(len(flights))
        if expected is not None and not is_twin:
            late = max(_AT_LEAST, _LATE * expected)
            running = asyncio.get_running_loop()
            batch.alarm = running.call_later(late, self._send_twin, batch)

    def _send_twin(self, batch: Batch) -> None:
        """Ask once more for what a straggler should have brought by now."""
        missing = [one for one in batch.flights if one.received is None and one.readers]
        if not missing or self._twins >= 1 + _TWINS * self._sent:
            return
        if len(self._under_way) < self._client.pace.most_places:
            self._twins += 1
            self._send(missing, is_twin=True)
        else:
            running = asyncio.get_running_loop()
            batch.alarm = running.call_later(_AT_LEAST, self._send_twin, batch)

    async def _fetch(self, batch: Batch) -> None:
        by_number = {flight.address.number: flight for flight in batch.flights}
        image = batch.flights[0].image

        def land(arrivals: list[Arrival]) -> None:
            flights: list[Flight] = []
            for number, data, step in arrivals:
                refuse_reencoded(image, number, data)
                flight = by_number[number]
                if flight.received is None:  # else its twin was quicker
                    flight.received = Received(data, step)
                    flights.append(flight)
                self._weigh(len(data))
            self._landed(flights)
            self._call_off_twins(batch)

        try:
            await self._client.frames(
                _resource(batch.flights[0]).with_frames(by_number),
                land,
                transfer_syntax=image.transfer_syntax,
            )
        except BaseException as error:
            alone = [one for one in batch.flights if one.batches == [batch]]
            self._failed([one for one in alone if one.received is None], error)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            for flight in batch.flights:
                if batch in flight.batches:
                    flight.batches.remove(batch)

    def _weigh(self, size: int) -> None:
        before = self._frame_bytes or float(size)
        self._frame_bytes = max(1.0, before + 0.1 * (size - before))

    def _back(self, batch: Batch, size: float) -> None:
        if batch.alarm is not None:
            batch.alarm.cancel()
            batch.alarm = None
        self._under_way.discard(batch)
        self._bytes -= size
        self.soon()

    def _call_off_twins(self, batch: Batch) -> None:
        """Cancel the requests that this one has overtaken."""
        if batch.is_twin or self._twins:
            others = {one for flight in batch.flights for one in flight.batches} - {batch}
            for other in others:
                if other.task is not None and not other.wanted():
                    other.task.cancel()

    def cancel_unwanted(self, flights: list[Flight]) -> None:
        """Cancel the requests of which nobody waits for anything any more."""
        for batch in {batch for flight in flights for batch in flight.batches}:
            if batch.task is not None and not batch.wanted():
                batch.task.cancel()


def _in_order(flights: list[Flight]) -> list[Flight]:
    """Return frames sorted by number, as an archive reads its file, within runs of `_RUN`."""
    places = enumerate(flights)
    key = {flight: (flight.priority, at // _RUN, flight.address.number) for at, flight in places}
    return sorted(flights, key=key.__getitem__)


def _resource(flight: Flight) -> Resource:
    image = flight.image
    uid = flight.address.instance_uid
    return Resource(study=image.study_uid, series=image.series_uid, instance=uid)
