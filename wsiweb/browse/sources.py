"""The archives of the list: what each is, how to get in, and how it is.

A `Source` connects when it is first asked for something, so that an archive that is away does not
keep the page from opening. `Sources` is the list.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wsiweb import names
from wsiweb.archive import connect
from wsiweb.errors import NotFound, WsiwebError
from wsiweb.outbox.folder import default_folder
from wsiweb.transfers.local import is_local, local_folder, make_local
from wsiweb.wire.uris import shown, split_base

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from wsiweb.archive import Archive
    from wsiweb.browse import shapes
    from wsiweb.wire.records import Study

__all__ = ["Source", "Sources", "Target", "in_words", "open_target"]

Target = tuple[str, "Callable[[], Archive] | None"]
"""What a user calls an archive, and how to connect to it; None for the usual way."""

_LOCAL = "local"
_FRESH = 300.0  # seconds for which all studies of an archive are taken to be those it listed


class Source:
    """One archive of the list; of the event loop of the app.

    Parameters
    ----------
    target : str
        URL, name or folder.
    opener : callable, optional
        Connects to it; is called once, in a thread. By default `open_target`.

    Attributes
    ----------
    id : str
        Names it in addresses; the same in every run.
    name, url : str
        For people; without secrets.
    folder : Path or None
        Where it is, of a folder.
    state, error : str
        As in `wsiweb.browse.shapes.Archive`, of the listing of all its studies.
    count : int or None
        How many studies it has, once they were listed.

    Raises
    ------
    ValueError
        For a URL that makes no sense.
    NotFound
        For a folder that does not exist.
    """

    def __init__(self, target: str, opener: Callable[[], Archive] | None = None) -> None:
        self.target = target
        self.name, where, named = _where(target)
        self.folder = None if "://" in where else Path(where)
        self.key = where  # what makes two targets the same archive; may hold a secret
        self.url = shown(where)
        self.id = _id(self.name, where, named=named)
        self.state: shapes.State = "idle"
        self.error = ""
        self.count: int | None = None
        self._opener = opener or (lambda: open_target(target))
        self._archive: Archive | None = None
        self._opening = asyncio.Lock()
        self._whole: tuple[tuple[Study, ...], float] | None = None
        self.closed = False

    @property
    def local(self) -> bool:
        """Whether it is a folder that wsiweb made, from which objects can be removed."""
        return self.folder is not None and is_local(self.folder)

    @property
    def base_url(self) -> str:
        """Base URL, as `wsiweb.Archive.url`; may hold a secret."""
        return self.key if self.folder is None else self.folder.as_uri()

    @property
    def shown_base(self) -> str:
        """Base URL as people may see it."""
        return shown(self.base_url)

    @property
    def outbox_folder(self) -> Path:
        """Where objects wait that are to be stored there; there may be nothing."""
        return default_folder(self.base_url)

    @property
    def opened(self) -> Archive | None:
        """The connection, if there is one already."""
        return self._archive

    async def archive(self) -> Archive:
        """Return the connection, made now if need be.

        Raises
        ------
        WsiwebError, ValueError
            When it cannot be made: a password that is missing, a folder that has gone.
        """
        if self._archive is not None:
            return self._archive
        # Whoever asked first may go away: the connection is made all the same, and kept.
        return await asyncio.shield(asyncio.ensure_future(self._open()))

    async def _open(self) -> Archive:
        async with self._opening:
            if self.closed:
                raise NotFound(f"{self.name} was taken off the list.")
            if self._archive is None:
                self._archive = await asyncio.to_thread(self._opener)
            return self._archive

    @property
    def whole(self) -> tuple[Study, ...] | None:
        """All studies, if they were listed lately; None where the archive has to be asked."""
        if self._whole is None or time.monotonic() - self._whole[1] > _FRESH:
            return None
        return self._whole[0]

    def hold(self, studies: tuple[Study, ...]) -> None:
        """Keep all studies, so that filters need not ask for them again."""
        self._whole = (studies, time.monotonic())

    def forget(self) -> None:
        """Take nothing of what was listed for granted: something has changed there."""
        self._whole = None

    def to_json(self, *, read_only: bool) -> shapes.Archive:
        """Return what the page gets of it."""
        return {
            "id": self.id,
            "name": self.name,
            "url": self.url,
            "state": self.state,
            "count": self.count,
            "error": self.error,
            "local": self.local,
            "folder": self.folder is not None,
            "readOnly": read_only,
        }

    async def close(self) -> None:
        """Close the connection."""
        async with self._opening:
            self.closed = True
            archive, self._archive = self._archive, None
            if archive is not None:
                await asyncio.to_thread(archive.close)


class Sources:
    """The list of archives, in the order in which they were given.

    Parameters
    ----------
    targets : iterable of Target
        What is in it at first; the same archive twice is listed once.
    """

    def __init__(self, targets: Iterable[Target] = ()) -> None:
        self._table: dict[str, Source] = {}
        for target, opener in targets:
            self.add(target, opener)

    def __iter__(self) -> Iterator[Source]:
        return iter(list(self._table.values()))

    def __getitem__(self, id: str) -> Source:  # noqa: A002 - what it is called everywhere
        """Return an archive of the list.

        Raises
        ------
        NotFound
            When there is none of that id.
        """
        found = self._table.get(id)
        if found is None:
            raise NotFound(
                f"There is no archive {id[:80]!r} in the list; add it, or begin with it."
            )
        return found

    def add(self, target: str, opener: Callable[[], Archive] | None = None) -> Source:
        """Add an archive; one that is in the list already is returned as it is.

        Raises
        ------
        ValueError, NotFound
            As of `Source`.
        """
        source = Source(target, opener)
        for known in self:
            if known.key == source.key:
                return known
        while source.id in self._table:
            source.id += "-2"
        self._table[source.id] = source
        return source

    def remove(self, id: str) -> Source:  # noqa: A002
        """Take an archive off the list; close it afterwards."""
        source = self[id]
        del self._table[id]
        return source

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(source.close() for source in self), return_exceptions=True)


def open_target(target: str) -> Archive:
    """Connect to an archive that was named on the page: with credentials of its own, or none.

    What the environment holds for any archive (``WSIWEB_PASSWORD``, ``WSIWEB_TOKEN``) is not for
    one that somebody typed into a page.
    """
    named = names.find(target)
    if named is None:
        return connect(target)
    return connect(
        named.url,
        auth=named.auth(general=False),
        ca=named.ca or None,
        store_auth=named.store_auth(general=False),
        store_url=named.store_url or None,
    )


def _where(target: str) -> tuple[str, str, bool]:
    """Return what an archive is called, where it is, and whether that is a name of this user's.

    Where it is, is a URL or a folder's whole path.
    """
    text = target.strip()
    if not text or not text.isprintable():
        raise ValueError("An archive is a URL, a folder, or a name (wsiweb archives list).")
    named = names.find(text)
    if named is not None:
        where, called = named.url, named.name
    elif text == _LOCAL:
        return _LOCAL, os.fspath(make_local().resolve()), True
    else:
        where, called = text, ""
    if "://" in where:
        where = split_base(where)
        parts = urlsplit(shown(where))
        return called or parts.netloc + parts.path, where, bool(called)
    folder = Path(where).expanduser().resolve()
    if not folder.is_dir():
        raise NotFound(
            f"There is no folder {text!r}, and no archive of that name. (A URL begins with "
            "https:// or http://.)"
        )
    if folder == local_folder().resolve():
        called = called or _LOCAL
    return called or folder.name or os.fspath(folder), os.fspath(folder), bool(called)


def _id(name: str, where: str, *, named: bool) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "archive"
    if named:
        return plain
    # The hash tells alike names apart, such as those of folders in two places. Of an address with
    # a secret it is that of what is shown.
    return f"{plain}-{hashlib.sha256(shown(where).encode()).hexdigest()[:6]}"


# Failures ---------------------------------------------------------------------------------------


def in_words(error: BaseException) -> str:
    """Return why something failed, for people; of what nobody foresaw, its kind as well."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    if isinstance(error, WsiwebError | ValueError | IndexError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "It took too long."
    if isinstance(error, OSError):
        why = error.strerror or str(error)
        return f"{why}: {error.filename}" if error.filename else why
    return f"{type(error).__name__}: {error}"
