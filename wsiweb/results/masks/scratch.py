"""A file for what memory shall not hold: without a name, and gone with whoever made it."""

from __future__ import annotations

import tempfile
import threading
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Scratch"]


class Scratch:
    """Bytes on disk; from any thread.

    Parameters
    ----------
    folder : Path
        Where there is room: a folder that is there. Nothing appears in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: IO[bytes] | None = None
        self._end = 0
        self._lock = threading.Lock()

    def append(self, data: bytes) -> int:
        """Write bytes at the end, and return where they begin."""
        with self._lock:
            start = self._end
            self._written(start, data)
        return start

    def put(self, start: int, data: bytes) -> None:
        """Write bytes at a place."""
        with self._lock:
            self._written(start, data)

    def get(self, start: int, length: int) -> bytes:
        """Return bytes that were written."""
        with self._lock:
            file = self._file()
            file.seek(start)
            return file.read(length)

    def close(self) -> None:
        """Give the room back."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()

    def _written(self, start: int, data: bytes) -> None:
        file = self._file()
        file.seek(start)
        file.write(data)
        self._end = max(self._end, file.tell())

    def _file(self) -> IO[bytes]:
        if self._opened is None:
            self._opened = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - see close
        return self._opened
