"""What results that are read as arrays have in common: which pixels are wanted, and their files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from wsiweb import loop
from wsiweb.arguments import edges, file_of, folder_of, level_of, whole
from wsiweb.pictures import check_target, save_bytes
from wsiweb.pixels.tiling import to_level
from wsiweb.results.reading.pixels import Pixels
from wsiweb.results.reading.placement import Grid

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

    from wsiweb.frames import Frames
    from wsiweb.pixels.pyramid import Level, Pyramid

__all__ = ["Windows", "png_target", "save_picture"]

Pair = tuple[int, int]


class Windows:
    """A result that is read as arrays aligned to the levels of a slide.

    Parameters
    ----------
    pyramid : Pyramid
        The slide.
    connect : callable
        Returns the frames of the archive.
    """

    def __init__(self, pyramid: Pyramid, connect: Callable[[], Frames]) -> None:
        self._pyramid = pyramid
        self._connect = connect
        self._frames = connect()
        self._pixels = Pixels(self._frames)

    def close(self) -> None:
        """Let go of the frames held in memory. May be repeated, and it can be read again."""
        self._pixels.forget(self._uids()[2])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _uids(self) -> tuple[str, str, Sequence[str]]:
        """Return the UIDs of study, series, and all instances."""
        raise NotImplementedError

    # What is wanted -------------------------------------------------------------------------

    def _level(self, number: int) -> Level:
        return level_of(self._pyramid.levels, number)

    def _grid(self, location: Pair, level: int, size: Pair) -> Grid:
        """Return the grid of a region as users give it."""
        corner = to_level(whole(location, "location"), self._level(level).downsample)
        return self._grid_at(corner, level, whole(size, "size"))

    def _grid_at(self, corner: Pair, level: int, size: Pair) -> Grid:
        """Return the grid of a region whose corner is given in pixels of its level."""
        factor = self._level(level).downsample
        start = corner[0] * factor, corner[1] * factor
        return Grid(start, (factor, factor), size, self._pyramid.levels[0].size)

    def _fitted(self, size: int | Pair) -> Grid:
        """Return the grid of all of the slide, made to fit."""
        box = edges(size, "size")
        if min(box) < 1:
            raise ValueError(f"A thumbnail has at least one pixel; {size} was asked for.")
        width, height = self._pyramid.levels[0].size
        factor = min(1.0, box[0] / width, box[1] / height)
        fit = max(1, round(width * factor)), max(1, round(height * factor))
        return Grid((0.0, 0.0), (width / fit[0], height / fit[1]), fit, (width, height))

    # Files ----------------------------------------------------------------------------------

    def _save(self, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Fetch all instances into a folder, each named by its UID."""
        target = folder_of(folder, "save")
        target.mkdir(parents=True, exist_ok=True)
        paths = tuple(target / f"{uid}.dcm" for uid in self._uids()[2])
        loop.run(self._fetch(paths))
        return paths

    async def _fetch(self, paths: tuple[Path, ...]) -> None:
        study, series, instances = self._uids()
        for uid, path in zip(instances, paths, strict=True):
            await self._frames.client.instance(study, series, uid, path)


def png_target(path: str | os.PathLike[str]) -> Path:
    """Return where a picture goes; refuse what is no place for one.

    Raises
    ------
    ValueError
        For a name that does not end in ``.png``.
    """
    target = file_of(path, "path")
    if target.suffix.lower() != ".png":
        raise ValueError(f"{target.name!r} does not end in .png.")
    check_target(target)
    return target


def save_picture(picture: NDArray[Any], target: Path) -> None:
    """Write a picture (RGBA, uint8) whole or not at all; see `png_target`."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    save_bytes(buffer.getvalue(), target)
