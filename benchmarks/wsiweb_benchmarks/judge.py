"""The direct decode that every library's pixels are compared with.

Stored frames are cut out of the files by pydicom and decoded by Pillow: nothing of wsiweb takes
part, and nothing of the libraries that it is compared with.
"""

from __future__ import annotations

import io
import math
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from PIL import Image
from pydicom.encaps import get_frame

from wsiweb_benchmarks.model import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom import Dataset

    from wsiweb_benchmarks.model import LevelInfo, SlideInfo, Source

__all__ = ["Comparison", "Judge"]

LOSSY = 1  # what colour conversion may differ by, per sample
LOOSELY = 12.0  # mean difference of two thumbnails that show the same
_AS_STORED = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
_ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"


class Judge:
    """Decodes a slide; TILED_FULL, one frame per tile.

    Parameters
    ----------
    source : Source
        Frames are taken from the files of its slide; when these are on a server of the user's
        own, frames are asked for one by one with nothing but the standard library.
    """

    def __init__(self, source: Source) -> None:
        slide = source.slide
        if slide.tiling != "TILED_FULL":
            raise ValueError(f"The slide {slide.name} is sparse, so it cannot be decoded directly.")
        self._slide = slide
        self._frame = _Files(slide).frame if slide.folder else _Service(source).frame

    def tile(self, level: int, column: int, row: int) -> np.ndarray:
        """Return a tile, cut where the level ends: what lies beyond is not defined."""
        info = self._slide.levels[level]
        pixels = _decode(self._frame(info, row * info.grid[0] + column), info)
        left, top = column * info.tile_size[0], row * info.tile_size[1]
        return pixels[: info.size[1] - top, : info.size[0] - left]

    def region(self, level: int, location: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """Return a region that lies inside the level."""
        info = self._slide.levels[level]
        (left, top), (width, height), (wide, high) = location, size, info.tile_size
        first = left // wide, top // high
        last = (left + width - 1) // wide, (top + height - 1) // high
        rows = [
            np.concatenate([self.tile(level, at, row) for at in range(first[0], last[0] + 1)], 1)
            for row in range(first[1], last[1] + 1)
        ]
        x, y = left - first[0] * wide, top - first[1] * high
        return np.concatenate(rows)[y : y + height, x : x + width]

    def thumbnail(self, size: int) -> np.ndarray:
        """Return the smallest level that is large enough, reduced."""
        enough = [at for at, level in enumerate(self._slide.levels) if max(level.size) >= size]
        level = enough[-1] if enough else 0
        whole = Image.fromarray(self.region(level, (0, 0), self._slide.levels[level].size))
        whole.thumbnail((size, size), Image.Resampling.BOX)
        return np.asarray(whole)


class Comparison:
    """Compares arrays as they come with what is expected.

    Parameters
    ----------
    expected : iterator of ndarray
        Shape (rows, columns, samples).
    exact : bool
        Whether samples are compared one by one; else only sizes and the mean difference.
    """

    def __init__(self, expected: Iterator[np.ndarray], *, exact: bool) -> None:
        self._expected = expected
        self._exact = exact
        self._largest = 0
        self._differing = 0
        self._samples = 0
        self._arrays = 0
        self._message = ""

    def take(self, got: np.ndarray) -> None:
        """Compare the next array."""
        self._arrays += 1
        want = next(self._expected, None)
        if self._message:
            return
        if want is None:
            self._message = f"only {self._arrays - 1} arrays were asked for"
        elif got.dtype != np.uint8 or got.ndim != 3:
            self._message = f"array {self._arrays} is {got.dtype} of {got.shape}, not uint8 pixels"
        elif self._exact:
            self._compare(got, want)
        else:
            self._compare_loosely(got, want)

    def _compare(self, got: np.ndarray, want: np.ndarray) -> None:
        # A tile at the edge may come whole: what lies beyond the level is nobody's business.
        got = got[: want.shape[0], : want.shape[1]]
        if got.shape != want.shape:
            self._message = f"array {self._arrays} has the shape {got.shape}, not {want.shape}"
            return
        difference = np.abs(got.astype(np.int16) - want)
        self._samples += difference.size
        self._differing += int(np.count_nonzero(difference))
        self._largest = max(self._largest, int(difference.max(initial=0)))
        if self._largest > LOSSY:
            self._message = (
                f"array {self._arrays} differs by up to {self._largest} from the direct decode, "
                f"by {difference.mean():.2f} on average"
            )

    def _compare_loosely(self, got: np.ndarray, want: np.ndarray) -> None:
        if max(abs(a - b) for a, b in zip(got.shape, want.shape, strict=True)) > 1:
            self._message = f"the thumbnail has the shape {got.shape}, not {want.shape}"
            return
        high, wide = (min(a, b) for a, b in zip(got.shape[:2], want.shape[:2], strict=True))
        difference = np.abs(got[:high, :wide].astype(np.int16) - want[:high, :wide])
        self._largest = int(difference.max(initial=0))
        self._samples, self._differing = difference.size, int(np.count_nonzero(difference))
        if difference.mean() > LOOSELY:
            self._message = f"the thumbnail differs by {difference.mean():.1f} on average"

    def result(self) -> Check:
        """Say what came of it, once everything was taken."""
        if not self._message and next(self._expected, None) is not None:
            self._message = f"only {self._arrays} arrays came"
        return Check(
            right=not self._message,
            largest=self._largest,
            differing=self._differing / max(self._samples, 1),
            message=self._message,
        )


class _Files:
    """Frames out of files."""

    def __init__(self, slide: SlideInfo) -> None:
        self._folder = Path(slide.folder)
        self._read: dict[str, Dataset] = {}

    def frame(self, info: LevelInfo, number: int) -> bytes:
        """Cut out a frame, zero-based."""
        uid = info.instance_uid
        if uid not in self._read:
            self._read[uid] = self._instance(uid)
        header = self._read[uid]
        if not header.file_meta.TransferSyntaxUID.is_encapsulated:
            size = header.Rows * header.Columns * header.SamplesPerPixel
            return header.PixelData[number * size : (number + 1) * size]
        extended = None
        if "ExtendedOffsetTable" in header:
            extended = header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths
        return get_frame(
            header.PixelData,
            number,
            extended_offsets=extended,
            number_of_frames=int(header.NumberOfFrames),
        )

    def _instance(self, uid: str) -> Dataset:
        for path in sorted(self._folder.rglob("*.dcm")):
            if pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID == uid:
                return pydicom.dcmread(path)
        raise LookupError(f"There is no instance {uid} in {self._folder}.")


class _Service:
    """Frames from a server, one request each."""

    def __init__(self, source: Source) -> None:
        slide = source.slide
        self._series = f"{source.url}/studies/{slide.study_uid}/series/{slide.series_uid}"
        self._headers = {"Accept": _AS_STORED, **source.headers}

    def frame(self, info: LevelInfo, number: int) -> bytes:
        """Ask for a frame, zero-based."""
        url = f"{self._series}/instances/{info.instance_uid}/frames/{number + 1}"
        request = urllib.request.Request(url, headers=self._headers)  # noqa: S310 - http or https
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            body = answer.read()
            if not answer.headers.get("Content-Type", "").startswith("multipart/"):
                return body
        boundary = body[: body.index(b"\r\n", 2)].strip()
        start = body.index(b"\r\n\r\n") + 4
        return body[start : body.index(b"\r\n" + boundary, start)]


def _decode(frame: bytes, info: LevelInfo) -> np.ndarray:
    """Return the pixels of a frame, shape (rows, columns, samples), in RGB."""
    shape = (info.tile_size[1], info.tile_size[0], info.samples)
    if len(frame) in {size := math.prod(shape), size + size % 2}:  # not compressed
        return np.frombuffer(frame, np.uint8, size).reshape(shape)
    if info.photometric == "RGB" and frame[:2] == b"\xff\xd8" and b"Adobe" not in frame[:64]:
        # Nothing in such a stream says that it is RGB; Pillow believes the Adobe marker.
        frame = frame[:2] + _ADOBE_RGB + frame[2:]
    decoded = np.asarray(Image.open(io.BytesIO(frame)))
    rows, columns = decoded.shape[:2]
    # Tiles at the edge should be padded; some writers cut them off instead.
    tile = np.zeros(shape, np.uint8)
    tile[:rows, :columns] = decoded.reshape(rows, columns, info.samples)
    return tile
