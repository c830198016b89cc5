"""dicomweb-client: frames and headers, as bytes and JSON; everything above them is its caller's.

What a caller writes round it is here too: where a tile is among the frames, decoding with Pillow
as its documentation shows, and pasting tiles into one array with numpy.
"""

from __future__ import annotations

import io
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import requests
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom import Dataset
from requests.adapters import HTTPAdapter

from wsiweb_benchmarks.model import Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wsiweb_benchmarks.model import LevelInfo, Source

__all__ = ["ADAPTERS", "Fast", "Naive"]

CONNECTIONS = 16
FRAMES_PER_REQUEST = 32  # at most: lists are shorter where there are fewer tiles than that
AS_STORED = (("application/octet-stream", "*"),)
NATIVE = "1.2.840.10008.1.2.1"  # explicit VR little endian

CALLERS = (
    "the library has no regions and no pyramid: both are the caller's, as is decoding, where "
    "Pillow takes an RGB JPEG without an Adobe marker for YCbCr"
)

Tile = tuple[int, int]


class Naive:
    """One frame after the other."""

    way: ClassVar[Way] = Way(
        library="dicomweb-client",
        name="naive",
        how="retrieve_instance_metadata of each level as a pydicom Dataset, then "
        f"retrieve_instance_frames of one frame at a time, decoded with Pillow; {CALLERS}",
    )
    connections = 1

    def __init__(self, source: Source) -> None:
        self._slide = source.slide
        session = requests.Session()
        session.headers.update(source.headers)
        connections = source.settings.get("connections", self.connections)
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=connections))
        self._session = session
        self._client = DICOMwebClient(source.url, session=session)
        self._sparse: dict[str, dict[Tile, int]] = {}

    def open(self) -> None:
        """Ask for the headers; of a sparse slide, note where each frame is."""
        for level in self._slide.levels:
            header = Dataset.from_json(
                self._client.retrieve_instance_metadata(
                    self._slide.study_uid, self._slide.series_uid, level.instance_uid
                )
            )
            if header.get("DimensionOrganizationType") == "TILED_SPARSE":
                places = [
                    item.PlanePositionSlideSequence[0]
                    for item in header.PerFrameFunctionalGroupsSequence
                ]
                self._sparse[level.instance_uid] = _frames_by_tile(
                    level,
                    [place.ColumnPositionInTotalImagePixelMatrix for place in places],
                    [place.RowPositionInTotalImagePixelMatrix for place in places],
                )

    def thumbnail(self, size: int) -> np.ndarray:
        """Read the smallest level that is large enough, and resize it with Pillow."""
        levels = range(len(self._slide.levels))
        enough = [level for level in levels if max(self._slide.levels[level].size) >= size]
        level = enough[-1] if enough else 0
        whole = Image.fromarray(self.region(level, (0, 0), self._slide.levels[level].size))
        scale = size / max(whole.size)
        small = whole.resize((round(whole.width * scale), round(whole.height * scale)))
        return np.asarray(small)

    def region(self, level: int, location: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """Paste the tiles that a region touches into an array."""
        info = self._slide.levels[level]
        (left, top), (width, height), (wide, high) = location, size, info.tile_size
        region = np.full((height, width, info.samples), 255, np.uint8)
        tiles = [
            (column, row)
            for row in range(top // high, (top + height - 1) // high + 1)
            for column in range(left // wide, (left + width - 1) // wide + 1)
        ]

        def paste(tile: Tile, pixels: np.ndarray) -> None:
            x, y = tile[0] * wide - left, tile[1] * high - top
            seen = pixels[max(-y, 0) : height - y, max(-x, 0) : width - x]
            x, y = max(x, 0), max(y, 0)
            region[y : y + seen.shape[0], x : x + seen.shape[1]] = seen

        self._each(info, tiles, paste)
        return region

    def tiles(self, level: int, tiles: Sequence[Tile]) -> Iterator[np.ndarray]:
        """One request per tile."""
        for column, row in tiles:
            yield self.tile(level, column, row)

    def tile(self, level: int, column: int, row: int) -> np.ndarray:
        """One request, one frame; white where a sparse slide holds none."""
        info = self._slide.levels[level]
        number = self._number(info, (column, row))
        if number is None:
            return _white(info)
        (frame,) = self._client.retrieve_instance_frames(
            self._slide.study_uid,
            self._slide.series_uid,
            info.instance_uid,
            frame_numbers=[number],
            media_types=AS_STORED,
        )
        return _decode(frame, info)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _number(self, level: LevelInfo, tile: Tile) -> int | None:
        if level.instance_uid in self._sparse:
            return self._sparse[level.instance_uid].get(tile)
        return tile[1] * level.grid[0] + tile[0] + 1

    def _each(
        self, level: LevelInfo, tiles: list[Tile], use: Callable[[Tile, np.ndarray], None]
    ) -> None:
        index = self._slide.levels.index(level)
        for tile in tiles:
            use(tile, self.tile(index, *tile))


class Fast(Naive):
    """Lists of frames in threads."""

    way: ClassVar[Way] = Way(
        library="dicomweb-client",
        name="fast",
        how="retrieve_series_metadata once, its JSON read as it is; then iter_instance_frames "
        f"with lists of up to {FRAMES_PER_REQUEST} frames in {CONNECTIONS} threads that share a "
        "session with as many connections, each frame decoded with Pillow in the thread that "
        f"fetched it; {CALLERS}",
    )
    connections = CONNECTIONS

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._longest = source.settings.get("frames_per_request", FRAMES_PER_REQUEST)
        self._workers = source.settings.get("connections", CONNECTIONS)
        self._pool = ThreadPoolExecutor(self._workers)

    def open(self) -> None:
        """Ask for the headers of the series at once; of a sparse slide, note the frames."""
        levels = {level.instance_uid: level for level in self._slide.levels}
        for header in self._client.retrieve_series_metadata(
            self._slide.study_uid, self._slide.series_uid
        ):
            uid = header["00080018"]["Value"][0]
            tiling = header.get("00209311", {}).get("Value", [""])[0]
            if uid in levels and tiling == "TILED_SPARSE":
                items = header["52009230"]["Value"]
                self._sparse[uid] = _frames_by_tile(
                    levels[uid], _column(items, "0048021E"), _column(items, "0048021F")
                )

    def tiles(self, level: int, tiles: Sequence[Tile]) -> Iterator[np.ndarray]:
        """All lists at once; each answer when it is due."""
        info = self._slide.levels[level]
        for pixels in self._pool.map(lambda part: list(self._fetch(info, part)), self._cut(tiles)):
            yield from pixels

    def close(self) -> None:
        """End the threads, then close the connections."""
        self._pool.shutdown(cancel_futures=True)
        super().close()

    def _each(
        self, level: LevelInfo, tiles: list[Tile], use: Callable[[Tile, np.ndarray], None]
    ) -> None:
        def some(part: Sequence[Tile]) -> None:
            for tile, pixels in zip(part, self._fetch(level, part), strict=True):
                use(tile, pixels)

        list(self._pool.map(some, self._cut(tiles)))

    def _cut(self, tiles: Sequence[Tile]) -> list[Sequence[Tile]]:
        """Cut a list so that no thread is idle, into lists that are not too long."""
        length = max(1, min(self._longest, -(-len(tiles) // self._workers)))
        return [tiles[start : start + length] for start in range(0, len(tiles), length)]

    def _fetch(self, level: LevelInfo, tiles: Sequence[Tile]) -> Iterator[np.ndarray]:
        numbers = [self._number(level, tile) for tile in tiles]
        held = [number for number in numbers if number is not None]
        frames = (
            self._client.iter_instance_frames(
                self._slide.study_uid,
                self._slide.series_uid,
                level.instance_uid,
                frame_numbers=held,
                media_types=AS_STORED,
            )
            if held
            else iter(())
        )
        for number in numbers:
            yield _white(level) if number is None else _decode(next(frames), level)


ADAPTERS = (Fast, Naive)


def _decode(frame: bytes, level: LevelInfo) -> np.ndarray:
    if level.transfer_syntax == NATIVE:
        shape = (level.tile_size[1], level.tile_size[0], level.samples)
        return np.frombuffer(frame, np.uint8, count=math.prod(shape)).reshape(shape)
    pixels = np.asarray(Image.open(io.BytesIO(frame)))
    return pixels[..., np.newaxis] if level.samples == 1 else pixels


def _white(level: LevelInfo) -> np.ndarray:
    return np.full((level.tile_size[1], level.tile_size[0], level.samples), 255, np.uint8)


def _column(items: list[dict[str, Any]], tag: str) -> list[int]:
    """Return an attribute of PlanePositionSlideSequence from per-frame items."""
    return [item["0048021A"]["Value"][0][tag]["Value"][0] for item in items]


def _frames_by_tile(level: LevelInfo, columns: list[int], rows: list[int]) -> dict[Tile, int]:
    """Return one-based frame numbers by tile, from one-based positions of the frames."""
    wide, high = level.tile_size
    return {
        ((column - 1) // wide, (row - 1) // high): number
        for number, (column, row) in enumerate(zip(columns, rows, strict=True), start=1)
    }
