"""Many points, lines or outlines of one kind, as flat arrays.

A million nuclei are two arrays: all corners one after the other, and where each nucleus begins.
That is how DICOM stores them (PS3.3 C.37.1.2), and nothing else is fast enough in Python.

Coordinates are x, y in pixels from the **corner** of the top left pixel, as shapely, OpenSlide and
QuPath count them, and as DICOM wants them here; or x, y, z in millimetres of the slide. Contours
from scikit-image and OpenCV count from the centre of that pixel: for those, say
``origin="center"``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from wsiweb.results.colors import as_rgb
from wsiweb.results.shapes.checks import (
    CORNERS,
    as_array,
    as_classes,
    as_column,
    as_index,
    as_points,
    by_name,
    check_corners,
    check_form,
    opened,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    Numbers = NDArray[np.int64]

__all__ = [
    "AREAS",
    "BLOCK",
    "Color",
    "Holes",
    "Multi",
    "Origin",
    "ShapeKind",
    "Shapes",
    "vertices_of",
]

ShapeKind = Literal["point", "polygon", "polyline", "ellipse", "rectangle"]
Origin = Literal["corner", "center"]
Multi = Literal["refuse", "split"]
Color = tuple[int, int, int]
"""Red, green and blue, each from 0 to 255."""

AREAS: frozenset[ShapeKind] = frozenset({"polygon", "ellipse", "rectangle"})
"""Kinds of shapes that enclose something."""

BLOCK = 2**15
"""Corners that are worked on at a time: they stay in the processor's cache."""

_SHAPES_AT_ONCE = 2**11


@dataclass(frozen=True, kw_only=True, eq=False)
class Holes:
    """The holes of polygons.

    Attributes
    ----------
    coordinates : numpy.ndarray
        Shape (n, 2): the corners of all holes.
    index : numpy.ndarray
        Int64: the first corner of each hole.
    owner : numpy.ndarray
        Int64, rising: of each hole the polygon that it is in.
    """

    coordinates: NDArray[Any]
    index: Numbers
    owner: Numbers

    def __len__(self) -> int:
        return len(self.index)

    @property
    def lengths(self) -> Numbers:
        """Shape (count,): how many corners each has."""
        return np.diff(self.index, append=len(self.coordinates))

    def take(self, rows: Numbers) -> Holes | None:
        """Return the holes of some polygons, which are counted anew; None when there are none."""
        numbers = np.full(max(int(self.owner.max(initial=0)), int(rows.max(initial=0))) + 1, -1)
        numbers[rows] = np.arange(len(rows))
        owner = numbers[self.owner]
        kept = np.flatnonzero(owner >= 0)
        if not len(kept):
            return None
        kept = kept[np.argsort(owner[kept], kind="stable")]
        vertices, index = vertices_of(self.index, self.lengths, kept)
        return Holes(coordinates=self.coordinates[vertices], index=index, owner=owner[kept])


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Shapes:
    """Shapes of one kind; made by `Shapes.of`, which checks them.

    Attributes
    ----------
    kind : str
        ``"point"``, ``"polygon"``, ``"polyline"``, ``"ellipse"`` or ``"rectangle"``.
    coordinates : numpy.ndarray
        Shape (n, 2), float32 or float64: x, y of all corners in pixels, (0, 0) being the top left
        corner of the top left pixel; or shape (n, 3): x, y, z in slide millimetres. Polygons are
        open: the first corner is not repeated at the end.
    index : numpy.ndarray
        Shape (count,), int64: zero-based, of each shape its first corner.
    measurements : mapping of str to numpy.ndarray
        By name, shape (count,), float64; NaN where there is no value.
    classes : tuple of str
        The names of all classes; one that is empty means that nothing is said.
    class_of : numpy.ndarray
        Shape (count,), int32: of each shape its class, as a place in `classes`.
    colors : mapping of str to Color
        By name of class, as far as they have one.
    properties : mapping of str to numpy.ndarray
        What GeoJSON says of each shape and DICOM has no place for: ``"id"``, ``"name"``,
        ``"isLocked"``, ``"objectType"``; shape (count,), dtype object.
    holes : Holes or None
        What is cut out of polygons. DICOM annotations have no holes.
    """

    kind: ShapeKind
    coordinates: NDArray[Any]
    index: Numbers
    measurements: Mapping[str, NDArray[np.float64]] = field(default_factory=dict[str, Any])
    classes: tuple[str, ...] = ("",)
    class_of: NDArray[np.int32]
    colors: Mapping[str, Color] = field(default_factory=dict[str, Color])
    properties: Mapping[str, NDArray[Any]] = field(default_factory=dict[str, Any])
    holes: Holes | None = None

    @classmethod
    def of(
        cls,
        kind: ShapeKind,
        coordinates: ArrayLike,
        index: ArrayLike | None = None,
        *,
        origin: Origin = "corner",
        measurements: Mapping[str, ArrayLike] | None = None,
        classes: str | Sequence[str | None] | NDArray[Any] | None = None,
        colors: Mapping[str, str | Sequence[int]] | None = None,
        holes: Holes | None = None,
        crooked: bool = False,
    ) -> Shapes:
        """Check flat arrays and make shapes of them.

        Parameters
        ----------
        kind : str
            What they are.
        coordinates : array_like
            Shape (n, 2) or (n, 3), or (count, corners, 2 or 3) for shapes of as many corners each;
            see `coordinates`. Not copied where that is not needed.
        index : array_like of int, optional
            The first corner of each polygon or polyline, zero-based and rising from 0; a last entry
            of n, as in ragged arrays, is understood. Without it all corners are one shape. Points,
            ellipses and rectangles need none.
        origin : {"corner", "center"}
            What pixel coordinates count from: the corner of the top left pixel, or its centre.
        measurements : mapping of str to array_like, optional
            A number for each shape.
        classes : str or sequence of str, optional
            The class of all, or of each; None and an empty text say nothing. Spaces around names
            do not count, nor around those of measurements.
        colors : mapping of str to str or (red, green, blue), optional
            Colours of classes: ``"#ff8000"``, names that Pillow knows, or numbers of 0 to 255.
        holes : Holes, optional
            What is cut out of polygons.
        crooked : bool
            Whether to take rectangles without right angles, and ellipses whose axes do not cross at
            a right angle in their middle, as other programs may have stored them.

        Returns
        -------
        Shapes
            Polygons whose first corner is repeated at the end have lost that repetition. Corners
            are otherwise kept as they are, in their order: polygons that cross themselves, too.

        Raises
        ------
        ValueError
            For coordinates that are masked or not finite numbers, an index that does not fit them,
            shapes of too few corners, rectangles and ellipses that are none, no shapes at all,
            columns of another length, or two measurements of one name.

        Examples
        --------
        >>> corners = [[0, 0], [9, 0], [9, 9], [20, 20], [29, 20], [29, 29], [20, 29]]
        >>> Shapes.of("polygon", corners, [0, 3], measurements={"Area": [40.5, 81]})
        <Shapes: 2 x polygon, 7 corners>
        """
        if kind not in get_args(ShapeKind):
            raise ValueError(f"The kind of shapes is one of {', '.join(CORNERS)}, not {kind!r}.")
        given = as_array(coordinates)
        if given.ndim == 3 and index is None:
            index = np.arange(len(given)) * given.shape[1]
            given = given.reshape(-1, given.shape[-1])
        points = as_points(given, kind)
        if origin not in ("corner", "center"):  # a tuple, as it may be anything
            raise ValueError(f'origin is "corner" or "center", not {origin!r}.')
        if origin == "center":
            if points.shape[1] == 3:
                raise ValueError('origin="center" is about pixels; millimetres have no such thing.')
            points = points + 0.5
        starts = as_index(index, kind, len(points))
        if kind == "polygon":
            points, starts = opened(points, starts)
        check_corners(kind, starts, len(points))
        if not crooked:
            check_form(kind, points)
        count = len(starts)
        names, class_of = as_classes(classes, count)
        return cls(
            kind=kind,
            coordinates=points,
            index=starts,
            measurements={
                name: as_column(name, values, count)
                for name, values in by_name("measurements", measurements or {}).items()
            },
            classes=names,
            class_of=class_of,
            colors={
                name: as_rgb(one, f"class {name!r}")
                for name, one in by_name("classes with a colour", colors or {}).items()
            },
            holes=holes,
        )

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        return f"<Shapes: {len(self)} x {self.kind}, {len(self.coordinates)} corners>"

    @property
    def dimensions(self) -> int:
        """2 for pixels, 3 for millimetres."""
        return int(self.coordinates.shape[1])

    @property
    def lengths(self) -> Numbers:
        """Shape (count,): how many corners each has."""
        return np.diff(self.index, append=len(self.coordinates))

    def of_class(self, number: int) -> Numbers | None:
        """Return which shapes are of a class; None for all of them."""
        rows = np.flatnonzero(self.class_of == number)
        return None if len(rows) == len(self) else rows

    def by_class(self) -> Iterator[tuple[str, Numbers | None]]:
        """Yield the name of each class that has shapes, and which; None for all of them."""
        for number, name in enumerate(self.classes):
            rows = self.of_class(number)
            if rows is None or len(rows):
                yield name, rows

    def take(self, rows: ArrayLike) -> Shapes:
        """Return some of the shapes.

        Parameters
        ----------
        rows : array_like of int
            Their zero-based numbers, each once, in the order that is wanted.
        """
        chosen = np.asarray(rows, dtype=np.int64)
        vertices, index = vertices_of(self.index, self.lengths, chosen)
        return Shapes(
            kind=self.kind,
            coordinates=self.coordinates[vertices],
            index=index,
            measurements={name: values[chosen] for name, values in self.measurements.items()},
            classes=self.classes,
            class_of=self.class_of[chosen],
            colors=self.colors,
            properties={name: values[chosen] for name, values in self.properties.items()},
            holes=None if self.holes is None else self.holes.take(chosen),
        )

    def part(self, start: int, stop: int) -> Shapes:
        """Return the shapes from one number to before another, which is quicker than `take`."""
        index = self.index[start:stop]
        last = int(self.index[stop]) if stop < len(self) else len(self.coordinates)
        return Shapes(
            kind=self.kind,
            coordinates=self.coordinates[index[0] : last],
            index=index - index[0],
            measurements={name: values[start:stop] for name, values in self.measurements.items()},
            classes=self.classes,
            class_of=self.class_of[start:stop],
            colors=self.colors,
            properties={name: values[start:stop] for name, values in self.properties.items()},
            holes=None
            if self.holes is None
            else self.holes.take(np.arange(start, start + len(index))),
        )

    def blocks(self, rows: Numbers | None = None) -> Iterator[NDArray[Any]]:
        """Yield the corners of some shapes, or of all, in order, a block at a time.

        Yields
        ------
        numpy.ndarray
            Shape (n, 2) or (n, 3); a part of `coordinates` itself where that is possible.
        """
        if rows is None:
            for start in range(0, len(self.coordinates), BLOCK):
                yield self.coordinates[start : start + BLOCK]
            return
        lengths = self.lengths
        for start in range(0, len(rows), _SHAPES_AT_ONCE):
            part = rows[start : start + _SHAPES_AT_ONCE]
            vertices, _ = vertices_of(self.index, lengths, part)
            yield self.coordinates[vertices]


def vertices_of(index: Numbers, lengths: Numbers, rows: Numbers) -> tuple[Numbers, Numbers]:
    """Return the places of all corners of some shapes, and where each shape begins among them.

    Parameters
    ----------
    index, lengths : numpy.ndarray
        Of each shape its first corner, and how many it has.
    rows : numpy.ndarray
        Which shapes.

    Examples
    --------
    >>> vertices, starts = vertices_of(np.array([0, 3, 7]), np.array([3, 4, 2]), np.array([2, 0]))
    >>> vertices.tolist(), starts.tolist()
    ([7, 8, 0, 1, 2], [0, 2])
    """
    lengths = lengths[rows]
    ends = np.cumsum(lengths)
    starts = ends - lengths
    count = int(ends[-1]) if len(ends) else 0
    return np.repeat(index[rows] - starts, lengths) + np.arange(count), starts
