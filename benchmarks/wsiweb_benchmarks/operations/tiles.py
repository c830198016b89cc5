"""Many tiles that are known beforehand, as training on patches asks for."""

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

__all__ = ["OPERATIONS", "RandomTiles"]


class RandomTiles:
    """`Adapter.tiles`; each tile once, and let go of before the next."""

    opened = True
    exact = True

    def __init__(self, name: str, count: int, before: int = 0) -> None:
        self.name = name
        self.about = f"{count:,} tiles of level 0, drawn at random, each once, known beforehand"
        self.about += f"; after {before:,} others." if before else "."
        self._count = count
        self._before = before

    def draw(self, slide: SlideInfo) -> dict[str, Any]:
        """Draw tiles."""
        columns, rows = slide.levels[0].grid
        dice = random.Random(SEED)  # noqa: S311 - a draw, not a secret
        wanted = self._before + self._count
        drawn = dice.sample(range(columns * rows), min(wanted, columns * rows))
        places = [[at % columns, at // columns] for at in drawn]
        before = len(places) * self._before // wanted
        return {"level": 0, "before": places[:before], "tiles": places[before:]}

    def prepare(self, adapter: Adapter, parameters: dict[str, Any]) -> None:
        """Take the others."""
        for _ in adapter.tiles(parameters["level"], [(x, y) for x, y in parameters["before"]]):
            pass

    def run(
        self,
        adapter: Adapter,
        parameters: dict[str, Any],
        take: Callable[[np.ndarray], None],
    ) -> None:
        """Take all tiles."""
        tiles = [(column, row) for column, row in parameters["tiles"]]
        for tile in adapter.tiles(parameters["level"], tiles):
            take(tile)

    def truth(self, judge: Judge, parameters: dict[str, Any]) -> Iterator[np.ndarray]:
        """Yield the decoded frames."""
        for column, row in parameters["tiles"]:
            yield judge.tile(parameters["level"], column, row)


OPERATIONS = (
    RandomTiles("random-tiles", 1000),
    RandomTiles("random-tiles-100", 100),
    RandomTiles("random-tiles-later", 1000, before=500),
)
