"""Files that are written under a hidden name get their own: all of them, or none."""

from __future__ import annotations

import filecmp
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["settle"]


def settle(moves: Sequence[tuple[Path, Path]]) -> None:
    """Give files their names, all of them or none; none takes the place of another file.

    Parameters
    ----------
    moves : sequence of (Path, Path)
        Of each file the name that it has, and the one that it gets, in the same folder. Where a
        file with the same content has that name already, it is kept.

    Raises
    ------
    FileExistsError
        When another file has one of the names.
    """
    settled: list[Path] = []
    try:
        for part, target in moves:
            if _settled(part, target):
                settled.append(target)
    except BaseException:
        for target in settled:
            target.unlink(missing_ok=True)
        raise
    finally:
        for part, _ in moves:
            part.unlink(missing_ok=True)


def _settled(part: Path, target: Path) -> bool:
    """Name a file; whether it is new there."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    try:
        target.hardlink_to(part)  # unlike renaming, it replaces nothing
    except FileExistsError:
        return _refused(part, target)
    except OSError:  # a file system without links
        if target.exists():
            return _refused(part, target)
        part.rename(target)
    return True


def _refused(part: Path, target: Path) -> bool:
    if not filecmp.cmp(part, target, shallow=False):
        raise FileExistsError(
            f"{target} is there already and is another file; give another folder."
        ) from None
    return False
