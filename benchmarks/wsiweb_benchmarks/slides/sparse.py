"""A slide with so many frames of which each has its place in the header: it is only opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import JPEGBaseline8Bit

from wsiweb.synthetic import headers
from wsiweb.synthetic.recipe import Recipe, level_size
from wsiweb.writing import encoders
from wsiweb.writing.part10 import FrameFile

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SLIDES", "Sparse"]

TILE = 256


class Sparse:
    """All frames alike: white."""

    name = "sparse"

    def make(self, folder: Path, *, small: bool) -> tuple[Path, str]:
        """Write three levels."""
        columns = 16 if small else 240
        recipe = Recipe(
            width=columns * TILE,
            height=columns * TILE,
            tile=(TILE, TILE),
            tiling="TILED_SPARSE",
            transfer_syntax=JPEGBaseline8Bit,
            photometric="YBR_FULL_422",
            bits=8,
            quality=50,
            offsets="extended",
            factors=(1, 4, 16),
            mpp=0.25,
            seed=0,
            patient_id="BENCHMARK",
            patient_name="Benchmark^Sparse",
            accession_number="B2",
            container_id=f"sparse-{columns}",
        )
        frame = encoders.jpeg(np.full((TILE, TILE, 3), 255, np.uint8), "YBR_FULL_422", 50)
        counts = [_write(recipe, folder, number, frame) for number in range(1, 4)]
        return folder, (
            f"TILED_SPARSE, {columns * TILE:,} x {columns * TILE:,} pixels, three levels of "
            f"{', '.join(f'{count:,}' for count in counts)} frames, each with its own position."
        )


def _write(recipe: Recipe, folder: Path, number: int, frame: bytes) -> int:
    factor = recipe.factors[number - 1]
    columns, rows = recipe.grid(factor)
    image = headers.Image(
        flavor="VOLUME",
        number=number,
        size=level_size((recipe.width, recipe.height), factor),
        tile=recipe.tile,
        frames=columns * rows,
        spacing=recipe.mpp * factor / 1000,
        corner=headers.corner(recipe),
        resampled=factor > 1,
        sparse=True,
        photometric=recipe.photometric,
    )
    places = ((column, row) for row in range(rows) for column in range(columns))
    with FrameFile(
        folder / f"{recipe.container_id}-{factor}.dcm",
        headers.header(recipe, image),
        image.frames,
        per_frame=headers.positions(image, places),
        offsets=recipe.offsets,
        raw_bytes=image.frames * TILE * TILE * 3,
    ) as file:
        for _ in range(image.frames):
            file.add(frame)
    return image.frames


SLIDES = (Sparse(),)
