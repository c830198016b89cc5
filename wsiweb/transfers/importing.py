"""Files of this machine taken into an archive that is a folder: copied, or linked.

May be done again at any time: what the archive has is compared and left as it is.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from wsiweb.errors import ProtocolError
from wsiweb.loop import in_pool
from wsiweb.outbox.copies import copy_bytes
from wsiweb.outbox.intake import Found, Unfit, examine
from wsiweb.outbox.rows import Outcome, Planned, SkippedRow
from wsiweb.transfers.shelf import Shelf, judged, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsiweb.outbox.outbox import Outbox
    from wsiweb.outbox.rows import ItemRow
    from wsiweb.transfers.course import Course, Courses

__all__ = ["import_files"]

_NAMED = 3  # paths in the title
_AT_ONCE = 4  # files; their syncs go to the disk together
_STEP = 64 * 2**20  # bytes that are copied between two looks at how far it is
_NO_LINKS = {
    errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK,
}  # fmt: skip


def import_files(
    outbox: Outbox,
    courses: Courses,
    folder: Path,
    paths: Sequence[str | os.PathLike[str]],
    *,
    link: bool = False,
) -> str:
    """Begin a job that takes files and folders into an archive.

    Parameters
    ----------
    outbox : Outbox
        Of the archive; the job is listed there.
    courses : Courses
        Of the archive.
    folder : Path
        The archive.
    paths : sequence of path
        Folders are searched at any depth, files are taken themselves. What is no DICOM object is
        skipped in a folder, and refused if it was named.
    link : bool
        Whether to make hard links instead of copies, where the file system has them: of no size,
        but what is later written into the one file is in the other.

    Returns
    -------
    str
        Id of the job.

    Raises
    ------
    ValueError
        When there is no file at all, or one that was named is no DICOM object.
    NotFound
        For a path where nothing is.
    OutboxError
        When the job cannot be listed.
    """
    taken = list(examine(*(Path(path) for path in paths)))
    if not taken:
        named = ", ".join(str(path) for path in paths) or "no path was given"
        raise ValueError(f"There is nothing to import: no file is there ({named}).")
    objects = [one for one in taken if not isinstance(one, SkippedRow)]

    async def work(course: Course) -> None:
        await _import(course, folder, objects, link=link)

    names = ", ".join(Path(path).absolute().name for path in paths[:_NAMED])
    more = len(paths) - _NAMED
    return courses.start(
        outbox,
        "import",
        work,
        title=f"import of {names}{f' and {more} more' if more > 0 else ''}",
        planned=map(_planned, objects),
        skipped=[one for one in taken if isinstance(one, SkippedRow)],
    )


def _planned(one: Found | Unfit) -> Planned:
    if isinstance(one, Unfit):
        return Planned(origin=one.path)
    return Planned(
        origin=one.origin,
        study_uid=one.study_uid,
        series_uid=one.series_uid,
        instance_uid=one.instance_uid,
        size=one.size,
    )


async def _import(
    course: Course, folder: Path, objects: Sequence[Found | Unfit], *, link: bool
) -> None:
    items = list(course.left.values())
    pairs = dict(zip((item.id for item in items), objects, strict=True))
    shelf = await in_pool(_opened, folder)

    async def do(item: ItemRow) -> Outcome:
        return await in_pool(_take, course, shelf, item, pairs[item.id], link)

    try:
        await course.each(items, do, _AT_ONCE)
    finally:
        await in_pool(shelf.close)


def _opened(folder: Path) -> Shelf:
    return Shelf(folder, served=True)


def _take(course: Course, shelf: Shelf, item: ItemRow, found: Found | Unfit, link: bool) -> Outcome:
    """Take one object into the archive; blocking."""
    if isinstance(found, Unfit):
        return Outcome(item=item.id, state="failed", reason=found.reason)
    source = Path(str(found.source))
    draft = shelf.draft(item)
    try:
        held = shelf.held(item)
        if held is not None and held.exists():
            return judged(item, source, held)
        linked = link and _link(source, draft)
        if not linked:
            _copy(source, draft, course, item)
        _check_unchanged(source, found)
    except (OSError, ProtocolError) as error:
        draft.unlink(missing_ok=True)
        return Outcome(item=item.id, state="failed", reason=words_of(error))
    said = "copied: its disk and the archive's have no links between them"
    return shelf.take(item, draft, (said,) if link and not linked else ())


def _link(source: Path, draft: Path) -> bool:
    """Make a hard link, if the file systems can."""
    try:
        os.link(source.resolve(), draft)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return False
    return True


def _copy(source: Path, draft: Path, course: Course, item: ItemRow) -> None:
    def told(count: int) -> None:
        course.moved(item, count)

    with source.open("rb", buffering=0) as original, draft.open("xb", buffering=0) as copy:
        copy_bytes(original, copy, item.size, told, step=_STEP)


def _check_unchanged(source: Path, found: Found) -> None:
    state = source.stat()
    if (state.st_size, state.st_mtime_ns) != (found.size, found.mtime):
        raise ProtocolError("it changed while it was taken in: import it again once it is written")
