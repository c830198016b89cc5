"""One adapter per library: the few calls that its users make, and nothing else.

An adapter is short enough to be checked by the library's authors. Where a library was used in a
way that its documentation does not show, the adapter says so in `Way.how`. Adding a library means
adding a module here and naming it in `MODULES`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from wsiweb_benchmarks.model import Source, Way

__all__ = ["MODULES", "Adapter", "NotOffered", "adapter_of", "ways_of"]

# By distribution, in the order of the report. The underscore keeps `import wsidicom` inside
# adapters/wsidicom_.py from looking like an import of itself.
MODULES = {
    "reference": "reference",
    "wsiweb": "wsiweb_",
    "ez-wsi-dicomweb": "ez_wsi_",
    "wsidicom": "wsidicom_",
    "dicomslide": "dicomslide_",
    "dicomweb-client": "dicomweb_client_",
    "large-image-source-dicom": "large_image_",
}


class NotOffered(Exception):
    """The library has no such operation; the words say what it has instead."""


class Adapter(Protocol):
    """A library, used in one way.

    Pixels are arrays of shape (height, width, samples), uint8. Locations, sizes and tiles are
    zero-based, in pixels or tiles *of the level itself*. A region may be unaligned, and lies
    inside the level. Importing the module and making the adapter does no network I/O, and imports
    the library, so that a library that is missing says so before anything is timed.
    """

    way: ClassVar[Way]

    def __init__(self, source: Source) -> None: ...

    def open(self) -> None:
        """Do what must be done before a tile can be asked for; no pixels are fetched."""
        ...

    def thumbnail(self, size: int) -> np.ndarray:
        """Return the whole slide with its longest side `size`; resampling is the library's."""
        ...

    def region(self, level: int, location: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """Return a region of a level."""
        ...

    def tiles(self, level: int, tiles: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """Yield tiles (column, row) that are all known beforehand, each decoded, in order."""
        ...

    def tile(self, level: int, column: int, row: int) -> np.ndarray:
        """Return one decoded tile; a plain ``for`` loop calls this, and nothing else."""
        ...

    def close(self) -> None:
        """Let go of all connections and threads."""
        ...


def ways_of(library: str) -> dict[str, type[Adapter]]:
    """Return the adapters of a library by `Way.key`: the ``ADAPTERS`` of its module.

    Raises
    ------
    ImportError
        When the library is not installed.
    LookupError
        When there is no adapter for it.
    """
    if library not in MODULES:
        raise LookupError(f"There is no adapter for {library!r}, only for {', '.join(MODULES)}.")
    module = importlib.import_module(f"{__name__}.{MODULES[library]}")
    adapters: tuple[type[Adapter], ...] = module.ADAPTERS
    return {adapter.way.key: adapter for adapter in adapters}


def adapter_of(key: str) -> type[Adapter]:
    """Return the adapter of a way, such as ``"wsidicom/fast"``.

    Raises
    ------
    ImportError
        When its library is not installed.
    LookupError
        When there is no such way.
    """
    ways = ways_of(key.partition("/")[0])
    if key not in ways:
        raise LookupError(f"There is no way {key!r}, only {', '.join(ways)}.")
    return ways[key]
