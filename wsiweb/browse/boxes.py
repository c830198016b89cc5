"""Outboxes as the jobs panel holds them: of archives of the list, and of others."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsiweb import names
from wsiweb.errors import OutboxError, WsiwebError
from wsiweb.outbox import Outbox
from wsiweb.outbox.folder import known_folders
from wsiweb.outbox.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from wsiweb.archive import Archive
    from wsiweb.browse.sources import Source

__all__ = ["Box", "box_of_source", "boxes_elsewhere"]

_DATABASE = "outbox.sqlite"


@dataclass(frozen=True, eq=False)
class Box:
    """An outbox.

    Attributes
    ----------
    id, name : str
        Of its archive; of one that is not in the list, made up of its folder.
    folder : Path
        Where it is.
    jobs : Jobs
        What is in it. Kept, because speeds are measured between two looks at the same one.
    source : Source or None
        The archive of the list that it is of.
    archive : Archive or None
        The connection that sends what is in it; None where it is only looked at.
    own : Outbox or None
        To be closed here; that of a connection is closed with it.
    """

    id: str
    name: str
    folder: Path
    jobs: Jobs
    source: Source | None = None
    archive: Archive | None = None
    own: Outbox | None = None

    @property
    def sends(self) -> bool:
        """Whether what waits in it is sent from here."""
        return self.archive is not None

    def close(self) -> None:
        """Close what was opened for it."""
        if self.own is not None:
            self.own.close()


async def box_of_source(source: Source, *, read_only: bool) -> Box | None:
    """Return the outbox of an archive of the list; None where nothing was ever taken in.

    To look for jobs makes no outbox. Where there is one, what waits in it is sent, if the archive
    can be connected to, and unless this is read-only.
    """
    folder = source.outbox_folder
    if not (folder / _DATABASE).exists():
        return None
    if not read_only:
        try:
            archive = await source.archive()
            jobs = await asyncio.to_thread(lambda: archive.jobs)
        except (WsiwebError, ValueError, OSError):
            pass  # it is looked at all the same; the list says why it cannot be connected to
        else:
            return Box(source.id, source.name, folder, jobs, source, archive)
    try:
        own = await asyncio.to_thread(Outbox, folder)
    except OutboxError:
        return None
    return Box(source.id, source.name, folder, Jobs(own), source, None, own)


def boxes_elsewhere(known: Collection[Path]) -> list[Box]:
    """Return the outboxes of archives that are not in the list, and not among the known ones.

    What waits in them can be seen and stopped; it is sent by whoever connects to these archives.
    """
    found: list[Box] = []
    try:
        folders = known_folders()
    except OutboxError:
        return []
    for folder in folders:
        if folder in known or not (folder / _DATABASE).exists():
            continue
        try:
            own = Outbox(folder)
        except OutboxError:
            continue
        named = names.of_url(own.archive) if own.archive else None
        name = own.archive if named is None else named.name
        found.append(Box(f"outbox-{folder.name[:12]}", name, folder, Jobs(own), None, None, own))
    return found
