"""The one who sends what waits in the outbox of an archive.

Of each request's objects the archive is asked first what it holds: what it has already is compared
and not sent again. What it then says that it stored is believed when it lists it. So whatever
happened before, a crash in the middle of a request included, nothing is lost and nothing doubled.

One process sends to an archive at a time; who does holds a lock that ends with its process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

from wsiweb import loop
from wsiweb.client.stow import FileChanged, Sendable
from wsiweb.errors import (
    ArchiveError,
    Busy,
    OutboxError,
    TooLarge,
    Unreachable,
)
from wsiweb.loop import in_pool
from wsiweb.outbox.proving import Prover
from wsiweb.outbox.rows import LONGEST_WAIT, Outcome
from wsiweb.outbox.settling import again, broken_off, claims, is_of_the_objects, wait_before
from wsiweb.wire.uris import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from concurrent.futures import Future

    from wsiweb.client.client import DicomwebClient
    from wsiweb.outbox.folder import Lock
    from wsiweb.outbox.outbox import Outbox
    from wsiweb.outbox.rows import ItemRow
    from wsiweb.outbox.settling import Claim

__all__ = ["Sender"]

T = TypeVar("T")

_log = logging.getLogger("wsiweb.outbox")

_MOST_BYTES = 64 * 2**20  # of a request; a larger object goes alone
_MOST_ITEMS = 50  # and few enough that a request is repeated without regret
_UNPROVEN = 500  # objects whose proof is waited for together
_PROOF_AGE = 5.0  # seconds
_LAG = (0.0, 0.5, 1.0, 2.0, 4.0)  # seconds that an archive gets until it lists what it has stored
_LEFT = (
    "Not all is sent to %s yet. It is kept, and sent when you wait for a job there, or by: "
    "wsiweb jobs watch"
)
_TICK = 0.5  # seconds between two looks at what other processes did
_PATIENCE = 5.0  # seconds between two attempts to use an outbox that is locked, or on a full disk


class Sender:
    """Sends what waits for one archive, in the background of this process.

    Parameters
    ----------
    outbox : Outbox
        What waits.
    client : DicomwebClient
        The archive.
    at_once : int
        Requests under way at the same time.
    """

    def __init__(self, outbox: Outbox, client: DicomwebClient, at_once: int) -> None:
        self._outbox = outbox
        self._client = client
        self._archive = shown(client.base_url)  # in logs
        self._at_once = at_once
        self._prover = Prover(client, outbox.folder)
        self._most_bytes = _MOST_BYTES
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self._fresh()
        loop.close_at_exit(self)
        loop.renew_after_fork(self)

    def _fresh(self) -> None:
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._proofs: set[asyncio.Task[None]] = set()  # of them
        self._books: set[asyncio.Task[Any]] = set()
        self._under_way: dict[int, ItemRow] = {}
        self._unproven: list[Claim] = []
        self._unproven_since = 0.0
        self._rest_until = 0.0
        self._failures = 0
        self._sent: dict[str, int] = {}
        self._trouble: OutboxError | None = None

    def kick(self, *, at_once: bool = False) -> None:
        """Begin to send, if there is something to send and nobody does; from any thread.

        Parameters
        ----------
        at_once : bool
            Whether to end the rest that an archive is left which was away, or asked for it.
        """
        loop.call(self._kick, at_once)

    def _kick(self, at_once: bool) -> None:
        if self._closed:
            return
        if at_once:
            self._rest_until = 0.0
        if self._running is not None and not self._running.done():
            self._woken.set()
        else:
            self._running = asyncio.create_task(self._run())

    @property
    def closed(self) -> bool:
        """Whether it was closed: it sends nothing any more."""
        return self._closed

    async def close(self) -> None:
        """End; what is under way is broken off, and is sent again when somebody sends again."""
        self._closed = True
        running, self._running = self._running, None
        if running is None or running.done():
            return
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        with contextlib.suppress(OutboxError):
            if await in_pool(self._outbox.wait, time.time()) is not None:
                # A script that ends without waiting is told, though nothing is lost.
                _log.warning(_LEFT, self._archive)

    def renew(self) -> None:
        """Start anew in a forked child: it is the parent who sends."""
        self._running = None
        self._fresh()

    # The course of sending ------------------------------------------------------------------

    async def _run(self) -> None:
        """Send until nothing waits; while the outbox cannot be read and written, try again."""
        told = ""
        going = True
        while going:
            self._woken.clear()
            try:
                await self._run_once()
            except OutboxError as error:
                if str(error) != told:  # said once, for it may last the night
                    _log.error("Nothing can be sent to %s for now: %s", self._archive, error)
                told = str(error)
                await asyncio.sleep(_PATIENCE)
            except Exception:
                _log.exception("Sending to %s failed unexpectedly.", self._archive)
                going = False
            else:
                going = self._woken.is_set()  # by who came when this was about to end

    async def _run_once(self) -> None:
        lock = await self._lock()
        if lock is None:
            return  # another process sends; whoever waits for a job comes by again
        self._fresh()
        try:
            await in_pool(self._adopt)
            await self._send_all()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.gather(*self._books, return_exceptions=True)
            # In the pool, for a locked database is waited for; and nobody adopts it meanwhile.
            putting = loop.submit(self._put_back)
            putting.add_done_callback(lambda _: lock.release())
            await asyncio.shield(asyncio.wrap_future(putting))

    async def _lock(self) -> Lock | None:
        taking = loop.submit(self._outbox.sender_lock)
        try:
            return await asyncio.shield(asyncio.wrap_future(taking))
        except asyncio.CancelledError:
            taking.add_done_callback(_give_back)  # a thread is taking it at this moment
            raise

    def _adopt(self) -> None:
        """Queue what a dead sender left; tried before, it is asked for before it is sent."""
        self._prover.sweep()
        self._outbox.settle(
            [Outcome(item=one.id, state="queued") for one in self._outbox.orphans()]
        )

    def _put_back(self) -> None:
        """Queue what was under way when this was ended; if that cannot be, it is adopted later."""
        with contextlib.suppress(OutboxError, ValueError):
            self._outbox.settle([Outcome(item=item, state="queued") for item in self._under_way])
        self._under_way.clear()

    async def _send_all(self) -> None:
        """Send until nothing waits."""
        telling = asyncio.create_task(self._tell())
        try:
            while True:
                self._woken.clear()
                waits = await self._begin()
                if waits is None and not self._tasks:
                    return
                await self._pause(_TICK if waits is None else min(waits, _TICK))
        finally:
            telling.cancel()

    async def _begin(self) -> float | None:
        """Begin as many requests as there may be; return when to look again."""
        waits = await self._begin_requests()
        if self._trouble is not None:
            raise self._trouble
        if self._unproven and not self._requests:
            self._proofs.add(self._start(self._prove()))
        return waits

    @property
    def _requests(self) -> int:
        """Requests under way; a proof may wait for long, and shall keep nothing from being sent."""
        return len(self._tasks - self._proofs)

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        """Await work; an outbox that cannot be written ends all sending, not this alone."""
        try:
            await work
        except OutboxError as error:
            self._trouble = error

    async def _begin_requests(self) -> float | None:
        while self._requests < self._at_once and self._trouble is None:
            rest = self._rest_until - time.monotonic()
            if rest > 0:
                return rest
            waits = await in_pool(self._outbox.wait, time.time())
            if waits != 0:
                return waits
            group = await self._whole(self._claim())
            if self._trouble is not None:  # of another request, meanwhile; this one is put back
                return _TICK
            if not group:
                return _TICK  # its turn comes when what is under way has ended
            self._start(self._carry(group))
            if self._proof_is_due():
                self._proofs.add(self._start(self._prove()))
        return _TICK

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._watched(work))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._proofs.discard(task)
        self._woken.set()
        if not task.cancelled() and task.exception() is not None:
            _log.error("Sending failed unexpectedly.", exc_info=task.exception())

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0.001)):
                await self._woken.wait()

    # One request ----------------------------------------------------------------------------

    async def _carry(self, group: Sequence[ItemRow]) -> None:
        """Bring objects of one study to the archive, and settle what comes of it."""
        left = {item.id: item for item in group}
        try:
            await self._leave(left, await self._prover.held(group))
            await self._bring(left)
        except FileChanged as error:
            await self._leave(
                left,
                [
                    Outcome(item=item.id, state="failed", reason=str(error))
                    if item.path == error.path
                    else Outcome(item=item.id, state="queued")
                    for item in left.values()
                ],
            )
        except ArchiveError as error:
            self._rest_after(error)
            now = time.time()
            await self._leave(left, [broken_off(item, error, now) for item in left.values()])
        except OutboxError:
            raise
        except Exception as error:
            _log.exception("Sending failed unexpectedly.")
            now = time.time()
            words = f"sending it failed unexpectedly ({type(error).__name__}: {error})"
            await self._leave(left, [again(item, now, words) for item in left.values()])

    async def _leave(self, left: dict[int, ItemRow], outcomes: list[Outcome]) -> None:
        """Settle objects of a request, which are then no more among those that are left."""
        for outcome in outcomes:
            del left[outcome.item]
        await self._settle(outcomes)

    async def _bring(self, left: dict[int, ItemRow]) -> None:
        """Send what is left of a group in one request, or, if it is refused as such, in parts."""
        if not left:
            return
        items = list(left.values())
        try:
            answer = await self._client.store(
                [Sendable(item.path, item.size) for item in items],
                study=items[0].study_uid,
                on_bytes=self._counter(items),
            )
        except ArchiveError as error:
            if not is_of_the_objects(error, items):
                raise
            await self._refused(left, error)
            return
        self._failures = 0
        said = claims(items, answer)
        if not self._unproven:
            self._unproven_since = time.monotonic()
        for claim in said:
            if claim.stored:
                self._unproven.append(claim)
                del left[claim.item.id]
        doubtful = [claim for claim in said if not claim.stored]
        if doubtful:
            await self._leave(left, await self._prover.judged(doubtful))

    async def _refused(self, left: dict[int, ItemRow], error: ArchiveError) -> None:
        """Find the object for which a request was refused: the others shall arrive."""
        if isinstance(error, TooLarge):
            self._most_bytes = max(1, sum(item.size for item in left.values()) // 2)
        else:  # some refuse what they have stored
            await self._leave(left, await self._prover.arrived(list(left.values())))
        if len(left) < 2:
            await self._leave(left, [_alone(item, error) for item in left.values()])
            return
        items = list(left.items())
        for part in (items[: len(items) // 2], items[len(items) // 2 :]):
            half = dict(part)
            try:
                await self._bring(half)
            finally:  # what is left of it stays left of the whole
                for item, _ in part:
                    if item not in half:
                        del left[item]

    def _counter(self, items: Sequence[ItemRow]) -> Callable[[int], None]:
        """Return what notes the bytes that have left, by job: in the order of the objects."""

        def note(sent: int) -> None:
            by_job: dict[str, int] = {}
            for item in items:
                part = min(item.size, max(0, sent))
                by_job[item.job] = by_job.get(item.job, 0) + part
                sent -= item.size
            self._sent.update(by_job)

        return note

    def _rest_after(self, error: ArchiveError) -> None:
        """Leave an archive alone for a while that cannot answer, whatever else waits for it."""
        if not isinstance(error, (Unreachable, Busy)):
            return
        self._failures += 1
        asked = min(getattr(error, "retry_after", None) or 0.0, LONGEST_WAIT)
        self._rest_until = time.monotonic() + max(asked, wait_before(self._failures))

    # Proof ----------------------------------------------------------------------------------

    def _proof_is_due(self) -> bool:
        age = time.monotonic() - self._unproven_since
        return len(self._unproven) >= _UNPROVEN or (bool(self._unproven) and age > _PROOF_AGE)

    async def _prove(self) -> None:
        """Look whether the archive lists what it said that it stored."""
        waiting, self._unproven = self._unproven, []
        by_study: dict[str, list[Claim]] = {}
        for claim in waiting:
            by_study.setdefault(claim.item.study_uid, []).append(claim)
        for one in by_study.values():
            await self._prove_study(one)

    async def _prove_study(self, waiting: list[Claim]) -> None:
        failures = 0
        lags = list(_LAG)
        while waiting and lags:
            await asyncio.sleep(lags.pop(0))
            try:
                outcomes = await self._prover.proven(waiting)
            except ArchiveError:  # what was sent is sent; the proof can wait
                failures += 1
                lags.insert(0, wait_before(failures))
                continue
            await self._settle(outcomes)
            settled = {outcome.item for outcome in outcomes}
            waiting = [one for one in waiting if one.item.id not in settled]
        now = time.time()
        await self._settle(one.refused(now, asked=True) for one in waiting)

    # Keeping account ------------------------------------------------------------------------

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work on the books, which is finished even when this sender is ended meanwhile."""
        task = asyncio.create_task(work)
        self._books.add(task)
        task.add_done_callback(self._books.discard)
        return await asyncio.shield(task)

    async def _claim(self) -> list[ItemRow]:
        group = await in_pool(self._outbox.claim, time.time(), self._most_bytes, _MOST_ITEMS)
        self._under_way.update((item.id, item) for item in group)
        return group

    async def _settle(self, outcomes: Iterable[Outcome]) -> None:
        listed = list(outcomes)
        if listed:
            await self._whole(self._write(listed))

    async def _write(self, outcomes: list[Outcome]) -> None:
        await in_pool(self._outbox.settle, outcomes)
        for outcome in outcomes:
            item = self._under_way.pop(outcome.item, None)
            if item is not None:
                self._sent[item.job] = 0

    async def _tell(self) -> None:
        """Write now and then how far the requests under way are, for all processes to see."""
        told: dict[str, int] = {}
        while True:
            await asyncio.sleep(_TICK)
            fresh = {job: count for job, count in self._sent.items() if told.get(job) != count}
            if fresh:
                with contextlib.suppress(OutboxError):
                    await in_pool(self._outbox.tell, fresh, time.time())
                told |= fresh


def _alone(item: ItemRow, error: ArchiveError) -> Outcome:
    """Return that an object has failed that was refused by itself."""
    words = error.message
    if isinstance(error, TooLarge):
        words = f"the archive does not take {item.size:,} bytes in one request"
    return Outcome(item=item.id, state="failed", reason=words, comment=error.body)


def _give_back(taking: Future[Lock | None]) -> None:
    if not taking.cancelled() and taking.exception() is None and (lock := taking.result()):
        lock.release()
