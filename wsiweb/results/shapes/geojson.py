"""GeoJSON as QuPath writes and reads it (RFC 7946), from and to `Shapes`.

QuPath counts pixels of the full-resolution image from the corner of the top left pixel, x to the
right and y down; geographic readings of the same text (longitude, latitude) do not apply.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from wsiweb.results.shapes.checks import check_multi
from wsiweb.results.shapes.positions import read_positions
from wsiweb.results.shapes.shapes import Holes, Shapes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.results.shapes.shapes import Color, Multi, Origin, ShapeKind

__all__ = ["read_geojson"]

# Brackets around the points of each type, and what its shapes are.
_SIMPLE: dict[str, tuple[int, ShapeKind]] = {
    "Point": (0, "point"),
    "LineString": (1, "polyline"),
    "Polygon": (2, "polygon"),
}
_MULTI = {"MultiPoint": "Point", "MultiLineString": "LineString", "MultiPolygon": "Polygon"}
_NOT_JSON = re.compile(rb'"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)')
# What msgspec raises for text that is no JSON, not what was expected, not UTF-8, or too deep.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class _Geometry(msgspec.Struct, gc=False):
    type: str = ""
    coordinates: msgspec.Raw = msgspec.Raw()
    geometries: list[_Geometry] | None = None
    isEllipse: bool = False  # noqa: N815 - QuPath's own name, of an upright ellipse


class _Classification(msgspec.Struct, gc=False):
    name: str | None = None
    names: list[str] | None = None
    color: list[int] | None = None
    colorRGB: int | None = None  # noqa: N815 - as QuPath wrote it before 0.4: 0xAARRGGBB, signed


class _Measurement(msgspec.Struct, gc=False):
    name: str
    value: float | str | None = None


class _Properties(msgspec.Struct, gc=False):
    objectType: str | None = None  # noqa: N815
    name: str | None = None
    isLocked: bool = False  # noqa: N815
    classification: _Classification | str | None = None
    measurements: dict[str, float | str | None] | list[_Measurement] | None = None


class _Feature(msgspec.Struct, gc=False):
    type: str = ""
    id: str | int | None = None
    geometry: _Geometry | None = None
    properties: _Properties | None = None


class _Document(_Feature, gc=False):
    features: list[_Feature] | None = None


_document = msgspec.json.Decoder(_Document)
_features = msgspec.json.Decoder(list[_Feature])
_raw_items = msgspec.json.Decoder(list[msgspec.Raw])


def read_geojson(
    given: Any, *, origin: Origin = "corner", multi: Multi = "refuse"
) -> tuple[Shapes, ...]:
    """Read GeoJSON in QuPath's dialect.

    Parameters
    ----------
    given : path, str, bytes or mapping
        A FeatureCollection, a list of features or a single one: the path of a file, its text, or
        what its text was read to.
    origin : {"corner", "center"}
        What coordinates count from; QuPath's from the corner of the top left pixel.
    multi : {"refuse", "split"}
        What becomes of MultiPolygon, MultiLineString and GeometryCollection; see `shapes_of`.

    Returns
    -------
    tuple of Shapes
        One for each kind. Classes are those of QuPath, with their colours; ``"Tumor: Positive"`` is
        one class. Measurements may be a table or a list of name and value; NaN, infinite values and
        null are not given. ``id``, ``name``, ``isLocked`` and ``objectType`` are kept in
        `Shapes.properties`. Polygons that say ``isEllipse`` are the upright ellipses in their
        place. Of a cell its outline is taken, not that of its nucleus.

    Raises
    ------
    ValueError
        For what is no such GeoJSON; names the first feature that is not right.

    Examples
    --------
    >>> read_geojson('{"type": "Feature", "geometry": {"type": "Point", "coordinates": [3, 4]}}')
    (<Shapes: 1 x point, 1 corners>,)
    """
    check_multi(multi)
    features = _read_features(_content(given))
    if not features:
        raise ValueError("The GeoJSON holds no features: nothing is written for nothing.")
    sorted_out = _sorted_out(features, multi)
    table = _Table.of(features)
    del features  # of a million, hundreds of megabytes
    return tuple(_shapes(kind, found, table, origin) for kind, found in sorted_out.items())


def _content(given: Any) -> bytes:
    if isinstance(given, (Mapping, list)):
        try:
            return msgspec.json.encode(given)
        except (TypeError, ValueError) as error:
            raise ValueError(f"What was given is no GeoJSON: {error}.") from None
    if isinstance(given, str) and given.lstrip()[:1] in {"{", "["}:
        return given.encode()
    if isinstance(given, (str, os.PathLike)):
        given = _read(Path(given))
    return bytes(given).removeprefix(_BYTE_ORDER_MARK)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no GeoJSON at {str(path)[:200]!r}.") from None
    except (OSError, ValueError) as error:  # a folder; a text that can be no path
        raise ValueError(
            f"{str(path)[:80]!r} is neither the text of GeoJSON nor a file that can be read: "
            f"{str(error)[:80]}."
        ) from error


def _read_features(content: bytes) -> list[_Feature]:
    try:
        return _decoded(content)
    except _UNREADABLE as error:
        # QuPath writes numbers that JSON does not have; that is rare, and looked at only then.
        mended = _NOT_JSON.sub(_null_for_number, content)
        if mended != content:
            return _read_features(mended)
        raise ValueError(f"This is not GeoJSON as QuPath writes it: {error}.") from None


def _null_for_number(found: re.Match[bytes]) -> bytes:
    return found[0] if found[0].startswith(b'"') else b"null"


def _decoded(content: bytes) -> list[_Feature]:
    if content.lstrip()[:1] == b"[":
        return _features.decode(content)
    document = _document.decode(content)
    if document.features is not None:
        return document.features
    if document.type != "Feature":
        raise ValueError(
            "GeoJSON is a FeatureCollection, a list of features or a Feature; this is a "
            f"{document.type or 'document without a type'}."
        )
    return [document]


@dataclass
class _Found:
    """Geometries of one type, undecoded, and the features that they are of."""

    depth: int
    texts: list[msgspec.Raw] = field(default_factory=list[msgspec.Raw])
    rows: list[int] = field(default_factory=list[int])


def _sorted_out(features: Sequence[_Feature], multi: Multi) -> dict[ShapeKind, _Found]:
    """Sort geometries by kind."""
    found: dict[ShapeKind, _Found] = {}
    for row, feature in enumerate(features):
        for name, text, is_ellipse in _simple(feature.geometry, row, multi):
            depth, kind = _SIMPLE[name]
            if is_ellipse and kind == "polygon":
                kind = "ellipse"
            if kind not in found:
                found[kind] = _Found(depth)
            found[kind].texts.append(text)
            found[kind].rows.append(row)
    return found


def _simple(
    geometry: _Geometry | None, row: int, multi: Multi
) -> Iterator[tuple[str, msgspec.Raw, bool]]:
    """Yield type and coordinates of a geometry, or of its parts."""
    name = "" if geometry is None else geometry.type
    if geometry is None or not (name in _SIMPLE or name in _MULTI or name == "GeometryCollection"):
        raise ValueError(
            f"Feature {row} (counted from 0) has {f'a geometry of type {name!r}' if name else 'no'}"
            f"{'' if name else ' geometry'}; points, lines and polygons are understood."
        )
    if name in _SIMPLE:
        yield name, geometry.coordinates, geometry.isEllipse
        return
    if multi != "split" and name != "MultiPoint":
        raise ValueError(
            f"Feature {row} (counted from 0) is a {name}, and DICOM annotations have one part "
            'each. Give multi="split" to make each part a shape of its own, with the class and '
            "measurements of the whole."
        )
    if name in _MULTI:
        try:
            parts = _raw_items.decode(geometry.coordinates)
        except msgspec.DecodeError:
            raise ValueError(f"Feature {row} (counted from 0) has no coordinates.") from None
        for part in parts:
            yield _MULTI[name], part, False
    for part in geometry.geometries or ():
        yield from _simple(part, row, multi)


@dataclass(frozen=True)
class _Table:
    """What features say beside their geometry, by column."""

    classes: list[str]
    colors: dict[str, Color]
    measurements: dict[str, NDArray[np.float64]]
    properties: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, features: Sequence[_Feature]) -> _Table:
        """Read the columns."""
        classes: list[str] = []
        colors: dict[str, Color] = {}
        columns: dict[str, tuple[list[int], list[float]]] = {}
        properties = {
            name: np.full(len(features), None, object)
            for name in ("id", "name", "isLocked", "objectType")
        }
        for row, feature in enumerate(features):
            properties["id"][row] = feature.id
            said = feature.properties
            if said is None:
                classes.append("")
                continue
            classes.append(_class_of(said.classification, colors))
            properties["name"][row] = said.name
            properties["isLocked"][row] = said.isLocked
            properties["objectType"][row] = said.objectType
            for name, value in _measured(said.measurements):
                if isinstance(value, (int, float)):  # else null, or "NaN"
                    rows, values = columns.setdefault(name, ([], []))
                    rows.append(row)
                    values.append(value)
        measurements: dict[str, NDArray[np.float64]] = {}
        for name, (rows, values) in columns.items():
            column = measurements[name] = np.full(len(features), np.nan)
            column[rows] = values
        return cls(classes, colors, measurements, properties)


def _measured(
    measurements: dict[str, float | str | None] | list[_Measurement] | None,
) -> Iterable[tuple[str, float | str | None]]:
    if measurements is None:
        return ()
    if isinstance(measurements, dict):
        return measurements.items()
    return ((one.name, one.value) for one in measurements)


def _class_of(said: _Classification | str | None, colors: dict[str, Color]) -> str:
    if said is None or isinstance(said, str):
        return (said or "").strip()
    name = (said.name or ": ".join(said.names or ())).strip()
    if name and name not in colors:
        color = said.color
        if color is None and said.colorRGB is not None:
            color = [said.colorRGB >> shift & 0xFF for shift in (16, 8, 0)]
        if color is not None and len(color) >= 3:
            colors[name] = (color[-3], color[-2], color[-1])  # some write alpha before it
    return name


def _shapes(kind: ShapeKind, found: _Found, table: _Table, origin: Origin) -> Shapes:
    rows = np.array(found.rows)
    read = read_positions(found.texts, found.depth, found.rows)
    points, index = read.points, np.cumsum(read.counts) - read.counts
    if kind == "ellipse":
        points, index = _ellipses(points, index), None
    holes = None
    if len(read.owners):
        shift = 0.5 if origin == "center" else 0.0
        starts = np.cumsum(read.hole_counts) - read.hole_counts
        holes = Holes(coordinates=read.holes + shift, index=starts, owner=read.owners)
    try:
        shapes = Shapes.of(
            kind,
            points,
            index,
            origin=origin,
            measurements={name: column[rows] for name, column in table.measurements.items()},
            classes=[table.classes[row] for row in found.rows],
            colors=table.colors,
            holes=holes,
        )
    except ValueError as error:
        raise ValueError(f"The {kind} features of the GeoJSON: {error}") from None
    properties = {
        name: column[rows]
        for name, column in table.properties.items()
        if any(value is not None for value in column)
    }
    return replace(shapes, properties=properties)


def _ellipses(points: NDArray[np.float64], index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the ends of both axes of the upright ellipses that fill the boxes of outlines."""
    left, top = (np.minimum.reduceat(points[:, axis], index) for axis in (0, 1))
    right, bottom = (np.maximum.reduceat(points[:, axis], index) for axis in (0, 1))
    x, y = (left + right) / 2, (top + bottom) / 2
    across = np.stack([left, y, right, y], axis=1)
    down = np.stack([x, top, x, bottom], axis=1)
    is_wide = (right - left >= bottom - top)[:, None]
    return np.concatenate(
        [np.where(is_wide, across, down), np.where(is_wide, down, across)], axis=1
    ).reshape(-1, 2)
