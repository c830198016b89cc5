"""The outbox of one archive: objects that are to be sent, safe on this machine until they are.

Several threads and processes may use one folder at the same time. At every moment each object is
either in no job, or in one with its whole, checked copy; and its state says what is known of it.

::

    <folder>/outbox.sqlite       jobs and items
    <folder>/spool/<job>/<n>.dcm copies, while they are queued, being sent, or failed
    <folder>/intake.lock         shared while something is taken in, alone while leftovers are swept
    <folder>/sender.lock         held by the one who sends
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsiweb.errors import OutboxError
from wsiweb.outbox import queries
from wsiweb.outbox.database import Database
from wsiweb.outbox.folder import Lock, make
from wsiweb.outbox.rows import LONGEST_WAIT, ItemRow, ItemState, JobRow, Outcome, SkippedRow
from wsiweb.outbox.spool import remove, remove_job, trouble_of
from wsiweb.outbox.sweeping import put_in_order, run_elsewhere
from wsiweb.outbox.taking import (
    Room,
    checked_options,
    checked_priority,
    checked_title,
    take_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from wsiweb.outbox.intake import Taken
    from wsiweb.outbox.rows import Planned

__all__ = ["Outbox"]


class Outbox:
    """The queue of one archive. Thread-safe; blocking.

    Parameters
    ----------
    folder : Path
        Where it lives; made if it is not there. See `wsiweb.outbox.folder.default_folder`.
    limit : int, optional
        Most bytes of copies. By default as many as leave 1 GiB of the disk free.
    archive : str
        Base URL of the archive; an outbox is of one archive. By default the one it is of.

    Attributes
    ----------
    archive : str
        Base URL of the archive as people may see it (`wsiweb.wire.uris.shown`); empty where nobody
        said it.

    Raises
    ------
    OutboxError
        When the folder cannot be written, or its database is foreign, newer or damaged; it is left
        as it is then.
    """

    def __init__(self, folder: Path, *, limit: int | None = None, archive: str = "") -> None:
        self.folder = Path(folder).absolute()
        self.limit = limit
        self._spool = self.folder / "spool"
        self._database = Database(self.folder / "outbox.sqlite", archive)
        make(self.folder)
        with self._intake(), self._database.reading() as db:  # opened, or made, or refused
            self.archive = queries.archive(db)
        self.sweep()

    def __repr__(self) -> str:
        return f"<Outbox {self.folder}>"

    def close(self) -> None:
        """Close its files; a later question opens them again."""
        self._database.close()

    def _intake(self) -> Lock:
        lock = Lock(self.folder / "intake.lock", shared=True)
        lock.take(wait=True)
        return lock

    # Taking in ------------------------------------------------------------------------------

    def add(
        self,
        objects: Iterable[Taken],
        *,
        title: str,
        priority: int = 0,
        kind: str = "store",
        options: Mapping[str, Any] | None = None,
    ) -> str:
        """Take objects in as one job: all of them, or none.

        When this returns, copies of all objects are on the disk for good: every file, and the
        folder, and the rows have been synced, in this order.

        Parameters
        ----------
        objects : iterable of Found, Unfit or SkippedRow
            See `wsiweb.outbox.intake.examine`. Equal objects are taken once.
        title : str
            For people.
        priority : int
            The highest goes first: from minus to plus 10**15.
        kind : str
            What people call this kind of job.
        options : mapping, optional
            How to send them; of what JSON knows. Objects of jobs with the same options may go in
            one request.

        Returns
        -------
        str
            Id of the job.

        Raises
        ------
        ValueError
            When there is nothing to store, two different objects have the same UID, or title or
            priority are none.
        OutboxError
            When the disk is full, or the limit is reached.
        """
        job = {
            "kind": kind,
            "title": checked_title(title),
            "priority": checked_priority(priority),
            "options": checked_options(options),
        }
        with self._intake():
            room = Room(self.folder, self.used(), self.limit)
            return take_in(self._database, self._spool, room, objects, job)

    def running(
        self,
        kind: str,
        *,
        title: str,
        planned: Iterable[Planned],
        options: Mapping[str, Any] | None = None,
        skipped: Iterable[SkippedRow] = (),
    ) -> AbstractContextManager[str]:
        """List something that is not sent from here, such as a download, with the jobs.

        Its items are settled as others are (`items`, `settle`), but never wait: one that is settled
        as queued is cancelled. What is not settled at the end of the block, or when its process
        ends, has failed.

        Parameters
        ----------
        kind : str
            What people call this kind of job.
        title : str
            For people.
        planned : iterable of Planned
            What is to be done.
        options : mapping, optional
            How; of what JSON knows.
        skipped : iterable of SkippedRow
            Files that are left out; see `skipped`.

        Returns
        -------
        context manager
            Of the id of the job.

        Raises
        ------
        ValueError
            When the title is none, or JSON does not know the options.
        """
        job = {
            "kind": kind,
            "title": checked_title(title),
            "priority": 0,
            "options": checked_options(options),
            "skipped": tuple(skipped),
        }
        return run_elsewhere(self._database, self._intake, job, planned)

    # Looking --------------------------------------------------------------------------------

    def jobs(self, *, kinds: Sequence[str] | None = None) -> list[JobRow]:
        """Return all jobs, the oldest first.

        Parameters
        ----------
        kinds : sequence of str, optional
            Only jobs of these kinds.
        """
        with self._database.reading() as db:
            return queries.jobs(db, kinds)

    def job(self, id: str) -> JobRow:  # noqa: A002 - what it is called everywhere
        """Return a job.

        Raises
        ------
        OutboxError
            When there is none of that id: it never was, or was cleared.
        """
        with self._database.reading() as db:
            found = queries.jobs(db, job=id)
        if not found:
            raise _no_job(id)
        return found[0]

    def items(self, id: str, states: Sequence[ItemState] | None = None) -> list[ItemRow]:  # noqa: A002
        """Return the items of a job in the order in which they were given.

        Parameters
        ----------
        id : str
            Of the job.
        states : sequence of ItemState, optional
            Only items in these states.

        Raises
        ------
        OutboxError
            When there is no such job.
        """
        with self._database.reading() as db:
            _check_job(db, id)
            return queries.items(db, self._spool, id, states)

    def skipped(self, id: str) -> list[SkippedRow]:  # noqa: A002
        """Return the files of folders that were no DICOM objects and are not in a job."""
        with self._database.reading() as db:
            _check_job(db, id)
            return queries.skipped(db, id)

    def used(self) -> int:
        """Return the bytes of all copies that are kept."""
        with self._database.reading() as db:
            return queries.used(db)

    def wait(self, now: float) -> float | None:
        """Return the seconds until an item is due: 0 for now, None when none waits.

        Parameters
        ----------
        now : float
            Seconds since 1970.
        """
        with self._database.reading() as db:
            due = queries.next_try(db)
        if due is None:
            return None
        return 0.0 if due - now > LONGEST_WAIT else max(0.0, due - now)

    # Sending --------------------------------------------------------------------------------

    def sender_lock(self) -> Lock | None:
        """Become the one who sends.

        Returns
        -------
        Lock or None
            A context manager, also with ``release()``; it is released by the system when its
            process ends, however it ends. None when another thread or process has it.
        """
        lock = Lock(self.folder / "sender.lock")
        return lock if lock.take(wait=False) else None

    def claim(self, now: float, most_bytes: int, most_items: int) -> list[ItemRow]:
        """Take what is to be sent in one request; it is marked as being sent.

        What is due, by priority and then by age: objects of one study, from jobs of one kind with
        equal options, no UID twice, none that is under way already. A copy that was lost or changed
        becomes a failed item instead; that of an item that was tried before is read to see.

        Parameters
        ----------
        now : float
            Seconds since 1970.
        most_bytes, most_items : int
            Bounds of a request. A larger object goes alone.

        Returns
        -------
        list of ItemRow
            Each is to be settled. Empty when nothing is due.
        """
        while True:
            with self._database.writing() as db:
                group = queries.claim(
                    db, self._spool, now=now, most_bytes=most_bytes, most_items=most_items
                )
            # Outside of the transaction: reading a gigabyte takes its time.
            troubles = {one.id: trouble_of(one, thorough=one.tries > 1) for one in group}
            self.settle(
                [
                    Outcome(item=item, state="failed", reason=reason)
                    for item, reason in troubles.items()
                    if reason
                ]
            )
            sound = [one for one in group if not troubles[one.id]]
            if sound or not group:
                return sound

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Write what became of items that were being sent: all of it, or nothing.

        Copies of what is stored, held or cancelled are removed then.

        Raises
        ------
        ValueError
            For an item that is not being sent; nothing is changed.
        """
        if not outcomes:
            return
        now = time.time()
        with self._database.writing() as db:
            settled = [queries.settle(db, outcome, now) for outcome in outcomes]
        done = {"stored", "held", "cancelled"}
        remove(self._spool, [(job, number) for job, number, state in settled if state in done])

    def orphans(self) -> list[ItemRow]:
        """Return what is marked as being sent; for the holder of the lock, before it claims.

        One that is no more left it so: killed, or with a database that it could not write, another
        process or this one. Nobody knows whether the archive has these objects: it is to be asked
        before they are sent again. They are settled as others are.
        """
        with self._database.reading() as db:
            return queries.orphans(db, self._spool)

    def tell(self, sent: Mapping[str, int], now: float) -> None:
        """Write how many bytes of the request under way have been sent, for others to show.

        Parameters
        ----------
        sent : mapping of str to int
            Bytes, by job.
        now : float
            Seconds since 1970.
        """
        with self._database.writing(durable=False) as db:
            queries.tell(db, sent, now)

    # What people ask of a job ---------------------------------------------------------------

    def pause(self, id: str) -> None:  # noqa: A002
        """Let a job wait until it is resumed; what is under way is finished."""
        self._flag(id, paused=1)

    def resume(self, id: str) -> None:  # noqa: A002
        """Let a paused job go on."""
        self._flag(id, paused=0)

    def prioritise(self, id: str, priority: int) -> None:  # noqa: A002
        """Let a job go before those of a lower priority.

        Raises
        ------
        ValueError
            When it is no whole number from minus to plus 10**15.
        """
        self._flag(id, priority=checked_priority(priority))

    def _flag(self, job: str, **flags: int) -> None:
        with self._database.writing() as db:
            _check_job(db, job)
            queries.flag(db, job, **flags)

    def cancel(self, id: str) -> int:  # noqa: A002
        """Cancel what of a job is not sent yet, and remove the copies of it.

        What is under way may still be stored; if it is not, it is cancelled as well. What failed
        stays as it is.

        Returns
        -------
        int
            Items that were cancelled at once.
        """
        with self._database.writing() as db:
            _check_job(db, id)
            numbers = queries.cancel(db, id, time.time())
        remove(self._spool, [(id, number) for number in numbers])
        return len(numbers)

    def retry(self, id: str) -> int:  # noqa: A002
        """Let what failed or waits for another try be sent at once; also resumes.

        Of what is not sent from here (`running`), nothing is tried again, and what was cancelled
        stays so: begin it anew.

        Returns
        -------
        int
            Items that will be. What has no copy to be sent stays failed.
        """
        items = self.items(id, ("failed", "queued"))
        numbers = [one.number for one in items if not trouble_of(one, thorough=False)]
        with self._database.writing() as db:
            queries.requeue(db, id, numbers)
        return len(numbers)

    def clear(self, id: str | None = None) -> int:  # noqa: A002
        """Forget jobs, with the copies of what failed.

        Parameters
        ----------
        id : str, optional
            A finished job. By default all that are stored or cancelled without a failure: what
            failed is forgotten only by name.

        Returns
        -------
        int
            Jobs that were forgotten.

        Raises
        ------
        OutboxError
            When the job is not finished, or there is none of that id.
        """
        with self._database.writing() as db:
            if id is not None:
                _check_job(db, id)
            found = queries.jobs(db, job=id)
            if id is not None and not found[0].finished:
                raise OutboxError(
                    f"Job {id} is {found[0].state}: cancel it, or wait, before it is cleared."
                )
            done = [
                one.id
                for one in found
                if one.finished and (id is not None or not one.counts["failed"])
            ]
            for job in done:
                queries.delete_job(db, job)
        for job in done:
            remove_job(self._spool, job)
        return len(done)

    def sweep(self) -> None:
        """Put in order what crashes left, unless somebody takes something in at this moment.

        Copies without a row are removed, waiting items without a copy have failed, and so has what
        ran in a process that is no more. Done whenever an outbox is opened.
        """
        alone = Lock(self.folder / "intake.lock")
        if alone.take(wait=False):
            with alone:
                put_in_order(self._database, self._spool)


def _check_job(db: Any, job: str) -> None:
    if not queries.exists(db, job):
        raise _no_job(job)


def _no_job(job: str) -> OutboxError:
    return OutboxError(f"There is no job {job!r} in this outbox; it may have been cleared.")
