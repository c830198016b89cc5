"""Stored annotations, read as flat arrays, shapes and GeoJSON in pixels of level 0.

The headers say what groups there are; the coordinates, which may be hundreds of megabytes, are
fetched when a group is looked at, and kept until it is closed.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from wsiweb import loop
from wsiweb.arguments import choice, file_of, folder_of, level_of, real_pair
from wsiweb.errors import ProtocolError, SlideError
from wsiweb.results.reading.annotation_group import GROUPS, AnnotationGroup
from wsiweb.results.reading.bulk import BulkValues
from wsiweb.results.reading.find import find
from wsiweb.results.reading.slide_pixels import SlidePixels
from wsiweb.results.shapes.features import ObjectType, geojson, write_geojson
from wsiweb.results.shapes.outlines import to_shapely

if TYPE_CHECKING:
    import datetime
    import os
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from wsiweb.frames import Frames
    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.results.reading.find import Stored
    from wsiweb.results.shapes.shapes import Shapes

__all__ = ["Annotations", "read_annotations"]

Pair = tuple[float, float]


async def read_annotations(pyramid: Pyramid, connect: Callable[[], Frames]) -> list[Annotations]:
    """Return the annotations of a slide that an archive holds.

    Parameters
    ----------
    pyramid : Pyramid
        The slide; to be called on the library's event loop.
    connect : callable
        Returns the frames of the archive, as for `wsiweb.results.reading.heatmap.read_heatmaps`.

    Returns
    -------
    list of Annotations
        The newest first. What cannot be read is left out, and a warning says why.

    Raises
    ------
    ArchiveError
        When the archive does not answer.
    """
    found: list[Annotations] = []
    for stored in await find(connect().client, pyramid, "annotations"):
        try:
            found.append(Annotations(pyramid, stored, connect))
        except SlideError as error:
            warnings.warn(f"These annotations are left out: {error}", stacklevel=2)
    return found


class Annotations:
    """The annotations of one object in an archive: groups of points, lines and outlines.

    From `wsiweb.Slide.annotations`. All methods may be called from any thread and block until their
    values are there. It can be pickled: in the other process it connects by itself.

    Whatever is stored (pixels of any level, or of a frame; millimetres of the slide), coordinates
    are in pixels of level 0, from the top left corner of its top left pixel.

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
        For a header that cannot be read; names the instance.
    """

    def __init__(self, pyramid: Pyramid, stored: Stored, connect: Callable[[], Frames]) -> None:
        self._pyramid = pyramid
        self._stored = stored
        self._connect = connect
        self._client = connect().client
        self._values = values = BulkValues(self._client, stored)
        place = SlidePixels(pyramid, stored)
        try:
            self._groups = tuple(
                AnnotationGroup(pyramid, item, number, values, place)
                for number, item in enumerate(stored.header.items(GROUPS))
                if item.integer("NumberOfAnnotations") != 0
            )
        except ProtocolError as error:
            raise SlideError(f"Instance {stored.instance_uid}: {error.message}") from error
        except SlideError as error:
            raise SlideError(f"Instance {stored.instance_uid}: {error}.") from None

    def __reduce__(self) -> tuple[Any, ...]:
        return (Annotations, (self._pyramid, self._stored, self._connect))

    def __repr__(self) -> str:
        groups = ", ".join(f"{len(group)} x {group.label or group.kind}" for group in self.groups)
        return f"<Annotations {self.name!r}: {groups or 'nothing'}>"

    def __len__(self) -> int:
        return sum(len(group) for group in self.groups)

    @property
    def name(self) -> str:
        """Name of the result."""
        return self._stored.name

    @property
    def created(self) -> datetime.datetime | None:
        """When it was made, if that is said."""
        return self._stored.created

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return self._stored.study_uid

    @property
    def series_uid(self) -> str:
        """Series Instance UID: that of the annotations, not of the slide."""
        return self._stored.series_uid

    @property
    def instance_uid(self) -> str:
        """SOP Instance UID."""
        return self._stored.instance_uid

    @property
    def groups(self) -> tuple[AnnotationGroup, ...]:
        """The groups, in the order of the object: each of one kind, and mostly of one class."""
        return self._groups

    def shapes(self) -> tuple[Shapes, ...]:
        """Return all groups as shapes in pixels of level 0; see `AnnotationGroup.shapes`."""
        return loop.run(self._shapes())

    async def shapes_async(self) -> tuple[Shapes, ...]:
        """Return all groups as shapes; see `shapes`."""
        return await loop.wait(self._shapes())

    async def _shapes(self) -> tuple[Shapes, ...]:
        # One after the other: each fetches its values at once, and they may be large.
        found = tuple([await group.load() for group in self.groups])
        self._values.forget()
        return found

    def window(self, location: Pair, size: Pair) -> tuple[NDArray[np.int64], ...]:
        """Return, for each group, which annotations a window touches.

        See `AnnotationGroup.window`.
        """
        location, size = real_pair(location, "location"), real_pair(size, "size")
        return tuple(group.window(location, size) for group in self.groups)

    def tiles(self, level: int) -> list[tuple[int, int]]:
        """Return the tiles of a level that annotations touch, as (column, row), row by row.

        See `AnnotationGroup.tiles`.
        """
        level_of(self._pyramid.levels, level)  # of annotations without groups, too
        found = {tile for group in self.groups for tile in group.tiles(level)}
        return sorted(found, key=lambda tile: (tile[1], tile[0]))

    def to_shapely(self) -> NDArray[Any]:
        """Return all annotations as an array of shapely geometries, group after group.

        Raises
        ------
        ModuleNotFoundError
            Without shapely (``wsiweb[shapes]``).
        """
        parts = [to_shapely(shapes) for shapes in self.shapes()]
        return np.concatenate(parts) if parts else np.empty(0, object)

    def to_geojson(self, *, object_type: ObjectType = "annotation") -> bytes:
        """Return all annotations as GeoJSON in QuPath's dialect.

        Parameters
        ----------
        object_type : {"annotation", "detection", "cell", "tile"}
            What QuPath takes them for; of detections it holds millions.

        Returns
        -------
        bytes
            A FeatureCollection; the label of a group is the class of its features.
        """
        choice(object_type, "object_type", get_args(ObjectType))
        return geojson(self.shapes(), object_type=object_type)

    def save_geojson(
        self, path: str | os.PathLike[str], *, object_type: ObjectType = "annotation"
    ) -> None:
        """Write all annotations to a file of GeoJSON, whole or not at all; see `to_geojson`."""
        choice(object_type, "object_type", get_args(ObjectType))
        write_geojson(file_of(path, "path"), self.shapes(), object_type=object_type)

    def save(self, folder: str | os.PathLike[str]) -> tuple[Path]:
        """Fetch the object into a folder, which is made if it is not there, as it is stored.

        Returns
        -------
        tuple of Path
            The file, named by its SOPInstanceUID; one of that name is replaced.

        Raises
        ------
        ArchiveError
            When the archive does not send it.
        """
        path = folder_of(folder, "save") / f"{self.instance_uid}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        uids = (self.study_uid, self.series_uid, self.instance_uid)
        loop.run(self._client.instance(*uids, path))
        return (path,)
