"""large_image: its DICOM source, which reads DICOMweb through wsidicom."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import large_image_source_dicom
import numpy as np
import requests
from large_image.constants import TILE_FORMAT_NUMPY
from requests.adapters import HTTPAdapter

from wsiweb_benchmarks.adapters import NotOffered
from wsiweb_benchmarks.model import Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wsiweb_benchmarks.model import Source

__all__ = ["ADAPTERS", "Fast", "Naive"]


class Naive:
    """As in its documentation."""

    way: ClassVar[Way] = Way(
        library="large-image-source-dicom",
        name="naive",
        how="large_image_source_dicom.open({'url': ..., 'study_uid': ..., 'series_uid': ...}), "
        "then getRegion, getTile and getThumbnail as numpy arrays; its own cache of tiles",
    )

    def __init__(self, source: Source) -> None:
        self._source = source
        self._session = requests.Session()
        self._session.headers.update(source.headers)
        self._image: large_image_source_dicom.DICOMFileTileSource | None = None

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

    def thumbnail(self, size: int) -> np.ndarray:
        """Get a thumbnail that fits into a square."""
        pixels, _ = self._opened.getThumbnail(size, size, format=TILE_FORMAT_NUMPY)
        return pixels[..., :3]

    def region(self, level: int, location: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """Get a region of a level by its magnification, in pixels at that magnification."""
        pixels, _ = self._opened.getRegion(
            region={
                "left": location[0],
                "top": location[1],
                "width": size[0],
                "height": size[1],
                "units": "mag_pixels",
            },
            scale=self._opened.getMagnificationForLevel(self._z(level)),
            format=TILE_FORMAT_NUMPY,
        )
        return pixels[..., :3]

    def tiles(self, level: int, tiles: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """Get one tile after the other."""
        for column, row in tiles:
            yield self.tile(level, column, row)

    def tile(self, level: int, column: int, row: int) -> np.ndarray:
        """Get a tile; beyond the slide it is black."""
        return self._opened.getTile(column, row, self._z(level), numpyAllowed="always")[..., :3]

    def close(self) -> None:
        """Let go of the source, and close the connections."""
        self._image = None
        self._session.close()

    def _z(self, level: int) -> int:
        """Return its number of a level: 0 is one tile, each next one is twice as large."""
        levels = self._source.slide.levels
        downsample = levels[0].size[0] / levels[level].size[0]
        return self._opened.levels - 1 - round(math.log2(downsample))

    @property
    def _opened(self) -> large_image_source_dicom.DICOMFileTileSource:
        if self._image is None:
            raise ValueError("open() comes first")
        return self._image


ADAPTERS = (Naive,)
