"""wsidicom: opens a slide over DICOMweb through dicomweb-client, and reads regions and tiles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar

import requests
from dicomweb_client.api import DICOMwebClient
from requests.adapters import HTTPAdapter
from wsidicom import WsiDicom, WsiDicomWebClient

from wsiweb_benchmarks.model import Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from wsiweb_benchmarks.model import Source

__all__ = ["ADAPTERS", "Fast", "Naive"]

THREADS = 32
PARTS = 8  # of a region: more of them take longer, each being a request
FAULTS = (
    "JPEG whose header wrongly says RGB (the lower levels of the CMU slide) comes out in wrong "
    "colours, as told by the header; native frames fail (TypeError)"
)


class Naive:
    """As in the README: one thread."""

    way: ClassVar[Way] = Way(
        library="wsidicom",
        name="naive",
        how="WsiDicom.open_web, then read_region, read_tile and read_thumbnail without threads; "
        f"a region is one request for a list of frames; {FAULTS}",
    )
    threads: int | None = None

    def __init__(self, source: Source) -> None:
        self._source = source
        self._session = requests.Session()
        self._session.headers.update(source.headers)
        self._pool: ThreadPoolExecutor | None = None
        self._slide: WsiDicom | None = None
        self._levels: list[int] = []

    def open(self) -> None:
        """Open the slide; wsidicom numbers levels by their downsample, as powers of 2."""
        slide = self._source.slide
        client = WsiDicomWebClient(DICOMwebClient(self._source.url, session=self._session))
        self._slide = WsiDicom.open_web(
            client, slide.study_uid, slide.series_uid, read_executor=self._pool
        )
        numbers = {
            (level.size.width, level.size.height): level.level for level in self._slide.pyramid
        }
        self._levels = [numbers[level.size] for level in slide.levels]

    def thumbnail(self, size: int) -> np.ndarray:
        """Read the thumbnail instance, or make one of the levels: as the library sees fit."""
        return self._opened.read_thumbnail(size, threads=self.threads, as_array=True)

    def region(self, level: int, location: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """Read a region of a level, in pixels of this level."""
        return self._opened.read_region(
            location, self._levels[level], size, threads=self.threads, as_array=True
        )

    def tiles(self, level: int, tiles: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """Read one tile after the other."""
        for column, row in tiles:
            yield self.tile(level, column, row)

    def tile(self, level: int, column: int, row: int) -> np.ndarray:
        """Read a tile, whole at the edges too."""
        return self._opened.read_tile(
            self._levels[level], (column, row), crop_to_image_boundary=False, as_array=True
        )

    def close(self) -> None:
        """Close the slide and the connections."""
        if self._slide is not None:
            self._slide.close()
        self._session.close()

    @property
    def _opened(self) -> WsiDicom:
        if self._slide is None:
            raise ValueError("open() comes first")
        return self._slide


class Fast(Naive):
    """With threads that share one pool of connections."""

    way: ClassVar[Way] = Way(
        library="wsidicom",
        name="fast",
        how=f"WsiDicom.open_web with a read_executor of {THREADS} threads and a session with as "
        f"many connections; read_region and read_thumbnail with threads={PARTS}, which makes "
        "as many lists of frames; many tiles by read_tile in the same threads, for want of a "
        f"call for many tiles; arrays, not Pillow images; {FAULTS}",
    )

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        connections = source.settings.get("connections", THREADS)
        self.threads = min(connections, PARTS)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=connections))
        self._pool = ThreadPoolExecutor(connections)

    def tiles(self, level: int, tiles: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """Read tiles in threads."""
        return self._pool.map(lambda tile: self.tile(level, *tile), tiles)

    def close(self) -> None:
        """End the threads too."""
        self._pool.shutdown(cancel_futures=True)
        super().close()


ADAPTERS = (Fast, Naive)
