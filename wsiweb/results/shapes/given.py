"""What users have in hand, as `Shapes`: geometries of shapely, tables of them, arrays, GeoJSON."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from wsiweb.results.shapes.checks import as_array, as_list, check_multi, unmasked
from wsiweb.results.shapes.geojson import read_geojson
from wsiweb.results.shapes.shapes import Holes, Shapes

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import ArrayLike, NDArray

    from wsiweb.results.shapes.shapes import Multi, Numbers, Origin, ShapeKind

__all__ = ["shapely_for", "shapes_of"]

# shapely's type_id: GEOS's, which are fixed (https://libgeos.org/doxygen/geos__c_8h.html).
_KINDS: dict[int, ShapeKind] = {0: "point", 1: "polyline", 2: "polygon", 3: "polygon"}
_POLYGON = 3
_MULTIPOINT = 4
_PARTED = "MultiPolygon, MultiLineString and GeometryCollection"


def shapes_of(
    given: Any,
    *,
    kind: ShapeKind | None = None,
    index: ArrayLike | None = None,
    origin: Origin = "corner",
    classes: str | Sequence[str | None] | None = None,
    measurements: Sequence[str] | Mapping[str, ArrayLike] | None = None,
    colors: Mapping[str, str | Sequence[int]] | None = None,
    multi: Multi = "refuse",
) -> tuple[Shapes, ...]:
    """Return shapes, whatever they were.

    Parameters
    ----------
    given : Shapes, geometries, table, array, list of arrays, or GeoJSON
        `Shapes`, or several of them, are returned as they are. Geometries are one of shapely's or
        any iterable of them; a height that they carry is left out. A table has ``.geometry`` and
        columns, as geopandas' has. An array holds flat coordinates, and wants `kind`; a list of
        arrays of shape (n, 2) or (n, 3) is of polygons unless `kind` says otherwise. GeoJSON is a
        path, its text or bytes, or what its text was read to; see `read_geojson`.
    kind, index, origin
        As in `Shapes.of`; `kind` and `index` for arrays only.
    classes : str or sequence of str, optional
        The class of each; of a table, the name of a column will do. A name that is no column is
        the class of all.
    measurements : mapping or sequence of str, optional
        A number for each, by name; of a table, names of columns.
    colors : mapping, optional
        As in `Shapes.of`.
    multi : {"refuse", "split"}
        What becomes of MultiPolygon, MultiLineString and GeometryCollection: DICOM has none. Split,
        each part becomes a shape of its own, with the class and the measurements of the whole. (A
        MultiPoint is always split.)

    Returns
    -------
    tuple of Shapes
        One for each kind.

    Raises
    ------
    ValueError
        For what cannot be understood or written; it names the first of what is wrong.

    Examples
    --------
    >>> import shapely
    >>> shapes_of([shapely.box(0, 0, 9, 9), shapely.Point(3, 4)])
    (<Shapes: 1 x polygon, 4 corners>, <Shapes: 1 x point, 1 corners>)
    """
    check_multi(multi)
    if isinstance(given, Shapes):
        return (given,)
    if isinstance(given, (str, os.PathLike, bytes, bytearray)) or _is_geojson(given):
        return read_geojson(given, origin=origin, multi=multi)
    columns = _Columns(classes, measurements, colors)
    if hasattr(given, "geometry") and not hasattr(given, "geom_type"):
        columns = _of_table(given, columns)
        given = given.geometry
    listed: list[Any] = [given] if hasattr(given, "geom_type") else []
    if not listed and not isinstance(given, np.ndarray):
        listed = _listed(given)
    if listed and all(isinstance(one, Shapes) for one in listed):
        return tuple(listed)
    if listed and all(hasattr(one, "geom_type") or one is None for one in listed):
        return _of_geometries(listed, columns, origin, multi)
    if isinstance(given, np.ndarray) and given.dtype == object:
        return shapes_of(given.tolist(), kind=kind, origin=origin, multi=multi, **columns.keywords)
    if listed and _are_arrays(listed):
        return (_of_arrays(listed, kind or "polygon", columns, origin),)
    if not isinstance(given, np.ndarray):
        raise ValueError(  # noqa: TRY004 - bad input is ValueError throughout
            "Annotations are made of shapely geometries, a table with .geometry, arrays of "
            f"coordinates, GeoJSON or Shapes; {_described(given, listed)} was given."
        )
    if kind is None:
        raise ValueError(
            "An array of coordinates may be points or corners: give shapes_of(array, kind=...), "
            "with 'point', 'polygon', 'polyline', 'ellipse' or 'rectangle', and index= for where "
            "each of them begins."
        )
    return (Shapes.of(kind, given, index, origin=origin, **columns.keywords),)


class _Columns(NamedTuple):
    """What is said of each shape."""

    classes: Any
    measurements: Any
    colors: Any

    @property
    def keywords(self) -> dict[str, Any]:
        if self.measurements is not None and not isinstance(self.measurements, Mapping):
            raise ValueError(
                "Names of measurements are understood for a table only; else give their values: "
                '{"Area": [...]}.'
            )
        return self._asdict()

    def take(self, rows: Numbers, count: int) -> dict[str, Any]:
        """Return the columns of some rows, as `Shapes.of` takes them."""
        keywords = self.keywords
        if keywords["classes"] is not None and not isinstance(keywords["classes"], str):
            classes = as_list("classes", keywords["classes"])
            keywords["classes"] = _rows_of("classes", classes, rows, count)
        if keywords["measurements"]:
            keywords["measurements"] = {
                name: _rows_of(f"the measurement {name!r}", values, rows, count)
                for name, values in keywords["measurements"].items()
            }
        return keywords


def _rows_of(what: str, values: Any, rows: Numbers, count: int) -> NDArray[Any]:
    if isinstance(values, list):
        column = np.fromiter(cast("list[Any]", values), object)
    else:
        column = np.asarray(unmasked(values))
    if column.shape != (count,):
        raise ValueError(f"There are {count} shapes, and {what} has shape {column.shape}.")
    return column[rows]


def _is_geojson(given: Any) -> bool:
    if isinstance(given, Mapping):
        return True
    return isinstance(given, list) and bool(given) and isinstance(given[0], Mapping)


def _listed(given: Any) -> list[Any]:
    try:
        return list(cast("Iterable[Any]", given))
    except TypeError:
        return []


def _are_arrays(listed: list[Any]) -> bool:
    return all(
        isinstance(one, (np.ndarray, Sequence)) and not isinstance(one, (str, bytes)) and len(one)
        for one in listed
    )


def _described(given: Any, listed: list[Any]) -> str:
    inside = f" of {type(listed[0]).__name__}" if listed else ""
    nothing = " of nothing" if isinstance(given, Sequence) and not given else ""
    return f"{type(given).__name__}{inside}{nothing}"


def _of_table(table: Any, columns: _Columns) -> _Columns:
    names: set[Any] = set(getattr(table, "columns", ()))
    classes, measurements, colors = columns
    if isinstance(classes, str) and classes in names:
        classes = list(table[classes])
    if measurements is not None and not isinstance(measurements, Mapping):
        is_one = isinstance(measurements, str)
        wanted = [measurements] if is_one else as_list("measurements", measurements)
        missing = [name for name in wanted if name not in names]
        if missing:
            raise ValueError(
                f"The table has no column {missing[0]!r}; it has "
                f"{', '.join(sorted(map(str, names))) or 'none'}."
            )
        measurements = {name: np.asarray(unmasked(table[name])) for name in wanted}
    return _Columns(classes, measurements, colors)


def _of_arrays(arrays: list[Any], kind: ShapeKind, columns: _Columns, origin: Origin) -> Shapes:
    parts = [as_array(one) for one in arrays]
    if all(part.ndim == 1 for part in parts):  # points, one by one
        parts = [part[None] for part in parts]
    widths = {part.shape[1:] for part in parts}
    if any(part.ndim != 2 for part in parts) or len(widths) != 1:
        raise ValueError(
            "Each array of a list has shape (n, 2) or (n, 3), all of them alike; shapes like "
            f"{sorted({part.shape for part in parts})[:3]} were given."
        )
    index = np.cumsum([0, *(len(part) for part in parts[:-1])])
    return Shapes.of(kind, np.concatenate(parts), index, origin=origin, **columns.keywords)


def shapely_for(what: str) -> ModuleType:
    """Return shapely, which is an extra.

    Raises
    ------
    ModuleNotFoundError
        Where it is not installed; says what it is needed for and how it is got.
    """
    try:
        import shapely
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{what} wants shapely, which is not installed: pip install 'wsiweb[shapes]'."
        ) from None
    return shapely


def _of_geometries(
    listed: list[Any], columns: _Columns, origin: Origin, multi: Multi
) -> tuple[Shapes, ...]:
    shapely = shapely_for("Reading geometries")
    geometries = np.empty(len(listed), object)
    geometries[:] = listed
    empty = np.flatnonzero(shapely.is_empty(geometries) | shapely.is_missing(geometries))
    if len(empty):
        raise ValueError(
            f"{len(empty)} of {len(geometries)} geometries are empty, the first of them number "
            f"{empty[0]} (counted from 0): leave them out."
        )
    parts, rows = _parts_of(shapely, geometries, multi)
    types = shapely.get_type_id(parts)
    found: list[Shapes] = []
    kinds: list[ShapeKind] = [_KINDS[number] for number in types.tolist()]
    for kind in dict.fromkeys(kinds):
        of_kind = np.isin(types, [number for number, name in _KINDS.items() if name == kind])
        chosen = np.flatnonzero(of_kind)
        keywords = columns.take(rows[chosen], len(geometries))
        found.append(_of_kind(shapely, kind, parts[chosen], origin, keywords))
    return tuple(found)


def _parts_of(
    shapely: ModuleType, geometries: NDArray[Any], multi: Multi
) -> tuple[NDArray[Any], Numbers]:
    """Return simple geometries, and of each which of those given it is a part of."""
    rows = np.arange(len(geometries))
    parts = geometries
    while True:
        types = shapely.get_type_id(parts)
        refused = np.flatnonzero(types > _MULTIPOINT)
        if len(refused) and multi != "split":
            raise ValueError(
                f"{len(np.unique(rows[refused]))} of {len(geometries)} geometries are of several "
                f"parts ({_PARTED}), the first of them number {rows[refused[0]]} (counted from 0), "
                'and DICOM annotations are not. Give multi="split" to make each part a shape of '
                "its own, with the class and measurements of the whole."
            )
        if types.max(initial=0) < _MULTIPOINT:
            return parts, rows
        parts, owner = shapely.get_parts(parts, return_index=True)  # a collection's may be multi
        rows = rows[owner]


def _of_kind(
    shapely: ModuleType,
    kind: ShapeKind,
    geometries: NDArray[Any],
    origin: Origin,
    keywords: dict[str, Any],
) -> Shapes:
    lines, holes = geometries, None
    if kind == "polygon":
        is_polygon = shapely.get_type_id(geometries) == _POLYGON
        lines = np.where(is_polygon, shapely.get_exterior_ring(geometries), geometries)
        holes = _holes_of(shapely, geometries, 0.5 if origin == "center" else 0.0)
    lengths = shapely.get_num_coordinates(lines)
    index = np.cumsum(lengths) - lengths
    coordinates = shapely.get_coordinates(lines)
    return Shapes.of(kind, coordinates, index, origin=origin, holes=holes, **keywords)


def _holes_of(shapely: ModuleType, polygons: NDArray[Any], shift: float) -> Holes | None:
    counts = shapely.get_num_interior_rings(polygons)
    with_holes = np.flatnonzero(counts)
    if not len(with_holes):
        return None
    rings, owner = shapely.get_rings(polygons[with_holes], return_index=True)
    is_hole = np.diff(owner, prepend=-1) == 0  # the first ring of each is its outline
    rings, owner = rings[is_hole], owner[is_hole]
    lengths = shapely.get_num_coordinates(rings)
    return Holes(
        coordinates=shapely.get_coordinates(rings) + shift,
        index=np.cumsum(lengths) - lengths,
        owner=with_holes[owner],
    )
