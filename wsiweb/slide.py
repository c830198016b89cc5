"""A slide: what a user holds.

Everything here is said in the words of the field (OpenSlide's argument order, levels,
micrometres per pixel) and done elsewhere: regions in `wsiweb.regions`, frames in
`wsiweb.frames`, the model in `wsiweb.pixels.pyramid`.
"""

from __future__ import annotations

from collections.abc import Sized
from operator import index
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from wsiweb import loop, regions, stream, views
from wsiweb.arguments import level_of, shown, whole
from wsiweb.errors import NotFound
from wsiweb.pixels import tiling
from wsiweb.progress import following
from wsiweb.readahead import ReadAhead
from wsiweb.showing import Showing

if TYPE_CHECKING:
    import datetime
    import os
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping

    import numpy as np

    from wsiweb.frames import EncodedImage, Frames
    from wsiweb.pixels.image import TiledImage
    from wsiweb.pixels.pyramid import Level, Pyramid
    from wsiweb.results.identity import Algorithm
    from wsiweb.results.reading.annotations import Annotations
    from wsiweb.results.reading.heatmap import HeatMap
    from wsiweb.results.reading.report import Report
    from wsiweb.results.reading.segmentation import Segmentation
    from wsiweb.results.session import ResultSession

__all__ = ["Slide"]

_ASSOCIATED = ("label", "overview", "thumbnail")

Pair = tuple[int, int]


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Result = TypeVar("Result", bound=_Named)


class Slide(Showing):
    """A whole-slide image in an archive, read lazily, as if it were an array on your desk.

    Slides come from `wsiweb.Archive.open_slide`. All methods may be called from any thread,
    and block until their pixels are there; those that end in ``_async`` are awaited instead,
    in any event loop. A slide can be pickled: in the other process it connects by itself, with
    the same credentials (so keep such pickles as secret as those), and asks for no headers.

    Arrays are (row, column, channel), in the dtype of the slide (mostly uint8). Pixels beyond
    the edge of an image, and tiles that a sparse slide does not hold, have its background
    colour: RecommendedAbsentPixelCIELabValue where given, else white for brightfield and zero
    for fluorescence.
    """

    def __init__(
        self, pyramid: Pyramid, connect: Callable[[], Frames], frames: Frames | None = None
    ) -> None:
        self._pyramid = pyramid
        self._connect = connect  # in the process in which it is unpickled
        self._frames = connect() if frames is None else frames
        self._ahead = ReadAhead(self._frames, self._frames.settings.decoded_bytes)
        self._closed = False

    def __reduce__(self) -> tuple[Any, ...]:
        return (Slide, (self._pyramid, self._connect))

    def __repr__(self) -> str:
        width, height = self.size
        scale = "unknown scale" if self.mpp is None else f"{self.mpp[0]:.4g} um/px"
        return (
            f"<Slide {self.container_id or self.series_uid}: {width} x {height} px, {scale}, "
            f"{len(self.levels)} levels>"
        )

    # What it is -----------------------------------------------------------------------------

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return self._pyramid.study_uid

    @property
    def series_uid(self) -> str:
        """Series Instance UID."""
        return self._pyramid.series_uid

    @property
    def container_id(self) -> str:
        """Container Identifier of the glass slide; empty when the headers have none."""
        return self._pyramid.container_id

    @property
    def pyramid(self) -> Pyramid:
        """All that was made of the headers, for those who show slides; see `explain`.

        Raises
        ------
        ValueError
            When the slide is closed.
        """
        return self._checked()

    @property
    def frames(self) -> Frames:
        """Where its pixels come from, for those who show slides; shared by a whole archive."""
        return self._frames

    @property
    def levels(self) -> tuple[Level, ...]:
        """The pyramid, finest level first."""
        return self._pyramid.levels

    @property
    def size(self) -> Pair:
        """Width and height of level 0, in pixels."""
        return self.levels[0].size

    @property
    def mpp(self) -> tuple[float, float] | None:
        """Micrometres per pixel (x, y) at level 0; None when the headers do not say."""
        return self._pyramid.mpp

    @property
    def magnification(self) -> float | None:
        """Objective power, as the headers say or the scale implies; None when unknown."""
        return self._pyramid.magnification

    @property
    def associated(self) -> Mapping[str, TiledImage]:
        """The images beside the pyramid: ``"label"``, ``"overview"``, ``"thumbnail"``, if there."""
        images = {name: getattr(self._pyramid, name) for name in _ASSOCIATED}
        return {name: image for name, image in images.items() if image is not None}

    def explain(self) -> str:
        """Say, instance by instance, what was made of the series, and what was left out and why."""
        lines = [
            f"level {level.index}: {level.size[0]} x {level.size[1]} px, downsample "
            f"{level.downsample:g}, instance {', '.join(level.instance_uids)}"
            for level in self.levels
        ]
        lines += [
            f"{name}: {image.size[0]} x {image.size[1]} px, instance {image.instance_uids[0]}"
            for name, image in self.associated.items()
        ]
        lines += [f"left out {out.instance_uid}: {out.reason}" for out in self._pyramid.left_out]
        return "\n".join(lines)

    # Regions --------------------------------------------------------------------------------

    def read_region(
        self, location: Pair, level: int, size: Pair, *, channel: int = 0, z: int = 0
    ) -> np.ndarray:
        """Read a region, pixel for pixel.

        Parameters
        ----------
        location : tuple of int
            Upper left corner (x, y) in pixels of level 0, zero-based, whatever the level (as in
            OpenSlide); it falls on the nearest pixel of the level. It may lie outside.
        level : int
            Zero-based level; 0 is the finest.
        size : tuple of int
            Width and height in pixels of that level.
        channel, z : int
            Zero-based optical path and focal plane.

        Returns
        -------
        numpy.ndarray
            Shape (height, width, samples); yours to write to.

        Raises
        ------
        IndexError
            For a level, channel or focal plane that the slide does not have.
        ValueError
            For a negative size, a region above 16 GiB, or a closed slide.
        ArchiveError, DecodeError
            When the archive does not deliver, or a frame is damaged.
        """
        canvas = self._canvas(location, level, size, channel, z)
        ahead = self._ahead.step(canvas, self._level(level), decode=True)
        if regions.paste_held(self._frames, canvas):
            if ahead is not None:
                loop.call(ahead)
            return canvas.pixels()
        return loop.run(regions.fill(self._frames, canvas, also=ahead))

    async def read_region_async(
        self, location: Pair, level: int, size: Pair, *, channel: int = 0, z: int = 0
    ) -> np.ndarray:
        """Read a region; see `read_region`."""
        canvas = self._canvas(location, level, size, channel, z)
        ahead = self._ahead.step(canvas, self._level(level), decode=True)
        return await loop.wait(regions.fill(self._frames, canvas, also=ahead))

    def _canvas(
        self, location: Pair, level: int, size: Pair, channel: int, z: int
    ) -> regions.Canvas:
        image = self._level(level)
        corner = tiling.to_level(whole(location, "location"), image.downsample)
        return regions.Canvas(image, corner, whole(size, "size"), channel, z)

    def read_regions(
        self,
        wanted: Iterable[tuple[Pair, int, Pair]],
        *,
        ahead: int | None = None,
        channel: int = 0,
        z: int = 0,
    ) -> Iterator[np.ndarray]:
        """Read many regions in turn, fetching the next ones while you work on this one.

        Parameters
        ----------
        wanted : iterable of (location, level, size)
            As for `read_region`; taken from the iterable only as far as is read ahead.
        ahead : int, optional
            Regions to have under way; by default as many as is useful, and never more than are
            256 MiB.
        channel, z : int
            Zero-based optical path and focal plane.

        Yields
        ------
        numpy.ndarray
            The regions, in the order asked. Stop when you like: what is under way is cancelled.
        """
        if ahead is not None and ahead < 1:
            raise ValueError(f"ahead must be 1 or more, not {ahead}.")
        canvases = (self._canvas(*one, channel, z) for one in wanted)
        count = len(wanted) if isinstance(wanted, Sized) else None
        return following(stream.in_turn(self._frames, canvases, ahead), "Reading regions", count)

    # Regions by physical scale --------------------------------------------------------------

    def read(
        self, location: Pair, size: Pair, *, mpp: float, channel: int = 0, z: int = 0
    ) -> np.ndarray:
        """Read a region at a chosen scale, resampled from the next finer level.

        Parameters
        ----------
        location : tuple of int
            Upper left corner (x, y) in pixels of level 0.
        size : tuple of int
            Width and height of the result in pixels.
        mpp : float
            Micrometres per pixel of the result, along both axes. Finer than level 0 enlarges.
        channel, z : int
            Zero-based optical path and focal plane.

        Returns
        -------
        numpy.ndarray
            Shape (height, width, samples).

        Raises
        ------
        ValueError
            When the scale of the slide is unknown, or `mpp` is not positive.
        """
        return loop.run(self._at_mpp(location, size, mpp, channel, z))

    async def read_async(
        self, location: Pair, size: Pair, *, mpp: float, channel: int = 0, z: int = 0
    ) -> np.ndarray:
        """Read a region at a chosen scale; see `read`."""
        return await loop.wait(self._at_mpp(location, size, mpp, channel, z))

    def _at_mpp(
        self, location: Pair, size: Pair, mpp: float, channel: int, z: int
    ) -> Coroutine[Any, Any, np.ndarray]:
        pyramid = self._checked()
        return views.at_mpp(self._frames, pyramid, location, size, mpp, channel=channel, z=z)

    def read_region_mm(
        self,
        location: tuple[float, float],
        size: tuple[float, float],
        *,
        level: int = 0,
        origin: str = "image",
        channel: int = 0,
        z: int = 0,
    ) -> np.ndarray:
        """Read a region given in millimetres.

        Parameters
        ----------
        location : tuple of float
            Upper left corner (x, y) in mm.
        size : tuple of float
            Width and height in mm along the rows and columns of the image.
        level : int
            Zero-based level; the result has its pixels.
        origin : {"image", "slide"}
            What `location` is measured from: the upper left corner of the image, or the origin
            of the slide coordinate system (PS3.3 C.8.12.2.1), in which the image may lie rotated.
        channel, z : int
            Zero-based optical path and focal plane.

        Returns
        -------
        numpy.ndarray
            Shape (height, width, samples): the corner falls on the nearest pixel, the size is
            rounded to whole pixels; halves go up.

        Raises
        ------
        ValueError
            When the slide has no scale, or no position on the glass for ``origin="slide"``.
        """
        return loop.run(self._in_mm(location, size, level, origin, channel, z))

    async def read_region_mm_async(
        self,
        location: tuple[float, float],
        size: tuple[float, float],
        *,
        level: int = 0,
        origin: str = "image",
        channel: int = 0,
        z: int = 0,
    ) -> np.ndarray:
        """Read a region given in millimetres; see `read_region_mm`."""
        return await loop.wait(self._in_mm(location, size, level, origin, channel, z))

    def _in_mm(
        self,
        location: tuple[float, float],
        size: tuple[float, float],
        level: int,
        origin: str,
        channel: int,
        z: int,
    ) -> Coroutine[Any, Any, np.ndarray]:
        image = self._level(level)
        return views.in_millimetres(
            self._frames, self._pyramid, location, size, image, origin, channel=channel, z=z
        )

    # Tiles and whole images -----------------------------------------------------------------

    def tile(
        self, level: int, column: int, row: int, *, channel: int = 0, z: int = 0
    ) -> EncodedImage:
        """Return a tile as the archive stores it: no decoding, no encoding.

        Parameters
        ----------
        level, column, row : int
            Zero-based; `Level.grid` has the number of columns and rows.
        channel, z : int
            Zero-based optical path and focal plane.

        Returns
        -------
        EncodedImage
            The bytes and what they are.

        Raises
        ------
        IndexError
            For a tile outside the grid.
        NotFound
            For a tile that a sparse slide does not hold.
        """
        return loop.run(self._tile(level, column, row, channel, z))

    async def tile_async(
        self, level: int, column: int, row: int, *, channel: int = 0, z: int = 0
    ) -> EncodedImage:
        """Return a tile as the archive stores it; see `tile`."""
        return await loop.wait(self._tile(level, column, row, channel, z))

    def _tile(
        self, level: int, column: int, row: int, channel: int, z: int
    ) -> Coroutine[Any, Any, EncodedImage]:
        image = self._level(level)
        column, row = index(column), index(row)
        address = image.frame(column, row, channel, z)
        if address is None:
            raise NotFound(
                f"The sparse slide holds no tile at column {column}, row {row} of level {level}; "
                "read_region shows its background."
            )
        corner = column * image.tile_size[0], row * image.tile_size[1]
        canvas = regions.Canvas(image, corner, image.tile_size, channel, z)
        ahead = self._ahead.step(canvas, image, decode=False)
        return self._frames.encoded(image, address, also=ahead)

    def thumbnail(self, size: int | Pair = 512) -> np.ndarray:
        """Return the whole slide, made to fit.

        Parameters
        ----------
        size : int or tuple of int
            Longest side, or the width and height to fit into, in pixels. The aspect is kept, and
            nothing is enlarged beyond level 0.

        Returns
        -------
        numpy.ndarray
            Shape (height, width, samples).
        """
        return loop.run(views.thumbnail(self._frames, self._checked(), size))

    async def thumbnail_async(self, size: int | Pair = 512) -> np.ndarray:
        """Return the whole slide, made to fit; see `thumbnail`."""
        return await loop.wait(views.thumbnail(self._frames, self._checked(), size))

    @property
    def label(self) -> np.ndarray:
        """The label of the glass slide, shape (height, width, samples).

        Raises
        ------
        NotFound
            When the slide has none; ``"label" in slide.associated`` tells beforehand.
        """
        return self._whole_image("label")

    @property
    def overview(self) -> np.ndarray:
        """The overview (macro) image of the glass, shape (height, width, samples).

        Raises
        ------
        NotFound
            When the slide has none; ``"overview" in slide.associated`` tells beforehand.
        """
        return self._whole_image("overview")

    def _whole_image(self, name: str) -> np.ndarray:
        self._checked()
        image = self.associated.get(name)
        if image is None:
            there = ", ".join(self.associated) or "none"
            raise NotFound(f"This slide has no {name} image; of such images it has: {there}.")
        return loop.run(regions.fill(self._frames, regions.Canvas(image, (0, 0), image.size)))

    # Results --------------------------------------------------------------------------------

    def results(
        self,
        name: str,
        *,
        algorithm: Algorithm | tuple[str, str] | None = None,
        creator: str = "",
        created: datetime.datetime | None = None,
        deterministic: bool = False,
        channel: int | None = None,
        join: bool = False,
        folder: str | os.PathLike[str] | None = None,
    ) -> ResultSession:
        """Begin to make results about this slide: DICOM objects of arrays and shapes.

        Parameters
        ----------
        name : str
            Of the result, 1 to 64 characters, such as ``"tumour-v1"``: SeriesDescription.
        algorithm : Algorithm or tuple of str, optional
            What computed it; a (name, version) will do. None for what a person made.
        creator : str
            Who made it, or had it made, as a DICOM person name (``"Doe^Jane"``).
        created : datetime.datetime, optional
            When; by default now.
        deterministic : bool
            Whether UIDs follow from contents, so that a repeated run makes the same objects; wants
            `created`.
        channel : int, optional
            Zero-based optical path that was looked at, as of `read_region`; by default all of them.
            Results say so as far as DICOM has a place for it: annotations name the path, an image
            describes it, and all of them refer to the instance that holds it, where each path is in
            an instance of its own.
        join : bool
            Whether annotations and reports are added to the newest series of that name that the
            archive holds, instead of to new ones. They are numbered on from what it holds now: of
            two sessions that are open at once, both give the same InstanceNumber, though the
            objects are told apart by their UIDs. So save and store one before the next begins.
        folder : path, optional
            Where files are kept; by default a temporary folder, which is gone with the session.

        Returns
        -------
        ResultSession
            Its ``add_`` methods write objects; nothing is sent.

        Raises
        ------
        ValueError
            For a name that cannot be written, or a deterministic session without a date.
        IndexError
            For a channel that the slide does not have.
        ArchiveError
            When the headers of the slide cannot be had.

        Examples
        --------
        >>> session = slide.results("tissue", algorithm=("Otsu", "1.0"))  # doctest: +SKIP
        >>> session.add_mask(mask, level=2, segments="Tissue")  # doctest: +SKIP
        """
        from wsiweb.results.session import begin_session

        begun = begin_session(
            self._frames.client,
            self._checked(),
            name,
            algorithm=algorithm,
            creator=creator,
            created=created,
            deterministic=deterministic,
            channel=channel,
            join=join,
            folder=folder,
        )
        return loop.run(begun)

    def segmentations(self, name: str | None = None) -> list[Segmentation]:
        """Return the segmentations of this slide that the archive holds, the newest first.

        Parameters
        ----------
        name : str, optional
            Only those of that name. The first is the newest; others are older versions, or what
            the same session added before it, with the same `created`.

        Raises
        ------
        ArchiveError
            When the archive does not answer.
        """
        from wsiweb.results.reading.segmentation import read_segmentations

        return self._stored(read_segmentations, name)

    def annotations(self, name: str | None = None) -> list[Annotations]:
        """Return the annotations of this slide that the archive holds; as `segmentations`."""
        from wsiweb.results.reading.annotations import read_annotations

        return self._stored(read_annotations, name)

    def heatmaps(self, name: str | None = None) -> list[HeatMap]:
        """Return the heat maps of this slide that the archive holds; as `segmentations`."""
        from wsiweb.results.reading.heatmap import read_heatmaps

        return self._stored(read_heatmaps, name)

    def reports(self, name: str | None = None) -> list[Report]:
        """Return the reports on this slide that the archive holds; as `segmentations`."""
        from wsiweb.results.reading.report import read_reports

        return self._stored(read_reports, name)

    def _stored(
        self,
        read: Callable[[Pyramid, Callable[[], Frames]], Coroutine[Any, Any, list[Result]]],
        name: str | None,
    ) -> list[Result]:
        if name is not None and not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"name is that of a result, a text, not {shown(name)}.")
        found = loop.run(read(self._checked(), self._connect))
        return [one for one in found if name is None or one.name == name]

    # Keeping and letting go -----------------------------------------------------------------

    def close(self) -> None:
        """Let go of the frames held in memory; the archive stays connected. May be repeated."""
        if self._closed:
            return
        self._closed = True
        images = (*self.levels, *self.associated.values())
        self._frames.forget(uid for image in images for uid in image.instance_uids)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _checked(self) -> Pyramid:
        if self._closed:
            raise ValueError("This slide is closed; open it again.")
        return self._pyramid

    def _level(self, number: int) -> Level:
        self._checked()
        return level_of(self.levels, number)
