"""The database of an outbox: opened if it is ours and sound, else refused and left as it is.

A cache may be thrown away when it is odd; this may not. So nothing is written, not even what
SQLite writes on opening, before the first bytes of the file have said whose it is. A new one is
made under another name and then linked to its own: there is never a half-made one to be found.

WAL and ``synchronous=FULL``: what was committed survives a power cut. Only how far a transfer is,
which is of interest for a second, is written without waiting for the disk.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
import threading
import uuid
import weakref
from typing import TYPE_CHECKING

from wsiweb.errors import OutboxError
from wsiweb.outbox.folder import in_words, sync
from wsiweb.outbox.queries import APPLICATION, MIGRATIONS, SCHEMA, VERSION
from wsiweb.wire.uris import shown

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["Database"]

_PATIENCE = 10.0  # seconds that another process may keep the database to itself
_MAGIC = b"SQLite format 3\0"
_HEADER = struct.Struct(">60xI4xI28x")  # user_version and application_id, in the first 100 bytes


class Database:
    """A database, for any thread; opened when first asked.

    Parameters
    ----------
    path : Path
        The file.
    archive : str
        Whose outbox it is; empty for whichever. Kept as it may be `wsiweb.wire.uris.shown`.
    """

    def __init__(self, path: Path, archive: str = "") -> None:
        self.path = path
        self._archive = shown(archive)
        self._lock = threading.RLock()
        self._open: tuple[sqlite3.Connection, int] | None = None  # and the file's inode
        _databases.add(self)

    def close(self) -> None:
        """Close it; a later question opens it again."""
        with self._lock:
            if self._open is not None:
                self._open[0].close()
            self._open = None

    @contextlib.contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """Look at one state of it, whatever others write meanwhile.

        Raises
        ------
        OutboxError
            When it is not ours, damaged, gone, or kept locked for ten seconds.
        """
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self, *, durable: bool = True) -> Generator[sqlite3.Connection]:
        """Change it, alone: all of what the block does is kept, or nothing.

        Parameters
        ----------
        durable : bool
            Whether to wait until it would survive a power cut.

        Raises
        ------
        OutboxError
            As `reading`; and when the disk is full.
        """
        # NORMAL and not OFF: the checkpoint that this may bring about has to be safe.
        level = "FULL" if durable else "NORMAL"
        with self._transaction("BEGIN IMMEDIATE", level) as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, begin: str, level: str = "FULL") -> Generator[sqlite3.Connection]:
        with self._lock, _in_words(self.path):
            connection = self._connection()
            connection.execute(f"PRAGMA synchronous = {level}")
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.rollback()
                raise

    def _connection(self) -> sqlite3.Connection:
        if self._open is not None:
            connection, inode = self._open
            try:
                now = self.path.stat().st_ino
            except FileNotFoundError:
                now = None
            if now == inode:
                return connection
            raise OutboxError(
                f"The database of the outbox was removed or replaced while it was in use: "
                f"{self.path}. What was sent is sent; to go on, start again."
            )
        connection = _opened(self.path, self._archive)
        self._open = connection, self.path.stat().st_ino
        return connection

    def forget(self) -> None:
        """Begin anew in a process that was forked off: connections must not be shared."""
        if self._open is not None:
            _left_by_forks.append(self._open[0])
        self._lock = threading.RLock()
        self._open = None


_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_left_by_forks: list[sqlite3.Connection] = []  # closing them would meddle with the parent's


def _in_child() -> None:
    for database in list(_databases):
        database.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


@contextlib.contextmanager
def _in_words(path: Path) -> Generator[None]:
    """Turn what SQLite says within the block into an `OutboxError`."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            words = (
                f"another process has kept it locked for {_PATIENCE:g} seconds; "
                "end that process, or try again"
            )
        elif code == sqlite3.SQLITE_FULL:
            words = "the disk is full; make room and try again, nothing was half-written"
        elif code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise _damaged(path, str(error)) from error
        elif code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
            words = f"{error}; it and its folder have to be writable by this user"
        else:
            words = f"{error}; nothing was half-written, look at that disk"
        raise OutboxError(
            f"The database of the outbox cannot be used: {path} ({words})."
        ) from error


def _damaged(path: Path, how: str) -> OutboxError:
    return OutboxError(
        f"The database of the outbox is damaged: {path} ({how}). It was left as it is. The objects "
        f"that waited are in {path.parent / 'spool'}: move {path.parent} elsewhere, and send them "
        "again from there."
    )


# Opening ----------------------------------------------------------------------------------------


def _opened(path: Path, archive: str) -> sqlite3.Connection:
    if not os.path.lexists(path):
        _refuse_orphaned(path)
        _create(path, archive)
    _check_header(path)
    connection = _connect(path)
    try:
        _check(connection, path, archive)
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_orphaned(path: Path) -> None:
    """Refuse to begin anew beside objects that a lost database knew of."""
    spool = path.parent / "spool"
    if spool.is_dir() and any(spool.iterdir()):
        raise OutboxError(
            f"The database of the outbox is gone, but objects that it knew of are in {spool}. "
            f"Move {path.parent} elsewhere, and send them again from there."
        )


def _create(path: Path, archive: str) -> None:
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.new")
    try:
        with in_words("cannot be written", path), contextlib.closing(_connect(draft)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute("INSERT INTO about VALUES ('archive', ?)", (archive,))
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
        with in_words("cannot be written", path):
            _place(draft, path)
    finally:
        for suffix in ("", "-wal", "-shm"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def _place(draft: Path, path: Path) -> None:
    """Give a whole database its name, unless another process was quicker."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        if not path.exists():
            draft.rename(path)
    sync(path.parent)


def _check_header(path: Path) -> None:
    """Look whose file it is, with SQLite out of it: it would finish what others began."""
    with in_words("cannot be read", path), path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise _foreign(path)
    version, application = _HEADER.unpack(header)
    if application != APPLICATION:
        raise _foreign(path)
    _check_version(version, path)


def _check_version(version: int, path: Path) -> None:
    if version > VERSION:
        raise OutboxError(
            f"The outbox was written by a newer wsiweb: {path} (format {version}; this one knows "
            f"{VERSION}). It was left as it is: update wsiweb."
        )


def _foreign(path: Path) -> OutboxError:
    return OutboxError(
        f"{path} is not the database of an outbox. It was left as it is: move it elsewhere."
    )


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _check(connection: sqlite3.Connection, path: Path, archive: str) -> None:
    # What was committed last may not yet stand in the header.
    _check_version(connection.execute("PRAGMA user_version").fetchone()[0], path)
    try:
        told = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        told = str(error)
    if told != "ok":
        raise _damaged(path, told)
    row = connection.execute("SELECT value FROM about WHERE name = 'archive'").fetchone()
    known = row[0] if row else ""
    if archive and known and archive != known:
        raise OutboxError(f"{path} is the outbox of {known}, not of {archive}.")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring an older database to this version: all steps or none, and with a copy of the old."""
    if connection.execute("PRAGMA user_version").fetchone()[0] == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]  # another was quicker?
        if version < VERSION:
            _copy(path, path.with_name(f"{path.name}.format-{version}"))
        for step in range(version, VERSION):
            for statement in MIGRATIONS[step]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the header tells of it from now on


def _copy(path: Path, copy: Path) -> None:
    """Copy a database as it was before the transaction that is under way."""
    draft = copy.with_name(f".{copy.name}.{uuid.uuid4().hex}.new")
    try:
        with (
            in_words("cannot be copied", path),
            contextlib.closing(_connect(path)) as source,
            contextlib.closing(sqlite3.connect(draft)) as target,
        ):
            source.backup(target)
        with in_words("cannot be copied", path), draft.open("rb") as file:
            os.fsync(file.fileno())
            draft.replace(copy)
            sync(copy.parent)
    finally:
        draft.unlink(missing_ok=True)
