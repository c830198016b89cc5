"""Regions, and a whole level."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from wsiweb_benchmarks.operations import SEED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from wsiweb_benchmarks.adapters import Adapter
    from wsiweb_benchmarks.judge import Judge
    from wsiweb_benchmarks.model import SlideInfo

__all__ = ["OPERATIONS", "Region"]


class Region:
    """`Adapter.region`: one array."""

    opened = True
    exact = True

    def __init__(
        self, name: str, about: str, size: int, *, whole: bool = False, again: bool = False
    ) -> None:
        self.name = name
        self.about = about
        self._size = size
        self._whole = whole
        self._again = again

    def draw(self, slide: SlideInfo) -> dict[str, Any]:
        """Choose a place that no tile begins at; or the level that comes nearest."""
        if self._whole:
            sizes = [level.size for level in slide.levels]
            level = min(range(len(sizes)), key=lambda at: abs(max(sizes[at]) - self._size))
            return {"level": level, "location": [0, 0], "size": list(sizes[level])}
        level = slide.levels[0]
        dice = random.Random(SEED + self._size)  # noqa: S311 - a draw, not a secret
        location: list[int] = []
        size: list[int] = []
        for extent, tile in zip(level.size, level.tile_size, strict=True):
            side = min(self._size, max(extent - tile, 1))
            corner = dice.randint(0, extent - side)
            if corner % tile == 0 and corner < extent - side:
                corner += 1
            location.append(corner)
            size.append(side)
        return {"level": 0, "location": location, "size": size}

    def prepare(self, adapter: Adapter, parameters: dict[str, Any]) -> None:
        """Read it once, if it is to be read again."""
        if self._again:
            self.run(adapter, parameters, lambda _: None)

    def run(
        self,
        adapter: Adapter,
        parameters: dict[str, Any],
        take: Callable[[np.ndarray], None],
    ) -> None:
        """Read the region."""
        location, size = tuple(parameters["location"]), tuple(parameters["size"])
        take(adapter.region(parameters["level"], location, size))

    def truth(self, judge: Judge, parameters: dict[str, Any]) -> Iterator[np.ndarray]:
        """Yield the region, pasted from decoded frames."""
        location, size = tuple(parameters["location"]), tuple(parameters["size"])
        yield judge.region(parameters["level"], location, size)


OPERATIONS = (
    Region("region-1024", "A region of 1024 x 1024 pixels of level 0, unaligned.", 1024),
    Region("region-4096", "A region of 4096 x 4096 pixels of level 0, unaligned.", 4096),
    Region("level-6144", "A whole level, that of 6144 x 6144 pixels.", 6144, whole=True),
    Region(
        "region-again",
        "A region of 1024 x 1024 pixels that the same process has just read.",
        1024,
        again=True,
    ),
)
