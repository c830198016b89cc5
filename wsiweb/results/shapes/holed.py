"""Polygons with holes, which annotations cannot have, as a segmentation (PS3.3 A.51).

Each class becomes a segment. Segments may overlap, so it is a binary segmentation; it is made block
by block, of those polygons that reach into the block, and never all of it is in memory.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wsiweb.results.masks.mask import add_mask
from wsiweb.results.masks.segments import Segment
from wsiweb.results.planes import Plane
from wsiweb.results.shapes.coding import category_code, type_code
from wsiweb.results.shapes.filling import Filling
from wsiweb.results.shapes.placing import Placing
from wsiweb.results.shapes.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.results.objects import Objects, ResultObject
    from wsiweb.results.shapes.coding import Terms
    from wsiweb.results.source import Source

__all__ = ["HoledMask"]

_TILE = 512  # pixels
_BLOCK = 2**22  # bytes of the blocks that are made at a time, where one tile is not larger


@dataclass(frozen=True, kw_only=True, eq=False)
class HoledMask:
    """The mask of polygons, checked and ready to be written; made by `HoledMask.of`.

    Attributes
    ----------
    plane : Plane
        The matrix that it fills.
    segments : tuple of Segment
        One for each class.
    fillings : tuple of tuple of Filling
        Of each segment what belongs to it.
    """

    plane: Plane
    segments: tuple[Segment, ...]
    fillings: tuple[tuple[Filling, ...], ...]

    @classmethod
    def of(
        cls,
        given: Sequence[Shapes],
        pyramid: Pyramid,
        level: int,
        *,
        label: str,
        description: str,
        terms: tuple[Terms, Terms],
    ) -> HoledMask:
        """Check polygons and what is said of them.

        Parameters
        ----------
        given : sequence of Shapes
            Polygons in pixels of the level, or in slide millimetres; with holes.
        pyramid : Pyramid
            The slide.
        level : int
            Whose pixels the mask has.
        label : str
            Name of the segment of those without a class; by default their kind.
        description : str
            Of all segments.
        terms : tuple of Terms
            Type and category of each class.

        Raises
        ------
        ValueError
            For what cannot be written, or lies outside the slide.
        IndexError
            For a level that the slide does not have.
        """
        plane = Plane.at_level(pyramid, level)
        by_class: dict[str, list[Shapes]] = {}
        for shapes in given:
            _check_inside(shapes, pyramid, level)
            for name, rows in shapes.by_class():
                by_class.setdefault(name, []).append(shapes if rows is None else shapes.take(rows))
        _tell_of_measurements(given)
        return cls(
            plane=plane,
            segments=tuple(
                _segment(name, name or label or own[0].kind, description, terms, own)
                for name, own in by_class.items()
            ),
            fillings=tuple(
                tuple(Filling(one, plane, downsample=plane.downsample) for one in own)
                for own in by_class.values()
            ),
        )

    def write(self, source: Source, objects: Objects) -> tuple[ResultObject, ...]:
        """Write the mask and its pyramid; see `add_mask`."""
        return add_mask(
            source,
            objects,
            self._blocks(),
            segments=self.segments,
            level=self.plane.level.index,
            kind="binary",
            tile_size=_TILE,
        )

    def _blocks(self) -> Iterator[tuple[tuple[int, int], NDArray[np.uint8]]]:
        """Yield location and pixels of the blocks that are not empty."""
        width, height = self.plane.size
        across = max(1, _BLOCK // (_TILE * _TILE * len(self.segments))) * _TILE
        for y in range(0, height, _TILE):
            for x in range(0, width, across):
                size = (min(across, width - x), min(_TILE, height - y))
                stack = self._stack((x, y), size)
                if stack is not None:
                    yield (x, y), stack

    def _stack(self, location: tuple[int, int], size: tuple[int, int]) -> NDArray[np.uint8] | None:
        stack = None
        for number, fillings in enumerate(self.fillings):
            for filling in fillings:
                pixels = filling.region(location, size)
                if pixels is not None:
                    if stack is None:
                        stack = np.zeros((size[1], size[0], len(self.fillings)), np.uint8)
                    stack[..., number] |= pixels
        return stack


def _segment(
    name: str, label: str, description: str, terms: tuple[Terms, Terms], own: Sequence[Shapes]
) -> Segment:
    kind = type_code(terms[0], name)
    colors = [shapes.colors[name] for shapes in own if name in shapes.colors]
    return Segment(
        label=label,
        type=kind,
        category=category_code(terms[1], name, kind),
        color=colors[0] if colors else None,
        description=description,
    )


def _check_inside(shapes: Shapes, pyramid: Pyramid, level: int) -> None:
    """Refuse corners, those of holes too, that are not on the slide."""
    parts = [shapes]
    if shapes.holes is not None:
        holes = shapes.holes
        if not np.isfinite(holes.coordinates).all():
            raise ValueError("Of the corners of holes, some have coordinates that are not finite.")
        none = np.zeros(len(holes), np.int32)
        parts.append(
            Shapes(
                kind=shapes.kind, coordinates=holes.coordinates, index=holes.index, class_of=none
            )
        )
    for part in parts:
        Placing.on(pyramid, level, part.dimensions, "2d").survey(part, None)


def _tell_of_measurements(given: Sequence[Shapes]) -> None:
    lost = sorted(
        {
            name
            for shapes in given
            for name, values in shapes.measurements.items()
            if not np.isnan(values).all()
        }
    )
    if lost:
        count = sum(len(shapes) for shapes in given)
        warnings.warn(
            f"{count} polygons have holes and become a segmentation, which has no place for their "
            f"measurements: {', '.join(map(repr, lost))}.",
            stacklevel=5,
        )
