"""A folder into which objects are put: whole, safe on the disk, and never one upon another.

The rules are those of the server that stores what it is sent (`wsiweb.server.keeping`).
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from wsiweb.errors import ProtocolError
from wsiweb.outbox.comparing import difference
from wsiweb.outbox.rows import Outcome
from wsiweb.server.index import IndexLost
from wsiweb.server.keeping import keep, make_lasting, place_of, put
from wsiweb.server.placing import Workspace, alone_in, sweep
from wsiweb.server.scan import Scanned, scan
from wsiweb.server.store import Store

if TYPE_CHECKING:
    from wsiweb.outbox.rows import ItemRow

__all__ = ["Shelf", "judged", "understood", "words_of"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Shelf:
    """A folder that takes objects. Blocking; for several threads. Close it in any case.

    Parameters
    ----------
    folder : Path
        It exists.
    served : bool
        Whether it is an archive: then an object is found wherever it lies in it, and not put there
        a second time. Else only its own place counts, and nothing else is looked at.

    Raises
    ------
    OSError
        When it cannot be written.
    """

    def __init__(self, folder: Path, *, served: bool) -> None:
        self.folder = folder.absolute()
        self._store = Store(self.folder) if served else None
        sweep(self.folder)
        self._workspace = Workspace(self.folder)
        if self._store is not None:
            self._store.refresh(force=True)

    def close(self) -> None:
        """Remove what was not put in its place."""
        self._workspace.close()
        if self._store is not None:
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def draft(self, item: ItemRow) -> Path:
        """Return where to make the file of an item before it is put in its place."""
        return self._workspace.path / f"{item.number}.dcm"

    def held(self, item: ItemRow) -> Path | None:
        """Return the file that has the UID of an item already."""
        if self._store is not None:
            found = self._store.index.instance(item.instance_uid)
            return None if found is None else Path(found.path)
        path = place_of(self.folder, item.study_uid, item.series_uid, item.instance_uid)
        return path if path.is_file() and path.stat().st_size else None

    def take(self, item: ItemRow, draft: Path, warnings: tuple[str, ...] = ()) -> Outcome:
        """Put a file in its place, or say why not; the draft is gone afterwards.

        Parameters
        ----------
        item : ItemRow
            What is in it.
        draft : Path
            As `draft` returned it.
        warnings : tuple of str
            What is to be said if it is taken.
        """
        try:
            scanned = understood(draft)
            size = draft.stat().st_size
            _make_lasting(draft)
            with alone_in(self.folder):
                if self._store is None:
                    kept = put(self.folder, draft, scanned)
                else:
                    kept = keep(self._store, draft, scanned)
            if kept.state in {"held", "taken"}:
                return judged(item, draft, kept.path)
            if kept.state == "refused":
                return Outcome(item=item.id, state="failed", reason=kept.words)
            make_lasting(self.folder, kept.path)
        except (OSError, IndexLost) as error:
            return Outcome(item=item.id, state="failed", reason=words_of(error))
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
        return Outcome(item=item.id, state="stored", warnings=warnings, proof="listed", size=size)


def judged(item: ItemRow, source: Path, held: Path) -> Outcome:
    """Compare an object with the one that has its UID already, and return what that makes of it.

    Parameters
    ----------
    item : ItemRow
        The object.
    source, held : Path
        Its file, and the one that was there before.

    Raises
    ------
    OSError
        When one of them cannot be read.
    """
    differs = "" if source.samefile(held) else difference(source, held)
    if not differs:
        size = held.stat().st_size
        return Outcome(item=item.id, state="held", proof="compared", size=size)
    reason = f"another object with this UID is at {held}, and stays; it differs in {differs}"
    return Outcome(item=item.id, state="failed", reason=reason)


def understood(path: Path) -> Scanned:
    """Read a file that has come from elsewhere.

    Raises
    ------
    ProtocolError
        When it is no DICOM object, or not a whole one.
    OSError
        When it cannot be read.
    """
    with path.open("rb") as handle:
        scanned = scan(handle)
    if not scanned.whole:
        raise ProtocolError(scanned.trouble)
    return scanned


def words_of(error: Exception) -> str:
    """Return what a disk said, as the reason of a failure."""
    if isinstance(error, OSError):
        words = error.strerror or str(error)
        return f"the disk is full ({words})" if error.errno in _FULL else words
    return str(error)


def _make_lasting(path: Path) -> None:
    # Opened for writing where that may be, for some systems sync only such files.
    try:
        descriptor = os.open(path, os.O_RDWR)
    except PermissionError:  # a link to a file that its owner has protected
        descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
