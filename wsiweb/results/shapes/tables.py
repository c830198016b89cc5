"""Shapes as a table of comma-separated values, a row for each: what a spreadsheet opens.

A table that is read is of points: columns ``x`` and ``y``, perhaps ``class``, and any others with
numbers, which are measurements. A table that is written has, for shapes of all kinds, their class,
kind, middle and box, in pixels of level 0, and their measurements; outlines are in GeoJSON. So when
it is read again, each shape is the point in its middle, with its class and its measurements.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wsiweb.results.shapes.boxes import boxes_of
from wsiweb.results.shapes.shapes import Shapes
from wsiweb.writing.parts import replacing

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from wsiweb.results.shapes.shapes import Origin

__all__ = ["read_table", "write_table"]

_PLACE = ("x", "y")
_CLASS = "class"
_BESIDE = ("kind", "left", "top", "right", "bottom")  # what is written and not read
_FIXED = ("class", "kind", "x", "y", "left", "top", "right", "bottom")
_FORMULA = frozenset("=+-@\t\r")


def read_table(path: str | os.PathLike[str], *, origin: Origin = "corner") -> Shapes:
    """Return the points of a table.

    Parameters
    ----------
    path : path
        A file in UTF-8 whose first line has the names of the columns: ``x`` and ``y`` in pixels,
        perhaps ``class``; all others are measurements, in which an empty cell is no value. Of a
        table by `write_table`, kinds and boxes are not looked at: all shapes are points.
    origin : {"corner", "center"}
        What pixel coordinates count from; see `wsiweb.results.shapes.shapes`.

    Raises
    ------
    ValueError
        For a table without such columns, or a cell that is no number; says which line.
    """
    name = Path(path).name
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file)
        try:
            head = [_untamed(cell.strip()) for cell in next(lines, [])]
            rows = [row for row in lines if row]
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{name} is no table of comma-separated values: {error}.") from None
    missing = [column for column in _PLACE if column not in head]
    if missing or len(set(head)) != len(head):
        raise ValueError(
            f"The first line of {name} has the names of its columns, each once, with x and y among "
            f"them; it is {','.join(head)[:200]!r}."
        )
    if not rows:
        raise ValueError(f"{name} has no rows.")
    cells = dict(zip(head, _columns(rows, len(head), name), strict=True))
    if set(_FIXED) <= set(head):
        cells = {column: values for column, values in cells.items() if column not in _BESIDE}
    classes = cells.pop(_CLASS, None)
    if classes is not None:
        classes = [_untamed(one) for one in classes]
    numbers = {column: _numbers(column, values, name) for column, values in cells.items()}
    places = np.stack([numbers.pop(column) for column in _PLACE], axis=1)
    return Shapes.of("point", places, origin=origin, classes=classes, measurements=numbers)


def _columns(rows: list[list[str]], width: int, name: str) -> Iterator[list[str]]:
    for line, row in enumerate(rows, start=2):
        if len(row) != width:
            raise ValueError(f"Line {line} of {name} has {len(row)} cells; the first has {width}.")
    return ([cell.strip() for cell in column] for column in zip(*rows, strict=True))


def _numbers(column: str, cells: list[str], name: str) -> NDArray[np.float64]:
    values = np.full(len(cells), np.nan)
    for place, cell in enumerate(cells):
        if cell or column in _PLACE:
            try:
                values[place] = float(cell)
            except ValueError:
                raise ValueError(
                    f"Line {place + 2} of {name} has {cell[:40]!r} in the column {column!r}, which "
                    "takes numbers."
                ) from None
    return values


def write_table(path: str | os.PathLike[str], shapes: Iterable[Shapes]) -> int:
    """Write shapes as a table, whole or not at all; return the number of its rows.

    Parameters
    ----------
    path : path
        The file; one that is there is replaced.
    shapes : iterable of Shapes
        In pixels. Their middle is that of their box. Values that are not finite are left out, and
        a measurement that is called like another column gets a number after its name.
    """
    listed = list(shapes)
    names = list(dict.fromkeys(name for one in listed for name in one.measurements))
    count = 0
    with replacing(Path(path)) as part, part.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(_head(names))
        for one in listed:
            table.writerows(_rows(one, names))
            count += len(one)
    return count


def _head(names: list[str]) -> list[str]:
    """Return the names of the columns, each once."""
    head = [*_FIXED]
    for name in names:
        number, unlike = 1, name
        while unlike in head or (unlike != name and unlike in names):
            number += 1
            unlike = f"{name} ({number})"
        head.append(unlike)
    return [_tame(name) for name in head]


def _rows(shapes: Shapes, names: list[str]) -> Iterator[list[object]]:
    boxes = np.round(boxes_of(shapes).astype(np.float64), 4)
    middles = np.round((boxes[:, :2] + boxes[:, 2:]) / 2, 4)
    none = np.full(len(shapes), np.nan)
    measured = [shapes.measurements.get(name, none) for name in names]
    for row in range(len(shapes)):
        values = [values[row] for values in measured]
        yield [
            _tame(shapes.classes[shapes.class_of[row]]),
            shapes.kind,
            *middles[row].tolist(),
            *boxes[row].tolist(),
            *(float(value) if np.isfinite(value) else "" for value in values),
        ]


def _tame(text: str) -> str:
    """Keep a spreadsheet from taking a name out of an archive for a formula."""
    return f"'{text}" if text.lstrip("'")[:1] in _FORMULA else text


def _untamed(text: str) -> str:
    """Return what `_tame` was given."""
    return text[1:] if text[:1] == "'" and text.lstrip("'")[:1] in _FORMULA else text
