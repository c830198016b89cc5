"""Temporary folders that are gone with what they were made for."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path

__all__ = ["temporary_folder"]


def temporary_folder(owner: object, purpose: str) -> Path:
    """Make a folder that is removed with its owner, or when this process ends.

    Parameters
    ----------
    owner : object
        What needs it; not kept alive by it.
    purpose : str
        Part of its name.

    Returns
    -------
    Path
        An empty folder, which nobody but this user may enter.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"wsiweb-{purpose}-"))
    weakref.finalize(owner, _remove, folder, os.getpid())
    return folder


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # a forked child has its parent's folder in hand, not its own
        shutil.rmtree(folder, ignore_errors=True)
