"""The archive that a user has on this machine: a folder of wsiweb's own.

Such a folder is known by a mark in it, which is made while it is empty. Only there may objects be
removed: in any other folder the files are the user's, and are never deleted. Within it, what lies
where wsiweb puts it is the archive's: who put it there, no file tells.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from wsiweb.errors import NotFound
from wsiweb.server.keeping import place_of
from wsiweb.server.placing import alone_in, sync
from wsiweb.server.store import Store
from wsiweb.wire.uris import Resource

if TYPE_CHECKING:
    from wsiweb.server.index import Instance

__all__ = [
    "check_removable",
    "is_local",
    "local_folder",
    "make_local",
    "mark_if_empty",
    "remove_objects",
]

_MARK = ".wsiweb-archive"
_WORDS = (
    "This folder is an archive of wsiweb. A file <study>/<series>/<instance>.dcm in it belongs to\n"
    "it, whoever put it there, and `wsiweb remove` deletes it.\n"
)
_NAMED = 3  # files that a message names


def local_folder() -> Path:
    """Return where the local archive of this user is; it may not be there yet."""
    import platformdirs

    return Path(platformdirs.user_data_path("wsiweb")) / "archive"


def make_local(folder: Path | None = None) -> Path:
    """Make a local archive, unless it is there.

    Parameters
    ----------
    folder : Path, optional
        Where; by default `local_folder`. One that holds something already stays what it is: a
        folder of the user's.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OSError
        When it cannot be made.
    """
    place = local_folder() if folder is None else folder
    place.mkdir(mode=0o700, parents=True, exist_ok=True)  # patients are in it
    mark_if_empty(place)
    return place


def mark_if_empty(folder: Path) -> None:
    """Make a folder with nothing in it an archive of wsiweb."""
    if any(folder.iterdir()):
        return
    with contextlib.suppress(FileExistsError), (folder / _MARK).open("x") as file:
        file.write(_WORDS)


def is_local(folder: Path) -> bool:
    """Tell whether a folder is an archive of wsiweb's own."""
    return (folder / _MARK).is_file()


def remove_objects(folder: Path, study: str, series: str | None = None) -> int:
    """Delete the objects of a study, or of a series, from a local archive.

    Parameters
    ----------
    folder : Path
        The archive.
    study, series : str
        UIDs.

    Returns
    -------
    int
        How many objects were deleted.

    Raises
    ------
    ValueError
        When the folder is no archive of wsiweb's own, or one of the files lies elsewhere than
        wsiweb puts it; nothing is deleted then. Also for what is no UID.
    NotFound
        When the archive has no such study or series.
    OSError
        When a file cannot be deleted; those before it are.
    """
    _check_folder(folder, study, series)
    store = Store(folder.absolute())
    with contextlib.closing(store), alone_in(folder):
        found = _removable(store, study, series)
        for one in found:
            Path(one.path).unlink(missing_ok=True)
        _tidy({Path(one.path).parent for one in found})
        store.refresh(force=True)
    return len(found)


def check_removable(folder: Path, study: str, series: str | None = None) -> None:
    """Refuse what `remove_objects` would refuse; for who asks a user before.

    Parameters and errors as there.
    """
    _check_folder(folder, study, series)
    with contextlib.closing(Store(folder.absolute())) as store:
        _removable(store, study, series)


def _check_folder(folder: Path, study: str, series: str | None) -> None:
    _ = Resource(study, series)  # refuses UIDs that are none
    if not is_local(folder):
        raise ValueError(
            f"{folder} is not an archive that wsiweb made: its files are yours, and are not "
            "deleted. (wsiweb makes one of a new or empty folder that something is imported into.)"
        )


def _removable(store: Store, study: str, series: str | None) -> list[Instance]:
    store.refresh(force=True)
    found = store.index.instances(study, series)
    if not found:
        which = f"study {study}" if series is None else f"series {series} in study {study}"
        raise NotFound(f"The archive {store.folder} has no {which}.")
    _check_ours(store.folder, found)
    return found


def _check_ours(folder: Path, found: list[Instance]) -> None:
    """Refuse if a file is elsewhere than wsiweb puts it, or a link to somewhere else."""
    foreign = [one.path for one in found if not _is_ours(folder, one)]
    if foreign:
        more = f" and {len(foreign) - _NAMED} others" if len(foreign) > _NAMED else ""
        raise ValueError(
            f"These files are not where wsiweb puts them: {', '.join(foreign[:_NAMED])}{more}. "
            "Move them out of the archive first; nothing was deleted."
        )


def _is_ours(folder: Path, one: Instance) -> bool:
    place = place_of(folder, one.study, one.series, one.uid)
    if os.fspath(place) != one.path or place.parent.resolve() != folder.resolve() / one.study / (
        one.series
    ):
        return False
    return stat.S_ISREG(place.lstat().st_mode)


def _tidy(homes: set[Path]) -> None:
    """Remove the folders that are empty now."""
    for home in homes:
        for place in (home, home.parent):
            with contextlib.suppress(OSError):  # not empty
                place.rmdir()
    for place in {home.parent.parent for home in homes}:
        sync(place)
