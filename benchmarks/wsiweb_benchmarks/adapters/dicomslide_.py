"""dicomslide: slides and their total pixel matrices through dicomweb-client."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import requests
from dicomslide import OpenSlide, Slide, TotalPixelMatrix, find_slides
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom import Dataset

from wsiweb_benchmarks.model import Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wsiweb_benchmarks.model import Source

__all__ = ["ADAPTERS", "Fast", "Naive"]

FRAMES_PER_REQUEST = 250
FAULTS = (
    "regions may be a pixel off where tiles are not a power of two wide (it divides in floating "
    "point); a tile that a sparse slide does not hold is an IndexError; Orthanc "
    "1.10 answers 500 to its Accept header, the last range of which is one that it cannot make"
)


class _Adapter:
    """What both ways share: each level is a `TotalPixelMatrix`, indexed like an array."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._session = requests.Session()
        self._session.headers.update(source.headers)
        self._client = DICOMwebClient(source.url, session=self._session)
        self._levels: list[TotalPixelMatrix] = []

    def region(self, level: int, location: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """Slice the level; all frames of a region are one request."""
        (x, y), (width, height) = location, size
        return self._levels[level][y : y + height, x : x + width, :]

    def tile(self, level: int, column: int, row: int) -> np.ndarray:
        """Index the level by one tile."""
        matrix = self._levels[level]
        return matrix[matrix.get_tile_index((row, column))]

    def tiles(self, level: int, tiles: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """Index one tile after the other."""
        for column, row in tiles:
            yield self.tile(level, column, row)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class Naive(_Adapter):
    """Through `find_slides`, as in its documentation."""

    way: ClassVar[Way] = Way(
        library="dicomslide",
        name="naive",
        how="find_slides with its defaults, which correct colours by the ICC profile; regions by "
        "slicing the total pixel matrix of a level, tiles by indexing it one by one, thumbnail "
        "by its OpenSlide interface; cannot open slides with a LABEL or OVERVIEW without "
        "PixelSpacing (the CMU slide: \"'Dataset' object has no attribute 'PixelSpacing'\"); "
        "cannot open on Orthanc on a port other than 80, for dicomweb-client leaves the port out "
        f"of its Host header and Orthanc out of its BulkDataURI; {FAULTS}",
    )
    _slide: Slide | None = None

    def open(self) -> None:
        """Find the slide, and its level of each size."""
        (self._slide,) = find_slides(self._client, study_instance_uid=self._source.slide.study_uid)
        matrices = {
            image.metadata.SOPInstanceUID: image.get_total_pixel_matrix()
            for image in self._slide.get_volume_images()
        }
        self._levels = [matrices[level.instance_uid] for level in self._source.slide.levels]

    def thumbnail(self, size: int) -> np.ndarray:
        """Have the OpenSlide interface make it."""
        if self._slide is None:
            raise ValueError("open() comes first")
        return np.asarray(OpenSlide(self._slide).get_thumbnail((size, size)).convert("RGB"))


class Fast(_Adapter):
    """With only what is needed: headers in one request, no colour correction, lists of tiles."""

    way: ClassVar[Way] = Way(
        library="dicomslide",
        name="fast",
        how="a TotalPixelMatrix per level, made from one retrieve_series_metadata, without colour "
        "correction (find_slides asks for the header of each instance of the study, and always "
        "corrects colours); regions by slicing it, many tiles by indexing it with lists of up to "
        f"{FRAMES_PER_REQUEST}: one request each, one at a time, for it fetches no other way; "
        "the thumbnail is the smallest sufficient level, resized with Pillow by the caller; "
        "cannot read frames smaller than a tile (at the edges of the CMU slide's lower levels: "
        f"ValueError 'could not broadcast input array'); {FAULTS}",
    )

    def open(self) -> None:
        """Ask for the headers of the series at once."""
        headers = {
            header.SOPInstanceUID: header
            for header in (
                Dataset.from_json(item, bulk_data_uri_handler=lambda _: None)
                for item in self._client.retrieve_series_metadata(
                    self._source.slide.study_uid, self._source.slide.series_uid
                )
            )
        }
        self._levels = [
            TotalPixelMatrix(
                self._client,
                headers[level.instance_uid],
                max_frame_cache_size=FRAMES_PER_REQUEST,
                correct_color=False,
            )
            for level in self._source.slide.levels
        ]

    def thumbnail(self, size: int) -> np.ndarray:
        """Read the smallest level that is large enough, and resize it with Pillow."""
        enough = [matrix for matrix in self._levels if max(matrix.shape) >= size]
        matrix = enough[-1] if enough else self._levels[0]
        whole = Image.fromarray(matrix[:, :, :])
        scale = size / max(whole.size)
        small = whole.resize((round(whole.width * scale), round(whole.height * scale)))
        return np.asarray(small)

    def tiles(self, level: int, tiles: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
        """Index by lists of tiles."""
        matrix = self._levels[level]
        indices = [matrix.get_tile_index((row, column)) for column, row in tiles]
        for start in range(0, len(indices), FRAMES_PER_REQUEST):
            some = indices[start : start + FRAMES_PER_REQUEST]
            yield from matrix[some] if len(some) > 1 else [matrix[some]]


ADAPTERS = (Fast, Naive)
