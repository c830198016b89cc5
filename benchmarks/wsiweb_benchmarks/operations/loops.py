"""A plain ``for`` loop over tiles, as everybody writes it first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from wsiweb_benchmarks.adapters import Adapter
    from wsiweb_benchmarks.judge import Judge
    from wsiweb_benchmarks.model import SlideInfo

__all__ = ["OPERATIONS", "Loop"]


class Loop:
    """`Adapter.tile` for each tile of a block, row by row.

    The reference alone is told the list beforehand (`Reference.foresee`, timed): it stands for
    what could be had if the walk had been known.
    """

    opened = True
    exact = True

    def __init__(self, name: str, about: str, columns: int, rows: int) -> None:
        self.name = name
        self.about = about
        self._extent = columns, rows

    def draw(self, slide: SlideInfo) -> dict[str, Any]:
        """Choose the block in the middle of the slide."""
        grid = slide.levels[0].grid
        extent = [min(most, have) for most, have in zip(self._extent, grid, strict=True)]
        first = [(have - side) // 2 for have, side in zip(grid, extent, strict=True)]
        return {"level": 0, "first": first, "extent": extent}

    def prepare(self, adapter: Adapter, parameters: dict[str, Any]) -> None:
        """Do nothing."""

    def run(
        self,
        adapter: Adapter,
        parameters: dict[str, Any],
        take: Callable[[np.ndarray], None],
    ) -> None:
        """Walk."""
        level = parameters["level"]
        if hasattr(adapter, "foresee"):
            adapter.foresee(level, list(_walk(parameters)))
        for column, row in _walk(parameters):
            take(adapter.tile(level, column, row))

    def truth(self, judge: Judge, parameters: dict[str, Any]) -> Iterator[np.ndarray]:
        """Yield the decoded frames."""
        for column, row in _walk(parameters):
            yield judge.tile(parameters["level"], column, row)


def _walk(parameters: dict[str, Any]) -> Iterator[tuple[int, int]]:
    (left, top), (columns, rows) = parameters["first"], parameters["extent"]
    for row in range(top, top + rows):
        for column in range(left, left + columns):
            yield column, row


OPERATIONS = (
    Loop("loop-row", "A plain for loop over a row of 96 tiles of level 0.", 96, 1),
    Loop("loop-grid", "A plain for loop over 16 x 16 tiles of level 0, row by row.", 16, 16),
)
