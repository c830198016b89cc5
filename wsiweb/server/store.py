"""A folder of DICOM files as the application asks for it: find, read, notice what changed.

The user's files are only ever opened for reading; `wsiweb.server.files.walk` says which count.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from wsiweb.errors import NotFound, ProtocolError
from wsiweb.server.files import Changed, InstanceFile, check_frames, is_current, walk
from wsiweb.server.header import swapped
from wsiweb.server.index import File, Index, IndexLost, Instance, Skipped, default_index_path
from wsiweb.server.inflating import Inflated
from wsiweb.server.offsets import EncapsulatedFrames
from wsiweb.server.scan import Scanned, scan

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

__all__ = ["Store"]

_BATCH = 200  # files per transaction: an interrupted first scan keeps what it has
_HELD_FRAMES = 2_000_000  # of tables in memory, 16 bytes each
_RESCAN = 2.0  # seconds between two looks at the folder
_PATIENCE = 20  # times as long as a look took: the most that looking may cost is 5 %


class Store:
    """A folder and its index. Thread-safe; blocking unless said otherwise.

    Parameters
    ----------
    folder : Path
        DICOM files.
    index : Path, optional
        Where the index is kept; default is the user's cache folder.
    rescan : float
        Seconds after which a search looks at the folder again (default 2).

    Raises
    ------
    NotFound
        When there is no such folder.
    """

    def __init__(self, folder: Path, *, index: Path | None = None, rescan: float = _RESCAN) -> None:
        self.folder = Path(folder).absolute()  # whatever the process makes its own folder later
        if not self.folder.is_dir():
            raise NotFound(f"There is no folder {os.fspath(folder)!r}.")
        self.index = Index(self.folder, (index or default_index_path(self.folder)).absolute())
        self._rescan = rescan
        self._looking = threading.Lock()
        self._last_look = self._next_look = -1.0
        self._inflated = Inflated()
        self._unread: dict[bytes, str] = {}
        self._held: OrderedDict[str, Instance] = OrderedDict()
        self._held_frames = 0
        self._holding = threading.Lock()

    def close(self) -> None:
        """Close the index; a later question opens it again."""
        self.index.close()

    # The folder -----------------------------------------------------------------------------

    def refresh(self, *, force: bool = False) -> None:
        """Look what was added, changed or removed, unless that was done a moment ago.

        Parameters
        ----------
        force : bool
            Look in any case.

        Raises
        ------
        NotFound
            When the folder itself has gone.
        """
        asked = time.monotonic()
        if not force and asked < self._next_look and not self.index.is_new:
            return
        with self._looking:
            if self._last_look > asked:
                return  # another thread looked while this one waited
            self._last_look = time.monotonic()
            if not self.folder.is_dir():  # a share that is not mounted: keep what is known of it
                raise NotFound(f"The folder {os.fspath(self.folder)!r} has gone.")
            try:
                known = (
                    self.index.files()
                )  # before: what is stored meanwhile was not seen, and is there
            except IndexLost:  # its disk is full, say: it is in memory and empty now
                known = {}
            seen = dict(walk(os.fspath(self.folder)))
            took = time.monotonic() - self._last_look
            try:
                self._take(seen, known)
            except IndexLost:
                self._take(seen, {})
            self._next_look = time.monotonic() + max(self._rescan, _PATIENCE * took)

    def _take(
        self, seen: dict[bytes, tuple[int, int]], known: dict[bytes, tuple[int, int]]
    ) -> None:
        """Take over what was seen of the files, where it differs from what was known before."""
        gone = [path for path, state in known.items() if seen.get(path) != state]
        if gone:
            self.index.remove(gone)
            with self._holding:
                self._held.clear()
                self._held_frames = 0
        known = (
            self.index.files()
        )  # copies of what went are new again, and some were stored meanwhile
        fresh = sorted(path for path in seen if path not in known)
        self._unread = {}
        for start in range(0, len(fresh), _BATCH):
            batch = fresh[start : start + _BATCH]
            read = (self._read(path, *seen[path]) for path in batch)
            self.index.add([file for file in read if file is not None])
        self.index.is_new = False

    def _read(self, path: bytes, size: int, mtime: int) -> File | None:
        """Read a file; None when it cannot be read now, and is to be tried again."""
        try:
            with (self.folder / os.fsdecode(path)).open("rb") as handle:
                return File(path, size, mtime, scan(handle))
        except OSError as error:  # of the disk or the process, not of the file
            self._unread[path] = error.strerror or str(error)
            return None
        except ProtocolError as error:
            return File(path, size, mtime, reason=error.message)
        except Exception as error:  # one file never stops the archive
            return File(path, size, mtime, reason=f"reading it failed: {error!r}")

    def skipped(self) -> list[Skipped]:
        """Return the files that are not served, by path, with the reason of each."""
        self.refresh()
        unread = [Skipped(os.fsdecode(path), reason) for path, reason in self._unread.items()]
        return sorted([*self.index.skipped(), *unread], key=lambda one: one.path)

    def admit(self, path: Path, scanned: Scanned) -> bool:
        """Take a file into the index that was just written below the folder.

        Returns
        -------
        bool
            Whether it is the one that is served under its UID from now on.
        """
        state = path.stat()
        name = os.fsencode(path.relative_to(self.folder))
        try:
            self.index.add([File(name, state.st_size, state.st_mtime_ns, scanned)])
        except IndexLost:  # a new one finds the file where it is
            self.refresh(force=True)
        found = self.index.instance(scanned.instance_uid)
        return found is not None and found.path == os.fspath(path)

    # Instances ------------------------------------------------------------------------------

    def held(self, study: str, series: str, uid: str) -> Instance | None:
        """Return an instance that is in memory; never blocks."""
        instance = self._held.get(uid)
        if instance is None or instance.study != study or instance.series != series:
            return None
        return instance

    def instance(self, study: str, series: str, uid: str) -> Instance:
        """Return an instance.

        Raises
        ------
        NotFound
            When the folder has none of these UIDs.
        """
        found = self.held(study, series, uid)
        if found is not None and is_current(found):
            self._hold(found)  # the last to be put away
            return found
        self._drop(uid)
        for attempt in (1, 2):
            found = self.index.instance(uid)
            known = found is not None and (found.study, found.series) == (study, series)
            if found is not None and known and is_current(found):
                self._hold(found)
                return found
            if attempt == 1:
                self.refresh(force=known)  # its file has changed: that is worth a look
        raise NotFound(f"There is no instance {uid} in series {series} of study {study}.")

    def instances(self, study: str, series: str | None = None) -> list[Instance]:
        """Return the instances of a study or of a series; at least one.

        Raises
        ------
        NotFound
            When there is no such study or series.
        """
        self.refresh()
        found = self.index.instances(study, series)
        if not found:
            where = f"study {study}" if series is None else f"series {series} in study {study}"
            raise NotFound(f"There is no {where}.")
        return found

    def _hold(self, instance: Instance) -> None:
        with self._holding:
            self._release(instance.uid)
            self._held[instance.uid] = instance
            self._held_frames += _weight(instance)
            while self._held_frames > _HELD_FRAMES and len(self._held) > 1:
                self._release(next(iter(self._held)))

    def _drop(self, uid: str) -> None:
        with self._holding:
            self._release(uid)

    def _release(self, uid: str) -> None:
        instance = self._held.pop(uid, None)
        if instance is not None:
            self._held_frames -= _weight(instance)

    # Bytes ----------------------------------------------------------------------------------

    def frames(self, instance: Instance, numbers: Sequence[int]) -> Iterator[bytes]:
        """Yield frames as they are stored, in the order asked, duplicates again.

        Parameters
        ----------
        instance : Instance
            Where the frames are.
        numbers : sequence of int
            One-based.

        Raises
        ------
        ValueError
            For a number that the instance does not have.
        NotFound
            When the object has no frames, or its file has gone.
        """
        check_frames(instance, numbers)
        with self._opened(instance) as file:
            for number in numbers:
                yield file.frame(number)

    def bulk(self, instance: Instance, path: str) -> bytes:
        """Return a value that the metadata names by a BulkDataURI.

        Raises
        ------
        NotFound
            When the instance has no such value.
        """
        with self._opened(instance) as file:
            piece = self.index.bulk(file.instance.key).get(path)
            if piece is None:
                raise NotFound(f"Instance {instance.uid} has no bulk data {path!r}.")
            offset, length, unit = piece
            value = file.value((offset, length))
            return swapped(value, unit) if unit > 1 else value

    def whole(self, instance: Instance) -> Iterator[bytes]:
        """Yield the file of an instance in pieces, exactly as it is."""
        with self._opened(instance) as file:
            yield from file.whole()

    @contextlib.contextmanager
    def _opened(self, instance: Instance) -> Generator[InstanceFile]:
        """Open the file of an instance; if it changed since it was indexed, as it is now."""
        try:
            file = InstanceFile(instance, self._inflated)
        except Changed:
            current = self.instance(instance.study, instance.series, instance.uid)
            file = InstanceFile(current, self._inflated)
        with contextlib.closing(file):
            yield file


def _weight(instance: Instance) -> int:
    """Return how much memory an instance takes, in frames of a table."""
    table = instance.frames
    return 50 + (len(table.fragments) if isinstance(table, EncapsulatedFrames) else 0)
