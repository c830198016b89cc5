"""What people have done from the page: fetch, import, send and remove.

Each is a job of the library (`wsiweb.Archive`); here it is checked and begun. What takes folders of
this machine is for who sits at it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsiweb.browse.answers import text_of
from wsiweb.errors import NotFound
from wsiweb.wire.uris import Resource
from wsiweb.words import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsiweb.browse import shapes
    from wsiweb.browse.sources import Source, Sources
    from wsiweb.outbox.jobs import Job

__all__ = ["Actions", "folders"]

_LOCAL = "local"
_MOST_FOLDERS = 1000
_MOST_PATHS = 1000


class Actions:
    """What can be done with studies.

    Parameters
    ----------
    sources : Sources
        The archives of the list.
    paths : bool
        Whether folders of this machine are taken: not where others reach the app.
    """

    def __init__(self, sources: Sources, *, paths: bool) -> None:
        self._sources = sources
        self._paths = paths

    async def download(self, body: Mapping[str, Any]) -> shapes.Started:
        """Begin to fetch a study, or a series, into a folder."""
        source = self._sources[text_of(body, "archive")]
        study, series = _uids(body)
        folder = self._folder(text_of(body, "folder"))
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is a file; a folder is wanted.")
        archive = await source.archive()
        job = await asyncio.to_thread(archive.download, study, folder, series=series)
        return _started(source, job, f"Fetching into {folder}.")

    async def take_in(self, body: Mapping[str, Any]) -> shapes.Started:
        """Begin to import files into a local archive, by default that of this user."""
        given: Any = body.get("paths") or [text_of(body, "folder")]
        if not isinstance(given, list) or not 0 < len(given) <= _MOST_PATHS:
            raise ValueError(f"paths is a list of 1 to {_MOST_PATHS:,} files and folders.")
        paths = [self._folder(text_of({"paths": one}, "paths")) for one in given]
        wanted = text_of(body, "archive", "")
        source = self._sources[wanted] if wanted else self._sources.add(_LOCAL)
        archive = await source.archive()
        job = await asyncio.to_thread(archive.import_folder, *paths)
        return _started(source, job, f"Importing into {source.name}.")

    async def send(self, body: Mapping[str, Any]) -> shapes.Started:
        """Begin to copy a study, or a series, from one archive of the list to another."""
        origin = self._sources[text_of(body, "from")]
        target = self._sources[text_of(body, "to")]
        study, series = _uids(body)
        source, archive = await origin.archive(), await target.archive()
        job = await asyncio.to_thread(archive.copy_from, source, study, series=series)
        return _started(target, job, f"Sending from {origin.name} to {target.name}.")

    async def remove(self, body: Mapping[str, Any]) -> tuple[Source, str, shapes.Done]:
        """Delete a study, or a series, from a local archive; return from which, and what."""
        source = self._sources[text_of(body, "archive")]
        study, series = _uids(body)
        if not source.local:
            raise ValueError(
                f"Nothing is removed from {source.name}: that is done only in archives that wsiweb "
                "made on this machine."
            )
        archive = await source.archive()
        number = await asyncio.to_thread(archive.remove, study, series)
        return source, study, {"count": number, "words": f"{count(number, 'object')} deleted."}

    def _folder(self, text: str) -> Path:
        return folder_of(text, allowed=self._paths)


def folder_of(text: str, *, allowed: bool) -> Path:
    """Return a path that somebody typed, whole.

    Raises
    ------
    ValueError
        When it is not whole: relative to what, nobody who looks at a page could know. Also where
        folders of this machine are not taken.
    """
    if not allowed:
        raise ValueError(
            "Folders of the machine that runs wsiweb are taken only when the page is opened on "
            "that machine."
        )
    try:
        path = Path(text.strip()).expanduser()
    except RuntimeError as error:  # a home of nobody
        raise ValueError(f"{text!r} is no folder: {error}") from error
    if not path.is_absolute():
        raise ValueError(f"{text!r} is not a whole path, such as /data/slides or ~/slides.")
    return path


def folders(text: str, *, allowed: bool) -> shapes.Folders:
    """Return what folders there are in one, to choose from; hidden ones are left out.

    Raises
    ------
    ValueError
        As of `folder_of`.
    NotFound
        When there is none.
    OSError
        When it cannot be read.
    """
    path = folder_of(text or "~", allowed=allowed).resolve()
    if not path.is_dir():
        raise NotFound(f"There is no folder {path}.")
    inside: list[dict[str, str]] = []
    files = 0
    for one in sorted(path.iterdir(), key=lambda each: each.name.casefold()):
        try:
            one.name.encode()
            is_folder = one.is_dir()
        except (UnicodeEncodeError, OSError):
            continue  # what cannot be written in JSON, or looked at, hides no others
        if one.name.startswith("."):
            continue
        if is_folder and len(inside) < _MOST_FOLDERS:
            inside.append({"name": one.name, "path": str(one)})
        files += one.suffix.lower() == ".dcm"
    parent = None if path.parent == path else str(path.parent)
    return {"path": str(path), "parent": parent, "folders": inside, "files": files}


def _uids(body: Mapping[str, Any]) -> tuple[str, str | None]:
    resource = Resource(text_of(body, "study"), text_of(body, "series", "") or None)
    return resource.study or "", resource.series


def _started(source: Source, job: Job, words: str) -> shapes.Started:
    return {"archive": source.id, "job": job.id, "words": words}
