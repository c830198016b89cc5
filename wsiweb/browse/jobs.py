"""The jobs of all archives of the list, and of other archives that something waits for here.

Jobs are kept in outboxes, one for each archive (`wsiweb.outbox`), and may be done by any process of
this user. So they are looked at again and again, and the page is told when something has changed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from wsiweb.browse.boxes import Box, box_of_source, boxes_elsewhere
from wsiweb.browse.retrying import THERE, Retries
from wsiweb.errors import NotFound, OutboxError
from wsiweb.outbox.tables import JobLine, moment
from wsiweb.words import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsiweb.browse import shapes
    from wsiweb.browse.sources import Source, Sources
    from wsiweb.outbox.jobs import Job, Snapshot
    from wsiweb.outbox.rows import ItemRow

__all__ = ["JobsPanel"]

_log = logging.getLogger("wsiweb.browse")

_SOON, _LATER = 0.5, 3.0  # seconds between two looks, while something is under way and else
_MOST_OBJECTS = 1000
_MOST_JOBS = 500  # that the page is told of: the latest
_FILLING = frozenset({"store", "import", "copy"})  # kinds after which an archive has more
_SAID = {"held": "was there already", "sending": "is under way", "queued": "waits"}


class JobsPanel:
    """What is, and was, to be brought from one place to another.

    Parameters
    ----------
    sources : Sources
        The archives of the list.
    read_only : bool
        Whether jobs are only looked at: nothing is sent from here then.
    tell : callable
        Told all jobs when something has changed.
    filled : callable
        Told an archive that something has been brought into.
    """

    def __init__(
        self,
        sources: Sources,
        *,
        read_only: bool,
        tell: Callable[[list[shapes.Job]], None],
        filled: Callable[[Source], None],
    ) -> None:
        self._sources = sources
        self._read_only = read_only
        self._tell = tell
        self._filled = filled
        self._boxes: dict[str, Box] = {}
        self._troubles: dict[tuple[str, str], tuple[Any, str]] = {}
        self._retries = Retries(sources)
        self._looking = asyncio.Lock()
        self._nudged = asyncio.Event()
        self._seen: list[shapes.Job] | None = None

    # Looking --------------------------------------------------------------------------------

    async def look(self) -> list[shapes.Job]:
        """Return all jobs as they are now, the oldest first."""
        async with self._looking:
            await self._find_boxes()
            jobs = await asyncio.to_thread(self._look)
            self._compare(jobs)
            return jobs

    async def _find_boxes(self) -> None:
        """Open the outboxes that are there, and let go of those of archives that have gone."""
        for source in self._sources:
            box = self._boxes.get(source.id)
            if box is None or (not box.sends and source.opened is not None and not self._read_only):
                made = await box_of_source(source, read_only=self._read_only)
                if made is not None:
                    await self._let_go(box)
                    self._boxes[source.id] = made
        folders = {source.outbox_folder for source in self._sources}
        for box in list(self._boxes.values()):
            # One of elsewhere that is now in the list is looked at as that.
            gone = box.folder in folders if box.source is None else box.source.closed
            if gone:
                await self._let_go(self._boxes.pop(box.id))
        known = folders | {box.folder for box in self._boxes.values()}
        for box in await asyncio.to_thread(boxes_elsewhere, known):
            self._boxes[box.id] = box

    @staticmethod
    async def _let_go(box: Box | None) -> None:
        if box is not None:
            await asyncio.to_thread(box.close)

    def _look(self) -> list[shapes.Job]:
        found: list[tuple[float, shapes.Job]] = []
        for box in list(self._boxes.values()):
            try:
                shown = self._retries.look(box)
                found += [(one.job.created, self._as_json(box, one)) for one in shown]
            except (OutboxError, ValueError, OSError):
                continue  # one that is damaged, or has gone, hides no others
        return [job for _, job in sorted(found, key=lambda pair: pair[0])][-_MOST_JOBS:]

    def _as_json(self, box: Box, one: Snapshot) -> shapes.Job:
        row, progress = one.job, one.job.progress
        trouble = self._trouble(box, one)
        line = JobLine(
            job=row,
            archive=box.name,
            trouble=trouble,
            speed=one.speed,
            seconds_left=one.seconds_left,
        )
        may = not self._read_only
        failed = row.counts["failed"]
        return {
            "archive": box.id,
            "archiveName": box.name,
            "id": row.id,
            "title": row.title,
            "kind": row.kind,
            "state": row.state,
            "finished": row.finished,
            "created": moment(row.created),
            "done": progress.done,
            "total": progress.items,
            "failedCount": failed,
            "bytes": progress.sent,
            "bytesTotal": progress.size,
            "speed": one.speed,
            "secondsLeft": one.seconds_left,
            "failed": row.state in {"failed", "partial"},
            "error": trouble,
            "note": line.note,
            "canRetry": may and box.source is not None and failed > 0 and row.finished,
            "canCancel": may and not row.finished,
            "canPause": may and row.state in {"queued", "sending"} and not row.paused,
            "canResume": may and row.paused and not row.finished,
            "canClear": may and row.finished,
        }

    def _trouble(self, box: Box, one: Snapshot) -> str:
        """Return what hinders a job; looked up only when the job has moved, for it may be long."""
        key = (box.id, one.job.id)
        moved = (tuple(one.job.counts.values()), one.job.next_try)
        known = self._troubles.get(key)
        if known is None or known[0] != moved:
            lines = box.jobs.table(one.job.id).lines
            known = self._troubles[key] = (moved, lines[0].trouble if lines else "")
        return known[1]

    def _compare(self, jobs: list[shapes.Job]) -> None:
        """Tell what has changed since the last look."""
        before, self._seen = self._seen, jobs
        if before == jobs:
            return
        self._tell(jobs)
        if before is None:
            return
        done = {(one["archive"], one["id"]): (one["finished"], one["done"]) for one in before}
        filled = {
            one["archive"]
            for one in jobs
            if one["kind"] in _FILLING
            and one["finished"]
            and one["done"]
            and done.get((one["archive"], one["id"])) != (True, one["done"])
        }
        for source in self._sources:
            if source.id in filled:
                self._filled(source)

    def nudge(self) -> None:
        """Look soon: something was begun."""
        self._nudged.set()

    async def watch(self, is_watched: Callable[[], bool]) -> None:
        """Look again and again, for ever; while nobody watches and nothing is under way, not."""
        while True:
            busy = any(not one["finished"] for one in self._seen or ())
            if busy or is_watched() or self._nudged.is_set():
                self._nudged.clear()
                try:
                    jobs = await self.look()
                except Exception:  # whatever it is: who does not look again tells nobody
                    _log.exception("The jobs could not be looked at; they are again in a moment.")
                    jobs = []
                busy = any(not one["finished"] for one in jobs)
            try:
                async with asyncio.timeout(_SOON if busy else _LATER):
                    await self._nudged.wait()
            except TimeoutError:
                pass

    # One job --------------------------------------------------------------------------------

    def _box(self, archive: str) -> Box:
        box = self._boxes.get(archive)
        if box is None:
            raise NotFound(f"There are no jobs of an archive {archive[:80]!r}.")
        return box

    async def page(self, archive: str, id: str) -> shapes.JobPage | None:  # noqa: A002
        """Return a job with its objects; None when there is none, as it may have been cleared.

        Raises
        ------
        NotFound
            When there is no such archive.
        OutboxError
            When the job cannot be read.
        """
        jobs = await self.look()
        job = next((one for one in jobs if (one["archive"], one["id"]) == (archive, id)), None)
        box = self._box(archive)
        if job is None:
            return None

        def report() -> shapes.JobPage:
            made = box.jobs[id].report()
            items = sorted(made.items, key=lambda one: one.state in THERE)
            return {
                "job": job,
                "summary": made.summary,
                "objects": [_object(one) for one in items[:_MOST_OBJECTS]],
                "more": max(0, len(items) - _MOST_OBJECTS),
                "skipped": [
                    {"path": one.path, "reason": one.reason} for one in made.skipped[:_MOST_OBJECTS]
                ],
            }

        return await asyncio.to_thread(report)

    async def act(self, archive: str, id: str, verb: str) -> shapes.Done:  # noqa: A002
        """Do something with a job: cancel, retry, pause, resume or clear it.

        Raises
        ------
        NotFound, OutboxError
            When there is no such job, or it cannot be done with it now.
        ValueError
            When nothing of it can be tried again.
        """
        await self.look()  # so that its outbox is open
        box = self._box(archive)
        acts: dict[str, Callable[[Job], tuple[int, str]]] = {
            "cancel": _cancelled,
            "pause": _paused,
            "resume": _resumed,
            "clear": _cleared,
        }
        if verb == "retry":
            job = await asyncio.to_thread(lambda: box.jobs[id])
            number, words = await self._retries.again(box, job)
        else:
            number, words = await asyncio.to_thread(lambda: acts[verb](box.jobs[id]))
        self.nudge()
        return {"count": number, "words": words}

    async def clear(self) -> shapes.Done:
        """Forget all jobs in which nothing failed and nothing waits."""
        await self.look()
        boxes = list(self._boxes.values())
        number = await asyncio.to_thread(lambda: sum(box.jobs.clear() for box in boxes))
        self.nudge()
        return {"count": number, "words": f"{count(number, 'job')} forgotten."}

    # Letting go -----------------------------------------------------------------------------

    async def close(self) -> None:
        """Close outboxes that were opened here; those of archives are closed with these."""
        for box in self._boxes.values():
            await asyncio.to_thread(box.close)
        self._boxes.clear()


def _cancelled(job: Job) -> tuple[int, str]:
    number = job.cancel()
    return number, f"Stopped: {count(number, 'object')} will not be sent."


def _paused(job: Job) -> tuple[int, str]:
    job.pause()
    return 1, "It waits until it is resumed; what is under way is finished."


def _resumed(job: Job) -> tuple[int, str]:
    job.resume()
    return 1, "It goes on."


def _cleared(job: Job) -> tuple[int, str]:
    job.clear()
    return 1, "It is forgotten."


def _object(item: ItemRow) -> shapes.JobObject:
    words = item.reason or _SAID.get(item.state, item.state)
    if item.code is not None and item.reason:
        words += f" (code {item.code:04X})"
    if item.comment:
        words += f" The archive says: {item.comment}"
    return {
        "number": item.number,
        "instance": item.instance_uid,
        "origin": item.origin,
        "size": item.size,
        "state": item.state,
        "words": words,
        "warnings": list(item.warnings),
    }
