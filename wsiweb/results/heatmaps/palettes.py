"""Colours for numbers: palettes of 256 entries, by name or made of a few colours.

A palette is a recommendation that travels with a heat map (PS3.3 C.7.9). Viewers spread it over
the range of values that the map states (PS3.3 C.7.6.16.2.26).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsiweb.results.colors import as_rgb

__all__ = ["ENTRIES", "PALETTES", "Palette", "painted", "palette_table"]

Palette = str | Sequence[str] | NDArray[np.uint8]
"""A name (`PALETTES`), two or more colours from low to high, or 256 x 3 numbers."""

ENTRIES = 256

PALETTES: dict[str, tuple[str, ...]] = {
    # The perceptually uniform palettes of S. van der Walt and N. Smith, in ten steps.
    "viridis": (
        *("#440154", "#482878", "#3e4a89", "#31688e", "#26828e"),
        *("#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"),
    ),
    "magma": (
        *("#000004", "#180f3d", "#440f76", "#721f81", "#9e2f7f"),
        *("#cd4071", "#f1605d", "#fd9668", "#feca8d", "#fcfdbf"),
    ),
    "hot": ("#000000", "#ff0000", "#ffff00", "#ffffff"),
    "gray": ("#000000", "#ffffff"),
    "blue-red": ("#2166ac", "#92c5de", "#f7f7f7", "#f4a582", "#b2182b"),
}
"""Palettes by name, as colours at even steps from the lowest value to the highest."""


def palette_table(palette: Palette) -> NDArray[np.uint8]:
    """Return the entries of a palette.

    Parameters
    ----------
    palette : str, sequence of str, or array_like
        One of `PALETTES`; two to 256 colours from low to high, as CSS writes them (``"#ff7700"``,
        ``"orange"``), between which is interpolated; or the entries themselves, shape (256, 3),
        uint8.

    Returns
    -------
    numpy.ndarray
        Shape (256, 3), uint8: red, green, blue.

    Raises
    ------
    ValueError
        For a name or a colour that is not known, or an array of another shape.

    Examples
    --------
    >>> palette_table("viridis")[[0, -1]].tolist()
    [[68, 1, 84], [253, 231, 37]]
    >>> palette_table(["white", "#ff0000"])[128].tolist()
    [255, 127, 127]
    """
    if isinstance(palette, str):
        if palette not in PALETTES:
            raise ValueError(
                f"There is no palette {palette!r}; there are {', '.join(PALETTES)}. Or give two or "
                'more colours, such as ["white", "#b2182b"].'
            )
        return _between(PALETTES[palette])
    given: Any = palette
    if hasattr(given, "__len__") and len(given) and all(isinstance(one, str) for one in given):
        return _between(list(given))
    try:
        table = np.asarray(given)
    except ValueError:  # lists of different lengths
        table = np.empty(0, object)
    if table.shape != (ENTRIES, 3) or table.dtype != np.uint8:
        raise ValueError(
            f"A palette is a name, some colours, or an array of shape ({ENTRIES}, 3) of uint8; "
            f"what was given has shape {table.shape} and dtype {table.dtype}."
        )
    return table


def painted(values: NDArray[Any], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return numbers in colours, from the lowest of them to the highest.

    Parameters
    ----------
    values : numpy.ndarray
        Any shape, floats.
    table : numpy.ndarray
        From `palette_table`.

    Returns
    -------
    numpy.ndarray
        The same shape and a last axis of red, green, blue and opacity, uint8; what is no finite
        number is transparent.
    """
    picture = np.zeros((*values.shape, 4), np.uint8)
    there = np.isfinite(values)
    if there.any():
        known = values[there].astype(np.float64)
        low, span = known.min(), np.ptp(known) or 1.0
        picture[there, :3] = table[np.rint((known - low) / span * (ENTRIES - 1)).astype(np.intp)]
        picture[there, 3] = 255
    return picture


def _between(colours: Sequence[str]) -> NDArray[np.uint8]:
    """Interpolate between colours at even steps."""
    if not 2 <= len(colours) <= ENTRIES:
        raise ValueError(f"A palette has 2 to {ENTRIES} colours, not {len(colours)}.")
    nodes = np.array([as_rgb(colour, "a palette") for colour in colours], np.float64)
    places = np.linspace(0, len(colours) - 1, ENTRIES)
    planes = [np.interp(places, np.arange(len(colours)), plane) for plane in nodes.T]
    return np.floor(np.stack(planes, axis=1) + 0.5).astype(np.uint8)
