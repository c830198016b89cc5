"""Taking objects in as one job: all of them or none, whatever happens in between."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from wsiweb.arguments import shown, whole_number
from wsiweb.errors import OutboxError
from wsiweb.outbox import queries
from wsiweb.outbox.folder import free_space
from wsiweb.outbox.intake import Found, Unfit, nothing_to_store
from wsiweb.outbox.rows import SkippedRow
from wsiweb.outbox.spool import Spooling, remove_job

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence
    from pathlib import Path

    from wsiweb.outbox.database import Database
    from wsiweb.outbox.intake import Taken
    from wsiweb.outbox.spool import Spooled

__all__ = ["Room", "checked_options", "checked_priority", "checked_title", "take_in"]

_LEFT_FREE = 2**30  # bytes that others may need on that disk
_HIGHEST = 10**15  # a priority that SQLite and JSON keep as it is


def take_in(
    database: Database, spool: Path, room: Room, objects: Iterable[Taken], job: Mapping[str, Any]
) -> str:
    """Copy objects and write their rows; to be called while nobody sweeps.

    Parameters
    ----------
    database : Database
        Of the outbox.
    spool : Path
        Folder of all copies.
    room : Room
        What may be taken.
    objects : iterable of Found, Unfit or SkippedRow
        See `wsiweb.outbox.intake.examine`.
    job : mapping
        Columns of the job: kind, title, priority, options.

    Returns
    -------
    str
        Id of the job.

    Raises
    ------
    ValueError, OutboxError
        As `wsiweb.outbox.Outbox.add`.
    """
    spooling = Spooling(spool, room.check)
    try:
        with spooling:
            left: list[Unfit | SkippedRow] = []
            items = list(_spooled(spooling, room, objects, left))
            _check_any(items, left)
            spooling.finish()
        now = time.time()
        unfit = [one for one in left if isinstance(one, Unfit)]
        with database.writing() as db:
            # Others take in at the same time. Each looks once more where only one is at a time;
            # to let them wait for each other would keep one image waiting for a thousand.
            room.check_all(queries.used(db), sum(one.found.size for one in items))
            queries.insert_job(
                db,
                **job,
                job=spooling.job,
                created=now,
                spooled=True,
                items=[*map(_columns, items), *_failed(unfit, len(items), now)],
                skipped=[one for one in left if isinstance(one, SkippedRow)],
            )
    except BaseException:
        _abandon(database, spool, spooling.job)
        raise
    return spooling.job


def _check_any(items: Sequence[Spooled], left: list[Unfit | SkippedRow]) -> None:
    if not items:
        raise nothing_to_store(left)


def _abandon(database: Database, spool: Path, job: str) -> None:
    """Remove what was taken in; unless it was just committed, or nobody knows."""
    with contextlib.suppress(OutboxError):
        with database.reading() as db:
            committed = queries.exists(db, job)
        if not committed:
            remove_job(spool, job)


class Room:
    """How much may still be taken in.

    Parameters
    ----------
    folder : Path
        Of the outbox.
    used : int
        Bytes of copies that it has.
    limit : int or None
        Most bytes that it may have; None for what leaves 1 GiB of the disk free.
    """

    def __init__(self, folder: Path, used: int, limit: int | None) -> None:
        self._folder = folder
        self._used = used
        self._limit = limit

    def check(self, size: int, written: int) -> None:
        """Refuse an object that is too large, of which so many bytes are written already.

        Raises
        ------
        OutboxError
            When there is no room.
        """
        self.check_all(self._used, size)
        if self._limit is None and free_space(self._folder) - (size - written) < _LEFT_FREE:
            raise OutboxError(
                f"There is no room for {size:,} bytes more in {self._folder}: {_LEFT_FREE:,} bytes "
                "of its disk are left free for others. Make room; nothing was taken in."
            )

    def check_all(self, used: int, size: int) -> None:
        """Refuse so many bytes where, of all copies, so many are there already.

        Raises
        ------
        OutboxError
            When that is more than the limit.
        """
        if self._limit is not None and used + size > self._limit:
            raise OutboxError(
                f"The outbox is full: {used:,} of {self._limit:,} bytes wait, and "
                f"{size:,} more do not fit. Send or clear what waits; nothing was taken in."
            )

    def took(self, size: int) -> None:
        """Count what was taken in."""
        self._used += size


def _spooled(
    spooling: Spooling, room: Room, objects: Iterable[Taken], left: list[Unfit | SkippedRow]
) -> Generator[Spooled]:
    number = 0
    for one in objects:
        if not isinstance(one, Found):
            left.append(one)
            continue
        spooled = spooling.take(one, number + 1)
        if spooled is not None:
            number += 1
            room.took(spooled.found.size)
            yield spooled


def _columns(spooled: Spooled) -> dict[str, Any]:
    found = spooled.found
    return {
        "number": spooled.number,
        "origin": found.origin,
        "study": found.study_uid,
        "series": found.series_uid,
        "instance": found.instance_uid,
        "class": found.class_uid,
        "syntax": found.transfer_syntax,
        "size": found.size,
        "mtime": spooled.mtime,
        "sha256": spooled.sha256,
    }


def _failed(unfit: Sequence[Unfit], last: int, now: float) -> list[dict[str, Any]]:
    """Return the columns of what was to be stored and could not be taken in."""
    return [
        {
            "number": number,
            "origin": one.path,
            "study": "",
            "series": "",
            "instance": "",
            "size": 0,
            "state": "failed",
            "reason": one.reason,
            "settled": now,
        }
        for number, one in enumerate(unfit, start=last + 1)
    ]


def checked_title(given: Any) -> str:
    """Return what a job is called.

    Raises
    ------
    ValueError
        When it is no text.
    """
    if not isinstance(given, str):
        raise ValueError(f"title is a text, not {shown(given)}.")  # noqa: TRY004 - as elsewhere
    return given


def checked_priority(given: Any) -> int:
    """Return the priority of a job.

    Raises
    ------
    ValueError
        When it is no whole number, or too large a one to be kept.
    """
    words = f"priority is a whole number from {-_HIGHEST:,} to {_HIGHEST:,}, not {shown(given)}."
    try:
        priority = whole_number(given, "priority")
    except ValueError:
        raise ValueError(words) from None
    if abs(priority) > _HIGHEST:
        raise ValueError(words)
    return priority


def checked_options(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the options of a job as they will be read again.

    Raises
    ------
    ValueError
        When JSON does not know them.
    """
    try:
        return json.loads(json.dumps(dict(given or {}), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"The options of a job are what JSON knows: {error}.") from error
