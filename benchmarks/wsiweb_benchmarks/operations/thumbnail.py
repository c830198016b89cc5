"""The whole slide, made to fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from wsiweb_benchmarks.adapters import Adapter
    from wsiweb_benchmarks.judge import Judge
    from wsiweb_benchmarks.model import SlideInfo

__all__ = ["OPERATIONS", "Thumbnail"]


class Thumbnail:
    """`Adapter.thumbnail`; from which image, and how it is resampled, is the library's."""

    opened = True
    exact = False

    def __init__(self, size: int) -> None:
        self.name = f"thumbnail-{size}"
        self.about = f"The whole slide with its longest side {size} pixels."
        self._size = size

    def draw(self, slide: SlideInfo) -> dict[str, Any]:
        """Choose the size; nothing is enlarged."""
        return {"size": min(self._size, max(slide.levels[0].size))}

    def prepare(self, adapter: Adapter, parameters: dict[str, Any]) -> None:
        """Do nothing."""

    def run(
        self,
        adapter: Adapter,
        parameters: dict[str, Any],
        take: Callable[[np.ndarray], None],
    ) -> None:
        """Make the thumbnail."""
        take(adapter.thumbnail(parameters["size"]))

    def truth(self, judge: Judge, parameters: dict[str, Any]) -> Iterator[np.ndarray]:
        """Yield the smallest level that is large enough, reduced by Pillow."""
        yield judge.thumbnail(parameters["size"])


OPERATIONS = (Thumbnail(512),)
