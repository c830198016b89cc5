"""Heat maps: numbers over the slide as DICOM Parametric Maps (PS3.3 A.75).

A map may have the pixels of a level, or far larger ones: one value for each patch of a model. All
of it is written, in tiles, whatever part of it has values.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.loop import pool
from wsiweb.pixels.geometry import Geometry
from wsiweb.results.heatmaps.codings import Coding, check_numbers, range_of
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
    from wsiweb.results.heatmaps.codings import Encoding
    from wsiweb.results.heatmaps.palettes import Palette
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
    encoding: Encoding = "16-bit",
    tile_size: int | None = None,
    label: str = "",
    description: str = "",
) -> tuple[ResultObject]:
    """Write a heat map as a Parametric Map.

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
        What is measured, such as ``"DCM:Probability"`` or ``("S1", "99LAB", "Mitotic score")``.
    unit : Term
        Its unit, of UCUM: ``"UCUM:Percent"``, ``("/mm2", "UCUM", "per square millimetre")``.
    value_range : tuple of float, optional
        Lowest and highest value that there may be. By default those that there are, for which all
        of `values` is read once more before it is written.
    palette : Palette or None
        Recommended colours; see `wsiweb.results.heatmaps.palettes.palette_table`.
    encoding : "16-bit" or "float32"
        In 16 bits, compressed without further loss (JPEG 2000), values are rounded to 1/65,534 of
        their range: what is read is off by at most 1/131,068 of it. As float32, they are rounded to
        its 24 bits, and not compressed; some archives do not give out such frames.
    tile_size : int, optional
        Edge of a tile in pixels, a multiple of 32.
    label : str
        Short name of the quantity, up to 16 characters; by default the beginning of its meaning.
    description : str
        Of the map, up to 64 characters.

    Returns
    -------
    tuple of ResultObject
        The one object.

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
    strips = Strips(values, _WHAT, gaps=True)
    check_numbers(strips.dtype)
    plane = _plane(source.pyramid, strips.size, level, mpp, patch)
    edge = _tile_edge(strips.size, tile_size)
    meaning = Meaning.of(quantity, unit, label, description)
    table = None if palette is None else palette_table(palette)
    coding = _coding(strips, value_range, encoding)
    _check_fits_a_file(strips.size, coding)
    origin = source.dataset(plane.level.index)
    layout = Layout(plane=plane, edge=edge, coding=coding, palette=table)
    with objects.drafts("heatmap", apart=True) as (draft,):
        header = header_of(origin, layout, meaning, draft.identity)
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
    return (objects.made[-1],)


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
            f"{level}, mpp={mpp}, patch={patch} was given."
        )
    if mpp is not None:
        return Plane.at_mpp(pyramid, mpp, size)
    if patch is not None:
        return _of_patches(pyramid, patch, size)
    assert level is not None  # noqa: S101 - one of the three is given
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
    if not (math.isfinite(patch) and patch > 0):
        raise ValueError(f"patch is a positive number of level-0 pixels, not {patch!r}.")
    whole = [edge / patch for edge in finest.size]
    fitting = [{max(1, math.floor(edge)), math.ceil(edge)} for edge in whole]
    if any(edge not in fit for edge, fit in zip(size, fitting, strict=True)):
        wanted = " x ".join(" or ".join(map(str, sorted(fit))) for fit in fitting)
        raise ValueError(
            f"In patches of {patch:g} pixels the slide has {wanted} (width x height); what was "
            f"given has {size[0]} x {size[1]}."
        )
    base = finest.geometry
    x, y, z = base.to_slide([patch / 2, patch / 2]).tolist()
    geometry = Geometry(
        origin=(x, y, z),
        row_direction=base.row_direction,
        column_direction=base.column_direction,
        spacing=(base.spacing[0] * patch, base.spacing[1] * patch),
    )
    level = pyramid.level_for_downsample(patch)
    return Plane(size=size, downsample=float(patch), level=level, geometry=geometry)


def _tile_edge(size: tuple[int, int], tile_size: int | None) -> int:
    if tile_size is None:
        return min(_TILE, -(-max(size) // EDGE_STEP) * EDGE_STEP)
    if not (0 < tile_size <= _LARGEST_TILE and tile_size % EDGE_STEP == 0):
        raise ValueError(
            f"tile_size is a multiple of {EDGE_STEP} pixels, up to {_LARGEST_TILE}; {tile_size!r} "
            "was given."
        )
    return tile_size


def _coding(strips: Strips, value_range: tuple[float, float] | None, encoding: Encoding) -> Coding:
    if encoding not in {"16-bit", "float32"}:
        raise ValueError(f'encoding is "16-bit" or "float32", not {encoding!r}.')
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
