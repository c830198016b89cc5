"""Jobs that failed, tried again.

What was to be stored waits in the outbox and is sent again, as the same job. What this process does
itself (imports, downloads, copies) is begun anew as another job, which does what is not done yet.
The old one is hidden, and cleared only when the new one has ended well: what it brought is what a
copy knows to be there already.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wsiweb.errors import OutboxError, WsiwebError
from wsiweb.outbox.intake import examine
from wsiweb.words import count

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from wsiweb.archive import Archive
    from wsiweb.browse.boxes import Box
    from wsiweb.browse.sources import Sources
    from wsiweb.outbox.jobs import Job, Snapshot
    from wsiweb.outbox.rows import ItemRow, JobRow

__all__ = ["THERE", "Retries"]

THERE = frozenset({"stored", "held"})
"""States of objects that are where they were to be brought."""

_NAMED = 3  # paths that are named in an answer


class Retries:
    """What was tried again, by the jobs that it became.

    Parameters
    ----------
    sources : Sources
        The archives of the list.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._under_way: set[tuple[str, str]] = set()  # ids of box and job
        self._before: dict[tuple[str, str], list[str]] = {}  # jobs that one stands for

    def look(self, box: Box) -> list[Snapshot]:
        """Return the jobs of an outbox, without those that others stand for now.

        Jobs whose successors have ended well are cleared; those whose successors went are shown
        again.
        """
        stand = [key for key in list(self._before) if key[0] == box.id]  # one begun later is not
        snapshots = box.jobs.look()  # among these, and has not gone
        cleared = self._settle(box, stand, [one.job for one in snapshots])
        hidden = self._hidden(box) | cleared
        return [one for one in snapshots if one.job.id not in hidden]

    def _settle(
        self, box: Box, stand: Iterable[tuple[str, str]], rows: Iterable[JobRow]
    ) -> set[str]:
        """Clear what is to be cleared; return the ids."""
        known = {row.id: row for row in rows}
        cleared: set[str] = set()
        for key in stand:
            row = known.get(key[1])
            if row is None:
                self._before.pop(key, None)
            elif row.finished and row.state == "stored":
                cleared |= known.keys() & self._before.pop(key, [])
        for id in cleared:  # noqa: A001
            box.jobs[id].clear()
        return cleared

    def _hidden(self, box: Box) -> set[str]:
        """Return the ids of the jobs of an outbox that others stand for now."""
        # A copy: others begin some in the meantime.
        return {id for (of, _), ids in list(self._before.items()) if of == box.id for id in ids}  # noqa: A001

    async def again(self, box: Box, job: Job) -> tuple[int, str]:
        """Try a job again; return how many objects, and what to say.

        Raises
        ------
        OutboxError
            When it is tried again already, is not finished, or nothing of it failed.
        ValueError
            When nothing of it can be tried again.
        """
        key = (box.id, job.id)
        if key in self._under_way or job.id in self._hidden(box):
            raise OutboxError("It is tried again already.")
        self._under_way.add(key)

        def begin() -> tuple[int, str]:
            try:
                return self._again(box, job)
            finally:  # here: the thread goes on though who asked may be gone
                self._under_way.discard(key)

        return await asyncio.to_thread(begin)

    def _again(self, box: Box, job: Job) -> tuple[int, str]:
        row = next((one.job for one in box.jobs.look() if one.job.id == job.id), None)
        if row is None:
            raise OutboxError("There is no such job any more; it may have been cleared.")
        if not row.finished:
            raise OutboxError("It is still under way: cancel it, or wait until it is finished.")
        if not row.counts["failed"]:
            raise OutboxError("Nothing of it failed: there is nothing to try again.")
        if row.kind == "store":
            number = job.retry()
            if not number:
                raise ValueError("No copies are kept of what failed: store it again.")
            return number, f"{count(number, 'object')} will be sent again."
        if box.archive is None:
            raise ValueError(f"{box.name} is not in the list: add it, and try again.")
        items = job.items
        begun, left_out = self._begun(box.archive, row, items)
        number = sum(one.state not in THERE for one in items) - len(left_out)
        words = f"{count(number, 'object')} tried again, as a new job."
        if left_out:  # the old one stays: it tells of these
            named = "; ".join(left_out[:_NAMED])
            more = f"; and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
            words += f" Not this: {named}{more}."
        else:
            # Of several new ones the last stands for it: all of them are listed.
            stands_for = [*self._before.pop((box.id, job.id), []), job.id]
            self._before[box.id, begun[-1].id] = stands_for
        return number, words

    def _begun(
        self, archive: Archive, row: JobRow, items: list[ItemRow]
    ) -> tuple[list[Job], list[str]]:
        """Begin anew what this process does; return the jobs, and what was left out and why."""
        missing = [one for one in items if one.state not in THERE]
        studies = list(dict.fromkeys(one.study_uid for one in missing if one.study_uid))
        series = {one.series_uid for one in items}
        only = series.pop() if len(series) == 1 else None
        if row.kind == "import":
            return _imported(archive, list(dict.fromkeys(one.origin for one in missing)))
        if row.kind == "download":
            return _downloaded(archive, studies, row.options["folder"], only)
        if row.kind == "copy":
            origin = next(
                (one for one in self._sources if one.shown_base == row.options["from"]), None
            )
            if origin is None or origin.opened is None:
                raise ValueError(
                    f"{row.options['from']} is not in the list, or was not looked at yet: add it, "
                    "and send the study from there once more."
                )
            return [archive.copy_from(origin.opened, *studies, series=only)], []
        raise ValueError(f"Nothing is known here of how to begin a {row.kind} anew.")


def _imported(archive: Archive, paths: Collection[str]) -> tuple[list[Job], list[str]]:
    """Import those files that can be; one that is still damaged is no reason to leave the rest."""
    fit: list[str] = []
    unfit: list[str] = []
    for path in paths:
        try:
            list(examine(path))
        except (WsiwebError, ValueError, OSError) as error:
            unfit.append(str(error).rstrip("."))
        else:
            fit.append(path)
    if not fit:
        raise ValueError(f"None of it can be imported as it is. {'; '.join(unfit[:_NAMED])}.")
    return [archive.import_folder(*fit)], unfit


def _downloaded(
    archive: Archive, studies: Iterable[str], folder: str, series: str | None
) -> tuple[list[Job], list[str]]:
    begun: list[Job] = []
    failed: list[tuple[str, WsiwebError]] = []
    for study in studies:
        try:
            begun.append(archive.download(study, folder, series=series))
        except WsiwebError as error:
            failed.append((study, error))
    if not begun and failed:
        raise failed[0][1]
    if not begun:
        raise ValueError("It is not known of which study it was: begin it once more.")
    return begun, [f"study {study}: {error}" for study, error in failed]
