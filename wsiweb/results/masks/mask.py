"""A mask of any kind to Segmentations: the whole slide, all levels, in one pass."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.arguments import whole as whole_pair
from wsiweb.loop import threads
from wsiweb.progress import ProgressLine
from wsiweb.results.masks.matrices import matrix_of, parts_of
from wsiweb.results.masks.placing import fitted, whole
from wsiweb.results.masks.style import Style
from wsiweb.results.masks.writer import MaskWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import ArrayLike, NDArray

    from wsiweb.results.masks.grid import Block
    from wsiweb.results.masks.matrices import Function, Matrix, Tiles
    from wsiweb.results.masks.segments import Segments
    from wsiweb.results.masks.style import FractionalType, MaskKind, Profile
    from wsiweb.results.objects import Objects, ResultObject
    from wsiweb.results.source import Source

__all__ = ["add_mask", "open_mask", "write_matrix"]

_ELSEWHERE = 8  # blocks that others compute at once


def add_mask(  # noqa: PLR0913 - masks differ in this many ways; all but one have a default
    source: Source,
    objects: Objects,
    mask: ArrayLike | str | Function | Tiles,
    *,
    segments: Segments,
    level: int | None = None,
    mpp: float | None = None,
    location: tuple[int, int] | None = None,
    kind: MaskKind = "auto",
    profile: Profile = "slim",
    tile_size: int | tuple[int, int] | None = None,
    pyramid: bool = True,
    fractional_type: FractionalType = "probability",
    label: str = "",
    description: str = "",
) -> tuple[ResultObject, ...]:
    """Write a mask.

    Parameters
    ----------
    source : Source
        The slide.
    objects : Objects
        Takes what is written; the mask gets a series of its own.
    mask : array_like, path, callable or iterable
        Shape (rows, columns) of labels: 0 for the background, else the number of a segment, or
        truth values for a single one. Or shape (rows, columns, segments): a plane of 0 and 1 for
        each, which may overlap. Or either of fractions from 0 to 1, as floats. What numpy masks
        (`numpy.ma`) is background.

        A numpy, zarr or dask array; a path to a .npy, .zarr, .png or .tif file; a function of
        location (x, y) and size (width, height) that returns such an array, called from one
        thread; or an iterable of (column, row, tile) or (location, array), in any order. Only of a
        picture file, and of a numpy array of course, all is ever in memory; blocks of a dask array
        are computed by its scheduler, a few at a time.
    segments : Segments
        What the numbers stand for, number 1 first; see `wsiweb.results.masks.segments.segments_of`.
    level : int, optional
        Whose pixels the mask has. By default the level that has its size; of a function or an
        iterable, the finest.
    mpp : float, optional
        Instead of a level: micrometres per pixel of the mask, which is of the whole slide.
    location : tuple of int, optional
        Where the mask of a part of the slide begins (x, y), in pixels of the level or scale, which
        must be told then. All of the slide is written nonetheless, the rest as background.
    kind, profile, tile_size, pyramid, fractional_type, label, description
        How it is stored; see `wsiweb.results.masks.style.Style`. Pixels of coarser levels are
        those of the mask under their centres.

    Returns
    -------
    tuple of ResultObject
        One for each level, finest first: Segmentation, or Label Map Segmentation, instances
        (PS3.3 A.51, A.90) of one series and one pyramid.

    Raises
    ------
    ValueError
        For a mask, segments or choices that cannot be written, in words; nothing is then left of
        what was.
    IndexError
        For a level that the slide does not have, or a part that is not on it.
    FileNotFoundError
        For a path to nothing.
    SlideError
        For a slide on which nothing can be placed.
    """
    style = Style(
        kind=kind,
        profile=profile,
        tile_size=tile_size,
        pyramid=pyramid,
        fractional_type=fractional_type,
        label=label,
        description=description,
    )
    if location is not None:
        location = whole_pair(location, "location")
    matrix = matrix_of(mask)
    if matrix is not None:
        plane = fitted(source.pyramid, matrix.size, level=level, mpp=mpp, location=location)
    elif location is not None:
        raise ValueError(
            "location= is for the array of a part of the slide; a function is asked for regions, "
            "and tiles say themselves where they are."
        )
    else:
        plane = whole(source.pyramid, level=level, mpp=mpp)
    with (
        MaskWriter(source, objects, segments, plane, style) as writer,
        ProgressLine("Writing the mask") as line,
    ):

        def tell() -> None:
            line.say(lambda: writer.progress)

        if matrix is None:
            given: Any = mask
            parts = (partial(writer.take, *part) for part in parts_of(given, writer.grid))
            _work(parts, threads(), held=threads(), tell=tell)
        else:
            write_matrix(writer, matrix, location or (0, 0), tell)
        return writer.close()


def write_matrix(
    writer: MaskWriter,
    matrix: Matrix,
    start: tuple[int, int] = (0, 0),
    tell: Callable[[], None] = lambda: None,
) -> None:
    """Write an array, block by block, in threads.

    Parameters
    ----------
    writer : MaskWriter
        Takes the blocks; it is not closed.
    matrix : Matrix
        The array.
    start : tuple of int
        Where it begins (x, y) in the matrix that the writer fills.
    tell : callable
        Called after each block, in the caller's thread.
    """
    writer.expect(matrix.dtype, matrix.planes)
    count = _ELSEWHERE if matrix.elsewhere else threads()
    _work(_blocks(writer, matrix, start), count, held=4 * count, tell=tell)


def open_mask(  # noqa: PLR0913 - as above
    source: Source,
    objects: Objects,
    *,
    segments: Segments,
    level: int | None = None,
    mpp: float | None = None,
    kind: MaskKind = "auto",
    profile: Profile = "slim",
    tile_size: int | tuple[int, int] | None = None,
    pyramid: bool = True,
    fractional_type: FractionalType = "probability",
    label: str = "",
    description: str = "",
) -> MaskWriter:
    """Return a writer for a mask whose tiles are made one by one.

    Parameters
    ----------
    source, objects, segments, level, mpp
        As in `add_mask`; the level is the finest by default.
    kind, profile, tile_size, pyramid, fractional_type, label, description
        How it is stored; see `wsiweb.results.masks.style.Style`.

    Raises
    ------
    ValueError, IndexError, SlideError
        As in `add_mask`.
    """
    style = Style(
        kind=kind,
        profile=profile,
        tile_size=tile_size,
        pyramid=pyramid,
        fractional_type=fractional_type,
        label=label,
        description=description,
    )
    plane = whole(source.pyramid, level=level, mpp=mpp)
    return MaskWriter(source, objects, segments, plane, style)


def _blocks(
    writer: MaskWriter, matrix: Matrix, start: tuple[int, int]
) -> Iterator[Callable[[], None]]:
    """Yield the work of writing an array, block by block: reading is part of it."""

    def write(block: Block) -> None:
        writer.take(block, _read(matrix, block, start))

    return (partial(write, block) for block in matrix.blocks(writer.grid, start))


def _read(matrix: Matrix, block: Block, start: tuple[int, int]) -> NDArray[Any]:
    """Return a block of the matrix that the mask begins in at `start`; around it there is 0."""
    begin = [max(edge - first, 0) for edge, first in zip(block.location, start, strict=True)]
    end = [
        min(edge + length - first, whole)
        for edge, length, first, whole in zip(
            block.location, block.size, start, matrix.size, strict=True
        )
    ]
    size = (end[0] - begin[0], end[1] - begin[1])
    pixels = matrix.read((begin[0], begin[1]), size)
    if size == block.size:
        return pixels
    framed = np.zeros((block.size[1], block.size[0], *pixels.shape[2:]), pixels.dtype)
    x, y = (
        first + inner - edge
        for edge, first, inner in zip(block.location, start, begin, strict=True)
    )
    framed[y : y + size[1], x : x + size[0]] = pixels
    return framed


def _work(
    jobs: Iterable[Callable[[], None]], count: int, *, held: int, tell: Callable[[], None]
) -> None:
    """Do work in threads; ask for more of it only when little is left.

    The pool is not the shared one: a job may wait for pixels of the slide, which come from there.
    """
    failed: list[BaseException] = []

    def do(job: Callable[[], None]) -> None:
        if failed:
            return
        try:
            job()
        except BaseException as error:
            failed.append(error)

    with ThreadPoolExecutor(count, thread_name_prefix="wsiweb-mask") as workers:
        waiting: deque[Future[None]] = deque()
        try:
            for job in jobs:
                if len(waiting) >= held:
                    waiting.popleft().result()
                if failed:
                    break
                tell()
                waiting.append(workers.submit(do, job))
        except BaseException as error:
            failed.append(error)  # so that what waits is left
            raise
    if failed:
        raise failed[0]
