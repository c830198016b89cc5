from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.results.shapes.features import geojson, write_geojson
from wsiweb.results.shapes.geojson import read_geojson
from wsiweb.results.shapes.given import shapes_of
from wsiweb.results.shapes.positions import read_positions
from wsiweb.results.shapes.shapes import Shapes

RING = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
HOLE = [[2, 2], [4, 2], [4, 4], [2, 2]]


def feature(geometry, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


# A file as QuPath 0.5 writes it: detections with a table, annotations with a list of measurements.
QUPATH = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": "6ad24a1d-6a6b-4a3f-a2c4-7f3f4b6f0b11",
            "geometry": {"type": "Polygon", "coordinates": [RING], "plane": {"c": -1, "z": 0}},
            "properties": {
                "objectType": "annotation",
                "name": "Größter Herd",
                "classification": {"name": "Tumor", "color": [200, 0, 0]},
                "isLocked": True,
                "measurements": {"Area µm^2": 25.5, "Circularity": None},
            },
        },
        {
            "type": "Feature",
            "geometry": polygon(RING, HOLE),
            "nucleusGeometry": polygon(HOLE),
            "properties": {
                "objectType": "detection",
                "classification": {"names": ["Tumor", "Positive"], "colorRGB": -3670016},
                "measurements": [{"name": "Area µm^2", "value": 3}, {"name": "DAB", "value": 0.5}],
            },
        },
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [3.5, 4, 0]}},
    ],
}


def test_the_dialect_of_qupath_is_read():
    outlines, points = read_geojson(QUPATH)
    assert (outlines.kind, len(outlines)) == ("polygon", 2)
    assert outlines.coordinates[:4].tolist() == RING[:-1]
    assert outlines.classes == ("Tumor", "Tumor: Positive")
    assert outlines.colors == {"Tumor": (200, 0, 0), "Tumor: Positive": (200, 0, 0)}
    assert outlines.measurements["Area µm^2"].tolist() == [25.5, 3]
    assert outlines.measurements["DAB"].tolist()[1] == 0.5
    assert np.isnan(outlines.measurements["DAB"][0])
    assert "Circularity" not in outlines.measurements
    assert outlines.properties["name"].tolist() == ["Größter Herd", None]
    assert outlines.properties["isLocked"].tolist() == [True, False]
    assert outlines.properties["objectType"].tolist() == ["annotation", "detection"]
    assert outlines.properties["id"][0].startswith("6ad24a1d")
    assert outlines.holes.owner.tolist() == [1]
    assert points.coordinates.tolist() == [[3.5, 4]]
    assert points.classes == ("",)


@pytest.mark.parametrize(
    "form",
    [
        lambda document: document,
        lambda document: document["features"],
        json.dumps,
        lambda document: " \n" + json.dumps(document["features"], indent=4),
        lambda document: b"\xef\xbb\xbf" + json.dumps(document, ensure_ascii=False).encode(),
    ],
    ids=["mapping", "list", "text", "indented", "bytes with a mark"],
)
def test_all_forms_of_a_document_are_alike(form):
    expected, _ = read_geojson(QUPATH)
    found, _ = shapes_of(form(QUPATH))
    assert np.array_equal(found.coordinates, expected.coordinates)
    assert found.classes == expected.classes


def test_files_and_single_features_are_read(tmp_path):
    path = tmp_path / "one.geojson"
    path.write_text(json.dumps(QUPATH["features"][2]))
    for way in (path, str(path)):
        assert shapes_of(way)[0].coordinates.tolist() == [[3.5, 4]]


def test_features_of_any_kind_are_read():
    found = read_geojson(
        [
            feature({"type": "LineString", "coordinates": [[0, 0], [1, 1], [2, 0]]}),
            feature({"type": "MultiPoint", "coordinates": [[0, 0], [1, 1]]}, name="two"),
            feature({"type": "Point", "coordinates": [5, 5]}),
            feature({**polygon([[0, 2], [4, 0], [8, 2], [4, 4], [0, 2]]), "isEllipse": True}),
            feature({**polygon([[0, 4], [1, 0], [2, 4], [1, 8], [0, 4]]), "isEllipse": True}),
        ]
    )
    assert [(one.kind, len(one)) for one in found] == [
        ("polyline", 1),
        ("point", 3),
        ("ellipse", 2),
    ]
    assert found[1].properties["name"].tolist() == ["two", "two", None]
    axes = [[0, 2], [8, 2], [4, 0], [4, 4], [1, 0], [1, 8], [0, 4], [2, 4]]
    assert found[2].coordinates.tolist() == axes


def test_geometries_of_several_parts_are_split_when_that_is_wanted():
    several = [
        feature({"type": "MultiPolygon", "coordinates": [[RING], [RING, HOLE]]}, name="a"),
        feature(
            {
                "type": "GeometryCollection",
                "geometries": [{"type": "Point", "coordinates": [1, 2]}, polygon(RING)],
            },
            name="b",
        ),
    ]
    with pytest.raises(ValueError, match=r"Feature 0 .* is a MultiPolygon.*multi=\"split\""):
        read_geojson(several)
    with pytest.raises(ValueError, match=r"Feature 0 .* is a GeometryCollection"):
        read_geojson(several[1:])
    outlines, points = read_geojson(several, multi="split")
    assert outlines.properties["name"].tolist() == ["a", "a", "b"]
    assert outlines.holes.owner.tolist() == [1]
    assert points.properties["name"].tolist() == ["b"]


def test_numbers_that_json_does_not_have_are_not_given():
    text = (
        '{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},"properties":{'
        '"name":"NaN, -Infinity","measurements":{"a":NaN,"b": -Infinity,"c":"NaN","d":1}}}'
    )
    (shapes,) = read_geojson(text)
    assert shapes.properties["name"].tolist() == ["NaN, -Infinity"]
    assert {name: values.tolist() for name, values in shapes.measurements.items()} == {"d": [1]}


def test_centres_are_half_a_pixel_from_corners():
    outlines, points = read_geojson(QUPATH, origin="center")
    assert points.coordinates.tolist() == [[4, 4.5]]
    assert outlines.holes.coordinates[0].tolist() == [2.5, 2.5]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "not GeoJSON"),
        ("[1]", "not GeoJSON"),
        (b'[{"type": "\xff"}]', "not GeoJSON"),
        ('[{"geometry":{"geometries":[' + '{"geometries":[' * 100_000, "not GeoJSON"),
        ('{"type": "FeatureCollection", "features": 5}', "not GeoJSON"),
        ('{"type": "Topology"}', "this is a Topology"),
        ("{}", "document without a type"),
        ("[]", "no features"),
        ({"features": [{"geometry": {1: 2}}]}, "no geometry|not GeoJSON"),
        ([feature(polygon(RING)), feature(None)], r"Feature 1 .* has no geometry"),
        ([feature({"type": "Circle", "coordinates": [1, 2]})], "type 'Circle'"),
        ([feature(polygon(RING)), feature(polygon())], "coordinates of feature 1"),
        ([feature(polygon([]))], "coordinates of feature 0"),
        ([feature({"type": "Polygon"})], "coordinates of feature 0"),
        ([feature(polygon([[0, 0], [1], [2, 2]]))], "coordinates of feature 0"),
        ([feature(polygon([[0, 0], ["1", 1], [2, 2]]))], "coordinates of feature 0"),
        ([feature(polygon([[0, 0], [None, 1], [2, 2]]))], "coordinates of feature 0"),
        ([feature(polygon([[0, 0], [True, 1], [2, 2]]))], "coordinates of feature 0"),
        ([feature({"type": "Polygon", "coordinates": RING})], "coordinates of feature 0"),
        ([feature({"type": "LineString", "coordinates": [RING]})], "coordinates of feature 0"),
        ([feature({"type": "Point", "coordinates": [RING]})], "coordinates of feature 0"),
        ([feature({"type": "MultiPoint", "coordinates": 5})], "Feature 0"),
        ([feature(polygon([[0, 0], [1, 1], [0, 0]]))], "polygon features .* three corners"),
        ([feature(polygon([[0, 0], [1e999, 1], [2, 2]]))], "feature 0|finite|not GeoJSON"),
    ],
)
def test_what_is_no_such_document_is_refused(document, words):
    with pytest.raises(ValueError, match=words):
        read_geojson(document)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_geojson(tmp_path / "none.geojson")


number = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 4))
position = st.tuples(number, number) | st.tuples(number, number, number)
ring = st.lists(position, min_size=1, max_size=6)


@given(st.lists(st.lists(ring, min_size=1, max_size=3), min_size=1, max_size=6), st.booleans())
def test_coordinates_are_what_json_says(polygons, spaced):
    texts = [json.dumps(one, indent=1 if spaced else None).encode() for one in polygons]
    read = read_positions(texts, 2, range(len(texts)))
    expected = [[list(point[:2]) for point in one[0]] for one in polygons]
    assert read.counts.tolist() == [len(one) for one in expected]
    assert read.points.tolist() == [point for one in expected for point in one]
    inner = [(owner, one) for owner, rings in enumerate(polygons) for one in rings[1:]]
    assert read.owners.tolist() == [owner for owner, _ in inner]
    assert read.holes.tolist() == [list(point[:2]) for _, one in inner for point in one]
    assert read.hole_counts.tolist() == [len(one) for _, one in inner]


def test_pieces_are_put_together():
    texts = [json.dumps([[[i, j] for j in range(200)]]).encode() for i in range(1500)]
    read = read_positions(texts, 2, range(len(texts)))
    assert read.counts.tolist() == [200] * 1500
    assert (read.points[:, 0] == np.repeat(np.arange(1500), 200)).all()


# Writing -------------------------------------------------------------------------------------


def test_what_was_read_is_written_again():
    again = json.loads(geojson(read_geojson(QUPATH)))
    first, second, third = again["features"]
    assert first["id"] == QUPATH["features"][0]["id"]
    assert first["geometry"] == polygon(RING)
    assert first["properties"] == {
        "objectType": "annotation",
        "name": "Größter Herd",
        "isLocked": True,
        "classification": {"name": "Tumor", "color": [200, 0, 0]},
        "measurements": {"Area µm^2": 25.5},
    }
    assert second["geometry"] == polygon(RING, HOLE)
    assert second["properties"]["classification"]["name"] == "Tumor: Positive"
    assert second["properties"]["measurements"] == {"Area µm^2": 3, "DAB": 0.5}
    assert third["geometry"] == {"type": "Point", "coordinates": [3.5, 4]}
    assert "id" not in third


def test_every_kind_comes_back():
    given = [
        Shapes.of("point", [[1, 2], [3.25, 4]], classes=["a", "b"]),
        Shapes.of("polyline", [[1, 2], [3, 4], [5, 6]]),
        Shapes.of("polygon", np.array(RING[:-1]), measurements={"n": [7]}),
        Shapes.of("ellipse", [[10, 50], [90, 50], [50, 30], [50, 70]]),
        Shapes.of("ellipse", [[10, 50], [90, 60], [45, 95], [55, 15]]),
        Shapes.of("rectangle", RING[:-1]),
    ]
    read = read_geojson(geojson(given, object_type="detection"))
    assert [(one.kind, len(one)) for one in read] == [
        ("point", 2),
        ("polyline", 1),
        ("polygon", 3),
        ("ellipse", 1),
    ]
    assert np.allclose(read[3].coordinates, given[3].coordinates)
    assert read[2].coordinates[-4:].tolist() == RING[:-1]
    assert read[0].properties["objectType"].tolist() == ["detection"] * 2


def test_shapely_reads_what_is_written(tmp_path):
    path = tmp_path / "out.geojson"
    outlines = shapes_of([shapely.box(0, 0, 9, 9), shapely.Polygon(RING, [HOLE])])
    write_geojson(path, outlines)
    collection = shapely.from_geojson(path.read_text())
    assert [one.area for one in collection.geoms] == [81, 98]
    assert [one.name for one in tmp_path.iterdir()] == ["out.geojson"]


def test_coordinates_have_no_more_digits_than_they_are_good_for():
    shapes = Shapes.of("point", np.array([[1.1, 2.7182818]], np.float32))
    assert b"[1.1,2.7183]" in geojson(shapes)
    assert b"[1.0,3.0]" in geojson(shapes, decimals=0)


def test_thousands_of_features_are_one_document(tmp_path):
    count = 9000
    shapes = Shapes.of("point", np.arange(2 * count).reshape(-1, 2))
    document = json.loads(geojson(shapes))
    assert [one["geometry"]["coordinates"][0] for one in document["features"]] == list(
        range(0, 2 * count, 2)
    )


def test_millimetres_are_no_geojson(tmp_path):
    shapes = Shapes.of("point", [[1, 2, 0]])
    with pytest.raises(ValueError, match="in millimetres"):
        write_geojson(tmp_path / "out.geojson", shapes)
    assert not list(tmp_path.iterdir())
