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

    def __init__(self, name: str, count: int) -> None:
        self.name = name
        self.about = f"{count:,} tiles of level 0, drawn at random, each once, known beforehand."
        self._count = count

    def draw(self, slide: SlideInfo) -> dict[str, Any]:
        """Draw tiles."""
        columns, rows = slide.levels[0].grid
        dice = random.Random(SEED)  # noqa: S311 - a draw, not a secret
        drawn = dice.sample(range(columns * rows), min(self._count, columns * rows))
        return {"level": 0, "tiles": [[at % columns, at // columns] for at in drawn]}

    def prepare(self, adapter: Adapter, parameters: dict[str, Any]) -> None:
        """Do nothing."""

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


OPERATIONS = (RandomTiles("random-tiles", 1000), RandomTiles("random-tiles-100", 100))
