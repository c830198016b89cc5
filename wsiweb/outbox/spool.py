"""Files taken in: a copy of each object, on the disk for good before a row speaks of it.

The order is the whole safety: copy, checksum, fsync of each file, fsync of the folders; then the
rows, in one transaction. What has no row is a leftover of a crash and may be swept.

An fsync alone costs the disk a flush. Those of many small files are asked for at the same time,
from a few threads: the file system then writes its journal once for several of them. ``syncfs``
would be one call, but waits for all that anybody writes to that disk, and Python does not have it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from wsiweb.errors import OutboxError
from wsiweb.outbox.copies import copy_bytes
from wsiweb.outbox.folder import in_words, make, sync
from wsiweb.outbox.intake import Found, examine_written, write_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsiweb.outbox.rows import ItemRow

__all__ = ["Spooled", "Spooling", "remove", "remove_job", "sweep", "trouble_of"]

_MOST_OPEN = 64  # files that wait for their fsync together
_MOST_WAITING = 64 * 2**20  # bytes of them
_THREADS = 8


@dataclass(frozen=True, slots=True)
class Spooled:
    """A copy that was made: of what, its number, and the file as it is now."""

    found: Found
    number: int
    mtime: int
    sha256: str


class Spooling:
    """The files of one job while they are taken in. For one thread.

    Parameters
    ----------
    spool : Path
        Folder of all jobs.
    room : callable
        Called with the bytes that are to be taken in, and how many of them are written already;
        raises when they are too many.
    """

    def __init__(self, spool: Path, room: Callable[[int, int], None]) -> None:
        make(spool)
        self._room = room
        self.job = uuid.uuid4().hex[:12]
        self.folder = spool / self.job
        with in_words("cannot be written", spool):
            self.folder.mkdir(mode=0o700)  # a job of that name would be an error, and is one
        self._waiting: list[BinaryIO] = []
        self._bytes_waiting = 0
        self._pool: ThreadPoolExecutor | None = None
        self._known: dict[str, Spooled] = {}

    def take(self, found: Found, number: int) -> Spooled | None:
        """Copy an object.

        Returns
        -------
        Spooled or None
            None for one that was taken already, with the same bytes.

        Raises
        ------
        ValueError
            When it cannot be written as DICOM, or another object has its UID.
        OutboxError
            When it changed meanwhile, or the disk is full.
        """
        path = self.folder / f"{number}.dcm"
        self._room(found.size, 0)
        with in_words("cannot be written", path):
            handle = path.open("x+b", buffering=0)
        self._waiting.append(handle)
        if isinstance(found.source, Path):
            _copy(found.source, found, handle)
        else:
            with in_words("cannot be written", path):
                found = _written(found, handle)
            size = os.fstat(handle.fileno()).st_size
            self._room(size, size)
        with in_words("cannot be written", path):
            handle.seek(0)
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
            state = os.fstat(handle.fileno())
        spooled = Spooled(replace(found, size=state.st_size), number, state.st_mtime_ns, sha256)
        known = self._known.setdefault(found.instance_uid, spooled)
        if known is not spooled:
            self._waiting.pop().close()
            path.unlink()
            _check_equal(known, spooled)
            return None
        self._bytes_waiting += state.st_size
        if len(self._waiting) >= _MOST_OPEN or self._bytes_waiting >= _MOST_WAITING:
            self._settle()
        return spooled

    def finish(self) -> None:
        """Wait until all files, and their names, would survive a power cut."""
        self._settle()
        with in_words("cannot be written", self.folder):
            sync(self.folder)
            sync(self.folder.parent)

    def _settle(self) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, "wsiweb-fsync")
        with in_words("cannot be written", self.folder):
            # By the handle that wrote: one opened later may not hear that writing failed.
            list(self._pool.map(os.fsync, [handle.fileno() for handle in self._waiting]))
        self._close()

    def _close(self) -> None:
        while self._waiting:
            self._waiting.pop().close()
        self._bytes_waiting = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close what is open; the files stay."""
        if self._pool is not None:
            self._pool.shutdown()
        self._close()


def _check_equal(known: Spooled, other: Spooled) -> None:
    if known.sha256 != other.sha256:
        raise ValueError(
            f"Two different objects have the SOPInstanceUID {known.found.instance_uid}: "
            f"{known.found.origin} and {other.found.origin}. An archive would keep one of them: "
            "give the other a UID of its own, or leave it out."
        )


def _written(found: Found, handle: BinaryIO) -> Found:
    # Buffered, for pydicom writes each element by itself.
    with os.fdopen(os.dup(handle.fileno()), "wb") as buffered:
        write_dataset(found, buffered)
    handle.seek(0)
    with os.fdopen(os.dup(handle.fileno()), "rb") as buffered:
        return examine_written(found, buffered)


def _copy(source: Path, found: Found, handle: BinaryIO) -> None:
    try:
        original = source.open("rb", buffering=0)
    except OSError as error:
        raise OutboxError(f"{found.origin} cannot be read ({error.strerror}).") from error
    with original:
        _check_unchanged(original, found)
        with in_words("cannot be written", Path(handle.name)):
            copy_bytes(original, handle, found.size)
        _check_unchanged(original, found)
        if os.fstat(handle.fileno()).st_size != found.size:
            raise _changed(found)


def _check_unchanged(original: BinaryIO, found: Found) -> None:
    state = os.fstat(original.fileno())
    if (state.st_size, state.st_mtime_ns) != (found.size, found.mtime):
        raise _changed(found)


def _changed(found: Found) -> OutboxError:
    return OutboxError(
        f"{found.origin} changed while it was taken in: wait until it is written, and try again."
    )


# Afterwards -------------------------------------------------------------------------------------


def trouble_of(item: ItemRow, *, thorough: bool) -> str:
    """Tell why a copy can no longer be sent; empty when it can.

    Parameters
    ----------
    item : ItemRow
        What was taken in.
    thorough : bool
        Whether to read it all, besides looking at size and time.
    """
    if not item.kept:
        return "no copy of it was taken in"
    try:
        state = item.path.stat()
        if (state.st_size, state.st_mtime_ns) != (item.size, item.mtime):
            return f"its copy was changed after it was taken in: {item.path}"
        if thorough:
            with item.path.open("rb") as handle:
                if hashlib.file_digest(handle, "sha256").hexdigest() != item.sha256:
                    return f"its copy is damaged: {item.path} has another checksum"
    except FileNotFoundError:
        return f"its copy is gone: {item.path}"
    except OSError as error:
        return f"its copy cannot be read ({error.strerror}): {item.path}"
    return ""


def remove(spool: Path, copies: Sequence[tuple[str, int]]) -> None:
    """Remove copies that nobody needs, by job and number; what fails is swept later."""
    for job, number in copies:
        with contextlib.suppress(OSError):
            (spool / job / f"{number}.dcm").unlink()
    for job in {job for job, _ in copies}:
        with contextlib.suppress(OSError):  # not empty yet
            (spool / job).rmdir()


def remove_job(spool: Path, job: str) -> None:
    """Remove all copies of a job; what fails is swept later."""
    shutil.rmtree(spool / job, ignore_errors=True)


def sweep(spool: Path, wanted: Callable[[str], set[int]]) -> None:
    """Remove what crashes left; to be called while nobody takes anything in.

    Parameters
    ----------
    spool : Path
        Folder of all jobs.
    wanted : callable
        Returns the numbers of a job's items whose copies are to stay.
    """
    if not spool.is_dir():
        return
    with in_words("cannot be read", spool):
        for folder in list(spool.iterdir()):
            names = {f"{number}.dcm" for number in wanted(folder.name)}
            if not names:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            with contextlib.suppress(FileNotFoundError):  # a sender has just settled its last copy
                for path in folder.iterdir():
                    if path.name not in names:
                        path.unlink(missing_ok=True)
