"""Stored heat maps, read as arrays of numbers that lie upon the levels of the slide."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb import loop
from wsiweb.arguments import folder_of
from wsiweb.errors import ProtocolError, SlideError
from wsiweb.frames import Priority
from wsiweb.pixels.assembly import image_of
from wsiweb.pixels.instance import Unsupported, read_header
from wsiweb.regions import Canvas
from wsiweb.results.heatmaps.palettes import painted, palette_table
from wsiweb.results.reading.aligned import aligned
from wsiweb.results.reading.export import to_dask, to_zarr
from wsiweb.results.reading.extremes import extremes
from wsiweb.results.reading.find import find
from wsiweb.results.reading.mapping import Mapping
from wsiweb.results.reading.placement import Placement
from wsiweb.results.reading.windows import Windows, png_target, save_picture

if TYPE_CHECKING:
    import datetime
    import os
    from collections.abc import Callable
    from pathlib import Path

    import dask.array
    import zarr
    from numpy.typing import NDArray

    from wsiweb.frames import Frames
    from wsiweb.pixels.image import TiledImage
    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.results.heatmaps.palettes import Palette
    from wsiweb.results.reading.concepts import Concept
    from wsiweb.results.reading.find import Stored
    from wsiweb.results.reading.placement import Grid

__all__ = ["HeatMap", "read_heatmaps"]

Pair = tuple[int, int]


async def read_heatmaps(pyramid: Pyramid, connect: Callable[[], Frames]) -> list[HeatMap]:
    """Return the heat maps of a slide that an archive holds.

    Parameters
    ----------
    pyramid : Pyramid
        The slide; to be called on the library's event loop.
    connect : callable
        Returns the frames of the archive. It is called anew where a map is unpickled, so it has to
        be picklable for that.

    Returns
    -------
    list of HeatMap
        The newest first. One that cannot be read is left out, and a warning says why.

    Raises
    ------
    ArchiveError
        When the archive does not answer.
    """
    found: list[HeatMap] = []
    for stored in await find(connect().client, pyramid, "heatmap"):
        try:
            found.append(HeatMap(pyramid, stored, connect))
        except (SlideError, ProtocolError) as error:
            words = error.message if isinstance(error, ProtocolError) else str(error)
            warnings.warn(
                f"The heat map in instance {stored.instance_uid} is left out: {words}",
                stacklevel=2,
            )
    return found


class HeatMap(Windows):
    """A heat map of a slide in an archive, read lazily, as arrays aligned to any level.

    From `wsiweb.Slide.heatmaps`. All methods may be called from any thread and block until their
    values are there. A heat map can be pickled: in the other process it connects by itself.

    Arrays are (row, column) of float32, or of float64 where the map is stored so; nan is no value.
    A pixel of a level has the value of the pixel of the map under its centre, so that a coarse map
    shows as blocks.

    Parameters
    ----------
    pyramid : Pyramid
        The slide.
    stored : Stored
        The object.
    connect : callable
        Returns the frames of the archive.

    Raises
    ------
    SlideError
        For a map that cannot be read, or not be placed on the slide.
    """

    def __init__(self, pyramid: Pyramid, stored: Stored, connect: Callable[[], Frames]) -> None:
        super().__init__(pyramid, connect)
        self._stored = stored
        self._image = _image(stored)
        self._placement = Placement.of(pyramid, self._image)
        self._mapping = Mapping.of(stored.header, stored.instance_uid)

    def __reduce__(self) -> tuple[Any, ...]:
        return (HeatMap, (self._pyramid, self._stored, self._connect))

    def __dask_tokenize__(self) -> tuple[str, ...]:
        return (type(self).__qualname__, self._pyramid.series_uid, self.instance_uid)

    def __repr__(self) -> str:
        width, height = self.size
        return (
            f"<HeatMap {self.name!r}: {self.quantity.meaning or 'numbers'}, {width} x {height}, "
            f"one for {self.downsample:g} px>"
        )

    # What it is -----------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """SeriesDescription, or what else says what it is; may be empty."""
        return self._stored.name

    @property
    def created(self) -> datetime.datetime | None:
        """When it was made; None when its header does not say."""
        return self._stored.created

    @property
    def quantity(self) -> Concept:
        """What was measured."""
        return self._mapping.quantity

    @property
    def unit(self) -> Concept:
        """Unit of the values."""
        return self._mapping.unit

    @property
    def label(self) -> str:
        """Short name of the quantity; may be empty."""
        return self._mapping.label

    @property
    def size(self) -> Pair:
        """Width and height of the map in its own pixels."""
        return self._image.size

    @property
    def downsample(self) -> float:
        """Level-0 pixels along the edge of one of its pixels."""
        return self._placement.downsample

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return np.dtype(np.float64 if self._image.dtype == np.float64 else np.float32)

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return self._stored.study_uid

    @property
    def series_uid(self) -> str:
        """Series Instance UID: that of the map, not of the slide."""
        return self._stored.series_uid

    @property
    def instance_uid(self) -> str:
        """SOP Instance UID."""
        return self._stored.instance_uid

    # Values ---------------------------------------------------------------------------------

    def values(self) -> NDArray[Any]:
        """Return the whole map in its own pixels, shape (height, width).

        Raises
        ------
        ArchiveError, DecodeError
            When the archive does not deliver, or a frame is damaged.
        """
        return loop.run(self._read((0, 0), self.size))

    async def extremes_async(self) -> tuple[float, float] | None:
        """Return the lowest and the highest value; None for a map without any.

        Of a map of more than 64 million pixels, only some strips that lie evenly are looked at.
        """
        read = functools.partial(self._read, priority=Priority.AHEAD)  # tiles go first
        return await loop.wait(extremes(read, self._image))

    def read_region(self, location: Pair, level: int, size: Pair) -> NDArray[Any]:
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

        Returns
        -------
        numpy.ndarray
            Shape (height, width); nan also where the map does not reach.

        Raises
        ------
        IndexError
            For a level that the slide does not have.
        ValueError
            For a negative size, or a region above 16 GiB.
        ArchiveError, DecodeError
            When the archive does not deliver, or a frame is damaged.
        """
        return loop.run(self._aligned(self._grid(location, level, size)))

    async def read_region_async(self, location: Pair, level: int, size: Pair) -> NDArray[Any]:
        """Read a region; see `read_region`."""
        return await loop.wait(self._aligned(self._grid(location, level, size)))

    def thumbnail(self, size: int | Pair = 512) -> NDArray[Any]:
        """Return all of it, made to fit, as large as `wsiweb.Slide.thumbnail` of the slide.

        Parameters
        ----------
        size : int or tuple of int
            Longest side, or the width and height to fit into, in pixels.

        Returns
        -------
        numpy.ndarray
            As from `read_region`.
        """
        return loop.run(self._aligned(self._fitted(size), Priority.THUMBNAIL))

    # Elsewhere ------------------------------------------------------------------------------

    def to_dask(self, level: int = 0, *, chunk: int = 2048) -> dask.array.Array:
        """Return it as a dask array that is aligned to a level of the slide and read lazily.

        Parameters
        ----------
        level : int
            Zero-based level of the slide.
        chunk : int
            Width and height of a chunk in pixels.

        Raises
        ------
        IndexError, ValueError
            As `read_region`; or when dask is not installed.
        """
        window = functools.partial(self._window, level)
        return to_dask(window, self._level(level).size, self.dtype, chunk)

    def to_zarr(
        self, path: str | os.PathLike[str], level: int = 0, *, chunk: int = 1024
    ) -> zarr.Array[Any]:
        """Write it as a zarr array that is aligned to a level of the slide, part by part.

        Parameters
        ----------
        path : path
            A folder, which must not be there yet; it appears when all of the array is written.
        level, chunk
            As of `to_dask`.

        Raises
        ------
        FileExistsError
            When there is something at the path.
        IndexError, ValueError
            As `read_region`; or when zarr is not installed.
        """
        window = functools.partial(self._window, level)
        return to_zarr(folder_of(path, "path"), window, self._level(level).size, self.dtype, chunk)

    def save(self, folder: str | os.PathLike[str]) -> tuple[Path]:
        """Fetch its object into a folder, which is made if it is not there, as it is stored.

        Returns
        -------
        tuple of Path
            The file, named by its SOPInstanceUID; one of that name is replaced.

        Raises
        ------
        ArchiveError
            When the archive does not send it.
        """
        (path,) = self._save(folder)
        return (path,)

    def save_png(
        self,
        path: str | os.PathLike[str],
        size: int | Pair = 1024,
        palette: Palette = "viridis",
    ) -> None:
        """Write all of it as a picture, transparent where there is no value.

        Parameters
        ----------
        path : path
            Ends in ``.png``; written whole or not at all.
        size
            As in `thumbnail`.
        palette : Palette
            Colours from the lowest value in the picture to the highest; see
            `wsiweb.results.heatmaps.palettes.palette_table`.

        Raises
        ------
        ValueError
            For another ending, or an unknown palette.
        """
        table = palette_table(palette)
        target = png_target(path)
        save_picture(painted(self.thumbnail(size), table), target)

    # How it is read -------------------------------------------------------------------------

    def _uids(self) -> tuple[str, str, tuple[str, ...]]:
        return self.study_uid, self.series_uid, (self.instance_uid,)

    def _window(self, level: int, corner: Pair, size: Pair) -> NDArray[Any]:
        """Read a region whose corner is given in pixels of its level."""
        return loop.run(self._aligned(self._grid_at(corner, level, size)))

    async def _aligned(self, grid: Grid, priority: Priority = Priority.VISIBLE) -> NDArray[Any]:
        read = functools.partial(self._read, priority=priority)
        nothing = self.dtype.type(np.nan)
        return await aligned(read, self.size, self._placement, grid, nothing)

    async def _read(
        self, location: Pair, size: Pair, priority: Priority = Priority.VISIBLE
    ) -> NDArray[Any]:
        """Return values of the map itself; nan outside, and where a sparse map holds no tile."""
        canvas = Canvas(self._image, location, size)
        stored = await self._pixels.fill(canvas, priority=priority)
        values = await loop.in_pool(self._mapping.values, stored[..., 0])
        found = np.full(values.shape, np.nan, values.dtype)
        for paste in canvas.plan.values():
            found[paste.target] = values[paste.target]
        return found


def _image(stored: Stored) -> TiledImage:
    """Return the map as an image in tiles."""
    try:
        header = read_header(stored.header, "VOLUME")
    except Unsupported as verdict:
        raise SlideError(f"Instance {stored.instance_uid} {verdict}.") from None
    return image_of((stored.study_uid, stored.series_uid), [header])
