"""Large slides whose tiles are cut from the real one: its texture, its colours, its entropy."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import JPEGBaseline8Bit

from wsiweb import synthetic
from wsiweb.synthetic.recipe import Recipe
from wsiweb.synthetic.texture import BLOCK
from wsiweb.synthetic.writing import Writer
from wsiweb_benchmarks.judge import Judge
from wsiweb_benchmarks.model import Source
from wsiweb_benchmarks.slides import Absent, described
from wsiweb_benchmarks.slides.cmu import cmu_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SLIDES", "Mosaic"]

QUALITY = 90  # some 18 KB a tile, as scanners write them; the real slide was saved at 30
TILE = 256


class Mosaic:
    """A square slide.

    Parameters
    ----------
    name : str
        Of the slide.
    side, small : int
        Pixels along one side; and of the tiny one.
    factors : tuple of int
        Downsample factors of the levels.
    """

    def __init__(self, name: str, side: int, small: int, factors: tuple[int, ...]) -> None:
        self.name = name
        self._sides = {False: side, True: small}
        self._factors = factors

    def make(self, folder: Path, *, small: bool) -> tuple[Path, str]:
        """Write the levels, and a thumbnail, a label and an overview beside them."""
        side = self._sides[small]
        factors = tuple(at for at in self._factors if at == 1 or side // at >= 128)
        about = (
            f"{side:,} x {side:,} pixels, tiles of {TILE} pixels, JPEG baseline, levels "
            f"downsampled by {', '.join(map(str, factors))}; "
        )
        try:
            real = _real_pixels()
        except Absent as absent:
            synthetic.write_slide(folder, side, side, levels=factors, seed=3)
            return folder, f"{about}made-up tissue, since {absent}."
        recipe = Recipe(
            width=side,
            height=side,
            tile=(TILE, TILE),
            tiling="TILED_FULL",
            transfer_syntax=JPEGBaseline8Bit,
            photometric="YBR_FULL_422",
            bits=8,
            quality=QUALITY,
            offsets="basic",
            factors=factors,
            mpp=0.5,
            seed=0,
            patient_id="BENCHMARK",
            patient_name="Benchmark^Mosaic",
            accession_number="B1",
            container_id=f"mosaic-{side}",
        )
        _Writer(recipe, folder, real).write(("THUMBNAIL", "LABEL", "OVERVIEW"))
        about += (
            "a mosaic of tiles cut anywhere from CMU-1-Small-Region, turned over at random, and "
            f"encoded again at quality {QUALITY}."
        )
        return folder, about


class _Writer(Writer):
    """Writes crops where the library writes made-up tissue."""

    def __init__(self, recipe: Recipe, folder: Path, real: np.ndarray) -> None:
        super().__init__(recipe, folder)
        self._tissue = _Crops(real)


class _Crops:
    """Stands where `wsiweb.synthetic.texture.Tissue` stands."""

    def __init__(self, real: np.ndarray) -> None:
        self._real = real

    def block(self, column: int, row: int) -> np.ndarray:
        """Return a row of tiles, shape (256, 1024, 3); the same at each call."""
        dice = random.Random(f"{column} {row}")  # noqa: S311 - a draw, not a secret
        return np.concatenate([self._crop(dice) for _ in range(BLOCK[0] // TILE)], axis=1)

    def _crop(self, dice: random.Random) -> np.ndarray:
        high, wide = self._real.shape[:2]
        x, y = dice.randint(0, wide - TILE), dice.randint(0, high - TILE)
        crop = self._real[y : y + TILE, x : x + TILE]
        return crop[:: dice.choice((1, -1)), :: dice.choice((1, -1))]


def _real_pixels() -> np.ndarray:
    slide = described("cmu", "", cmu_folder())
    return Judge(Source(url="", slide=slide)).region(0, (0, 0), slide.levels[0].size)


SLIDES = (
    Mosaic("mosaic", 24_576, 1_500, (1, 2, 4, 8, 16, 32)),
    Mosaic("mosaic-small", 5_120, 1_100, (1, 4, 8)),
    Mosaic("mosaic-large", 38_912, 1_300, (1, 4, 16)),
)
