"""Polygons with holes, which annotations cannot have, as a segmentation (PS3.3 A.51).

Each class becomes a segment. Segments may overlap, so it is a binary segmentation; it is made block
by block, of those polygons that reach into the block, and never all of it is in memory. A polygon
may be so small that it has no pixel: that is told.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

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
    from wsiweb.results.shapes.shapes import Numbers
    from wsiweb.results.source import Source

__all__ = ["Holed", "HoledMask", "parted"]

_MOST_TOLD = 10  # numbers of polygons in a warning
_TILE = 512  # pixels
_BLOCK = 2**22  # bytes of the blocks that are made at a time, where one tile is not larger


class Holed(NamedTuple):
    """Polygons with holes.

    Attributes
    ----------
    shapes : Shapes
        The polygons.
    numbers : numpy.ndarray
        Int64: of each its zero-based number among those that were given.
    """

    shapes: Shapes
    numbers: Numbers

    def take(self, rows: Numbers | None) -> Holed:
        """Return some of them; None for all."""
        return self if rows is None else Holed(self.shapes.take(rows), self.numbers[rows])


def parted(shapes: Shapes) -> tuple[Shapes | None, Holed | None]:
    """Return the shapes without holes, and those with them."""
    if shapes.holes is None or not len(shapes.holes):
        return replace(shapes, holes=None), None
    numbers = np.arange(len(shapes))
    has_holes = np.isin(numbers, shapes.holes.owner)
    if has_holes.all():
        return None, Holed(shapes, numbers)
    with_holes = np.flatnonzero(has_holes)
    rest = shapes.take(np.flatnonzero(~has_holes))
    return rest, Holed(shapes.take(with_holes), with_holes)


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
    numbers : tuple of tuple of numpy.ndarray
        Of each of these the numbers of its polygons; see `Holed`.
    """

    plane: Plane
    segments: tuple[Segment, ...]
    fillings: tuple[tuple[Filling, ...], ...]
    numbers: tuple[tuple[Numbers, ...], ...]

    @classmethod
    def of(
        cls,
        given: Sequence[Holed],
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
        given : sequence of Holed
            Polygons in pixels of the level, or in slide millimetres.
        pyramid : Pyramid
            The slide.
        level : int
            Whose pixels the mask has.
        label : str
            Name of the segment of those without a class; by default their kind. Where it is that
            of a class, they are in the segment of that class.
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
        by_label: dict[str, list[Holed]] = {}
        classes: dict[str, str] = {}
        for one in given:
            _check_inside(one.shapes, pyramid, level)
            for name, rows in one.shapes.by_class():
                called = name or label or one.shapes.kind
                by_label.setdefault(called, []).append(one.take(rows))
                classes[called] = name or classes.get(called, "")
        _tell_of_measurements([one.shapes for one in given])
        return cls(
            plane=plane,
            segments=tuple(
                _segment(classes[called], called, description, terms, own)
                for called, own in by_label.items()
            ),
            fillings=tuple(
                tuple(Filling(one.shapes, plane, downsample=plane.downsample) for one in own)
                for own in by_label.values()
            ),
            numbers=tuple(tuple(one.numbers for one in own) for own in by_label.values()),
        )

    def write(self, source: Source, objects: Objects, *, alone: bool) -> tuple[ResultObject, ...]:
        """Write the mask and its pyramid, and warn of polygons that have no pixel in it.

        Parameters
        ----------
        source, objects
            As in `add_mask`.
        alone : bool
            Whether nothing else is written.

        Returns
        -------
        tuple of ResultObject
            One for each level; empty where no polygon has a pixel, and the mask is not alone.

        Raises
        ------
        ValueError
            For a mask that is alone and in which no polygon has a pixel.
        """
        blocks = self._blocks()
        first = next(blocks, None)
        if first is None and alone:
            raise ValueError(
                f"{self._too_small()} There is nothing else to write: give a finer level, at which "
                "they are larger."
            )
        made: tuple[ResultObject, ...] = ()
        if first is not None:
            made = add_mask(
                source,
                objects,
                itertools.chain([first], blocks),
                segments=self.segments,
                level=self.plane.level.index,
                kind="binary",
                tile_size=_TILE,
            )
        said = self._too_small()
        if said:
            warnings.warn(f"{said} They are not in the mask.", stacklevel=4)
        return made

    def _too_small(self) -> str:
        """Say which polygons had no pixel, after all blocks were made; nothing where all had."""
        drawn = np.concatenate([one.drawn for own in self.fillings for one in own])
        numbers = np.concatenate([one for own in self.numbers for one in own])
        small = np.sort(numbers[~drawn])
        if not len(small):
            return ""
        told = ", ".join(map(str, small[:_MOST_TOLD].tolist()))
        if len(small) > _MOST_TOLD:
            told = f"{told} and {len(small) - _MOST_TOLD} more"
        return (
            f"{len(small)} of {len(drawn)} polygons with holes (number {told} of those given, "
            f"counted from 0) cover the centre of no pixel of level {self.plane.level.index}."
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
    name: str, label: str, description: str, terms: tuple[Terms, Terms], own: Sequence[Holed]
) -> Segment:
    kind = type_code(terms[0], name)
    colors = [one.shapes.colors[name] for one in own if name in one.shapes.colors]
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
