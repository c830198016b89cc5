"""The way of a slide into its folder: painted, reduced, compressed and stored in one pass."""

from __future__ import annotations

import os
import re
from collections import deque
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as PillowImage

from wsiweb.synthetic import encode, headers, pictures
from wsiweb.synthetic.recipe import Recipe, level_size
from wsiweb.synthetic.texture import BLOCK, Tissue
from wsiweb.writing import encoders
from wsiweb.writing.part10 import FrameFile
from wsiweb.writing.rows import Cascade, Miniature, Rows, Tiler

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Writer"]

_MINIATURE = 1024  # pixels: the picture that thumbnail and overview are made of
_THUMBNAIL = 768
_CELL = 64  # pixels: grain of the map of empty tiles
_AHEAD = 2  # strips that are painted while another is written


class Writer:
    """One slide on its way to the folder."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self._recipe = recipe
        self._folder = folder
        self._tissue = Tissue(recipe.width, recipe.height, recipe.seed)
        self._background = 0 if recipe.samples == 1 else 255

    def write(
        self,
        others: Collection[headers.Flavor],
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, Path]:
        """Write the levels and the other instances that are asked for.

        Returns
        -------
        dict
            Files by flavor in lower case; levels as ``volume-<factor>``, finest first.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        miniature = Miniature()
        # The pool is entered last and left first: no thread outlives the files.
        with ExitStack() as files, _pool() as pool:
            cascade = self._cascade(files, pool, miniature, progress)
            for strip in self._strips(pool):
                cascade.feed(strip)
            cascade.finish()
        names = [f"volume-{factor}" for factor in self._recipe.factors]
        names += self._others(miniature.picture(), others)
        return {name: self._path(name) for name in names}

    def _cascade(
        self,
        files: ExitStack,
        pool: Executor,
        miniature: Miniature,
        progress: Callable[[int, int], None] | None,
    ) -> Cascade:
        recipe = self._recipe
        kept = self._kept()
        total = sum(int(tiles.sum()) for tiles in kept)
        done = 0

        def written(frames: int) -> None:
            nonlocal done
            done += frames
            if progress is not None:
                progress(done, total)

        stages: list[tuple[int, Rows]] = []
        before = 1
        small: int | None = None  # after which stage the miniature is taken
        for number, (factor, tiles) in enumerate(zip(recipe.factors, kept, strict=True), 1):
            image = self._volume(number, factor, int(tiles.sum()))
            places = ((int(column), int(row)) for row, column in np.argwhere(tiles))
            file = files.enter_context(
                self._file(image, f"volume-{factor}", places if image.sparse else ())
            )
            tiler = Tiler(
                file,
                recipe.tile,
                tiles,
                background=self._background,
                encode=self._encode,
                pool=pool,
                written=written,
            )
            stages.append((factor // before, tiler))
            before = factor
            if small is None and self._longest(before) <= _MINIATURE:
                small = len(stages)
        while self._longest(before) > _MINIATURE:
            stages.append((2, Rows()))
            before *= 2
        stages.insert(len(stages) if small is None else small, (1, miniature))
        return Cascade(stages)

    def _longest(self, factor: int) -> int:
        return max(level_size((self._recipe.width, self._recipe.height), factor))

    def _strips(self, pool: Executor) -> Iterator[NDArray[np.uint8 | np.uint16]]:
        """Paint the slide from top to bottom, a few strips ahead of whoever writes them."""
        width, height = self._recipe.width, self._recipe.height
        columns, rows = -(-width // BLOCK[0]), -(-height // BLOCK[1])
        waiting: deque[list[Future[NDArray[np.uint8] | None]]] = deque()
        for row in range(rows + _AHEAD):
            if row < rows:
                waiting.append(
                    [pool.submit(self._tissue.block, column, row) for column in range(columns)]
                )
            top = (row - _AHEAD) * BLOCK[1]
            if top < 0:
                continue
            strip = np.full((min(BLOCK[1], height - top), width, 3), 255, np.uint8)
            for column, painted in enumerate(waiting.popleft()):
                block = painted.result()
                if block is not None:
                    part = strip[:, column * BLOCK[0] : (column + 1) * BLOCK[0]]
                    part[...] = block[: part.shape[0], : part.shape[1]]
            yield encode.stored(strip, self._recipe.samples, self._recipe.bits)

    def _kept(self) -> list[NDArray[np.bool_]]:
        """Which tiles of each level are written."""
        recipe = self._recipe
        grids = [recipe.grid(factor) for factor in recipe.factors]
        if recipe.tiling == "TILED_FULL":
            return [np.ones((rows, columns), np.bool_) for columns, rows in grids]
        occupied = self._tissue.occupied(_CELL)
        kept: list[NDArray[np.bool_]] = []
        for factor, (columns, rows) in zip(recipe.factors, grids, strict=True):
            across, down = (side * factor for side in recipe.tile)
            tiles = np.zeros((rows, columns), np.bool_)
            for row, column in np.ndindex(rows, columns):
                tiles[row, column] = occupied[
                    row * down // _CELL : -(-(row + 1) * down // _CELL),
                    column * across // _CELL : -(-(column + 1) * across // _CELL),
                ].any()
            kept.append(tiles)
        return kept

    def _volume(self, number: int, factor: int, frames: int) -> headers.Image:
        recipe = self._recipe
        return headers.Image(
            flavor="VOLUME",
            number=number,
            size=level_size((recipe.width, recipe.height), factor),
            tile=recipe.tile,
            frames=frames,
            spacing=recipe.mpp * factor / 1000,
            corner=headers.corner(recipe),
            resampled=factor > 1,
            sparse=recipe.tiling == "TILED_SPARSE",
            photometric=recipe.photometric,
            bits=recipe.bits,
        )

    def _others(
        self, miniature: NDArray[np.uint8 | np.uint16], wanted: Collection[headers.Flavor]
    ) -> list[str]:
        """Write thumbnail, label and overview, as wanted; return their names."""
        recipe = self._recipe
        small = miniature if recipe.bits == 8 else miniature // 257
        small = np.repeat(small.astype(np.uint8), 4 - recipe.samples, axis=2)[..., :3]
        label = pictures.label_picture(recipe)
        thumbnail = self._thumbnail(small)
        overview = pictures.overview_picture(recipe, small, label)
        scale = max(recipe.width, recipe.height) / max(thumbnail.shape[:2])
        glass = headers.SLIDE_MM
        inset = (glass[0] - pictures.LABEL_MM) / 2
        paper = (glass[0] - inset, glass[1] - inset)
        made: tuple[tuple[headers.Flavor, NDArray[np.uint8], float, tuple[float, float]], ...] = (
            ("THUMBNAIL", thumbnail, recipe.mpp * scale / 1000, headers.corner(recipe)),
            ("LABEL", label, pictures.LABEL_MM / len(label), paper),
            ("OVERVIEW", overview, pictures.OVERVIEW_SPACING, glass),
        )
        names: list[str] = []
        for number, (flavor, picture, spacing, corner) in enumerate(made, len(recipe.factors) + 1):
            if flavor not in wanted:
                continue
            size = (picture.shape[1], picture.shape[0])
            image = headers.Image(
                flavor=flavor,
                number=number,
                size=size,
                tile=size,
                frames=1,
                spacing=spacing,
                corner=corner,
                resampled=flavor == "THUMBNAIL",
                photometric="RGB" if recipe.native else "YBR_FULL_422",
            )
            names.append(flavor.lower())
            with self._file(image, names[-1], ()) as file:
                file.add(
                    encode.native(picture)
                    if recipe.native
                    else encoders.jpeg(picture, "YBR_FULL_422", recipe.quality)
                )
        return names

    def _thumbnail(self, miniature: NDArray[np.uint8]) -> NDArray[np.uint8]:
        recipe = self._recipe
        taken = {level_size((recipe.width, recipe.height), factor) for factor in recipe.factors}
        picture = PillowImage.fromarray(miniature)
        picture.thumbnail((_THUMBNAIL, _THUMBNAIL), PillowImage.Resampling.BOX)
        # dicomslide refuses a slide whose thumbnail is as large as one of its levels.
        while picture.size in taken and max(picture.size) > 1:
            side = max(picture.size) * 7 // 8
            picture.thumbnail((side, side), PillowImage.Resampling.BOX)
        return np.asarray(picture)

    def _file(
        self, image: headers.Image, name: str, places: Iterator[tuple[int, int]] | tuple[()]
    ) -> FrameFile:
        samples = 1 if image.photometric == "MONOCHROME2" else 3
        frame = image.tile[0] * image.tile[1] * samples * image.bits // 8
        return FrameFile(
            self._path(name),
            headers.header(self._recipe, image),
            image.frames,
            per_frame=headers.positions(image, places) if image.sparse else b"",
            offsets=self._recipe.offsets,
            raw_bytes=frame * image.frames,
        )

    def _path(self, name: str) -> Path:
        slide = re.sub(r"[^A-Za-z0-9._-]", "_", self._recipe.container_id).lstrip(".") or "slide"
        return self._folder / f"{slide}-{name}.dcm"

    def _encode(self, tile: NDArray[np.uint8 | np.uint16]) -> bytes:
        if self._recipe.native:
            return encode.native(tile)
        return encoders.jpeg(tile.astype(np.uint8), self._recipe.photometric, self._recipe.quality)


def _pool() -> ThreadPoolExecutor:
    # The cores we may use, not those the machine has: containers give fewer.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ThreadPoolExecutor(min(cores or 1, 16), thread_name_prefix="wsiweb-synthetic")
