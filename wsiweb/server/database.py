"""The database of an index: its tables, and how it is opened whatever became of it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_database"]

_VERSION = 3  # of the schema and of what is written into it; another one is thrown away
_SCHEMA = """
CREATE TABLE files (
    path BLOB PRIMARY KEY, size INTEGER, mtime INTEGER, reason TEXT, twin TEXT
) WITHOUT ROWID;
CREATE TABLE instances (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT UNIQUE, study TEXT, series TEXT, class TEXT,
    modality TEXT, syntax TEXT, path BLOB UNIQUE, size INTEGER, mtime INTEGER
);
CREATE INDEX tree ON instances (study, series, modality);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, summary BLOB, header BLOB, bulk BLOB, picture BLOB, frames BLOB,
    trouble TEXT
);
"""
_MEMORY = ":memory:"


def open_database(path: Path | None) -> sqlite3.Connection:
    """Open a database; in memory without a path, and where that path cannot be used."""
    if path is None:
        return _prepared(_connect(_MEMORY))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for attempt in (1, 2):
            database = _connect(str(path))
            try:
                return _prepared(database)
            except sqlite3.DatabaseError as error:
                database.close()
                # Damaged, or no database at all: it is only a cache. (Locked or unwritable is an
                # OperationalError, and no reason to delete what another process uses.)
                if isinstance(error, sqlite3.OperationalError) or attempt == 2:
                    raise
                path.unlink()
    except (OSError, sqlite3.Error):
        pass
    return _prepared(_connect(_MEMORY))


def _connect(name: str) -> sqlite3.Connection:
    return sqlite3.connect(name, timeout=30, isolation_level=None, check_same_thread=False)


def _prepared(database: sqlite3.Connection) -> sqlite3.Connection:
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")  # a crash may cost the last rows: a rescan
    database.execute("BEGIN IMMEDIATE")
    if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        for table in ("files", "instances", "documents"):
            database.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in filter(str.strip, _SCHEMA.split(";")):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {_VERSION}")
    database.commit()
    return database
