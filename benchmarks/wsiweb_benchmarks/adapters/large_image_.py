"""large_image: its DICOM source, which reads DICOMweb through wsidicom."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import large_image_source_dicom
import numpy as np
import requests
from large_image.constants import TILE_FORMAT_NUMPY, TILE_FORMAT_PIL

from wsiweb_benchmarks.model import Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from large_image_source_dicom import DICOMFileTileSource

    from wsiweb_benchmarks.model import Source

__all__ = ["ADAPTERS", "Fast", "Naive"]

LIBRARY = "large-image-source-dicom"
BOTH = (
    "its own cache of tiles is on; tiles at the edge are black beyond the slide; the last row and "
    "column of a level are missing where its size was rounded up; colours and native frames as "
    "in wsidicom, which it reads with"
)

Pair = tuple[int, int]


class _Adapter:
    """What both ways share: opening, and how large_image numbers levels."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._session = requests.Session()
        self._session.headers.update(source.headers)
        self._image: DICOMFileTileSource | None = None

    def open(self) -> None:
        """Open the source, which opens the slide with wsidicom."""
        info = self._source.slide
        self._image = large_image_source_dicom.open(
            {
                "url": self._source.url,
                "study_uid": info.study_uid,
                "series_uid": info.series_uid,
                "session": self._session,
            }
        )

    def close(self) -> None:
        """Let go of the source, and close the connections."""
        self._image = None
        self._session.close()

    def _part(self, level: int, location: Pair, size: Pair) -> dict[str, Any]:
        """Say a region as `getRegion` wants it: a magnification, and pixels at it."""
        (left, top), (width, height) = location, size
        box = {"left": left, "top": top, "width": width, "height": height}
        return {
            "region": box | {"units": "mag_pixels"},
            "scale": self._opened.getMagnificationForLevel(self._z(level)),
        }

    def _z(self, level: int) -> int:
        """Return its number of a level: 0 is one tile, each next one is twice as large."""
        levels = self._source.slide.levels
        downsample = levels[0].size[0] / levels[level].size[0]
        return self._opened.levels - 1 - round(math.log2(downsample))

    @property
    def _opened(self) -> DICOMFileTileSource:
        if self._image is None:
            raise ValueError("open() comes first")
        return self._image


class Naive(_Adapter):
    """Pillow images, as most of its examples have them."""

    way: ClassVar[Way] = Way(
        library=LIBRARY,
        name="naive",
        how="large_image_source_dicom.open({'url': ..., 'study_uid': ..., 'series_uid': ...}), "
        f"then getRegion, getTile and getThumbnail as Pillow images; {BOTH}",
    )

    def thumbnail(self, size: int) -> np.ndarray:
        """Get a thumbnail that fits into a square."""
        image, _ = self._opened.getThumbnail(size, size, format=TILE_FORMAT_PIL)
        return np.asarray(image.convert("RGB"))

    def region(self, level: int, location: Pair, size: Pair) -> np.ndarray:
        """Get a region of a level."""
        image, _ = self._opened.getRegion(
            **self._part(level, location, size), format=TILE_FORMAT_PIL
        )
        return np.asarray(image.convert("RGB"))

    def tiles(self, level: int, tiles: Sequence[Pair]) -> Iterator[np.ndarray]:
        """Get one tile after the other."""
        for column, row in tiles:
            yield self.tile(level, column, row)

    def tile(self, level: int, column: int, row: int) -> np.ndarray:
        """Get a tile; beyond the slide it is black."""
        image = self._opened.getTile(column, row, self._z(level), pilImageAllowed=True)
        return np.asarray(image.convert("RGB"))


class Fast(_Adapter):
    """Arrays: large_image has nothing that would fetch more than a tile at a time."""

    way: ClassVar[Way] = Way(
        library=LIBRARY,
        name="fast",
        how="as the naive way, but numpy arrays throughout: it has no call that fetches more than "
        "a tile per request, and a lock that lets one thread in; its eagerIterator (processes, "
        f"each of which opens the slide) needs pykdtree for a list of tiles; {BOTH}",
    )

    def thumbnail(self, size: int) -> np.ndarray:
        """Get a thumbnail that fits into a square."""
        pixels, _ = self._opened.getThumbnail(size, size, format=TILE_FORMAT_NUMPY)
        return pixels[..., :3]

    def region(self, level: int, location: Pair, size: Pair) -> np.ndarray:
        """Get a region of a level."""
        pixels, _ = self._opened.getRegion(
            **self._part(level, location, size), format=TILE_FORMAT_NUMPY
        )
        return pixels[..., :3]

    def tiles(self, level: int, tiles: Sequence[Pair]) -> Iterator[np.ndarray]:
        """Get one tile after the other."""
        for column, row in tiles:
            yield self.tile(level, column, row)

    def tile(self, level: int, column: int, row: int) -> np.ndarray:
        """Get a tile; beyond the slide it is black."""
        return self._opened.getTile(column, row, self._z(level), numpyAllowed="always")[..., :3]


ADAPTERS = (Fast, Naive)
