"""Files that came to the places where they stay, and rubbish out of the way.

A place that is taken is never written over. That several processes and threads may store at once
is settled by a lock on the folder: who holds it alone looks whether a UID is free and takes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

if sys.platform == "win32":
    _fcntl: Any = None
else:
    import fcntl as _fcntl

__all__ = ["ABANDONED", "SETTLED", "Workspace", "alone_in", "link", "sweep", "sync"]

SETTLED = 600  # seconds: an older workspace that nobody holds was left by a crash
ABANDONED = 24 * 3600  # seconds, where the file system cannot tell who holds what

_PREFIX = ".wsiweb-incoming-"
_WITHOUT_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_here = threading.Lock()


class Workspace:
    """A hidden folder for what is being received, on the file system where it is to stay.

    While it is open a lock tells other processes that somebody is at work. Close it in any case.

    Parameters
    ----------
    folder : Path
        The archive.

    Raises
    ------
    OSError
        When it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder))
        self._lock = _locked(self.path, wait=False)

    def close(self) -> None:
        """Remove it with all that is left in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def sweep(folder: Path) -> None:
    """Remove the workspaces that a crash left."""
    for left in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            age = time.time() - left.lstat().st_mtime
            if age > ABANDONED or (age > SETTLED and _unheld(left)):
                shutil.rmtree(left, ignore_errors=True)


def _unheld(workspace: Path) -> bool:
    lock = _locked(workspace, wait=False)
    if lock is None:
        return False
    os.close(lock)
    return True


def _locked(folder: Path, *, wait: bool) -> int | None:
    """Lock a folder until the descriptor that is returned is closed.

    None where another process holds it, and where the system or file system has no such locks.
    """
    if _fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _fcntl.flock(descriptor, _fcntl.LOCK_EX | (0 if wait else _fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextlib.contextmanager
def alone_in(folder: Path) -> Generator[None]:
    """Keep every other thread and process from placing files below a folder."""
    with _here:
        lock = _locked(folder, wait=True)
        try:
            yield
        finally:
            if lock is not None:
                os.close(lock)


def link(path: Path, target: Path) -> bool:
    """Give a file its name, in one step and only if the name is free.

    An empty file is no object: a crash left it, and the name counts as free. To be called
    `alone_in` the folder: a file system without links has no such step of its own.

    Returns
    -------
    bool
        False when the name is taken.

    Raises
    ------
    OSError
        When the file system refuses.
    """
    with contextlib.suppress(FileNotFoundError):
        if target.stat().st_size:
            return False
        path.replace(target)
        return True
    try:
        os.link(path, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _WITHOUT_LINKS:
            raise
        path.rename(target)  # exFAT, some shares; free a moment ago, and nobody else is here
    return True


def sync(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    with contextlib.suppress(OSError):  # Windows cannot
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
