"""What tissue is painted with: dyes, fibres, fat, and nuclei to stamp.

Everything here is made once per process, is the same for every slide, and repeats seamlessly
after `PERIOD` pixels; `wsiweb.synthetic.texture` bends and mixes it so that no repeat shows.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ANGLES",
    "FAMILIES",
    "PERIOD",
    "STAMP",
    "VARIANTS",
    "Planes",
    "dyes",
    "planes",
    "stamps",
]

PERIOD = 1024
STAMP = 32
ANGLES = 16
VARIANTS = 4
_SEED = 20_240_229

# Optical density of 255 units of each dye in red, green, blue. The directions are the usual ones
# of stain separation, the lengths were set beside real slides.
_HAEMATOXYLIN = (1.75, 2.15, 1.05)
_EOSIN = (0.13, 1.12, 0.62)


class _Family(NamedTuple):
    """A kind of nucleus: half axes in pixels, how dark it is, how grainy."""

    long: float
    short: float
    density: float
    grain: float


FAMILIES = {
    "epithelial": _Family(9.5, 6.0, 165, 34),
    "spindle": _Family(11.0, 2.8, 185, 24),
    "lymphocyte": _Family(5.2, 4.8, 225, 30),
    "vesicular": _Family(9.0, 7.2, 120, 44),
}


class Planes(NamedTuple):
    """Seamless textures, each (PERIOD, PERIOD) uint8, packed so that one look-up gets all four.

    Attributes
    ----------
    packed : ndarray of uint32, shape (PERIOD * PERIOD,)
        Little-endian bytes: eosin of fibres, eosin of cytoplasm, eosin of fat, grain.
    """

    packed: NDArray[np.uint32]


@cache
def dyes() -> NDArray[np.uint32]:
    """Colour of every mixture of the two dyes.

    Returns
    -------
    ndarray of uint32, shape (65536,)
        At ``haematoxylin * 256 + eosin``: the bytes red, green, blue, 255 in that order in
        memory. No dye at all is pure white.
    """
    amount = np.arange(256, dtype=np.float64) / 255
    density = amount[:, None, None] * np.array(_HAEMATOXYLIN) + amount[None, :, None] * np.array(
        _EOSIN
    )
    pixels = np.full((256, 256, 4), 255, np.uint8)
    pixels[..., :3] = np.round(255 * np.exp(-density))
    return pixels.view(np.uint32).reshape(-1)


@cache
def planes() -> Planes:
    """Make the textures (about a quarter of a second, once)."""
    rng = np.random.default_rng(_SEED)
    grain = _noise(rng, 3, 3)
    layers = [
        _fibres(rng, grain),
        _cytoplasm(rng, grain),
        _fat(rng, grain),
        _bytes(128 + 36 * grain),
    ]
    return Planes(np.stack(layers, axis=-1).view("<u4").astype(np.uint32).reshape(-1))


@cache
def stamps() -> NDArray[np.uint8]:
    """Make the nuclei.

    Returns
    -------
    ndarray of uint8, shape (families * ANGLES * VARIANTS, STAMP, STAMP)
        Haematoxylin, 0 outside. Index ``(family * ANGLES + angle) * VARIANTS + variant``, where
        angle ``k`` has its long axis at ``k / ANGLES`` of half a turn from the x axis, towards y.
    """
    rng = np.random.default_rng(_SEED + 1)
    offset = np.arange(STAMP) - (STAMP - 1) / 2
    y, x = offset[:, None], offset[None, :]
    made: list[NDArray[np.uint8]] = []
    for family in FAMILIES.values():
        for angle in np.arange(ANGLES) * np.pi / ANGLES:
            along = x * np.cos(angle) + y * np.sin(angle)
            across = y * np.cos(angle) - x * np.sin(angle)
            made.extend(_nucleus(rng, family, along, across) for _ in range(VARIANTS))
    return np.stack(made)


def _nucleus(
    rng: np.random.Generator,
    family: _Family,
    along: NDArray[np.float64],
    across: NDArray[np.float64],
) -> NDArray[np.uint8]:
    long, short = np.array([family.long, family.short]) * rng.uniform(0.82, 1.18, 2)
    # A slight bend and two slow waves on the rim: no nucleus is an ellipse.
    across = across + rng.uniform(-0.02, 0.02) * along**2
    turn = np.arctan2(across / short, along / long)
    wobble = 1 + 0.07 * np.cos(2 * turn + rng.uniform(0, 6)) + 0.06 * np.cos(3 * turn + 1)
    radius = np.hypot(along / long, across / short) / wobble
    inside = np.clip((1 - radius) * short / 1.6 + 0.5, 0, 1)
    chromatin = _smooth(rng.standard_normal((STAMP, STAMP)))
    rim = np.exp(-(((radius - 0.85) / 0.16) ** 2))
    density = family.density * rng.uniform(0.85, 1.15) + family.grain * chromatin + 26 * rim
    return _bytes(inside * np.clip(density, 40, 255))


def _smooth(field: NDArray[np.float64]) -> NDArray[np.float64]:
    for axis in (0, 1):
        field = field + 0.8 * (np.roll(field, 1, axis) + np.roll(field, -1, axis))
    return field / field.std()


def _noise(rng: np.random.Generator, across: float, down: float) -> NDArray[np.float64]:
    """Seamless Gaussian noise with details of a given width and height in pixels; variance 1."""
    frequency = np.hypot(
        np.fft.rfftfreq(PERIOD)[None, :] * across, np.fft.fftfreq(PERIOD)[:, None] * down
    )
    # Peaked at the wanted size; what is much larger is left out, or it would show from afar.
    gain = frequency**2 * np.exp(-2 * frequency**2)
    white = np.fft.rfft2(rng.standard_normal((PERIOD, PERIOD)))
    field = np.fft.irfft2(white * gain, s=(PERIOD, PERIOD))
    return field / field.std()


def _fibres(rng: np.random.Generator, grain: NDArray[np.float64]) -> NDArray[np.uint8]:
    bundles = 1 - np.abs(_noise(rng, 190, 38))
    strands = 1 - np.abs(_noise(rng, 90, 13))
    eosin = 128 + 34 * bundles + 26 * strands + 9 * grain
    # Slits between the bundles, where the glass shows.
    gap = np.clip((_noise(rng, 230, 46) + 0.18 * strands - 1.15) * 4, 0, 1)
    return _bytes(eosin * (1 - gap) + (7 + 3 * grain) * gap)


def _cytoplasm(rng: np.random.Generator, grain: NDArray[np.float64]) -> NDArray[np.uint8]:
    nearest, second = _cells(rng, 23)
    membrane = np.exp(-(((second - nearest) / 2.2) ** 2))
    return _bytes(118 + 17 * _noise(rng, 11, 11) + 13 * grain + 26 * membrane)


def _fat(rng: np.random.Generator, grain: NDArray[np.float64]) -> NDArray[np.uint8]:
    nearest, second = _cells(rng, 73)
    wall = np.exp(-(((second - nearest) / 4.5) ** 2))
    return _bytes(5 + wall * (120 + 16 * grain))


def _cells(
    rng: np.random.Generator, across: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Distances in pixels to the nearest and second nearest of scattered centres (seamless)."""
    count = PERIOD // across
    pitch = np.float32(PERIOD / count)
    jitter = rng.uniform(0.1, 0.9, (2, count, count)).astype(np.float32)
    position = np.arange(PERIOD, dtype=np.float32)
    home = (position / pitch).astype(np.intp)
    first = np.full((PERIOD, PERIOD), np.inf, np.float32)
    second = first.copy()
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            row, column = (home + down)[:, None], (home + right)[None, :]
            y = (row.astype(np.float32) + jitter[0, row % count, column % count]) * pitch
            x = (column.astype(np.float32) + jitter[1, row % count, column % count]) * pitch
            far = (y - position[:, None]) ** 2 + (x - position[None, :]) ** 2
            np.minimum(second, np.maximum(first, far), out=second)
            np.minimum(first, far, out=first)
    return np.sqrt(first), np.sqrt(second)


def _bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
