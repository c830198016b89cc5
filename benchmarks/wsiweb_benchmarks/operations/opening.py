"""Opening a slide: all that must be known before a tile can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from wsiweb_benchmarks.adapters import Adapter
    from wsiweb_benchmarks.judge import Judge
    from wsiweb_benchmarks.model import SlideInfo

__all__ = ["OPERATIONS", "Opening"]


class Opening:
    """`Adapter.open`, in a process that knows nothing of the server yet."""

    opened = False
    exact = True

    def __init__(self, name: str, about: str) -> None:
        self.name = name
        self.about = about

    def draw(self, slide: SlideInfo) -> dict[str, Any]:
        """Choose nothing."""
        del slide
        return {}

    def prepare(self, adapter: Adapter, parameters: dict[str, Any]) -> None:
        """Do nothing: the first request is timed."""

    def run(
        self,
        adapter: Adapter,
        parameters: dict[str, Any],
        take: Callable[[np.ndarray], None],
    ) -> None:
        """Open the slide."""
        del parameters, take
        adapter.open()

    def truth(self, judge: Judge, parameters: dict[str, Any]) -> Iterator[np.ndarray]:
        """Yield nothing: there are no pixels."""
        del judge, parameters
        return iter(())


OPERATIONS = (
    Opening("open", "Open the slide: whatever a library asks for before the first tile."),
    Opening(
        "open-sparse",
        "Open a TILED_SPARSE slide, whose headers give the place of each of 50,000 frames.",
    ),
)
