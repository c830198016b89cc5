"""Shapes as the text of GeoJSON in QuPath's dialect (RFC 7946), a block of features at a time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from wsiweb.results.shapes.outlines import outlined
from wsiweb.results.shapes.shapes import Shapes
from wsiweb.writing.parts import replacing

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

__all__ = ["ObjectType", "geojson", "geojson_blocks", "write_geojson"]

ObjectType = Literal["annotation", "detection", "cell", "tile"]

_FEATURES_AT_ONCE = 512  # few enough for the garbage collector to leave them alone
_DECIMALS = 4  # a tenth of what float32 resolves on a large slide
_GEOMETRIES = {
    "point": "Point",
    "polyline": "LineString",
    "polygon": "Polygon",
    "ellipse": "Polygon",
    "rectangle": "Polygon",
}


def geojson(shapes: Shapes | Iterable[Shapes], **choices: Any) -> bytes:
    """Return shapes as GeoJSON; see `geojson_blocks`.

    Examples
    --------
    >>> print(geojson(Shapes.of("point", [[3, 4]], classes="Mitosis")).decode())
    ... # doctest: +NORMALIZE_WHITESPACE +ELLIPSIS
    {"type":"FeatureCollection","features":[
    {"type":"Feature","geometry":{"type":"Point","coordinates":[3.0,4.0]},...}
    ]}
    """
    return b"".join(geojson_blocks(shapes, **choices))


def write_geojson(
    path: str | os.PathLike[str], shapes: Shapes | Iterable[Shapes], **choices: Any
) -> None:
    """Write shapes to a file of GeoJSON, which appears when it is whole; see `geojson_blocks`."""
    with replacing(Path(path)) as part, part.open("wb") as file:
        for block in geojson_blocks(shapes, **choices):
            file.write(block)


def geojson_blocks(
    shapes: Shapes | Iterable[Shapes],
    *,
    object_type: ObjectType = "annotation",
    decimals: int = _DECIMALS,
) -> Iterator[bytes]:
    """Yield the text of a FeatureCollection.

    Parameters
    ----------
    shapes : Shapes or iterable of Shapes
        In pixels.
    object_type : {"annotation", "detection", "cell", "tile"}
        What QuPath takes them for, where they do not say it themselves; of the second kind it holds
        millions.
    decimals : int
        Of coordinates.

    Yields
    ------
    bytes
        UTF-8. Ellipses are polygons that say ``isEllipse`` where they are upright, which is the
        only kind that QuPath has; rectangles are polygons. Measurements that are NaN are left out.

    Raises
    ------
    ValueError
        For shapes in millimetres.
    """
    given = [shapes] if isinstance(shapes, Shapes) else list(shapes)
    if any(one.dimensions != 2 for one in given):
        raise ValueError("GeoJSON holds pixels; these shapes are in millimetres of the slide.")
    separator = b"\n"
    yield b'{"type":"FeatureCollection","features":['
    for one in given:
        for start in range(0, len(one), _FEATURES_AT_ONCE):
            part = one.part(start, start + _FEATURES_AT_ONCE)
            features = list(_features(part, object_type, decimals))
            # Of the list, what is between the brackets: a line for each feature.
            yield separator + b",\n".join(map(msgspec.json.encode, features))
            separator = b",\n"
    yield b"\n]}\n"


def _features(shapes: Shapes, object_type: str, decimals: int) -> Iterator[dict[str, Any]]:
    name = _GEOMETRIES[shapes.kind]
    upright = _upright(shapes) if shapes.kind == "ellipse" else None
    lines = outlined(shapes) if shapes.kind == "ellipse" else shapes
    points = np.round(lines.coordinates.astype(np.float64), decimals).tolist()
    ends = [*lines.index[1:].tolist(), len(points)]
    holes = _holes(shapes, decimals)
    classes = [_classification(shapes, one) for one in shapes.classes]
    columns = {key: column.tolist() for key, column in shapes.measurements.items()}
    said = {key: column.tolist() for key, column in shapes.properties.items()}
    for row, (start, end) in enumerate(zip(lines.index.tolist(), ends, strict=True)):
        coordinates: Any = points[start:end]
        if name == "Point":
            coordinates = coordinates[0]
        elif name == "Polygon":
            coordinates = [[*coordinates, coordinates[0]], *holes.get(row, ())]
        geometry: dict[str, Any] = {"type": name, "coordinates": coordinates}
        if upright is not None and upright[row]:
            geometry["isEllipse"] = True
        feature: dict[str, Any] = {"type": "Feature", "geometry": geometry}
        properties: dict[str, Any] = {"objectType": object_type}
        for key, column in said.items():
            if column[row] is not None:
                (feature if key == "id" else properties)[key] = column[row]
        classification = classes[shapes.class_of[row]]
        if classification is not None:
            properties["classification"] = classification
        measured = {key: column[row] for key, column in columns.items()}
        measured = {key: value for key, value in measured.items() if math.isfinite(value)}
        if measured:
            properties["measurements"] = measured
        feature["properties"] = properties
        yield feature


def _classification(shapes: Shapes, name: str) -> dict[str, Any] | None:
    if not name:
        return None
    color = shapes.colors.get(name)
    return {"name": name} if color is None else {"name": name, "color": list(color)}


def _holes(shapes: Shapes, decimals: int) -> dict[int, list[Any]]:
    """Return closed rings by the number of their polygon."""
    found: dict[int, list[Any]] = {}
    if shapes.holes is None:
        return found
    points = np.round(shapes.holes.coordinates.astype(np.float64), decimals).tolist()
    ends = [*shapes.holes.index[1:].tolist(), len(points)]
    for start, end, owner in zip(
        shapes.holes.index.tolist(), ends, shapes.holes.owner.tolist(), strict=True
    ):
        ring = points[start:end]
        found.setdefault(owner, []).append(ring if ring[0] == ring[-1] else [*ring, ring[0]])
    return found


def _upright(shapes: Shapes) -> NDArray[np.bool_]:
    axes = shapes.coordinates.reshape(-1, 2, 2, 2).astype(np.float64)
    along = np.abs(axes[:, :, 1] - axes[:, :, 0])  # shape (count, axis, xy)
    return (along.min(axis=2) <= 1e-6 * along.max(axis=2)).all(axis=1)
