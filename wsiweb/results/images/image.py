"""Derived images: a slide of ours in the place of another, as DICOM whole-slide images.

An overlay of colours or a normalised slide has the matrix of a level of its source. The levels
below are made of it by averaging, as it passes by once from top to bottom, so that memory grows
with its width only.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from wsiweb.arguments import choice, flag, whole_number
from wsiweb.loop import pool
from wsiweb.results.images.areas import Areas, Cut
from wsiweb.results.images.wholeslide import Look, header_of
from wsiweb.results.planes import Plane
from wsiweb.results.strips import Strips
from wsiweb.writing.encoders import jpeg, jpeg_ls
from wsiweb.writing.part10 import FrameFile
from wsiweb.writing.rows import Cascade, Rows, Tiler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.results.objects import Draft, Objects, ResultObject
    from wsiweb.results.source import Source

__all__ = ["add_image"]

_WHAT = "A derived image"
_BACKGROUND = 255
_SAMPLES = 3
_TILE = 512
_TILES = range(64, 1025)  # edges that viewers get along with
_BASIC_LIMIT = 2**32  # bytes, from which on offsets want more than 32 bits
_WHOLE = 1e-9  # how far from whole a factor between levels may be


def add_image(  # noqa: PLR0913 - images differ in this many ways; all but three have a default
    source: Source,
    objects: Objects,
    pixels: Any,
    *,
    level: int = 0,
    encoding: Literal["lossless", "jpeg"] = "lossless",
    quality: int = 90,
    pyramid: bool = True,
    tile_size: int | None = None,
    profile: bytes | None = None,
    description: str = "",
) -> tuple[ResultObject, ...]:
    """Write a derived image, with its pyramid, as VL Whole Slide Microscopy Images.

    Parameters
    ----------
    source : Source
        The slide.
    objects : Objects
        Takes what is written; the image gets a series of its own.
    pixels : array_like or callable
        RGB, uint8, shape (rows, columns, 3), as large as the level: a numpy, zarr or dask array,
        which is read in strips. Or a function of location (x, y) and size (width, height), both in
        pixels of the level, that returns such an array; it is called from one thread, for each
        region once, from the top to the bottom.
    level : int
        Zero-based level of the slide that it takes the place of. Its lower levels are those of the
        slide from there on.
    encoding : "lossless" or "jpeg"
        JPEG-LS without loss, or JPEG Baseline.
    quality : int
        Of JPEG, 1 to 100.
    pyramid : bool
        Whether to write the lower levels.
    tile_size : int, optional
        Edge of a tile in pixels; by default that of the slide.
    profile : bytes, optional
        ICC profile of the pixels. By default that of the slide where it has one, else sRGB.
    description : str
        How it was made, for a person: DerivationDescription, up to 1,024 characters.

    Returns
    -------
    tuple of ResultObject
        An object for each level, the finest first.

    Raises
    ------
    ValueError
        For pixels that are no RGB image of the level's size, or a quality, encoding or tile size
        that there is not.
    IndexError
        For a level that the slide does not have.
    SlideError
        For a slide on which nothing can be placed.
    ArchiveError
        When the slide's profile cannot be had.
    """
    level = whole_number(level, "level")
    finest = Plane.at_level(source.pyramid, level)
    pyramid = flag(pyramid, "pyramid")
    strips = Strips(pixels, _WHAT, size=finest.size, samples=_SAMPLES, dtype=np.uint8)
    if strips.dtype != np.uint8:
        raise ValueError(f"{_WHAT} has pixels of uint8, 0 to 255; {strips.dtype} was given.")
    choice(encoding, "encoding", ("lossless", "jpeg"))
    quality = whole_number(quality, "quality")
    if not 1 <= quality <= 100:
        raise ValueError(f"quality is 1 to 100, not {quality}.")
    last = len(source.pyramid.levels) if pyramid else level + 1
    planes = [finest, *(Plane.at_level(source.pyramid, n) for n in range(level + 1, last))]
    lossy = encoding == "jpeg"
    look = Look.of(source, level, lossy=lossy, profile=profile, description=description)
    tile = _tile(source.pyramid, tile_size)
    codec = _Codec(lossy, quality)
    with objects.drafts("image", len(planes), apart=True) as drafts, ExitStack() as files:
        tilers = [
            _tiler(source, plane, look, codec, tile, draft, files)
            for plane, draft in zip(planes, drafts, strict=True)
        ]
        chain = _chain(planes, tilers)
        for strip in strips:
            chain.feed(strip)
        chain.finish()
    return drafts.made


def _tile(pyramid: Pyramid, tile_size: int | None) -> tuple[int, int]:
    if tile_size is None:
        own = pyramid.levels[0].tile_size
        return own if all(edge in _TILES for edge in own) else (_TILE, _TILE)
    edge = whole_number(tile_size, "tile_size")
    if edge not in _TILES:
        raise ValueError(
            f"tile_size is {_TILES.start} to {_TILES.stop - 1} pixels; {edge} was given."
        )
    return edge, edge


@dataclass(frozen=True)
class _Codec:
    """How tiles are encoded."""

    lossy: bool
    quality: int

    def __call__(self, tile: NDArray[Any]) -> bytes:
        if self.lossy:
            return jpeg(tile, "YBR_FULL_422", self.quality)
        return jpeg_ls(tile)


def _tiler(
    source: Source,
    plane: Plane,
    look: Look,
    codec: _Codec,
    tile: tuple[int, int],
    draft: Draft,
    files: ExitStack,
) -> Tiler:
    """Open the file of a level, and return what takes its rows."""
    columns, rows = (-(-side // edge) for side, edge in zip(plane.size, tile, strict=True))
    header = header_of(source.datasets(plane.level.index), plane, look, draft.identity)
    header.Columns, header.Rows = tile
    header.NumberOfFrames = columns * rows
    raw = columns * rows * math.prod(tile) * _SAMPLES
    file = files.enter_context(
        FrameFile(
            draft.path,
            header,
            columns * rows,
            per_frame=b"",
            offsets="basic" if raw < _BASIC_LIMIT else "extended",
            raw_bytes=raw,
            lossless=not codec.lossy,
        )
    )
    return Tiler(
        file,
        tile,
        np.ones((rows, columns), np.bool_),
        background=_BACKGROUND,
        encode=codec,
        pool=pool(),
        written=lambda _: None,
    )


def _chain(planes: Sequence[Plane], tilers: Sequence[Rows]) -> Cascade:
    """Return what makes all levels of the rows of the first.

    Levels are averaged by whole factors as long as there are such, and from the first one on that
    has another, in a chain of its own behind `Areas`.
    """
    stages: list[tuple[int, Rows]] = [(1, tilers[0])]
    size = planes[0].size  # of what comes out of a stage, which may be a pixel more than the level
    for number, plane in enumerate(planes[1:], start=1):
        above = planes[number - 1]
        ratio = plane.downsample / above.downsample
        factor = round(ratio)
        size = (-(-size[0] // factor), -(-size[1] // factor))
        enough = plane.size[0] <= size[0] and plane.size[1] <= size[1]
        if abs(ratio - factor) > _WHOLE or not enough:
            rest = _chain(planes[number:], tilers[number:])
            stages.append((1, Areas(above.size, plane.size, ratio, rest)))
            break
        stages.append((factor, Cut(plane.size, tilers[number])))
    return Cascade(stages)
