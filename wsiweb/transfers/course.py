"""The course of a job that is done in this process: on the library's loop, in the background.

Each of its items is settled in the outbox as soon as it is done. So whatever ends the process,
what was done is known, and what was not done has failed and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, cast

from wsiweb import loop
from wsiweb.errors import OutboxError, WsiwebError
from wsiweb.loop import in_pool
from wsiweb.outbox.rows import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

    from wsiweb.outbox.outbox import Outbox
    from wsiweb.outbox.rows import ItemRow, Planned, SkippedRow

__all__ = ["Course", "Courses"]

_log = logging.getLogger("wsiweb.transfers")

_TICK = 0.5  # seconds between two looks at what was asked of a job
_PATIENCE = 5.0  # seconds between two attempts to write its end, where a disk is full
_CLOSED = "the archive was closed, or the program ended, before it came to this"
_BATCH = 32  # items that are written together
_DELAY = 0.2  # seconds that one waits for others


class Course:
    """What is still to be done of a job; to be used on the library's event loop.

    Parameters
    ----------
    outbox : Outbox
        Where the job is listed.
    job : str
        Its id.
    items : sequence of ItemRow
        What is to be done.

    Attributes
    ----------
    left : dict of int to ItemRow
        Items that are not settled, by their ids, in the order in which they were given.
    """

    def __init__(self, outbox: Outbox, job: str, items: Sequence[ItemRow]) -> None:
        self.job = job
        self.left = {item.id: item for item in items}
        self._outbox = outbox
        self._moved: dict[int, int] = {}
        self._done: list[Outcome] = []
        self._written = 0.0
        self._settling = asyncio.Lock()
        self._looked = 0.0
        self._going = True

    async def settle(self, outcomes: Iterable[Outcome]) -> None:
        """Write what became of items; of those that are settled already, nothing."""
        # Brought to its end although the job is ended: or nobody would know what was written.
        await asyncio.shield(self._settle(list(outcomes)))

    async def _settle(self, outcomes: list[Outcome]) -> None:
        async with self._settling:
            listed = [one for one in outcomes if one.item in self.left]
            await in_pool(self._outbox.settle, listed)
            for one in listed:
                del self.left[one.item]
                self._moved.pop(one.item, None)

    def moved(self, item: ItemRow, count: int) -> None:
        """Note how many bytes of an item have been moved so far; from any thread."""
        self._moved[item.id] = count

    async def goes_on(self) -> bool:
        """Wait while the job is paused; return whether to begin with its next item."""
        while self._going and time.monotonic() - self._looked >= _TICK:
            row = await in_pool(self._outbox.job, self.job)
            if row.cancelled:
                self._going = False
            elif row.paused:
                await asyncio.sleep(_TICK)
                continue
            self._looked = time.monotonic()
        return self._going

    async def stop(self, reason: str) -> None:
        """Settle what is left: cancelled where that was asked for, failed else."""
        state = "failed" if self._going else "queued"  # which becomes cancelled, see Outbox.running
        with contextlib.suppress(OutboxError, ValueError):  # whoever ends the job writes the rest
            await self.settle(
                [Outcome(item=item, state=state, reason=reason) for item in list(self.left)]
            )

    async def tell(self) -> None:
        """Write now and then how far it is, for all processes to see."""
        while True:
            await asyncio.sleep(_TICK)
            with contextlib.suppress(OutboxError):
                sent = {self.job: sum(self._moved.values())}
                await in_pool(self._outbox.tell, sent, time.time())

    async def each(
        self,
        items: Iterable[ItemRow],
        do: Callable[[ItemRow], Coroutine[Any, Any, Outcome]],
        at_once: int,
    ) -> None:
        """Do something with items, a few at a time, and settle them.

        Parameters
        ----------
        items : iterable of ItemRow
            In their turn.
        do : callable
            Returns what became of an item. An error of it ends the whole course.
        at_once : int
            Items under way at the same time.
        """
        turns = iter(list(items))

        async def work() -> None:
            for item in turns:
                if not await self.goes_on():
                    return
                outcome = await do(item)
                self._done.append(outcome)  # looked up only now: it may be another list by then
                if len(self._done) >= _BATCH or time.monotonic() - self._written > _DELAY:
                    await self._write()

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(work())
        finally:
            await self._write()

    async def _write(self) -> None:
        done, self._done = self._done, []
        self._written = time.monotonic()
        await self.settle(done)


class Courses:
    """The jobs that one archive does in this process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(
        self,
        outbox: Outbox,
        kind: str,
        work: Callable[[Course], Coroutine[Any, Any, None]],
        *,
        title: str,
        planned: Iterable[Planned],
        options: Mapping[str, Any] | None = None,
        skipped: Iterable[SkippedRow] = (),
    ) -> str:
        """List a job and begin it; from any thread but that of the library's loop.

        Parameters
        ----------
        outbox : Outbox
            Where it is listed.
        kind, title, planned, options, skipped
            As for `wsiweb.outbox.Outbox.running`.
        work : callable
            Settles the items of the course. What it leaves has failed.

        Returns
        -------
        str
            Id of the job.

        Raises
        ------
        OutboxError
            When it cannot be listed.
        """
        with contextlib.ExitStack() as stack:
            listing = outbox.running(
                kind, title=title, planned=planned, options=options, skipped=skipped
            )
            job = stack.enter_context(listing)
            course = Course(outbox, job, outbox.items(job))
            loop.start(self._run(outbox, course, work, stack.pop_all()))
        return job

    async def _run(
        self,
        outbox: Outbox,
        course: Course,
        work: Callable[[Course], Coroutine[Any, Any, None]],
        listing: contextlib.ExitStack,
    ) -> None:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._tasks.add(task)
        telling = asyncio.create_task(course.tell())
        reason = _CLOSED
        try:
            await work(course)
            reason = "it was passed over"
        except Exception as error:
            reason = f"it was not come to: {_words(error)}"
        finally:
            telling.cancel()
            await course.stop(reason)
            await _end(outbox, listing)
            self._tasks.discard(task)

    async def close(self) -> None:
        """End what is under way; what was not come to has failed."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _words(error: BaseException) -> str:
    """Return what stopped a job; one that stands for several is about the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, WsiwebError | OSError):
        return str(error)
    _log.error("A job failed unexpectedly.", exc_info=error)
    return f"{type(error).__name__}: {error}"


async def _end(outbox: Outbox, listing: contextlib.ExitStack) -> None:
    """Write the end of a job: without it, it would be waited for for ever."""
    try:
        await in_pool(listing.close)
    except OutboxError as error:
        _log.error("The end of a job cannot be written: %s", error)
    else:
        return
    while True:
        await asyncio.sleep(_PATIENCE)
        with contextlib.suppress(OutboxError):
            await in_pool(outbox.sweep)
            return
