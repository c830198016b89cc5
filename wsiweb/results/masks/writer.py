"""Masks written tile by tile, for pipelines that make them so."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np

from wsiweb.results.identity import Identity, random_uid, uid_for
from wsiweb.results.masks.encoding import NATIVE, form_of, joined_bits
from wsiweb.results.masks.grid import Grid
from wsiweb.results.masks.header import Sheet, header_of, places_of
from wsiweb.results.masks.matrices import cut, plain, size_of
from wsiweb.results.masks.placing import coarser
from wsiweb.results.masks.scratch import Scratch
from wsiweb.results.masks.segments import segments_of
from wsiweb.results.masks.tiles import CoarserLevel, FrameStore, Partials
from wsiweb.writing.part10 import FrameFile

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import ArrayLike, NDArray

    from wsiweb.results.masks.contents import Contents, Pixels
    from wsiweb.results.masks.encoding import Encoding
    from wsiweb.results.masks.grid import Block
    from wsiweb.results.masks.segments import Segments
    from wsiweb.results.masks.style import Style
    from wsiweb.results.objects import Draft, Objects, ResultObject
    from wsiweb.results.planes import Plane
    from wsiweb.results.source import Source

__all__ = ["MaskWriter"]

_WAITING = 2**24  # bytes of tiles of coarser levels that wait in memory
_MOST_TILES = 2**31 - 1  # NumberOfFrames is of VR IS
_BASIC_LIMIT = 2**32  # bytes, from which on offsets want more than 32 bits


class MaskWriter:
    """A mask that is being written; tiles may come in any order and from several threads.

    A context manager: leaving it closes it, and an error leaves nothing behind. Tiles that never
    come are background. The coarser levels are made in the same pass.

    Parameters
    ----------
    source : Source
        The slide.
    objects : Objects
        Takes what is written; the mask gets a series of its own.
    segments : Segments
        What its numbers stand for; see `wsiweb.results.masks.segments.segments_of`.
    plane : Plane
        The matrix that it fills.
    style : Style
        How it is to be stored.

    Attributes
    ----------
    grid : Grid
        Size of the matrix and of its tiles, in pixels, and how many columns and rows of them.

    Raises
    ------
    ValueError
        For segments that cannot be written.
    SlideError
        For a slide on which nothing can be placed.
    """

    def __init__(
        self, source: Source, objects: Objects, segments: Segments, plane: Plane, style: Style
    ) -> None:
        self._objects = objects
        self._style = style
        self._segments = segments_of(segments)
        levels = coarser(source.pyramid, plane) if style.pyramid else []
        self._planes = [plane, *levels]
        self._origins = [source.datasets(one.level.index) for one in self._planes]
        self.grid = Grid(plane.size, style.tile)
        if self.grid.columns * self.grid.rows > _MOST_TILES:
            raise ValueError(
                f"{plane.size[0]} x {plane.size[1]} pixels in tiles of {style.tile[0]} x "
                f"{style.tile[1]} are more tiles than a file can have frames: give a larger "
                "tile_size, or a coarser level or mpp."
            )
        self._written = np.zeros((self.grid.rows, self.grid.columns), np.bool_)
        # Known when the first tile comes, or is told of.
        self._contents: Contents | None = None
        self._kind: tuple[bool, bool] | None = None
        self._encoding: Encoding
        self._stores: list[FrameStore] = []
        self._coarser: list[CoarserLevel] = []
        objects.folder.mkdir(parents=True, exist_ok=True)
        self._frames, self._spilt = Scratch(objects.folder), Scratch(objects.folder)
        self._lock = threading.RLock()
        self._open = True
        self._made: tuple[ResultObject, ...] = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A MaskWriter cannot be pickled or copied: it writes files, and in this process. "
            "Compute tiles in others and write here what they return, or give add_mask a dask "
            "array."
        )

    def write(self, column: int, row: int, tile: ArrayLike) -> None:
        """Write a tile.

        Parameters
        ----------
        column, row : int
            Its place in `grid`, zero-based.
        tile : array_like
            Shape (rows, columns) of labels, 0 being the background; or (rows, columns, segments)
            of 0 and 1; or of fractions from 0 to 1. At the edge either what lies on the slide, or
            a whole tile, of which the rest is cut off.

        Raises
        ------
        IndexError
            For a place off the grid.
        ValueError
            For a tile that was written before, is of another shape, has numbers in it that cannot
            be meant, or comes after the end.
        """
        block = self.grid.block(column, row)
        self.take(block, cut(plain(tile), block, self.grid.tile))

    def write_region(self, location: tuple[int, int], pixels: ArrayLike) -> None:
        """Write several tiles at once.

        Parameters
        ----------
        location : tuple of int
            Their first pixel (x, y): a multiple of the tile size.
        pixels : array_like
            As in `write`; its width and height are multiples of the tile size, or end where the
            matrix does.

        Raises
        ------
        IndexError
            For a region that reaches beyond the matrix.
        ValueError
            For one that cuts through tiles, and as in `write`.
        """
        array = plain(pixels)
        self.take(self.grid.aligned(location, size_of(array)), array)

    def expect(self, dtype: np.dtype[Any], planes: int | None) -> Contents:
        """Say what will come, to hear now if it cannot be written; else the first tile says it.

        Parameters
        ----------
        dtype : numpy.dtype
            Of its numbers.
        planes : int or None
            Length of its third axis; None where there is none.

        Returns
        -------
        Contents
            How they are read.

        Raises
        ------
        ValueError
            For what is no mask, or does not go with style, segments or what came before.
        """
        contents, encoding = form_of(dtype, planes, len(self._segments), self._style)
        kind = dtype.kind == "f", planes is None
        with self._lock:
            if not self._open:
                raise ValueError("The mask is closed: nothing can be written to it any more.")
            if self._contents is None:
                self._kind = kind
                self._contents = self._furnish(contents, encoding)
        if kind != self._kind:
            raise ValueError(
                "The parts of a mask are all fractions or none is, and all have two axes or all "
                f"have three: this one, of {dtype}, is not like the first."
            )
        return self._contents

    def take(self, block: Block, pixels: NDArray[Any]) -> None:
        """Write a block of whole tiles, as `Grid.aligned` makes it; else as `write_region`."""
        planes = pixels.shape[2] if pixels.ndim == 3 else None
        if self._contents is None:
            # Tried first: a tile that is refused must not say of what kind the others are.
            trial, _ = form_of(pixels.dtype, planes, len(self._segments), self._style)
            trial.settle(pixels, str(block))
        contents = self.expect(pixels.dtype, planes)
        settled = contents.settle(pixels, str(block))
        self._claim(block)
        try:
            if settled is not None:
                self._keep(block, settled)
            for level in self._coarser:
                level.take(block, settled)
        except BaseException:
            # A part of it may be there, so that it could not be written again.
            self._open = False
            raise

    @property
    def progress(self) -> str:
        """How far it is, in words."""
        return f"{np.count_nonzero(self._written):,} of {self._written.size:,} tiles"

    def close(self) -> tuple[ResultObject, ...]:
        """Write the objects.

        Returns
        -------
        tuple of ResultObject
            One for each level, finest first.

        Raises
        ------
        ValueError
            For a mask that is empty, or was given up.
        """
        with self._lock:
            if self._made:
                return self._made
            if not self._open:
                raise ValueError("The mask was given up after an error, and nothing is written.")
            try:
                self._made = self._finished()
            finally:
                self.discard()
        return self._made

    def discard(self) -> None:
        """Give the mask up; of what was written nothing stays."""
        with self._lock:
            self._open = False
            self._frames.close()
            self._spilt.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the objects; after an error, give the mask up."""
        if kind is None:
            self.close()
        else:
            self.discard()

    def _furnish(self, contents: Contents, encoding: Encoding) -> Contents:
        """Make ready for tiles, once it is known of what kind they are."""
        self._try_header(contents, encoding)
        tile = self.grid.tile
        stores = [
            FrameStore(Grid(plane.size, tile), encoding, self._frames) for plane in self._planes
        ]
        planes = () if contents.planes is None else (contents.planes,)
        shape = (tile[1], tile[0], *planes)
        partials = Partials(shape, contents.dtype, self._spilt, _WAITING)
        base = self._planes[0]
        self._coarser = [
            CoarserLevel(base, plane, store, partials, number)
            for number, (plane, store) in enumerate(zip(self._planes, stores, strict=True))
            if number
        ]
        self._stores = stores
        self._encoding = encoding
        return contents

    def _try_header(self, contents: Contents, encoding: Encoding) -> None:
        """Make a header for nothing, so that what it cannot hold is heard of before all the work.

        It also loads highdicom's tables while there is nothing else in memory.
        """
        maker = self._objects.maker
        identity = Identity(
            series_uid=random_uid(),
            instance_uid=random_uid(),
            series_number=1,
            instance_number=1,
            name=maker.name,
            created=maker.created,
            series_created=maker.created,
            algorithm=maker.algorithm,
            creator=maker.creator,
        )
        sheet = self._sheet(contents, encoding, identity.series_uid)
        header_of(self._origins[0], self._planes[0], sheet, identity)

    def _sheet(self, contents: Contents, encoding: Encoding, series_uid: str) -> Sheet:
        return Sheet(
            segments=self._segments,
            style=self._style,
            encoding=encoding,
            overlap=contents.overlap,
            pyramid_uid=uid_for(series_uid, "pyramid"),
        )

    def _claim(self, block: Block) -> None:
        columns, rows = zip(*self.grid.places(block), strict=True)
        with self._lock:
            twice = np.flatnonzero(self._written[rows, columns])
            if len(twice):
                raise ValueError(
                    f"The tile at column {columns[twice[0]]}, row {rows[twice[0]]} was written "
                    "before: each may be written once."
                )
            self._written[rows, columns] = True

    def _keep(self, block: Block, pixels: Pixels) -> None:
        left, top = block.location
        for column, row in self.grid.places(block):
            own = self.grid.block(column, row)
            x, y = own.location[0] - left, own.location[1] - top
            tile = pixels[y : y + own.size[1], x : x + own.size[0]]
            if tile.max():
                self._stores[0].add(column, row, tile)

    def _finished(self) -> tuple[ResultObject, ...]:
        for level in self._coarser:
            level.finish()
        if self._contents is None or not self._stores[0].count:
            raise ValueError(
                "The mask is empty: no pixel of it belongs to a segment. Nothing is written."
            )
        count = len(self._planes)
        with self._objects.drafts("segmentation", count, apart=True) as drafts:
            sheet = self._sheet(self._contents, self._encoding, drafts.series.uid)
            for number, draft in enumerate(drafts):
                self._write_level(number, draft, sheet)
        return drafts.made

    def _write_level(self, number: int, draft: Draft, sheet: Sheet) -> None:
        plane, store, encoding = self._planes[number], self._stores[number], sheet.encoding
        order = store.in_order()
        header = header_of(self._origins[number], plane, sheet, draft.identity)
        header.NumberOfFrames = len(order)
        per_frame = b""
        if encoding.sparse:
            several = len(self._segments) > 1
            per_frame = places_of(plane, self.grid.tile, order[:, :3], numbered=several)
        frames = store.frames(order)
        if encoding.transfer_syntax == NATIVE:
            frames = joined_bits(frames, self.grid.tile[0] * self.grid.tile[1])
        large = int(order[:, 4].sum()) + 8 * len(order) >= _BASIC_LIMIT
        with FrameFile(
            draft.path,
            header,
            len(order),
            per_frame=per_frame,
            offsets="extended" if large else "basic",
            raw_bytes=store.raw_bytes(len(order)),
            lossless=True,
        ) as file:
            for frame in frames:
                file.add(frame)
