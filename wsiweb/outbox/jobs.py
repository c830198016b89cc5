"""Jobs as people hold them: how far they are, waited for, stopped, tried again."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from wsiweb.errors import OutboxError, StoreError
from wsiweb.outbox.reports import JobReport, report_of
from wsiweb.outbox.tables import JobTable, line_of
from wsiweb.progress import ProgressLine
from wsiweb.wire.receipts import InstanceReceipt, Receipt
from wsiweb.words import printable

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterator

    from wsiweb.outbox.outbox import Outbox
    from wsiweb.outbox.rows import ItemRow, JobRow, JobState, Progress, SkippedRow
    from wsiweb.outbox.sender import Sender
    from wsiweb.wire.receipts import Proof, State

__all__ = ["Job", "Jobs", "Snapshot"]

_DOING = {
    "store": "Storing",
    "import": "Importing",
    "download": "Downloading",
    "copy": "Copying",
}
_SHORT, _LONG = 0.01, 0.25  # seconds between two looks at a job that is waited for
_WINDOW = 10.0  # seconds over which a speed is measured

_SAID: dict[str, State] = {
    "queued": "queued",
    "sending": "queued",
    "stored": "stored",
    "held": "already there",
    "failed": "failed",
    "cancelled": "cancelled",
}


class Job:
    """Objects that were given to an archive together; made by `Archive.store`.

    It is kept on this machine: what it holds is sent by this process or, when that ends, by the
    next one that looks at the jobs of the archive. May be used from several threads.

    Attributes
    ----------
    id : str
        Its name, also for ``wsiweb jobs``.
    """

    def __init__(self, outbox: Outbox, sender: Sender | None, id: str) -> None:  # noqa: A002
        self.id = id
        self._outbox = outbox
        self._sender = sender

    def __repr__(self) -> str:
        row = self._row()
        done = row.progress
        return f"<Job {self.id} {row.title!r}: {row.state}, {done.done} of {done.items}>"

    def _row(self) -> JobRow:
        return self._outbox.job(self.id)

    @property
    def state(self) -> JobState:
        """``"queued"``, ``"sending"``, ``"paused"``, ``"stored"``, ``"partial"`` (some failed),
        ``"failed"`` or ``"cancelled"``.
        """  # noqa: D205 - a list
        return self._row().state

    @property
    def title(self) -> str:
        """What it is called."""
        return self._row().title

    @property
    def priority(self) -> int:
        """The job with the highest is sent first; 0 where nobody said. May be set.

        Raises
        ------
        ValueError
            When it is set to what is no whole number, or one too large.
        """
        return self._row().priority

    @priority.setter
    def priority(self, priority: int) -> None:
        self._outbox.prioritise(self.id, priority)

    @property
    def progress(self) -> Progress:
        """How far it is, in objects and bytes."""
        return self._row().progress

    @property
    def items(self) -> list[ItemRow]:
        """Its objects, in the order in which they were given, and what became of each."""
        return self._outbox.items(self.id)

    @property
    def skipped(self) -> list[SkippedRow]:
        """Files of folders that are no DICOM objects and were left out, and why."""
        return self._outbox.skipped(self.id)

    @property
    def receipt(self) -> Receipt:
        """What is known of each object now."""
        return Receipt(tuple(map(_receipt, self.items)))

    def report(self, path: str | os.PathLike[str] | None = None) -> JobReport:
        """Return what is known of each object now, for people and programs.

        Parameters
        ----------
        path : str or path, optional
            A file to write it to as well: ``.html``, ``.json`` or ``.txt``. One that is there is
            replaced.

        Returns
        -------
        JobReport
            Printed as text; ``to_dict()`` returns values for JSON, ``html()`` a page.

        Raises
        ------
        ValueError
            For a path with another ending.
        OSError
            When it cannot be written.
        """
        report = report_of(self._outbox, self.id)
        if path is not None:
            report.save(path)
        return report

    def wait(self, timeout: float | None = None) -> Receipt:
        """Wait until all of it is stored, or has failed.

        Parameters
        ----------
        timeout : float, optional
            Most seconds to wait; by default as long as it takes.

        Returns
        -------
        Receipt
            What became of each object: all of them are in the archive.

        Raises
        ------
        StoreError
            When some are not; its ``receipt`` says which, and why. They are kept, see `retry`.
        TimeoutError
            When it takes longer; it goes on nevertheless.
        OutboxError
            When it is paused, or was cleared.
        ValueError
            When its archive was closed: connect again, and wait for it as one of its `jobs`.
        """
        speed = _Speed()
        with self._line() as line:
            for pause in self._pauses(timeout):
                time.sleep(pause)
                line.say(lambda: self._summary(speed))
        return self._result()

    async def wait_async(self, timeout: float | None = None) -> Receipt:  # noqa: ASYNC109
        """Wait until all of it is stored, or has failed; see `wait`."""
        pauses = self._pauses(timeout)
        # Other processes send, too: there is no event to wait for.
        speed = _Speed()
        with self._line() as line:
            while (pause := await asyncio.to_thread(next, pauses, None)) is not None:
                await asyncio.sleep(pause)
                line.say(lambda: self._summary(speed))
        return await asyncio.to_thread(self._result)

    def _line(self) -> ProgressLine:
        """Return what says how far it is where somebody waits for it to see."""
        row = self._row()
        return ProgressLine(f"{_DOING.get(row.kind, row.kind)} {printable(row.title)}")

    def _summary(self, speed: _Speed) -> str:
        row = self._row()
        lately = 0.0 if row.finished else speed.take(time.monotonic(), row.progress.sent)
        left = row.progress.size - row.progress.sent
        seconds = left / lately if lately else None
        return line_of(self._outbox, row, speed=lately, seconds_left=seconds).summary

    def _pauses(self, timeout: float | None) -> Iterator[float]:
        """Yield how long to wait until the next look, until there is nothing to wait for."""
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = _SHORT
        while not (row := self._row()).finished:
            if self._sender is not None and self._sender.closed:
                raise ValueError(
                    f"The connection to {self._outbox.archive} was closed; connect again. "
                    f"{self!r} is kept until then."
                )
            if row.state == "paused":
                raise OutboxError(f"{self!r} is paused: resume() it before you wait for it.")
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(
                    f"{self!r} is not finished after {timeout:g} s; it goes on, and wait() may be "
                    "called again."
                )
            if self._sender is not None:
                self._sender.kick()
            left = pause if deadline is None else deadline - time.monotonic()
            yield max(0.0, min(pause, left))
            pause = min(_LONG, pause * 1.5)

    def _result(self) -> Receipt:
        receipt = self.receipt
        if not receipt.ok:
            raise StoreError(receipt)
        return receipt

    def pause(self) -> None:
        """Let it wait until it is resumed; what is under way is finished."""
        self._outbox.pause(self.id)

    def resume(self) -> None:
        """Let it go on; also if its archive is left alone for a while, because it was away."""
        self._outbox.resume(self.id)
        self._go_on()

    def cancel(self) -> int:
        """Send no more of it; return how many objects that were."""
        return self._outbox.cancel(self.id)

    def retry(self) -> int:
        """Send what failed once more, and at once what waits for its next try.

        An archive that is left alone for a while, because it was away or asked for that, is
        tried at once as well. Of a download, an import or a copy nothing is tried again: begin it
        once more, and what is done already is not done again.

        Returns
        -------
        int
            How many objects.
        """
        count = self._outbox.retry(self.id)
        self._go_on()
        return count

    def clear(self) -> None:
        """Forget it, with the copies of what failed.

        Raises
        ------
        OutboxError
            While something of it waits; cancel it before.
        """
        self._outbox.clear(self.id)

    def _go_on(self) -> None:
        if self._sender is not None:
            self._sender.kick(at_once=True)


def _receipt(item: ItemRow) -> InstanceReceipt:
    proof: Any = item.proof
    typed: Proof = proof
    return InstanceReceipt(
        instance_uid=item.instance_uid or item.origin,
        state=_SAID[item.state],
        code=item.code,
        reason=item.reason,
        comment=item.comment,
        warnings=item.warnings,
        proof=typed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A job at a moment, as `Jobs.watch` sees it.

    Attributes
    ----------
    job : JobRow
        What it is and how far.
    speed : float
        Bytes per second, lately; 0 when nothing moves.
    seconds_left : float or None
        At this speed; None when it is done, or nothing moves.
    """

    job: JobRow
    speed: float
    seconds_left: float | None


class Jobs(Sequence[Job]):
    """All jobs of an archive on this machine, the oldest first, by any process of this user.

    A sequence; a job may also be asked for by its id. To look at the jobs of an archive also lets
    this process send what waits, if no other does.

    Parameters
    ----------
    outbox : Outbox
        Where they are kept.
    sender : Sender, optional
        Who sends them; without one they are only looked at.
    """

    def __init__(self, outbox: Outbox, sender: Sender | None = None) -> None:
        self._outbox = outbox
        self._sender = sender
        self._speeds: dict[str, _Speed] = {}
        if sender is not None and outbox.wait(time.time()) is not None:
            sender.kick()

    def __repr__(self) -> str:
        return f"<Jobs of {self._outbox.archive}: {len(self)}>"

    def __len__(self) -> int:
        return len(self._outbox.jobs())

    @overload
    def __getitem__(self, key: int | str) -> Job: ...

    @overload
    def __getitem__(self, key: slice) -> list[Job]: ...

    def __getitem__(self, key: int | str | slice) -> Job | list[Job]:
        if isinstance(key, str):
            return self._job(self._outbox.job(key))
        rows = self._outbox.jobs()
        if isinstance(key, slice):
            return [self._job(row) for row in rows[key]]
        return self._job(rows[key])

    def __iter__(self) -> Iterator[Job]:
        return iter([self._job(row) for row in self._outbox.jobs()])

    def _job(self, row: JobRow) -> Job:
        return Job(self._outbox, self._sender, row.id)

    @property
    def used(self) -> int:
        """Bytes of the disk that hold what waits or has failed."""
        return self._outbox.used()

    def clear(self) -> int:
        """Forget all that is stored or was cancelled; return how many jobs."""
        return self._outbox.clear()

    def look(self) -> list[Snapshot]:
        """Return how all jobs are now; their speed since they were looked at before.

        Returns
        -------
        list of Snapshot
            One for each job, the oldest first.
        """
        now = time.monotonic()
        shown: list[Snapshot] = []
        for row in self._outbox.jobs():
            speed = self._speeds.setdefault(row.id, _Speed()).take(now, row.progress.sent)
            left = row.progress.size - row.progress.sent
            moving = speed > 0 and not row.finished
            shown.append(
                Snapshot(
                    job=row,
                    speed=speed if moving else 0.0,
                    seconds_left=left / speed if moving else None,
                )
            )
        return shown

    def table(self, *ids: str) -> JobTable:
        """Return how the jobs are now, to be printed or shown.

        Parameters
        ----------
        *ids : str
            Only these; by default all.

        Returns
        -------
        JobTable
            A line for each job, in a terminal and in Jupyter; ``to_dict()`` returns values for
            JSON. With speeds if it was called on the same object a moment ago.
        """
        return JobTable(
            [
                line_of(self._outbox, one.job, speed=one.speed, seconds_left=one.seconds_left)
                for one in self.look()
                if not ids or one.job.id in ids
            ]
        )

    def go_on(self) -> None:
        """Let this process send what waits, if no other does."""
        if self._sender is not None:
            self._sender.kick()

    def watch(self, interval: float = 0.5) -> Generator[list[Snapshot]]:
        """Yield how all jobs are, again and again.

        Parameters
        ----------
        interval : float
            Seconds between two looks.

        Yields
        ------
        list of Snapshot
            One for each job, the oldest first.
        """
        while True:
            shown = self.look()
            yield shown
            if any(not one.job.finished for one in shown):
                self.go_on()
            time.sleep(interval)


class _Speed:
    """Bytes per second over the last moments."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def take(self, now: float, sent: int) -> float:
        seen = self._seen
        # Sent again from its start; or nobody has looked for long, which tells nothing of now.
        if seen and (sent < seen[-1][1] or now - seen[-1][0] > _WINDOW):
            seen.clear()
        seen.append((now, sent))
        while len(seen) > 2 and now - seen[0][0] > _WINDOW:
            seen.popleft()
        elapsed = now - seen[0][0]
        return (sent - seen[0][1]) / elapsed if elapsed > 0 else 0.0
