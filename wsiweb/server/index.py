"""What the server knows of a folder, in SQLite.

A cache, never a source: it lives in the user's cache folder, may be deleted at any time, and is
made again from the files. It holds names of patients, so its folder is the user's alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import threading
import weakref
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import platformdirs

from wsiweb.errors import WsiwebError
from wsiweb.server.database import open_database
from wsiweb.server.offsets import FrameTable, pack_table, unpack_table
from wsiweb.server.scan import Picture, Scanned

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from wsiweb.server.header import BulkPiece

__all__ = ["File", "Group", "Index", "IndexLost", "Instance", "Skipped", "default_index_path"]

_inherited: list[sqlite3.Connection] = []
_ROW = "uid, study, series, class, syntax, path, size, mtime, picture, frames, trouble, i.id"


class IndexLost(WsiwebError):
    """The index failed. It goes on in memory, empty until the folder is looked at again."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the folder, and what was found in it.

    Attributes
    ----------
    path : bytes
        Relative to the folder, as the operating system spells it.
    size, mtime : int
        Bytes, and nanoseconds of its last change.
    scanned : Scanned or None
        None when it is no instance.
    reason : str
        Why it is none.
    """

    path: bytes
    size: int
    mtime: int
    scanned: Scanned | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A stored instance: all that is needed to read its frames.

    Attributes
    ----------
    key : int
        Its row in the index.
    uid, study, series, class_uid, transfer_syntax : str
        UIDs.
    path : str
        Absolute or relative as the folder is.
    size, mtime : int
        Of the file when it was read; another one now means that the row is out of date.
    picture, frames, trouble
        As in `Scanned`.
    """

    key: int
    uid: str
    study: str
    series: str
    class_uid: str
    transfer_syntax: str
    path: str
    size: int
    mtime: int
    picture: Picture | None
    frames: FrameTable | None
    trouble: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not served, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Group:
    """A series as a search sees it: the row of one of its instances, and their number."""

    key: int
    study: str
    series: str
    modality: str
    count: int


def default_index_path(folder: Path) -> Path:
    """Return where the index of a folder is kept: in the user's cache, named by a hash."""
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]
    return Path(platformdirs.user_cache_path("wsiweb")) / "folders" / f"{name}.sqlite"


class Index:
    """The index of one folder. Thread-safe; opened when first asked, and again after `close`.

    Parameters
    ----------
    folder : Path
        The folder that it is about.
    path : Path
        The database. Where it cannot be written the index is kept in memory.

    Attributes
    ----------
    is_new : bool
        Whether it was opened anew in memory, and the folder has to be looked at for it.
    """

    def __init__(self, folder: Path, path: Path) -> None:
        self._folder = folder
        self._path: Path | None = path
        self.is_new = False
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._finalizer: weakref.finalize[..., Any] | None = None
        self._process = 0
        _indexes.add(self)

    def close(self) -> None:
        """Close the database; the next question opens it again."""
        with self._lock:
            if self._finalizer is not None:
                self._finalizer()
            self._database = self._finalizer = None

    def hold(self) -> None:
        """Keep all threads out of the database until `release`."""
        self._lock.acquire()

    def release(self) -> None:
        """Let threads in again."""
        self._lock.release()

    def _opened(self) -> sqlite3.Connection:
        if self._database is not None and self._process != os.getpid():
            # Forked: SQLite forbids to use, or even to close, what the parent opened.
            _inherited.append(self._database)
            if self._finalizer is not None:
                self._finalizer.detach()
            self._database = None
        if self._database is None:
            self._process = os.getpid()
            self._database = open_database(self._path)
            # An app that is dropped without being closed must not keep files open.
            self._finalizer = weakref.finalize(self, self._database.close)
        return self._database

    @contextlib.contextmanager
    def _asked(self) -> Generator[sqlite3.Connection]:
        """Give the database to one thread; when it fails, go on with one in memory.

        Disks fill, shares go away, files are damaged: nothing is lost but time.
        """
        with self._lock:
            try:
                yield self._opened()
            except sqlite3.DatabaseError as error:
                with contextlib.suppress(sqlite3.Error):
                    self.close()
                self._path = None
                self.is_new = True
                raise IndexLost(f"The index failed ({error}) and is made again.") from error

    @contextlib.contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._asked() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.commit()
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # it may have failed with the rest
                    database.rollback()
                raise

    def _all(self, sql: str, *values: object) -> list[Any]:
        with self._asked() as database:
            return database.execute(sql, values).fetchall()

    # Files ----------------------------------------------------------------------------------

    def files(self) -> dict[bytes, tuple[int, int]]:
        """Return size and time of each file that has been read, by path."""
        return {row[0]: row[1:] for row in self._all("SELECT path, size, mtime FROM files")}

    def skipped(self) -> list[Skipped]:
        """Return the files that are not served, by path."""
        rows = self._all("SELECT path, reason FROM files WHERE reason != '' ORDER BY path")
        return [Skipped(os.fsdecode(path), reason) for path, reason in rows]

    def remove(self, paths: Iterable[bytes]) -> None:
        """Forget files. Copies that stood back behind one of them are forgotten too.

        The next look at the folder finds the copies new, and takes one of them.
        """
        with self._transaction() as database:
            for path in paths:
                database.execute("DELETE FROM files WHERE path = ?", (path,))
                _forget(database, path)

    def add(self, files: Iterable[File]) -> None:
        """Take files into the index; of several with one UID the first stays."""
        with self._transaction() as database:
            for file in files:
                _add(database, file)

    # Instances ------------------------------------------------------------------------------

    def instance(self, uid: str) -> Instance | None:
        """Return an instance by its UID."""
        rows = self._instances("uid = ?", uid)
        return rows[0] if rows else None

    def instances(self, study: str, series: str | None = None) -> list[Instance]:
        """Return the instances of a study or of a series, in a stable order."""
        if series is None:
            return self._instances("study = ?", study)
        return self._instances("study = ? AND series = ?", study, series)

    def _instances(self, condition: str, *values: str) -> list[Instance]:
        rows = self._all(
            f"SELECT {_ROW} FROM instances i JOIN documents d ON d.id = i.id "  # noqa: S608 - no value comes from outside
            f"WHERE {condition} ORDER BY study, series, uid",
            *values,
        )
        return [self._instance(row) for row in rows]

    def _instance(self, row: Sequence[Any]) -> Instance:
        uid, study, series, class_uid, syntax, path, size, mtime, picture, frames, trouble, key = (
            row
        )
        return Instance(
            key=key,
            uid=uid,
            study=study,
            series=series,
            class_uid=class_uid,
            transfer_syntax=syntax,
            path=os.path.join(self._folder, os.fsdecode(path)),  # noqa: PTH118 - ten times faster
            size=size,
            mtime=mtime,
            picture=None if picture is None else msgspec.json.decode(picture, type=Picture),
            frames=None if frames is None else unpack_table(frames),
            trouble=trouble,
        )

    # Searches -------------------------------------------------------------------------------

    def groups(self, study: str | None = None, series: str | None = None) -> list[Group]:
        """Return the series of the folder, in the order of their UIDs."""
        condition, values = _within(study, series)
        rows = self._all(
            "SELECT MIN(id), study, series, MIN(modality), COUNT(*) FROM instances "  # noqa: S608
            f"{condition} GROUP BY study, series ORDER BY study, series",
            *values,
        )
        return [Group(*row) for row in rows]

    def places_of(self, uids: Iterable[str]) -> list[tuple[str, str]]:
        """Return study and series of some instances, each once, in the order of their UIDs."""
        return self._all(
            "SELECT DISTINCT study, series FROM instances "
            "WHERE uid IN (SELECT value FROM json_each(?)) ORDER BY study, series",
            msgspec.json.encode(sorted(uids)).decode(),
        )

    def keys(
        self, study: str, series: str, uids: Iterable[str] | None = None
    ) -> list[tuple[int, str]]:
        """Return row and UID of the instances of a series, in the order of their UIDs.

        Parameters
        ----------
        study, series : str
            The series.
        uids : iterable of str, optional
            Instances to look for; by default all.
        """
        if uids is None:
            return self._all(
                "SELECT id, uid FROM instances WHERE study = ? AND series = ? ORDER BY uid",
                study,
                series,
            )
        return self._all(
            # The plus keeps SQLite from walking through the whole series.
            "SELECT id, uid FROM instances WHERE uid IN (SELECT value FROM json_each(?)) "
            "AND +study = ? AND +series = ? ORDER BY uid",
            msgspec.json.encode(sorted(uids)).decode(),
            study,
            series,
        )

    def summary(self, key: int) -> bytes | None:
        """Return the summary of an instance by its row, as JSON; None if it has gone."""
        rows = self._all("SELECT summary FROM documents WHERE id = ?", key)
        return rows[0][0] if rows else None

    def summaries(self, keys: Iterable[int]) -> dict[int, bytes]:
        """Return the summaries of instances by row; without those that have gone."""
        rows = self._all(
            "SELECT id, summary FROM documents WHERE id IN (SELECT value FROM json_each(?))",
            msgspec.json.encode(list(keys)).decode(),
        )
        return dict(rows)

    def header(self, key: int) -> bytes | None:
        """Return the header of an instance by its row, as JSON; None if it has gone."""
        rows = self._all("SELECT header FROM documents WHERE id = ?", key)
        return zlib.decompress(rows[0][0], 31) if rows else None

    def bulk(self, key: int) -> dict[str, BulkPiece]:
        """Return where an instance's large values lie, by path."""
        rows = self._all("SELECT bulk FROM documents WHERE id = ?", key)
        return msgspec.json.decode(rows[0][0]) if rows else {}


def _within(study: str | None, series: str | None) -> tuple[str, tuple[str, ...]]:
    if study is None:
        return "", ()
    if series is None:
        return "WHERE study = ?", (study,)
    return "WHERE study = ? AND series = ?", (study, series)


def _forget(database: sqlite3.Connection, path: bytes) -> None:
    """Delete the instance of a file, and let its copies be found anew."""
    row = database.execute(
        "DELETE FROM instances WHERE path = ? RETURNING id, uid", (path,)
    ).fetchone()
    if row is not None:
        database.execute("DELETE FROM documents WHERE id = ?", row[:1])
        database.execute("DELETE FROM files WHERE twin = ?", row[1:])


def _add(database: sqlite3.Connection, file: File) -> None:
    """Write the rows of a file."""
    reason, twin, other = file.reason, None, None
    held = database.execute(
        "SELECT uid, size, mtime FROM instances WHERE path = ?", (file.path,)
    ).fetchone()
    scanned = file.scanned
    if scanned is None or held != (scanned.instance_uid, file.size, file.mtime):
        _forget(database, file.path)  # what was there when it was last read
        if scanned is not None:
            other = _insert(database, file, scanned)
    if scanned is not None and other is not None:
        reason = f"the same SOP Instance UID as {os.fsdecode(other)}"
        twin = scanned.instance_uid
    database.execute(
        "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)",
        (file.path, file.size, file.mtime, reason, twin),
    )


def _insert(database: sqlite3.Connection, file: File, scanned: Scanned) -> bytes | None:
    """Write the rows of an instance; or return the path of the file that holds it already."""
    cursor = database.execute(
        "INSERT INTO instances VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT(uid) DO NOTHING",
        (
            scanned.instance_uid,
            scanned.study_uid,
            scanned.series_uid,
            scanned.class_uid,
            scanned.modality,
            scanned.transfer_syntax,
            file.path,
            file.size,
            file.mtime,
        ),
    )
    if not cursor.rowcount:
        found = database.execute(
            "SELECT path FROM instances WHERE uid = ?", (scanned.instance_uid,)
        ).fetchone()
        return found[0]
    packed = zlib.compressobj(4, zlib.DEFLATED, 31)
    header = packed.compress(scanned.header) + packed.flush()
    picture = None if scanned.picture is None else msgspec.json.encode(scanned.picture)
    frames = None if scanned.frames is None else pack_table(scanned.frames)
    database.execute(
        "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            cursor.lastrowid,
            scanned.summary,
            header,
            msgspec.json.encode(scanned.bulk),
            picture,
            frames,
            scanned.trouble,
        ),
    )
    return None


# A process may fork while its threads search (data loaders do). If one of them is inside of SQLite
# then, the child inherits SQLite's own locks as held, and hangs at its first question. So a fork
# waits until nobody is.

_indexes: weakref.WeakSet[Index] = weakref.WeakSet()
_kept_out: list[Index] = []


def _before_fork() -> None:
    for index in sorted(_indexes, key=id):  # in one order: two threads may fork at once
        index.hold()
        _kept_out.append(index)


def _after_fork() -> None:
    while _kept_out:
        _kept_out.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork
    )
