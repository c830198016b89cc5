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
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

from wsiweb import loop
from wsiweb.client.stow import FileChanged, Sendable
from wsiweb.errors import (
    ArchiveError,
    Busy,
    NotFound,
    OutboxError,
    TooLarge,
    Unauthorized,
    Unreachable,
)
from wsiweb.loop import in_pool
from wsiweb.outbox.comparing import difference
from wsiweb.outbox.holdings import Holdings
from wsiweb.outbox.rows import Outcome
from wsiweb.outbox.settling import again, broken_off, claims, wait_before

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from concurrent.futures import Future

    from wsiweb.client.client import DicomwebClient
    from wsiweb.outbox.folder import Lock
    from wsiweb.outbox.outbox import Outbox
    from wsiweb.outbox.rows import ItemRow
    from wsiweb.outbox.settling import Claim
    from wsiweb.wire.receipts import Answer

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
_HELD = "held-{}.dcm"  # of what is compared
_TICK = 0.5  # seconds between two looks at what other processes did


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
        self._at_once = at_once
        self._holdings = Holdings(client)
        self._most_bytes = _MOST_BYTES
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self._fresh()
        loop.close_at_exit(self)
        loop.renew_after_fork(self)

    def _fresh(self) -> None:
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._books: set[asyncio.Task[Any]] = set()
        self._under_way: dict[int, ItemRow] = {}
        self._unproven: list[Claim] = []
        self._unproven_since = 0.0
        self._rest_until = 0.0
        self._failures = 0
        self._sent: dict[str, int] = {}

    def kick(self) -> None:
        """Begin to send, if there is something to send and nobody does; from any thread."""
        loop.call(self._kick)

    def _kick(self) -> None:
        if self._closed:
            return
        if self._running is not None and not self._running.done():
            self._woken.set()
        else:
            self._running = asyncio.create_task(self._run())

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
                _log.warning(_LEFT, self._client.base_url)

    def renew(self) -> None:
        """Start anew in a forked child: it is the parent who sends."""
        self._running = None
        self._fresh()

    # The course of sending ------------------------------------------------------------------

    async def _run(self) -> None:
        lock = await self._lock()
        if lock is None:
            return  # another process sends; whoever waits for a job comes by again
        self._fresh()
        try:
            await in_pool(self._adopt)
            await self._send_all()
        except OutboxError as error:
            _log.error("Nothing can be sent to %s: %s", self._client.base_url, error)
        except Exception:
            _log.exception("Sending to %s failed unexpectedly.", self._client.base_url)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.gather(*self._books, return_exceptions=True)
            self._put_back()
            lock.release()

    async def _lock(self) -> Lock | None:
        taking = loop.submit(self._outbox.sender_lock)
        try:
            return await asyncio.shield(asyncio.wrap_future(taking))
        except asyncio.CancelledError:
            taking.add_done_callback(_give_back)  # a thread is taking it at this moment
            raise

    def _adopt(self) -> None:
        """Queue what a dead sender left; tried before, it is asked for before it is sent."""
        for copy in self._outbox.folder.glob(_HELD.format("*")):
            copy.unlink(missing_ok=True)
        self._outbox.settle(
            [Outcome(item=one.id, state="queued") for one in self._outbox.orphans()]
        )

    def _put_back(self) -> None:
        """Queue what was under way when this was ended."""
        with contextlib.suppress(OutboxError):
            self._outbox.settle([Outcome(item=item, state="queued") for item in self._under_way])
        self._under_way.clear()

    async def _send_all(self) -> None:
        """Send until nothing waits."""
        telling = asyncio.create_task(self._tell())
        try:
            while True:
                self._woken.clear()
                waits = await self._begin()
                if not self._tasks:
                    if self._unproven:
                        self._start(self._prove())
                    elif waits is None:
                        return
                await self._pause(_TICK if waits is None else min(waits, _TICK))
        finally:
            telling.cancel()

    async def _begin(self) -> float | None:
        """Begin as many requests as there may be; return when to look again."""
        while len(self._tasks) < self._at_once:
            rest = self._rest_until - time.monotonic()
            if rest > 0:
                return rest
            waits = await in_pool(self._outbox.wait, time.time())
            if waits != 0:
                return waits
            group = await self._whole(self._claim())
            if not group:
                return _TICK  # its turn comes when what is under way has ended
            self._start(self._carry(group))
            if self._proof_is_due():
                self._start(self._prove())
        return _TICK

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
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
            for item, outcome in await self._held_before(group):
                await self._settle([outcome])
                del left[item.id]
            if left:
                rest = list(left.values())
                answer = await self._client.store(
                    [Sendable(item.path, item.size) for item in rest],
                    study=rest[0].study_uid,
                    on_bytes=self._counter(rest),
                )
                self._failures = 0
                await self._take(rest, answer)
        except TooLarge as error:
            await self._settle(self._smaller(list(left.values()), error))
        except FileChanged as error:
            await self._settle(
                Outcome(item=item.id, state="failed", reason=str(error))
                if item.path == error.path
                else Outcome(item=item.id, state="queued")
                for item in left.values()
            )
        except ArchiveError as error:
            self._rest_after(error)
            now = time.time()
            await self._settle(broken_off(item, error, now) for item in left.values())
        except OutboxError:
            raise
        except Exception as error:
            _log.exception("Sending failed unexpectedly.")
            now = time.time()
            words = f"sending it failed unexpectedly ({type(error).__name__}: {error})"
            await self._settle(
                again(item, now, words) for item in left.values() if item.id in self._under_way
            )

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

    def _smaller(self, items: list[ItemRow], error: TooLarge) -> list[Outcome]:
        """Ask for smaller groups; an object that is too large by itself has failed."""
        if len(items) > 1:
            self._most_bytes = max(1, sum(item.size for item in items) // 2)
            return [Outcome(item=item.id, state="queued") for item in items]
        words = f"the archive does not take {items[0].size:,} bytes in one request"
        return [Outcome(item=items[0].id, state="failed", reason=words, comment=error.body)]

    def _rest_after(self, error: ArchiveError) -> None:
        """Leave an archive alone for a while that cannot answer, whatever else waits for it."""
        if not isinstance(error, (Unreachable, Busy)):
            return
        self._failures += 1
        asked = getattr(error, "retry_after", None) or 0.0
        self._rest_until = time.monotonic() + max(asked, wait_before(self._failures))

    # What the archive holds -----------------------------------------------------------------

    async def _held_before(self, group: Sequence[ItemRow]) -> list[tuple[ItemRow, Outcome]]:
        """Return what becomes of the objects that the archive has already."""
        uncertain = any(item.tries > 1 for item in group)
        listed = await self._holdings.among(group, fresh=uncertain)
        held = [item for item in group if listed and item.instance_uid in listed]
        outcomes = [(item, await self._compared(item)) for item in held]
        return [(item, outcome) for item, outcome in outcomes if outcome is not None]

    async def _compared(self, item: ItemRow, claim: Claim | None = None) -> Outcome | None:
        """Return what becomes of an object that the archive lists; None if it has it not."""
        copy = self._outbox.folder / _HELD.format(uuid.uuid4().hex)
        sent_before = item.tries > 1 or claim is not None
        try:
            await self._client.instance(item.study_uid, item.series_uid, item.instance_uid, copy)
            differs = await in_pool(difference, item.path, copy)
        except NotFound:
            return None
        except Unauthorized as error:
            if error.status != 403:
                raise
            # It may be stored there, and not be read.
            said = "the archive lists it and does not let it be read, so it was not compared"
            return Outcome(
                item=item.id,
                state="stored" if sent_before else "held",
                warnings=(said,),
                proof="listed",
            )
        except OSError as error:
            if isinstance(error, ArchiveError):
                raise
            words = f"what the archive holds could not be compared ({error.strerror or error})"
            return again(item, time.time(), words)
        finally:
            copy.unlink(missing_ok=True)
        if differs:
            return Outcome(
                item=item.id,
                state="failed",
                code=None if claim is None else claim.code,
                reason=f"the archive holds another object with this UID; it differs in {differs}",
                comment="" if claim is None else claim.comment,
            )
        return Outcome(
            item=item.id,
            state="stored" if sent_before else "held",
            warnings=() if claim is None else claim.warnings,
            proof="compared",
        )

    async def _take(self, items: Sequence[ItemRow], answer: Answer) -> None:
        """Settle what an answer leaves no doubt of; what it says is stored is proven later."""
        said = claims(items, answer)
        doubtful = [claim for claim in said if not claim.stored]
        if not self._unproven:
            self._unproven_since = time.monotonic()
        self._unproven += [claim for claim in said if claim.stored]
        if not doubtful:
            return
        listed = await self._holdings.among([claim.item for claim in doubtful], fresh=True)
        for claim in doubtful:
            outcome = None
            if listed is not None and claim.item.instance_uid in listed:
                outcome = await self._compared(claim.item, claim)
            await self._settle([outcome or claim.refused(time.time())])

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
                listed = await self._holdings.among([one.item for one in waiting], fresh=True)
            except ArchiveError:  # what was sent is sent; the proof can wait
                failures += 1
                lags.insert(0, wait_before(failures))
                continue
            proof = "answer" if listed is None else "listed"
            seen = [one for one in waiting if listed is None or one.item.instance_uid in listed]
            await self._settle(
                Outcome(
                    item=one.item.id,
                    state="stored",
                    code=one.code,
                    comment=one.comment,
                    warnings=one.warnings,
                    proof=proof,
                )
                for one in seen
            )
            self._holdings.add(one.item for one in seen)
            waiting = [one for one in waiting if one.item.id in self._under_way]
        now = time.time()
        await self._settle(one.refused(now) for one in waiting)

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


def _give_back(taking: Future[Lock | None]) -> None:
    if not taking.cancelled() and taking.exception() is None and (lock := taking.result()):
        lock.release()
