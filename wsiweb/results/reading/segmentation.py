"""Stored segmentations, read as arrays that lie upon the levels of the slide."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb import loop
from wsiweb.arguments import folder_of, whole_number
from wsiweb.frames import Priority
from wsiweb.results.reading.export import to_dask, to_zarr
from wsiweb.results.reading.find import find
from wsiweb.results.reading.matrices import sorted_out
from wsiweb.results.reading.segment_pixels import painted, read_segments_on
from wsiweb.results.reading.windows import Windows, png_target, save_picture

if TYPE_CHECKING:
    import datetime
    import os
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    import dask.array
    import zarr

    from wsiweb.frames import Frames
    from wsiweb.pixels.image import TiledImage
    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.results.reading.matrices import Matrices, SegmentationType
    from wsiweb.results.reading.placement import Grid
    from wsiweb.results.reading.segments import StoredSegment

__all__ = ["Segmentation", "read_segmentations"]

Pair = tuple[int, int]


async def read_segmentations(pyramid: Pyramid, connect: Callable[[], Frames]) -> list[Segmentation]:
    """Return the segmentations of a slide that an archive holds.

    Parameters
    ----------
    pyramid : Pyramid
        The slide; to be called on the library's event loop.
    connect : callable
        Returns the frames of the archive. It is called anew where a segmentation is unpickled, so
        it has to be picklable for that.

    Returns
    -------
    list of Segmentation
        The newest first. One that cannot be read is left out, and a warning says why.

    Raises
    ------
    ArchiveError
        When the archive does not answer.
    """
    stored = await find(connect().client, pyramid, "segmentation")
    results, left_out = await loop.in_pool(sorted_out, pyramid, stored)
    for one in left_out:
        warnings.warn(
            f"The segmentation in instance {one.instance_uid} is left out: {one.reason}",
            stacklevel=2,
        )
    return [Segmentation(pyramid, matrices, connect) for matrices in results]


class Segmentation(Windows):
    """A segmentation of a slide in an archive, read lazily, as arrays aligned to any level.

    From `wsiweb.Slide.segmentations`. All methods may be called from any thread and block until
    their pixels are there. A segmentation can be pickled: in the other process it connects by
    itself.

    Arrays are (row, column). A pixel of a level shows the pixel of the segmentation under its
    centre; the level of the segmentation is chosen that has pixels of that size, else the next
    finer one. Where the segmentation has no pixels there is nothing: 0, False or 0.0.
    """

    def __init__(self, pyramid: Pyramid, matrices: Matrices, connect: Callable[[], Frames]) -> None:
        super().__init__(pyramid, connect)
        self._matrices = matrices

    def __reduce__(self) -> tuple[Any, ...]:
        return (Segmentation, (self._pyramid, self._matrices, self._connect))

    def __dask_tokenize__(self) -> tuple[str, ...]:
        return (type(self).__qualname__, self._pyramid.series_uid, *self.instance_uids)

    def __repr__(self) -> str:
        names = ", ".join(segment.label for segment in self.segments[:5])
        more = ", ..." if len(self.segments) > 5 else ""
        width, height = self.levels[0].size
        return (
            f"<Segmentation {self.name!r}: {names}{more}; {self.type.lower()}, {width} x {height} "
            f"px, {len(self.levels)} levels>"
        )

    # What it is -----------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """SeriesDescription, or what else says what it is; may be empty."""
        return self._matrices.name

    @property
    def label(self) -> str:
        """ContentLabel; may be empty."""
        return self._matrices.label

    @property
    def created(self) -> datetime.datetime | None:
        """When it was made; None when its headers do not say."""
        return self._matrices.created

    @property
    def type(self) -> SegmentationType:
        """``"BINARY"``, ``"FRACTIONAL"`` or ``"LABELMAP"``: how it is stored."""
        return self._matrices.type

    @property
    def segments(self) -> tuple[StoredSegment, ...]:
        """The segments, by number."""
        return self._matrices.segments

    @property
    def levels(self) -> tuple[TiledImage, ...]:
        """The pixel matrices that are stored, finest first: not always those of the slide."""
        return self._matrices.images

    @property
    def downsample(self) -> float:
        """Level-0 pixels of the slide along the edge of a pixel of its finest level."""
        return min(placement.downsample for placement in self._matrices.placements)

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return self.levels[0].study_uid

    @property
    def series_uid(self) -> str:
        """Series Instance UID: that of the segmentation, not of the slide."""
        return self.levels[0].series_uid

    @property
    def instance_uids(self) -> tuple[str, ...]:
        """SOP Instance UIDs of its objects."""
        return tuple(uid for image in self.levels for uid in image.instance_uids)

    # Pixels ---------------------------------------------------------------------------------

    def read_region(
        self, location: Pair, level: int, size: Pair, segment: int | str | None = None
    ) -> np.ndarray:
        """Read a region, pixel for pixel as `wsiweb.Slide.read_region` reads that of the slide.

        Parameters
        ----------
        location : tuple of int
            Upper left corner (x, y) in pixels of level 0 of the slide, zero-based, whatever the
            level; it falls on the nearest pixel of the level. It may lie outside.
        level : int
            Zero-based level of the slide.
        size : tuple of int
            Width and height in pixels of that level.
        segment : int or str, optional
            Number or label of one segment; by default all of them. Of fractions it has to be
            said, unless there is but one.

        Returns
        -------
        numpy.ndarray
            Shape (height, width). Of one segment bool, or its fractions (0 to 1) as float32; of
            all segments their numbers, uint8 or uint16. Where segments overlap, the highest number
            is shown.

        Raises
        ------
        IndexError
            For a level that the slide does not have.
        ValueError
            For a segment that is not there, fractions of all segments, a negative size, or a
            region above 16 GiB.
        ArchiveError, DecodeError
            When the archive does not deliver, or a frame is damaged.
        """
        return loop.run(self._read(self._grid(location, level, size), segment))

    async def read_region_async(
        self, location: Pair, level: int, size: Pair, segment: int | str | None = None
    ) -> np.ndarray:
        """Read a region; see `read_region`."""
        return await loop.wait(self._read(self._grid(location, level, size), segment))

    def thumbnail(self, size: int | Pair = 512, segment: int | str | None = None) -> np.ndarray:
        """Return all of it, made to fit, as large as `wsiweb.Slide.thumbnail` of the slide.

        Parameters
        ----------
        size : int or tuple of int
            Longest side, or the width and height to fit into, in pixels.
        segment : int or str, optional
            As in `read_region`.

        Returns
        -------
        numpy.ndarray
            As from `read_region`.
        """
        return loop.run(self._read(self._fitted(size), segment, Priority.THUMBNAIL))

    def dtype(self, segment: int | str | None = None) -> np.dtype[Any]:
        """Return the type of a pixel that `read_region` gives, for one segment or for all."""
        found = self._segment(segment)
        if found is None:
            most = max(one.number for one in self.segments)
            stored = self.levels[0].dtype if self.type == "LABELMAP" else np.dtype(np.uint8)
            return np.result_type(stored, np.min_scalar_type(most))
        return np.dtype(np.float32 if self.type == "FRACTIONAL" else np.bool_)

    # Elsewhere ------------------------------------------------------------------------------

    def to_dask(
        self, level: int = 0, segment: int | str | None = None, *, chunk: int = 2048
    ) -> dask.array.Array:
        """Return it as a dask array that is aligned to a level of the slide and read lazily.

        Parameters
        ----------
        level, segment
            As in `read_region`.
        chunk : int
            Width and height of a chunk in pixels.

        Returns
        -------
        dask.array.Array
            Shape (height, width) of the level.

        Raises
        ------
        IndexError, ValueError
            As `read_region`; or when dask is not installed.
        """
        window = functools.partial(self._window, level, segment)
        return to_dask(window, self._level(level).size, self.dtype(segment), chunk)

    def to_zarr(
        self,
        path: str | os.PathLike[str],
        level: int = 0,
        segment: int | str | None = None,
        *,
        chunk: int = 1024,
    ) -> zarr.Array[Any]:
        """Write it as a zarr array that is aligned to a level of the slide, part by part.

        Parameters
        ----------
        path : path
            A folder, which must not be there yet; it appears when all of the array is written.
        level, segment
            As in `read_region`.
        chunk : int
            Width and height of a chunk in pixels.

        Returns
        -------
        zarr.Array
            Shape (height, width) of the level, open for reading.

        Raises
        ------
        FileExistsError
            When there is something at the path.
        IndexError, ValueError
            As `read_region`; or when zarr is not installed.
        """
        window = functools.partial(self._window, level, segment)
        dtype = self.dtype(segment)
        return to_zarr(folder_of(path, "path"), window, self._level(level).size, dtype, chunk)

    def save(self, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Fetch its objects into a folder, which is made if it is not there, as they are stored.

        Returns
        -------
        tuple of Path
            The files, each named by its SOPInstanceUID; one of that name is replaced. A file
            appears when all of it is there.

        Raises
        ------
        ArchiveError
            When the archive does not send one.
        """
        return self._save(folder)

    def save_png(
        self,
        path: str | os.PathLike[str],
        size: int | Pair = 1024,
        segment: int | str | None = None,
    ) -> None:
        """Write all of it as a picture in its segments' colours, transparent where there is none.

        Parameters
        ----------
        path : path
            Ends in ``.png``; written whole or not at all.
        size, segment
            As in `thumbnail`. Fractions are shown by how opaque the colour is.

        Raises
        ------
        ValueError
            For another ending; else as `thumbnail`.
        """
        target = png_target(path)
        picture = painted(self.thumbnail(size, segment), self.segments, self._segment(segment))
        save_picture(picture, target)

    # What is wanted -------------------------------------------------------------------------

    def _uids(self) -> tuple[str, str, tuple[str, ...]]:
        return self.study_uid, self.series_uid, self.instance_uids

    def _segment(self, wanted: int | str | None) -> StoredSegment | None:
        if wanted is None:
            if self.type == "FRACTIONAL":
                if len(self.segments) == 1:
                    return self.segments[0]
                raise ValueError(
                    f"This segmentation holds fractions, which are no labels; say which segment: "
                    f"{self._listed()}."
                )
            return None
        key = "label" if isinstance(wanted, str) else "number"
        if not isinstance(wanted, str):
            wanted = whole_number(wanted, "segment, where it is no label,")
        found = [one for one in self.segments if getattr(one, key) == wanted]
        if len(found) != 1:
            many = f"{len(found)} segments have" if found else "No segment has"
            raise ValueError(f"{many} the {key} {wanted!r}; there are {self._listed()}.")
        return found[0]

    def _listed(self) -> str:
        listed = [f"{one.number} ({one.label!r})" for one in self.segments[:20]]
        return ", ".join(listed) + (", ..." if len(self.segments) > 20 else "")

    # How it is read -------------------------------------------------------------------------

    def _window(
        self, level: int, segment: int | str | None, corner: Pair, size: Pair
    ) -> np.ndarray:
        """Read a region whose corner is given in pixels of its level."""
        return loop.run(self._read(self._grid_at(corner, level, size), segment))

    def _read(
        self, grid: Grid, wanted: int | str | None, priority: Priority = Priority.VISIBLE
    ) -> Coroutine[Any, Any, np.ndarray]:
        segment, dtype = self._segment(wanted), self.dtype(wanted)
        return read_segments_on(self._pixels, self._matrices, grid, segment, dtype, priority)
