"""Where the outbox of an archive lives; its locks; what its file system has to say."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import sys
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from wsiweb.errors import OutboxError

if TYPE_CHECKING:
    from collections.abc import Generator

if sys.platform == "win32":
    import msvcrt as _msvcrt

    _fcntl: Any = None
else:
    import fcntl as _fcntl

    _msvcrt: Any = None

__all__ = ["Lock", "default_folder", "free_space", "in_words", "known_folders", "make", "sync"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}  # what the systems say of a lock
_POLL = 0.05  # seconds, where a lock cannot be waited for


def default_folder(base_url: str) -> Path:
    """Return where objects for an archive wait: in the user's data, named by a hash.

    Parameters
    ----------
    base_url : str
        Address of the DICOMweb service.
    """
    return _all() / hashlib.sha256(base_url.encode()).hexdigest()[:32]


def known_folders() -> list[Path]:
    """Return the folder of each archive for which there is, or was, something to send."""
    if not _all().is_dir():
        return []
    with in_words("cannot be read", _all()):
        return sorted(path for path in _all().iterdir() if path.is_dir())


def _all() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_path("wsiweb")) / "outbox"


def make(folder: Path) -> None:
    """Make a folder and those above it; for this user alone, because patients are in it.

    Raises
    ------
    OutboxError
        When that cannot be.
    """
    with in_words("cannot be made", folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextlib.contextmanager
def in_words(what: str, place: Path) -> Generator[None]:
    """Turn what the system says within the block into an `OutboxError`.

    Parameters
    ----------
    what : str
        What was not possible, as in "cannot be written".
    place : Path
        Of the outbox.
    """
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno in _FULL:
            advice = "Make room on that disk and try again; nothing was half-written."
        elif error.errno in _FORBIDDEN or isinstance(error, FileExistsError | NotADirectoryError):
            advice = "It has to be a folder that this user may write into."
        else:
            advice = "Look at that disk."
        raise OutboxError(f"The outbox {what}: {place} ({why}). {advice}") from error


def free_space(folder: Path) -> int:
    """Return how many bytes the file system of a folder still takes."""
    with in_words("cannot be measured", folder):
        return shutil.disk_usage(folder).free


def sync(folder: Path) -> None:
    """Make the names in a folder survive a power cut.

    Raises
    ------
    OSError
        When the disk refuses; never taken lightly, for it is what the outbox promises.
    """
    if sys.platform == "win32":  # a folder cannot be opened there, and names are journalled
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Lock:
    """A lock on a file, held until it is released or its process ends, however it ends.

    Two in one process exclude each other as those of two processes do. A process that is forked
    off does not hold it.

    Parameters
    ----------
    path : Path
        The file; it is made, and stays.
    shared : bool
        Whether others may hold it as well, all of them shared. (Alone where the system has no
        such locks: Windows.)
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        self._path = path
        self._shared = shared
        self._descriptor: int | None = None

    def take(self, *, wait: bool) -> bool:
        """Take it.

        Parameters
        ----------
        wait : bool
            Whether to wait while another holds it.

        Returns
        -------
        bool
            False when another holds it.

        Raises
        ------
        OutboxError
            When the file system has no locks, or no place for the file.
        """
        with in_words("cannot be locked", self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                while not _lock(descriptor, shared=self._shared, wait=wait):
                    if not wait:
                        os.close(descriptor)
                        return False
                    time.sleep(_POLL)
            except BaseException:
                os.close(descriptor)
                raise
        self._descriptor = descriptor
        _held.add(self)
        return True

    def release(self) -> None:
        """Let others have it; nothing happens when it is not held."""
        descriptor, self._descriptor = self._descriptor, None
        _held.discard(self)
        if descriptor is None:
            return
        if _fcntl is not None:  # or it would stay locked by children forked in this moment
            _fcntl.flock(descriptor, _fcntl.LOCK_UN)
        os.close(descriptor)

    def forget(self) -> None:
        """Let go of the copy of a lock that a fork made; the parent keeps its own."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _lock(descriptor: int, *, shared: bool, wait: bool) -> bool:
    try:
        if _fcntl is None:
            _msvcrt.locking(descriptor, _msvcrt.LK_NBLCK, 1)
        else:
            kind = _fcntl.LOCK_SH if shared else _fcntl.LOCK_EX
            _fcntl.flock(descriptor, kind if wait else kind | _fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


_held: weakref.WeakSet[Lock] = weakref.WeakSet()


def _in_child() -> None:
    for lock in list(_held):
        lock.forget()


if hasattr(os, "register_at_fork"):
    # A worker process that outlives a killed sender must not keep the outbox from the next one.
    os.register_at_fork(after_in_child=_in_child)
