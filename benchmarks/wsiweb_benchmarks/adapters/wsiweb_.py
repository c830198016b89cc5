"""wsiweb: this project's own library."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

# What wsiweb imports when it is first needed, and the other libraries with themselves: no import is
# timed for anybody.
import aiohttp  # noqa: F401
import imagecodecs
import PIL.Image  # noqa: F401

import wsiweb
from wsiweb_benchmarks.model import Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from wsiweb_benchmarks.model import Source

__all__ = ["ADAPTERS", "Fast", "Naive"]

imagecodecs.jpeg8_decode  # noqa: B018 - it loads a codec when that is first looked at


class Naive:
    """As one writes it first."""

    way: ClassVar[Way] = Way(
        library="wsiweb",
        name="naive",
        how="wsiweb.connect(url).open_slide(study, series), then read_region for every region "
        "and for every tile, one after the other, and thumbnail; no settings",
    )

    def __init__(self, source: Source) -> None:
        self._uids = source.slide.study_uid, source.slide.series_uid
        self._archive = wsiweb.connect(
            source.url,
            auth=wsiweb.HeaderAuth(source.headers) if source.headers else None,
            settings=wsiweb.Settings(**source.settings),
        )
        self._slide: wsiweb.Slide | None = None

    def open(self) -> None:
        """Open the slide."""
        self._slide = self._archive.open_slide(*self._uids)

    def thumbnail(self, size: int) -> np.ndarray:
        """Make a thumbnail."""
        return self._opened.thumbnail(size)

    def region(self, level: int, location: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """Read a region; its location is said in pixels of level 0."""
        return self._opened.read_region(self._in_level_0(level, location), level, size)

    def tiles(self, level: int, tiles: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """Read one tile after the other."""
        for column, row in tiles:
            yield self.tile(level, column, row)

    def tile(self, level: int, column: int, row: int) -> np.ndarray:
        """Read the region of a tile."""
        return self._opened.read_region(*self._box(level, column, row))

    def close(self) -> None:
        """Close the connections."""
        self._archive.close()

    @property
    def _opened(self) -> wsiweb.Slide:
        if self._slide is None:
            raise ValueError("open() comes first")
        return self._slide

    def _box(
        self, level: int, column: int, row: int
    ) -> tuple[tuple[int, int], int, tuple[int, int]]:
        wide, high = self._opened.levels[level].tile_size
        return self._in_level_0(level, (column * wide, row * high)), level, (wide, high)

    def _in_level_0(self, level: int, location: tuple[int, int]) -> tuple[int, int]:
        downsample = self._opened.levels[level].downsample
        return round(location[0] * downsample), round(location[1] * downsample)


class Fast(Naive):
    """With the call for many regions."""

    way: ClassVar[Way] = Way(
        library="wsiweb",
        name="fast",
        how="wsiweb.connect(url).open_slide(study, series), then read_region for a region, "
        "read_regions for tiles that are known beforehand, and thumbnail; no settings",
    )

    def tiles(self, level: int, tiles: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """Read many regions in turn."""
        return self._opened.read_regions(self._box(level, *tile) for tile in tiles)


ADAPTERS = (Fast, Naive)
