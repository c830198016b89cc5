"""The lowest and the highest value of a stored map, strip by strip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from wsiweb.pixels.image import TiledImage
    from wsiweb.results.reading.aligned import Reader

__all__ = ["extremes"]

_MOST = 2**26  # pixels that are looked at


async def extremes(
    read: Reader, image: TiledImage, *, most: int = _MOST
) -> tuple[float, float] | None:
    """Return the lowest and the highest value; None where there is none at all.

    Parameters
    ----------
    read : Reader
        Reads values of the map.
    image : TiledImage
        The map.
    most : int
        Pixels to look at. Of a larger map some strips are taken that lie evenly, so that a single
        high value may escape.
    """
    width, height = image.size
    rows = image.tile_size[1]
    strips = -(-height // rows)
    wanted = max(1, min(strips, most // max(1, width * rows)))
    chosen = np.unique(np.linspace(0, strips - 1, wanted).round().astype(int)).tolist()
    found: list[tuple[float, float]] = []
    for strip in chosen:
        top = strip * rows
        values = await read((0, top), (width, min(rows, height - top)))
        there = values[np.isfinite(values)]
        if there.size:
            found.append((float(there.min()), float(there.max())))
    if not found:
        return None
    return min(low for low, _ in found), max(high for _, high in found)
