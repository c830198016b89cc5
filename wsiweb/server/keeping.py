"""Objects put where they belong in a folder: at the place of their UIDs, and never upon another.

Used for what is sent to the server (`wsiweb.server.stow`), and for what is imported or fetched into
a folder without one: all keep the same rules.
"""

from __future__ import annotations

import filecmp
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wsiweb.server.placing import link, sync
from wsiweb.wire.uris import is_uid

if TYPE_CHECKING:
    from wsiweb.server.scan import Scanned
    from wsiweb.server.store import Store

__all__ = ["Kept", "keep", "make_lasting", "place_of", "put"]


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of an object.

    Attributes
    ----------
    state : str
        ``"added"``; ``"held"``: the very same bytes were there already; ``"taken"``: other bytes
        have its UID, and stay; ``"refused"``.
    path : Path
        The file that has its UID now.
    words : str
        Why it was refused.
    """

    state: Literal["added", "held", "taken", "refused"]
    path: Path
    words: str = ""


def place_of(folder: Path, study: str, series: str, uid: str) -> Path:
    """Return where an object belongs: ``<study>/<series>/<instance>.dcm``.

    Raises
    ------
    ValueError
        For UIDs that are none: a path is made of them here.
    """
    for step in (study, series, uid):
        if not is_uid(step):
            raise ValueError(f"{step!r} is no UID.")
    return folder / study / series / f"{uid}.dcm"


def put(folder: Path, path: Path, scanned: Scanned) -> Kept:
    """Link a file to its place below a folder; to be called `alone_in` it.

    Parameters
    ----------
    folder : Path
        Where objects are kept.
    path : Path
        On the same file system, whole and synced.
    scanned : Scanned
        What is in it.

    Raises
    ------
    OSError
        When the file system refuses.
    """
    target = place_of(folder, scanned.study_uid, scanned.series_uid, scanned.instance_uid)
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        return Kept("refused", target, "its folder is a link to somewhere else")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not link(path, target):
        return _compared(path, target)
    return Kept("added", target)


def keep(store: Store, path: Path, scanned: Scanned) -> Kept:
    """Put a file into an archive, which serves it from then on; as `put`.

    An object that the archive has anywhere below its folder is not put there a second time.

    Raises
    ------
    OSError, IndexLost
        When the file system, or the index, refuses.
    """
    held = store.index.instance(scanned.instance_uid)
    if held is not None and not Path(held.path).exists():
        store.refresh(force=True)
        held = store.index.instance(scanned.instance_uid)
    if held is not None:
        return _compared(path, Path(held.path))
    kept = put(store.folder, path, scanned)
    if kept.state != "added" or store.admit(kept.path, scanned):
        return kept
    kept.path.unlink()  # a file of the same UID was put elsewhere, and seen, a moment ago
    found = store.index.instance(scanned.instance_uid)
    return Kept("taken", kept.path if found is None else Path(found.path))


def _compared(path: Path, held: Path) -> Kept:
    return Kept("held" if filecmp.cmp(path, held, shallow=False) else "taken", held)


def make_lasting(folder: Path, path: Path) -> None:
    """Make the name of a file survive a power cut, and those of the folders down to it."""
    for home in path.parents:
        sync(home)
        if home == folder:
            return
