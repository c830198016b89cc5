"""Objects of one archive copied into another: fetched, handed to the outbox of the other, proven.

A few objects at a time are on this machine, however many there are. What the other lists already is
fetched all the same, and compared: a list does not tell whether two objects of one UID are equal.
Only what a copy from the same archive brought there before is known to be; so a copy that is begun
again, whatever ended it, fetches only the rest. What waits in the outbox since then is not fetched
again either: it is followed to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from wsiweb import loop
from wsiweb.errors import ArchiveError, Busy, OutboxError, Unreachable
from wsiweb.loop import in_pool
from wsiweb.outbox.intake import examine
from wsiweb.outbox.rows import Outcome
from wsiweb.server.placing import Workspace, sweep
from wsiweb.transfers.contents import NOT_COMPARED, contents
from wsiweb.transfers.downloading import planned
from wsiweb.transfers.fetching import AT_ONCE, Fetcher, NotFetched
from wsiweb.wire.uris import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from wsiweb.client.client import DicomwebClient
    from wsiweb.outbox.outbox import Outbox
    from wsiweb.outbox.rows import ItemRow
    from wsiweb.outbox.sender import Sender
    from wsiweb.transfers.contents import Listed
    from wsiweb.transfers.course import Course, Courses

__all__ = ["PART", "copy"]

PART = "part of a copy"
"""Kind of the jobs in which fetched objects wait to be sent; each is gone when it is done."""

_MOST_BYTES = 64 * 2**20  # that are fetched before they are handed over; a larger object goes alone
_MOST_ITEMS = 50
_SHARE = 4  # of an outbox with a limit, a copy takes so small a part at a time
_PARTS = 2  # on their way while others are fetched
_LEFT = "the archive was closed before it was sent; it waits in the outbox, and is sent from there"
_SHORT, _LONG = 0.02, 0.5  # seconds between two looks at a part


def copy(
    outbox: Outbox,
    courses: Courses,
    source: DicomwebClient,
    target: tuple[DicomwebClient, Sender],
    *,
    studies: Sequence[str],
    series: str | None = None,
    verify: bool | None = None,
) -> str:
    """Begin a job that copies studies into another archive.

    Parameters
    ----------
    outbox : Outbox
        Of the archive that is copied into; the job is listed there.
    courses : Courses
        Of the same archive.
    source : DicomwebClient
        The archive that is copied from.
    target : (DicomwebClient, Sender)
        The archive that is copied into, and who sends what is in the outbox.
    studies : sequence of str
        UIDs.
    series : str, optional
        UID of a series, of which alone objects are copied.
    verify : bool, optional
        Whether to fetch what the other archive lists already as well, and compare it. By default
        all of it but what was copied from the same archive before. If not, a warning says of each
        object that it was not compared.

    Returns
    -------
    str
        Id of the job.

    Raises
    ------
    NotFound
        When the archive has no such study or series.
    ArchiveError
        When one of the two does not say what it has.
    OutboxError
        When the job cannot be listed.
    """
    origin = shown(source.base_url)
    wanted = [one for study in studies for one in loop.run(contents(source, study, series))]
    held: dict[str, Listed] = {}
    for study in studies:
        held |= loop.run(_held(target[0], study, series))

    async def work(course: Course) -> None:
        workspace = await in_pool(_opened, outbox.folder)
        try:
            proven = set() if verify else await in_pool(_copied_before, outbox, origin)
            alike = {one.instance_uid for one in wanted if _agrees(held.get(one.instance_uid), one)}
            believed: dict[str, tuple[str, ...]] = dict.fromkeys(alike & proven, ())
            if verify is False:
                believed |= dict.fromkeys(alike - proven, (NOT_COMPARED,))
            under_way = _Copy(course, outbox, target, Fetcher(source), workspace.path)
            await under_way.run(believed)
        finally:
            await in_pool(workspace.close)

    which = f"study {studies[0]}" if len(studies) == 1 else f"{len(studies)} studies"
    return courses.start(
        outbox,
        "copy",
        work,
        title=f"copy of {which if series is None else f'series {series}'} from {origin}",
        planned=planned(wanted),
        options={"from": origin},
    )


async def _held(target: DicomwebClient, study: str, series: str | None) -> dict[str, Listed]:
    """Return what an archive lists; nothing where it does not answer such questions."""
    try:
        return {one.instance_uid: one for one in await contents(target, study, series)}
    except (Unreachable, Busy):
        raise
    except ArchiveError:  # none, or no answer; whoever sends compares what turns out to be there
        return {}


def _agrees(held: Listed | None, wanted: Listed) -> bool:
    return held is not None and held.agrees(wanted)


def _copied_before(outbox: Outbox, origin: str) -> set[str]:
    """Return what earlier copies from the same archive stored, or compared and found equal."""
    found: set[str] = set()
    for job in outbox.jobs(kinds=("copy",)):
        if job.options.get("from") != origin:
            continue
        with contextlib.suppress(OutboxError):  # it was cleared this moment
            found |= {
                item.instance_uid
                for item in outbox.items(job.id, ("stored", "held"))
                # Of what was stored with a warning nobody knows: it may have been changed.
                if not item.warnings and (item.state == "stored" or item.proof == "compared")
            }
    return found


def _opened(folder: Path) -> Workspace:
    sweep(folder)
    return Workspace(folder)


class _Copy:
    """One copy under way."""

    def __init__(
        self,
        course: Course,
        outbox: Outbox,
        target: tuple[DicomwebClient, Sender],
        fetcher: Fetcher,
        folder: Path,
    ) -> None:
        self._course = course
        self._outbox = outbox
        self._client, self._sender = target
        self._fetcher = fetcher
        self._folder = folder
        self._most_bytes = min(_MOST_BYTES, (outbox.limit or 2**62) // _SHARE)
        self._places = asyncio.Semaphore(_PARTS)
        self._handing = asyncio.Lock()
        self._broken: ArchiveError | None = None

    async def run(self, believed: Mapping[str, tuple[str, ...]]) -> None:
        """Copy what is left to be done.

        Parameters
        ----------
        believed : mapping of str to tuple of str
            UIDs of objects that are there already, and are not to be looked at; with what is to be
            said of each.
        """
        left = list(self._course.left.values())
        await self._course.settle(
            Outcome(item=item.id, state="held", proof="listed", warnings=believed[uid])
            for item in left
            if (uid := item.instance_uid) in believed
        )
        parts = await in_pool(self._waiting)
        waiting = {item.id for items in parts.values() for item in items}
        turns = (item for item in left if item.id in self._course.left and item.id not in waiting)
        async with asyncio.TaskGroup() as group:
            for part, items in parts.items():
                group.create_task(self._follow(part, items))
            while batch := await self._fetch_some(turns):
                await self._places.acquire()
                group.create_task(self._deliver(batch))
        if self._broken is not None:  # only now: what was fetched is brought to its end
            raise self._broken

    # Fetching -------------------------------------------------------------------------------

    async def _fetch_some(self, turns: Iterator[ItemRow]) -> dict[Path, ItemRow]:
        """Fetch as many objects as are handed over together; none when there are no more."""
        fetched: dict[Path, ItemRow] = {}
        size = 0

        async def work() -> None:
            nonlocal size
            while size < self._most_bytes and len(fetched) < _MOST_ITEMS:
                going = self._broken is None and await self._course.goes_on()
                item = next(turns, None) if going else None
                if item is None:
                    return
                path = self._folder / f"{item.number}.dcm"
                try:
                    await self._fetcher.fetch(item, path)
                except NotFetched as error:
                    failed = Outcome(item=item.id, state="failed", reason=str(error))
                    await self._course.settle([failed])
                except ArchiveError as error:
                    self._broken = error
                else:
                    fetched[path] = item
                    size += path.stat().st_size

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())
        return fetched

    # Handing over ---------------------------------------------------------------------------

    async def _deliver(self, batch: dict[Path, ItemRow]) -> None:
        """Hand objects to the outbox, and follow them to their end."""
        try:
            try:
                part = await self._hand_over(batch)
            except (OutboxError, ValueError) as error:
                await self._deliver_each(batch, error)
            else:
                await self._follow(part, batch.values())
        finally:
            self._places.release()

    async def _deliver_each(self, batch: dict[Path, ItemRow], error: Exception) -> None:
        """Hand over one by one what cannot be handed over together: some of it may fit."""
        if len(batch) == 1:
            await self._fail(batch.values(), str(error))
            return
        for path, item in batch.items():
            try:
                part = await self._hand_over({path: item})
            except (OutboxError, ValueError) as alone:
                await self._fail([item], str(alone))
            else:
                await self._follow(part, [item])

    async def _fail(self, items: Iterable[ItemRow], reason: str) -> None:
        await self._course.settle(
            Outcome(item=item.id, state="failed", reason=reason) for item in items
        )

    async def _hand_over(self, batch: dict[Path, ItemRow]) -> str:
        """Add objects to the outbox; one that is full is waited for while it empties itself."""
        async with self._handing:
            while True:
                try:
                    return await in_pool(self._add, batch)
                except OutboxError:
                    if not await in_pool(self._moving):
                        raise
                self._sender.kick()
                await asyncio.sleep(_LONG)

    def _add(self, batch: dict[Path, ItemRow]) -> str:
        paths = list(batch)
        title = f"part of copy {self._course.job}"
        part = self._outbox.add(examine(paths), title=title, kind=PART)
        for path in paths:
            path.unlink()
        return part

    def _moving(self) -> bool:
        jobs = self._outbox.jobs(kinds=("store", PART))
        return any(job.state in {"queued", "sending"} for job in jobs)

    # Following ------------------------------------------------------------------------------

    def _waiting(self) -> dict[str, list[ItemRow]]:
        """Return the parts of earlier copies with objects of this one that still wait."""
        mine = {item.instance_uid: item for item in self._course.left.values()}
        found: dict[str, list[ItemRow]] = {}
        for job in self._outbox.jobs(kinds=(PART,)):
            with contextlib.suppress(OutboxError):  # another copy has just ended it
                uids = {item.instance_uid for item in self._outbox.items(job.id)}
                items = [mine.pop(uid) for uid in uids & mine.keys()]
                if items:
                    self._outbox.retry(job.id)
                    found[job.id] = items
                elif job.finished:
                    self._outbox.clear(job.id)
        return found

    async def _follow(self, part: str, items: Iterable[ItemRow]) -> None:
        """Wait for a part to be sent, settle what becomes of its objects, and forget it."""
        mine = {item.instance_uid: item for item in items}
        try:
            await self._until_sent(part, mine)
        except OutboxError:
            await self._ask(mine.values())  # another copy of the same was quicker
        except asyncio.CancelledError:
            await self._fail(mine.values(), _LEFT)
            raise
        with contextlib.suppress(OutboxError):
            await in_pool(self._outbox.clear, part)

    async def _until_sent(self, part: str, mine: dict[str, ItemRow]) -> None:
        pause = _SHORT
        while not await self._look(part, mine):
            self._sender.kick()
            await asyncio.sleep(pause)
            pause = min(_LONG, pause * 1.5)

    async def _look(self, part: str, mine: dict[str, ItemRow]) -> bool:
        """Settle what of a part has been settled; return whether all of it has."""
        going = await self._course.goes_on()
        if not going:
            await in_pool(self._outbox.cancel, part)
        rows = await in_pool(self._outbox.items, part)
        done = [row for row in rows if row.state not in {"queued", "sending"}]
        known = [(mine[row.instance_uid], row) for row in done if row.instance_uid in mine]
        await self._course.settle(_outcome(item, row, going=going) for item, row in known)
        return len(done) == len(rows)

    async def _ask(self, items: Iterable[ItemRow]) -> None:
        """Settle objects by what the archive lists, where the outbox knows nothing any more."""
        left = list(items)
        listed: set[str] = set()
        for study in {item.study_uid for item in left}:
            listed |= (await _held(self._client, study, None)).keys()
        await self._course.settle(
            Outcome(item=item.id, state="stored", proof="listed", warnings=(NOT_COMPARED,))
            if item.instance_uid in listed
            else Outcome(item=item.id, state="failed", reason="it was cleared from the outbox")
            for item in left
        )


def _outcome(item: ItemRow, row: ItemRow, *, going: bool) -> Outcome:
    """Return what became of an item: what became of the one that was sent for it."""
    if row.state == "cancelled" and not going:
        return Outcome(item=item.id, state="queued")  # which is cancelled with its job
    if row.state in {"stored", "held"}:
        state = row.state
        reason = ""
    else:
        state = "failed"
        reason = row.reason or f"it was {row.state} in the outbox"
    return Outcome(
        item=item.id,
        state=state,
        code=row.code,
        reason=reason,
        comment=row.comment,
        warnings=row.warnings,
        proof=row.proof,
        size=row.size,
    )
