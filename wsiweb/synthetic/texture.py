"""Tissue stained with haematoxylin and eosin, painted block by block at any place.

The architecture (outline, glands, fat, lymphoid patches, the run of the fibres) is a handful of
smooth random fields, known on a lattice of `LATTICE` pixels. Between the lattice points they are
interpolated, and decide which material of `wsiweb.synthetic.materials` is seen at a pixel. Nuclei
stand on a jittered grid whose random numbers are hashes of the place, so that neighbouring
blocks agree about a nucleus on their border without having met.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wsiweb.synthetic.materials import (
    ANGLES,
    FAMILIES,
    PERIOD,
    STAMP,
    VARIANTS,
    dyes,
    planes,
    stamps,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.float64]
    Bytes = NDArray[np.uint8]
    Words = NDArray[np.uint16]

__all__ = ["BLOCK", "LATTICE", "Tissue"]

BLOCK = (1024, 256)
"""Width and height in pixels of the blocks that tissue is painted in."""

LATTICE = 8
_MARGIN = STAMP  # pixels around a block in which nuclei are looked for
_PITCH = 15  # pixels between places where a nucleus may stand
_FRAY = 44  # pixels by which fibres reach over the smooth outline, or stay behind it

_GLAND, _LUMEN = 0.5, 1.25  # levels of the gland field: epithelium begins, lumen begins
_FAT = 1.15
_LYMPHOID = 1.25
_NAMES = tuple(FAMILIES)
_EPITHELIAL = _NAMES.index("epithelial")
_SPINDLE = _NAMES.index("spindle")
_LYMPHOCYTE = _NAMES.index("lymphocyte")
_VESICULAR = _NAMES.index("vesicular")


class _Waves:
    """A smooth random field of mean 0 and variance 1: a sum of plane waves."""

    def __init__(
        self, rng: np.random.Generator, shortest: float, longest: float, count: int = 24
    ) -> None:
        length = np.exp(rng.uniform(np.log(shortest), np.log(longest), count))
        # Directions spread evenly with jitter: a field without a grain.
        turn = (np.arange(count) + rng.uniform(0, 1, count)) * np.pi / count
        self._x = 2 * np.pi / length * np.cos(turn)
        self._y = 2 * np.pi / length * np.sin(turn)
        self._phase = rng.uniform(0, 2 * np.pi, count)
        self._gain = np.sqrt(2 / count)

    def at(self, x: Float, y: Float) -> Float:
        """Values at all pairs, shape (len(y), len(x))."""
        # cos(a + b) = cos a cos b - sin a sin b: the field is a product of two thin matrices.
        across = np.outer(self._x, x) + self._phase[:, None]
        down = np.outer(y, self._y)
        left = np.hstack([np.cos(down), -np.sin(down)])
        right = np.vstack([np.cos(across), np.sin(across)])
        return self._gain * (left @ right)


class _Fields(NamedTuple):
    """The architecture on the lattice points of one block; each (rows, columns) float64."""

    inside: Float  # pixels to the outline, positive inside
    gland: Float
    fat: Float
    lymphoid: Float
    tone: Float  # how strongly fibres took the eosin, 256 is plain
    u: Float  # coordinates in the bent texture, in pixels
    v: Float


class Tissue:
    """The picture of one slide, white where there is no tissue.

    Parameters
    ----------
    width, height : int
        Of the whole slide, in pixels.
    seed : int
        Another seed, another tissue; the same seed, the same pixels.

    Examples
    --------
    >>> Tissue(4000, 3000, seed=1).block(1, 5).shape
    (256, 1024, 3)
    """

    def __init__(self, width: int, height: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 0x5E])
        self._size = np.array([width, height], np.float64)
        side = min(width, height)
        self._key = np.uint64(rng.integers(0, 2**63))
        self._shape = _Waves(rng, 0.3 * side, 1.2 * side, 12)
        self._glands = _Waves(rng, 230, 420)
        self._crowding = _Waves(rng, 1900, 5200)
        self._fat = _Waves(rng, 1500, 4200)
        self._fat_edge = _Waves(rng, 180, 400)
        self._lymphoid = _Waves(rng, 600, 2400)
        self._tone = _Waves(rng, 350, 3000)
        self._bend = (_Waves(rng, 420, 1700), _Waves(rng, 420, 1700))
        self._turn = rng.uniform(0, np.pi)

    def occupied(self, cell: int) -> NDArray[np.bool_]:
        """Tell which square cells of the slide tissue may reach; all others are pure white.

        Parameters
        ----------
        cell : int
            Side in pixels, a multiple of `LATTICE`.

        Returns
        -------
        ndarray of bool, shape (rows, columns)
        """
        steps = cell // LATTICE
        columns, rows = (int(-(-extent // cell)) for extent in self._size)
        x = _lattice(0, columns * cell)
        found = np.empty((rows, columns), np.bool_)
        for row in range(rows):
            y = _lattice(row * cell, (row + 1) * cell)
            # One pixel of reserve: a block adds up the same waves in another order.
            near = self._inside(x, y).max(axis=0) > -_FRAY - 1
            found[row] = near[:-1].reshape(columns, steps).any(axis=1) | near[steps::steps]
        return found

    def block(self, column: int, row: int) -> Bytes | None:
        """Paint one block.

        Parameters
        ----------
        column, row : int
            Zero-based place in the grid of `BLOCK`-sized blocks.

        Returns
        -------
        ndarray of uint8, shape (rows, columns, 3), or None
            RGB; None for a block that is white all over.
        """
        x0, y0 = column * BLOCK[0], row * BLOCK[1]
        x = _lattice(x0 - _MARGIN, x0 + BLOCK[0] + _MARGIN)
        y = _lattice(y0 - _MARGIN, y0 + BLOCK[1] + _MARGIN)
        core = slice(_MARGIN // LATTICE, -(_MARGIN // LATTICE))
        inside = self._inside(x, y)
        if inside[core, core].max() <= -_FRAY:
            return None
        fields = self._fields(x, y, inside)
        haematoxylin, eosin, cover = _tissue(_Fields(*(field[core, core] for field in fields)))
        _stamp(haematoxylin, _nuclei(fields, self._key, (x0, y0)))
        if cover is not None:
            haematoxylin = (haematoxylin * cover >> 8).astype(np.uint8)
            eosin = (eosin * cover >> 8).astype(np.uint8)
        return _colour(haematoxylin, eosin)

    def _inside(self, x: Float, y: Float) -> Float:
        """Pixels to the smooth outline (roughly), positive inside."""
        width, height = self._size
        across, down = (x - width / 2) / (0.43 * width), (y - height / 2) / (0.43 * height)
        radius = np.hypot(across[None, :], down[:, None])
        # The waves grow with the radius, so that the middle of the slide is always tissue.
        height_field = 1 - radius**2 + 0.28 * radius * self._shape.at(x, y)
        return height_field * 0.21 * min(width, height)

    def _fields(self, x: Float, y: Float, inside: Float) -> _Fields:
        # Fewer glands under the outline: a capsule of fibres.
        rim = 0.9 * np.exp(-np.maximum(inside, 0) / 90)
        gland = self._glands.at(x, y) + 0.6 * self._crowding.at(x, y) - 0.2 - rim
        fat = self._fat.at(x, y) + 0.12 * self._fat_edge.at(x, y)
        tone = np.clip(256 + 34 * self._tone.at(x, y), 170, 340)
        cos, sin = np.cos(self._turn), np.sin(self._turn)
        u = cos * x[None, :] + sin * y[:, None] + 70 * self._bend[0].at(x, y)
        v = cos * y[:, None] - sin * x[None, :] + 70 * self._bend[1].at(x, y)
        return _Fields(inside, gland, fat, self._lymphoid.at(x, y), tone, u, v)


def _lattice(start: int, stop: int) -> Float:
    """Coordinates of the lattice points from start to stop, both included."""
    return np.arange(start, stop + 1, LATTICE).astype(np.float64)


def _spread(field: Float) -> NDArray[np.float32]:
    """Interpolate bilinearly from (rows + 1, columns + 1) lattice points to all pixels."""
    points = field.astype(np.float32)
    part = np.arange(LATTICE, dtype=np.float32) / np.float32(LATTICE)
    step = part[None, :, None]
    rows, columns = points.shape[0] - 1, points.shape[1] - 1
    left, right = points[:, :-1, None], points[:, 1:, None]
    wide = (left + (right - left) * step.reshape(1, 1, -1)).reshape(rows + 1, columns * LATTICE)
    # Down last, so that nine tenths of the work run along whole rows.
    upper = wide[:-1, None]
    full = (wide[1:] - wide[:-1])[:, None] * step
    full += upper
    return full.reshape(rows * LATTICE, columns * LATTICE).astype(np.float32, copy=False)


def _weight(field: NDArray[np.float32], level: float, slope: float) -> Words:
    """0 where the field is under the level, 256 above, a short ramp between."""
    ramp = (field - np.float32(level)) * np.float32(256 * slope)
    ramp += np.float32(128)
    return np.clip(ramp, 0, 256, out=ramp).astype(np.uint16)


def _blend(under: Words, over: Words | int, weight: Words) -> Words:
    return (under * (256 - weight) + over * weight) >> np.uint16(8)


def _tissue(fields: _Fields) -> tuple[Bytes, Bytes, Words | None]:
    """Both dyes of a block without its nuclei, and how much of each pixel is covered."""
    fibres, cytoplasm, walls, grain = _materials(fields.u, fields.v)
    eosin = np.minimum(fibres * _spread(fields.tone).astype(np.uint16) >> np.uint16(8), 255)
    haematoxylin = fibres >> np.uint16(4)
    gland = fields.gland
    if gland.max() > _GLAND - 0.1:
        field = _spread(gland)
        field += (grain.astype(np.float32) - 128) * np.float32(0.0005)
        epithelium = _weight(field, _GLAND, 14)
        # Mucin: the cytoplasm turns paler towards the lumen.
        pale = _weight(field, (_GLAND + _LUMEN) / 2 + 0.1, 2.2) * np.uint16(3) >> np.uint16(3)
        body = _blend(cytoplasm, 24, pale)
        eosin = _blend(eosin, body, epithelium)
        haematoxylin = _blend(haematoxylin, 52 - (pale >> np.uint16(2)), epithelium)
        if gland.max() > _LUMEN - 0.1:
            lumen = _weight(field, _LUMEN, 12)
            eosin = _blend(eosin, cytoplasm >> np.uint16(5), lumen)
            haematoxylin = _blend(haematoxylin, 1, lumen)
    if fields.fat.max() > _FAT - 0.1:
        fat = _weight(_spread(fields.fat), _FAT, 40)
        eosin = _blend(eosin, walls, fat)
        haematoxylin = _blend(haematoxylin, walls >> np.uint16(4), fat)
    haematoxylin += (haematoxylin * grain) >> np.uint16(9)
    cover = None
    if fields.inside.min() < _FRAY:
        reach = _spread(fields.inside)
        reach += (fibres.astype(np.float32) - 160) * np.float32(_FRAY / 200)
        cover = _weight(reach, 3, 1 / 6)
    return haematoxylin.astype(np.uint8), eosin.astype(np.uint8), cover


def _materials(u: Float, v: Float) -> tuple[Words, Words, Words, Words]:
    """Look the packed textures up at bent coordinates."""
    # Whole periods are taken off first: float32 would lose the pixels of a far corner.
    across = _spread(u - PERIOD * np.floor(u.min() / PERIOD)).astype(np.int32) & (PERIOD - 1)
    place = _spread(v - PERIOD * np.floor(v.min() / PERIOD)).astype(np.int32) & (PERIOD - 1)
    place *= PERIOD
    place += across
    found = planes().packed.take(place).view(np.uint8).reshape(*place.shape, 4)
    fibres, cytoplasm, walls, grain = (found[..., k].astype(np.uint16) for k in range(4))
    return fibres, cytoplasm, walls, grain


class _Nuclei(NamedTuple):
    """Where nuclei stand, as corners of their stamps in the block with its margin."""

    x: NDArray[np.intp]
    y: NDArray[np.intp]
    stamp: NDArray[np.intp]


def _nuclei(fields: _Fields, key: np.uint64, corner: tuple[int, int]) -> _Nuclei:
    """Choose the nuclei of a block from the hashes of their places."""
    left, top = corner[0] - _MARGIN, corner[1] - _MARGIN
    right, bottom = corner[0] + BLOCK[0] + _MARGIN, corner[1] + BLOCK[1] + _MARGIN
    columns = np.arange(left // _PITCH, right // _PITCH + 1)
    rows = np.arange(top // _PITCH, bottom // _PITCH + 1)
    bits = _hashes(columns, rows, key)
    column, row = (grid.ravel() for grid in np.meshgrid(columns, rows))
    # Every other row is shifted by half a step: cells pack like bricks, not like tiles.
    x = column * _PITCH + (row & 1) * (_PITCH // 2) + (bits & 15).astype(np.int64) - 8
    y = row * _PITCH + (bits >> np.uint64(4) & 15).astype(np.int64) - 8
    # The centre must keep its whole stamp inside the block with its margin.
    half = STAMP // 2
    kept = (x >= left + half) & (x <= right - half) & (y >= top + half) & (y <= bottom - half)
    x, y, bits = x[kept] - left, y[kept] - top, bits[kept]
    chance = ((bits >> np.uint64(8)) & 0xFFFF).astype(np.float64) / 65536
    family, angle = _kinds(fields, x // LATTICE, y // LATTICE, chance)
    variant = (bits >> np.uint64(32)).astype(np.intp) % VARIANTS
    wobble = (bits >> np.uint64(36) & 3).astype(np.intp) - 1
    turned = (np.round(angle * ANGLES / np.pi).astype(np.intp) + wobble) % ANGLES
    present = family >= 0
    stamp = (family * ANGLES + turned) * VARIANTS + variant
    return _Nuclei((x - half)[present], (y - half)[present], stamp[present])


def _kinds(
    fields: _Fields, column: NDArray[np.intp], row: NDArray[np.intp], chance: Float
) -> tuple[NDArray[np.intp], Float]:
    """Family of each nucleus (-1: none) and the direction of its long axis in radians."""
    gland = fields.gland[row, column]
    inside = fields.inside[row, column]
    lymphoid = fields.lymphoid[row, column]
    family = np.full(len(row), -1, np.intp)
    stroma = gland < _GLAND - 0.06
    family[stroma & (chance < 0.14)] = _SPINDLE
    family[stroma & (chance > 0.955)] = _LYMPHOCYTE
    family[stroma & (lymphoid > _LYMPHOID) & (chance > 0.25)] = _LYMPHOCYTE
    # Nuclei of glands stand at the base, in one or two rows; a few have wandered up.
    basal = (gland > _GLAND + 0.06) & (gland < _GLAND + 0.42)
    family[basal & (chance < 0.80)] = _EPITHELIAL
    family[basal & (chance > 0.88)] = _VESICULAR
    family[(gland >= _GLAND + 0.42) & (gland < _LUMEN - 0.15) & (chance < 0.08)] = _VESICULAR
    family[(fields.fat[row, column] > _FAT) & (chance < 0.985)] = -1
    family[inside < -_FRAY / 2] = -1
    # Along the gradient in glands, along the fibres (lines of equal v) elsewhere.
    slope_y, slope_x = _slopes(fields.gland, column, row)
    fibre_y, fibre_x = _slopes(fields.v, column, row)
    along = np.arctan2(slope_y, slope_x)
    angle = np.where(gland > _GLAND, along, np.arctan2(-fibre_x, fibre_y))
    return family, angle


def _slopes(field: Float, column: NDArray[np.intp], row: NDArray[np.intp]) -> tuple[Float, Float]:
    """Central differences at lattice points, down and across."""
    below, above = np.minimum(row + 1, field.shape[0] - 1), np.maximum(row - 1, 0)
    right, left = np.minimum(column + 1, field.shape[1] - 1), np.maximum(column - 1, 0)
    return field[below, column] - field[above, column], field[row, right] - field[row, left]


def _hashes(
    columns: NDArray[np.intp], rows: NDArray[np.intp], key: np.uint64
) -> NDArray[np.uint64]:
    """64 random bits per place, the same whoever asks (splitmix64)."""
    mixed = columns.astype(np.uint64)[None, :] * np.uint64(0x9E3779B97F4A7C15)
    mixed = mixed + rows.astype(np.uint64)[:, None] * np.uint64(0xC2B2AE3D27D4EB4F) + key
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed ^ (mixed >> np.uint64(31))).ravel()


def _stamp(haematoxylin: Bytes, nuclei: _Nuclei) -> None:
    """Press the nuclei into the block; the darker wins, so their order does not matter."""
    shapes = stamps()
    height, width = haematoxylin.shape
    wide = np.zeros((height + 2 * _MARGIN, width + 2 * _MARGIN), np.uint8)
    core = wide[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    core[...] = haematoxylin
    # Plain Python on purpose: a nucleus costs 3 microseconds, and nothing vectorises overlaps.
    for x, y, stamp in zip(*(column.tolist() for column in nuclei), strict=True):
        place = wide[y : y + STAMP, x : x + STAMP]
        np.maximum(place, shapes[stamp], out=place)
    haematoxylin[...] = core


def _colour(haematoxylin: Bytes, eosin: Bytes) -> Bytes:
    mixture = haematoxylin.astype(np.uint16) << np.uint16(8)
    mixture |= eosin
    pixels = dyes().take(mixture).view(np.uint8).reshape(*mixture.shape, 4)
    return np.ascontiguousarray(pixels[..., :3])
