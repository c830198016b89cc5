"""Objects of an archive in a folder of the user's: fetched whole, and only what is not there.

A file appears under its name, ``<study>/<series>/<instance>.dcm``, when all of it is on the disk.
So what is there when a download begins once more was fetched whole. It is compared with what the
archive lists of it, or, where that is asked for, with the object itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsiweb import loop
from wsiweb.errors import ProtocolError
from wsiweb.loop import in_pool
from wsiweb.outbox.rows import Outcome, Planned
from wsiweb.transfers.contents import NOT_COMPARED, Listed, contents
from wsiweb.transfers.fetching import AT_ONCE, Fetcher, NotFetched
from wsiweb.transfers.shelf import Shelf, understood
from wsiweb.wire.dicomjson import Attributes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from wsiweb.client.client import DicomwebClient
    from wsiweb.outbox.outbox import Outbox
    from wsiweb.outbox.rows import ItemRow
    from wsiweb.transfers.course import Course, Courses

__all__ = ["download", "planned"]


def download(
    outbox: Outbox,
    courses: Courses,
    client: DicomwebClient,
    folder: Path,
    *,
    study: str,
    series: str | None = None,
    verify: bool = False,
) -> str:
    """Begin a job that fetches the objects of a study into a folder.

    Parameters
    ----------
    outbox : Outbox
        Of the archive; the job is listed there.
    courses : Courses
        Of the archive.
    client : DicomwebClient
        The archive.
    folder : Path
        Made if it is not there.
    study, series : str
        UIDs.
    verify : bool
        Whether to fetch what is there already as well, and compare it; else a warning says that it
        was not.

    Returns
    -------
    str
        Id of the job.

    Raises
    ------
    NotFound
        When the archive has no such study or series.
    ArchiveError
        When it does not say what it has.
    OutboxError
        When the job cannot be listed.
    OSError
        When the folder cannot be made.
    """
    listed = loop.run(contents(client, study, series))
    folder.mkdir(parents=True, exist_ok=True)

    async def work(course: Course) -> None:
        shelf = await in_pool(_opened, folder)
        try:
            await _Download(course, client, shelf, listed, verify=verify).run()
        finally:
            await in_pool(shelf.close)

    which = f"study {study}" if series is None else f"series {series}"
    return courses.start(
        outbox,
        "download",
        work,
        title=f"download of {which}",
        planned=planned(listed),
        options={"folder": str(folder)},
    )


def planned(listed: Iterable[Listed]) -> list[Planned]:
    """Return what is to be fetched as items of a job. How large it is, no archive says."""
    return [
        Planned(
            origin=one.instance_uid,
            study_uid=one.study_uid,
            series_uid=one.series_uid,
            instance_uid=one.instance_uid,
        )
        for one in listed
    ]


def _opened(folder: Path) -> Shelf:
    return Shelf(folder, served=False)


class _Download:
    """One download under way."""

    def __init__(
        self,
        course: Course,
        client: DicomwebClient,
        shelf: Shelf,
        listed: list[Listed],
        *,
        verify: bool,
    ) -> None:
        self._course = course
        self._fetcher = Fetcher(client)
        self._shelf = shelf
        self._listed = {one.instance_uid: one for one in listed}
        self._verify = verify

    async def run(self) -> None:
        await self._course.each(self._course.left.values(), self._bring, AT_ONCE)

    async def _bring(self, item: ItemRow) -> Outcome:
        if not self._verify:
            there = await in_pool(self._there, item)
            if there is not None:
                return there
        draft = self._shelf.draft(item)
        try:
            await self._fetcher.fetch(item, draft)
        except NotFetched as error:
            return Outcome(item=item.id, state="failed", reason=str(error))
        return await in_pool(self._shelf.take, item, draft)

    def _there(self, item: ItemRow) -> Outcome | None:
        """Return what becomes of an object whose file is there, and is what the archive lists."""
        held = self._shelf.held(item)
        if held is None:
            return None
        try:
            scanned = understood(held)
            size = held.stat().st_size
        except (ProtocolError, OSError):
            return None  # whatever it is, it stays: what is fetched will be compared with it
        (header,) = Attributes.decode(b"[" + scanned.summary + b"]")
        mine = Listed.of(header, scanned.study_uid, scanned.series_uid)
        if not mine.agrees(self._listed[item.instance_uid]):
            return None
        warnings = (NOT_COMPARED,)
        return Outcome(item=item.id, state="held", proof="listed", warnings=warnings, size=size)
