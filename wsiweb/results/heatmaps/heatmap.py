"""Heat maps: numbers over the slide as DICOM Parametric Maps (PS3.3 A.75), or as segmentations.

A map may have the pixels of a level, or far larger ones: one value for each patch of a model. All
of it is written, in tiles, whatever part of it has values.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from wsiweb.arguments import choice, positive, whole_number
from wsiweb.loop import pool
from wsiweb.results.heatmaps.codings import Coding, Encoding, check_numbers, range_of
from wsiweb.results.heatmaps.fractions import Shares, write_fractions
from wsiweb.results.heatmaps.palettes import palette_table
from wsiweb.results.heatmaps.parametric import EDGE_STEP, Layout, Meaning, header_of
from wsiweb.results.planes import Plane
from wsiweb.results.strips import Strips
from wsiweb.writing.encoders import jpeg_2000
from wsiweb.writing.part10 import FrameFile
from wsiweb.writing.rows import Tiler

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.results.codes import Term
    from wsiweb.results.heatmaps.palettes import Palette
    from wsiweb.results.masks.segments import Segment
    from wsiweb.results.objects import Objects, ResultObject
    from wsiweb.results.source import Source

__all__ = ["add_heatmap"]

_WHAT = "A heat map"
_TILE = 512
_LARGEST_TILE = 4096
_BASIC_LIMIT = 2**32  # bytes, from which on offsets want more than 32 bits
_LARGEST_BARE = 2**31  # bytes; twice as many cannot be written, and archives fail earlier


def add_heatmap(  # noqa: PLR0913 - maps differ in this many ways; all but three have a default
    source: Source,
    objects: Objects,
    values: Any,
    *,
    level: int | None = None,
    mpp: float | None = None,
    patch: float | None = None,
    quantity: Term,
    unit: Term = "UCUM:NoUnits",
    value_range: tuple[float, float] | None = None,
    palette: Palette | None = "viridis",
    encoding: Encoding | Literal["fractional"] = "16-bit",
    segment: Segment | Term | None = None,
    tile_size: int | None = None,
    label: str = "",
    description: str = "",
) -> tuple[ResultObject, ...]:
    """Write a heat map as a Parametric Map, or as a fractional segmentation.

    Parameters
    ----------
    source : Source
        The slide.
    objects : Objects
        Takes what is written; the map gets a series of its own.
    values : array_like
        Real numbers, shape (rows, columns): a numpy, zarr or dask array, or nested lists. NaN is no
        value, and neither is what numpy masks. It is read in strips: a large one need not fit in
        memory.
    level : int
        Zero-based level that the map has the pixels of;
    mpp : float
        or micrometres per pixel of the map;
    patch : float
        or level-0 pixels along the edge of one of its pixels, such as 256 for one value per patch.
        The first pixel of the map covers the first of the slide, whichever is said; in the last
        row and column, a map of patches may or may not have those that reach beyond the slide.
    quantity : Term
        What is measured, such as ``"DCM:Probability"`` or ``("S1", "99LAB", "Mitotic score")``. A
        fractional segmentation can be of that one, and of ``"DCM:FractionalOccupancySegmentation"``
        (the share of a pixel's area).
    unit : Term
        Its unit, of UCUM: ``"UCUM:Percent"``, ``("/mm2", "UCUM", "per square millimetre")``.
    value_range : tuple of float, optional
        Lowest and highest value that there may be. By default those that there are, for which all
        of `values` is read once more before it is written; of a fractional segmentation 0 and 1,
        beyond which it cannot go.
    palette : Palette or None
        Recommended colours; see `wsiweb.results.heatmaps.palettes.palette_table`. A segmentation
        has that of its segment.
    encoding : "16-bit", "float32" or "fractional"
        In 16 bits, compressed without further loss (JPEG 2000), values are rounded to 1/65,534 of
        their range: what is read is off by at most 1/131,068 of it. As float32, they are rounded to
        its 24 bits, and not compressed; some archives do not give out such frames. As a fractional
        segmentation (PS3.3 A.51), which more viewers show, they are rounded to 1/255, and NaN
        becomes 0, with a warning. Coarser levels of the slide are made of it, as of a mask, and it
        is among the segmentations when it is read back.
    segment : Segment or Term, optional
        What a fractional segmentation says the probability of, or the share: ``"Neoplasm"``, or
        `Segment`. It must be told, as a quantity is not a thing that is seen on a slide.
    tile_size : int, optional
        Edge of a tile in pixels, a multiple of 32.
    label : str
        Short name of the quantity, up to 16 characters; by default the beginning of its meaning. Of
        a fractional segmentation, the name of its segment.
    description : str
        Of the map, up to 64 characters.

    Returns
    -------
    tuple of ResultObject
        The one object; of a fractional segmentation one for each level, finest first.

    Raises
    ------
    ValueError
        For a map that does not fit the slide, has infinite values or none at all, or values outside
        the range given; for unknown codes and palettes.
    IndexError
        For a level that the slide does not have.
    SlideError
        For a slide on which nothing can be placed.

    Notes
    -----
    With a palette goes its colour profile (PS3.3 C.8.32.2), which highdicom 0.28 applies to the
    numbers unless it is told ``apply_icc_profile=False``.
    """
    choice(encoding, "encoding", (*get_args(Encoding), "fractional"))
    bounds = _bounds(value_range)
    strips = Strips(values, _WHAT, gaps=True)
    check_numbers(strips.dtype)
    plane = _plane(source.pyramid, strips.size, level, mpp, patch)
    edge = _tile_edge(strips.size, tile_size)
    if encoding == "fractional":
        shares = Shares.of(
            segment=segment,
            quantity=quantity,
            unit=unit,
            value_range=bounds,
            label=label,
            description=description,
        )
        return write_fractions(source, objects, values, plane, shares, edge)
    if segment is not None:
        raise ValueError(
            'segment= says what a fractional segmentation is of; give encoding="fractional" for '
            "one, or leave segment away."
        )
    meaning = Meaning.of(quantity, unit, label, description)
    table = None if palette is None else palette_table(palette)
    coding = _coding(strips, bounds, encoding)
    _check_fits_a_file(strips.size, coding)
    origins = source.datasets(plane.level.index)
    layout = Layout(plane=plane, edge=edge, coding=coding, palette=table)
    with objects.drafts("heatmap", apart=True) as drafts:
        (draft,) = drafts
        header = header_of(origins, layout, meaning, draft.identity)
        count = math.prod(layout.tiles)
        raw = count * edge * edge * coding.dtype.itemsize
        with FrameFile(
            draft.path,
            header,
            count,
            per_frame=b"",
            offsets="basic" if raw < _BASIC_LIMIT else "extended",
            raw_bytes=raw,
            lossless=True,
        ) as file:
            _write(file, strips, layout)
    return drafts.made


# Checks -------------------------------------------------------------------------------------


def _plane(
    pyramid: Pyramid,
    size: tuple[int, int],
    level: int | None,
    mpp: float | None,
    patch: float | None,
) -> Plane:
    """Return where the map lies."""
    if [level, mpp, patch].count(None) != 2:
        raise ValueError(
            f"{_WHAT} wants one of level, mpp and patch, to say how large its pixels are; level="
            f"{level!r}, mpp={mpp!r}, patch={patch!r} was given."
        )
    if mpp is not None:
        return Plane.at_mpp(pyramid, positive(mpp, "mpp", "micrometres per pixel"), size)
    if patch is not None:
        return _of_patches(pyramid, positive(patch, "patch", "level-0 pixels"), size)
    level = whole_number(level, "level")
    plane = Plane.at_level(pyramid, level)
    if size != plane.size:
        turned = " It seems to be transposed." if size == plane.size[::-1] else ""
        raise ValueError(
            f"{_WHAT} at level {level} has {plane.size[0]} x {plane.size[1]} pixels (width x "
            f"height), as the level has; what was given has {size[0]} x {size[1]}.{turned}"
        )
    return plane


def _of_patches(pyramid: Pyramid, patch: float, size: tuple[int, int]) -> Plane:
    """Return the plane of a map with a pixel for each patch of level 0."""
    finest = Plane.at_level(pyramid, 0)
    whole = [edge / patch for edge in finest.size]
    fitting = [{max(1, math.floor(edge)), math.ceil(edge)} for edge in whole]
    if any(edge not in fit for edge, fit in zip(size, fitting, strict=True)):
        wanted = " x ".join(" or ".join(map(str, sorted(fit))) for fit in fitting)
        raise ValueError(
            f"In patches of {patch:g} pixels the slide has {wanted} (width x height); what was "
            f"given has {size[0]} x {size[1]}."
        )
    level = pyramid.level_for_downsample(patch)
    return Plane.scaled(finest.geometry, size, (float(patch), float(patch)), level)


def _tile_edge(size: tuple[int, int], tile_size: int | None) -> int:
    if tile_size is None:
        return min(_TILE, -(-max(size) // EDGE_STEP) * EDGE_STEP)
    edge = whole_number(tile_size, "tile_size")
    if not (0 < edge <= _LARGEST_TILE and edge % EDGE_STEP == 0):
        raise ValueError(
            f"tile_size is a multiple of {EDGE_STEP} pixels, up to {_LARGEST_TILE}; {edge} was "
            "given."
        )
    return edge


def _bounds(value_range: Any) -> tuple[float, float] | None:
    """Return a range as two numbers; that they are in order is seen to where they are used."""
    if value_range is None:
        return None
    try:
        low, high = value_range
        numbers = None if isinstance(value_range, str) else (float(low), float(high))
    except (TypeError, ValueError, OverflowError):
        numbers = None
    if numbers is None:
        raise ValueError(
            f"value_range is two numbers, (lowest, highest); {value_range!r} was given."
        )
    return numbers


def _coding(strips: Strips, value_range: tuple[float, float] | None, encoding: Encoding) -> Coding:
    if value_range is not None:
        low, high = value_range
    else:
        low, high = range_of(strips)
        if math.isnan(low):
            raise ValueError(f"{_WHAT} has at least one value; all that was given is NaN.")
        if math.isinf(low) or math.isinf(high):
            raise ValueError(f"{_WHAT} has finite values, and NaN for none; infinity was given.")
    return Coding.covering(low, high, encoding, whole=strips.whole)


def _check_fits_a_file(size: tuple[int, int], coding: Coding) -> None:
    """Refuse bare pixels beyond what an element of a file can hold."""
    if coding.encoding == "float32" and math.prod(size) * coding.dtype.itemsize >= _LARGEST_BARE:
        raise ValueError(
            f"A map of {size[0]} x {size[1]} pixels is too large for float32, which is not "
            "compressed; leave encoding at 16-bit."
        )


# Pixels -------------------------------------------------------------------------------------


def _write(file: FrameFile, strips: Strips, layout: Layout) -> None:
    coding = layout.coding
    tiler = Tiler(
        file,
        (layout.edge, layout.edge),
        np.ones(layout.tiles[::-1], np.bool_),
        background=coding.nothing,
        encode=_compressed if coding.encoding == "16-bit" else _bare,
        pool=pool(),
        written=lambda _: None,
    )
    for strip in strips:
        tiler.feed(coding.encode(strip))
    tiler.finish()


def _compressed(tile: NDArray[Any]) -> bytes:
    return jpeg_2000(tile[..., 0])


def _bare(tile: NDArray[Any]) -> bytes:
    return tile.astype("<f4", copy=False).tobytes()
