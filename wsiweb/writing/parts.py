"""Names under which files and folders are written, until all of them is there.

Each writer has a name of its own, so that several may write to one path at once: none takes the
other's half for its own, or removes it.
"""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["part_of", "replacing"]

_SHOWN = 32  # characters of the name: so it is no longer than names may be


def part_of(path: Path) -> Path:
    """Return a hidden name in the same folder, which nobody else has.

    Examples
    --------
    >>> from pathlib import Path
    >>> part_of(Path("out/nuclei.csv")).match("out/.nuclei.csv.*.part")
    True
    """
    return path.with_name(f".{path.name[:_SHOWN]}.{uuid.uuid4().hex}.part")


@contextlib.contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Lend a name for a file that takes the place of another when it is whole.

    Parameters
    ----------
    path : Path
        Its name in the end. Of several who write to it at once, the last to end wins.

    Yields
    ------
    Path
        To be written, and closed, within the block; after an error it is removed.
    """
    part = part_of(path)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
