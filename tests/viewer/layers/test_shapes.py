"""Shapes as flat arrays, on tiles and at points, with shapely and Pillow as judges."""

from __future__ import annotations

import struct
import time

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from viewer.asking import arrays, ask, pixels, told

from wsiweb.errors import NotFound
from wsiweb.results.reports.findings import Finding, Region
from wsiweb.results.reports.report import add_report
from wsiweb.results.shapes.annotations import add_annotations
from wsiweb.results.shapes.outlines import to_shapely
from wsiweb.results.shapes.places import Places
from wsiweb.results.shapes.shapes import Shapes
from wsiweb.viewer.layers import shapes as layer_shapes
from wsiweb.viewer.layers.drawing import drawn
from wsiweb.viewer.layers.hits import touched
from wsiweb.viewer.layers.shapes import KINDS, TOO_MANY, flat

CORNERS = {
    "point": [[10, 20], [300, 400], [2000, 1400]],
    "polyline": [[100, 100], [700, 150], [900, 1200]],
    "polygon": [[50, 60], [500, 80], [450, 600], [80, 500]],
    "rectangle": [[100, 100], [400, 100], [400, 300], [100, 300]],
    "ellipse": [[100, 500], [500, 500], [300, 400], [300, 600]],
}
AREA = {"Area": (("42798000", "SCT", "Area"), "UCUM:SquareMicrometer")}


def of(kind, **more):
    return Shapes.of(kind, CORNERS[kind], **more)


def nuclei(count, size, seed=0, corners=12):
    """Small polygons all over a slide."""
    random = np.random.default_rng(seed)
    angles = np.arange(corners) * 2 * np.pi / corners
    radii = random.uniform(4, 12, (count, 1, 1))
    centres = random.random((count, 1, 2)) * (np.array(size) - 40) + 20
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=-1)[None]
    return Shapes.of("polygon", (centres + radii * ring).astype(np.float32))


# In a box --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CORNERS)
def test_each_kind_comes_as_flat_arrays(place, kind):
    given = of(kind)
    place.add(add_annotations, [given])
    feed = place.feed()
    (layer,) = told(feed, "layers")
    assert (layer["kind"], layer["shapes"], layer["raster"]) == ("annotations", True, None)
    (part,) = layer["parts"]
    assert part["count"] == len(given)
    found = ask(feed, f"layers/{layer['id']}/{part['id']}/shapes/0,0,2100,1500")
    assert found.media_type == "application/octet-stream"
    number, outlines = arrays(found.data)
    assert number == KINDS[kind]
    expected = [shapely.get_coordinates(one) for one in to_shapely(given)]
    for one, other in zip(outlines, expected, strict=True):
        closed = kind not in {"point", "polyline"}
        np.testing.assert_allclose(one, other[:-1] if closed else other, atol=0.01)


def test_only_what_a_box_touches_comes_and_not_more_than_is_wanted(place):
    given = nuclei(2000, (2100, 1500))
    place.add(add_annotations, [given], crossing="keep")
    feed = place.feed()
    (layer,) = told(feed, "layers")
    base = f"layers/{layer['id']}/0/shapes"
    x, y, width, height = 400, 300, 500, 350.5
    _, outlines = arrays(ask(feed, f"{base}/{x},{y},{width},{height}").data)
    boxes = shapely.bounds(to_shapely(given))
    there = (
        (boxes[:, 0] <= x + width)
        & (boxes[:, 2] >= x)
        & (boxes[:, 1] <= y + height)
        & (boxes[:, 3] >= y)
    )
    assert len(outlines) == there.sum() > 100
    rows = np.flatnonzero(there)
    np.testing.assert_allclose(outlines[5], given.coordinates[rows[5] * 12 : rows[5] * 12 + 12])
    most = ask(feed, f"{base}/{x},{y},{width},{height}?most={there.sum() - 1}")
    assert most.data == struct.pack("<I", TOO_MANY)
    assert arrays(ask(feed, f"{base}/-500,-500,10,10").data) == (2, [])


def test_a_box_that_is_none_is_told(place):
    place.add(add_annotations, [of("point")])
    feed = place.feed()
    (layer,) = told(feed, "layers")
    base = f"layers/{layer['id']}/0"
    for path, error, words in [
        (f"{base}/shapes/0,0,-1,1", ValueError, "negative"),
        (f"{base}/shapes/0,0,1", ValueError, "4 numbers"),
        (f"{base}/shapes/0,0,1,1?most=many", ValueError, "most is a whole number"),
        (f"{base}/0/0/0", NotFound, "no pixels"),
        (f"{base}/coverage/99/0/0", NotFound, "levels 0 to"),
        (f"{base}/coverage/0/99/0", NotFound, "column 99"),
        (f"layers/{layer['id']}/7/shapes/0,0,1,1", NotFound, "no part '7'"),
    ]:
        with pytest.raises(error, match=words):
            ask(feed, path)


def test_nothing_at_all_is_flat_too():
    empty = of("polygon").take([])
    assert arrays(flat(empty)) == (2, [])


# On tiles --------------------------------------------------------------------------------------


def by_pillow(shapes, corner, size, downsample):
    """The same outlines drawn by Pillow, on a tile with a pixel more on each side."""
    picture = Image.new("L", (size[0] + 2, size[1] + 2))
    draw = ImageDraw.Draw(picture)
    for one in to_shapely(shapes):
        points = shapely.get_coordinates(one) / downsample - corner + 1
        draw.line([tuple(np.floor(point)) for point in points], fill=255)
    return np.asarray(picture) > 0


def near(mask):
    """All pixels of a mask, and their neighbours."""
    padded = np.pad(mask, 1)
    height, width = mask.shape
    return np.any(
        [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0
    )


@pytest.mark.parametrize("kind", ["polyline", "polygon", "rectangle", "ellipse"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_outlines_are_drawn_where_pillow_draws_them(place, kind, number):
    given = of(kind)
    place.add(add_annotations, [given])
    feed = place.feed()
    (layer,) = told(feed, "layers")
    level = place.slide.levels[number]
    seen_any = False
    for column in range(level.grid[0]):
        for row in range(level.grid[1]):
            found = ask(feed, f"layers/{layer['id']}/0/coverage/{number}/{column}/{row}")
            corner = np.array([column, row]) * level.tile_size
            expected = by_pillow(given, corner, level.tile_size, level.downsample)
            inside = expected[2:-2, 2:-2]  # what surely lies on this tile
            if not found.data:
                assert not inside.any()
                continue
            assert found.media_type == "image/png"
            seen = pixels(found, None)
            assert set(np.unique(seen)) <= {0, 255}
            assert not (seen[~near(expected)[1:-1, 1:-1]] > 0).any()
            assert near(seen > 0)[1:-1, 1:-1][inside].all()
            seen_any |= bool(inside.any())
    assert seen_any


def test_points_are_dots(place):
    place.add(add_annotations, [of("point")])
    feed = place.feed()
    (layer,) = told(feed, "layers")
    seen = pixels(ask(feed, f"layers/{layer['id']}/0/coverage/0/0/0"), None)
    expected = np.zeros((256, 256), np.uint8)
    expected[19:22, 9:12] = 255
    np.testing.assert_array_equal(seen, expected)


def test_a_dot_at_the_edge_of_a_tile_is_drawn_on_its_neighbour_too(place):
    place.add(add_annotations, [Shapes.of("point", [[256.5, 100.5]])])
    feed = place.feed()
    (layer,) = told(feed, "layers")
    left, right = (
        pixels(ask(feed, f"layers/{layer['id']}/0/coverage/0/{column}/0"), None)
        for column in (0, 1)
    )
    assert left[100, 255] == right[100, 0] == right[100, 1] == 255
    assert left.sum() == 3 * 255


def test_what_is_small_is_a_dot_of_one_pixel():
    tiny = nuclei(50, (3000, 3000))
    places = Places(tiny)
    rows = np.arange(50)
    tile = drawn(tiny, rows, places.boxes(rows), (0, 0), (128, 128), 64.0)
    centres = np.floor(tiny.coordinates.reshape(50, 12, 2).mean(axis=1) / 64).astype(int)
    assert 0 < (tile > 0).sum() <= 50
    y, x = np.nonzero(tile)
    assert {(a, b) for a, b in zip(x, y, strict=True)} <= {
        (int(a) + dx, int(b) + dy) for a, b in centres for dx in (-1, 0, 1) for dy in (-1, 0, 1)
    }


def test_lines_across_a_whole_slide_are_cut_at_the_tile():
    line = Shapes.of("polyline", [[-1e6, -1e6], [1e6, 1e6]])
    box = Places(line).boxes(np.array([0]))
    tile = drawn(line, np.array([0]), box, (0, 0), (64, 64), 1.0)
    np.testing.assert_array_equal(tile > 0, np.eye(64, dtype=bool))
    beside = Shapes.of("polyline", [[100, -1e6], [100, 1e6]])
    box = Places(beside).boxes(np.array([0]))
    assert not drawn(beside, np.array([0]), box, (0, 0), (64, 64), 1.0).any()


def test_a_million_polygons_hold_nobody_up():
    many = nuclei(1_000_000, (100_000, 80_000), corners=8)
    loaded = layer_shapes._Loaded.of(many)
    began = time.perf_counter()
    for downsample in (1, 8, 64, 256):
        layer_shapes._covered(loaded, (256, 256), (256, 256), downsample)
    layer_shapes._within(loaded, (5e4, 4e4, 2000.0, 2000.0), 3000)
    layer_shapes._hit(loaded, (5e4, 4e4), 2)
    assert time.perf_counter() - began < 3  # 0.2 s on a machine that is not busy


# At a point ------------------------------------------------------------------------------------

POINTS = st.tuples(st.floats(-20, 620), st.floats(-20, 620))


@pytest.mark.parametrize("kind", CORNERS)
@given(point=POINTS, within=st.sampled_from([0, 1, 25.5]))
def test_what_is_at_a_point_is_what_shapely_says(kind, point, within):
    shapes = of(kind)
    distances = shapely.distance(to_shapely(shapes), shapely.Point(point))
    expected = distances <= within
    unsure = np.abs(distances - within) < 1e-6
    found = touched(shapes, point, within)
    np.testing.assert_array_equal(found[~unsure], expected[~unsure])


def test_measurements_are_said_and_small_ones_come_first(place):
    corners = [[[0, 0], [900, 0], [900, 900], [0, 900]], [[10, 10], [90, 10], [90, 90], [10, 90]]]
    given = Shapes.of(
        "polygon", corners, classes="Nucleus", measurements={"Area": [810000.0, np.nan]}
    )
    place.add(add_annotations, [given], measurements=AREA)
    feed = place.feed()
    (layer,) = told(feed, "layers")
    assert layer["parts"][0]["name"] == "Nucleus"
    small, large = told(feed, f"layers/{layer['id']}/0/at/50,50")
    assert (small["index"], large["index"]) == (1, 0)
    assert small["measurements"] == []
    assert large == {
        "index": 0,
        "name": "Nucleus",
        "measurements": [{"name": "Area", "value": 810000, "unit": "um2"}],
    }
    assert told(feed, f"layers/{layer['id']}/0/at/950,50") == []
    assert told(feed, f"layers/{layer['id']}/0/at/950,50?within=60")[0]["index"] == 0


# Reports ---------------------------------------------------------------------------------------


def test_findings_of_a_report_are_shapes_by_type_and_kind(place):
    tumour = ("108369006", "SCT", "Neoplasm")
    grade = (("371469007", "SCT", "Histologic grade"), ("1228848003", "SCT", "Grade 2"))
    area = ("SCT:Area", 12.5, "UCUM:SquareMicrometer")
    findings = [
        Finding(region=CORNERS["polygon"], type=tumour, measurements=[area], label="First"),
        Finding(measurements=[area]),
        Finding(region=(700.5, 800.25), type=tumour, evaluations=[grade]),
        Finding(region=Region("ellipse", np.array(CORNERS["ellipse"], float))),
        Finding(region=np.array(CORNERS["polygon"]) + 600, type=tumour),
    ]
    place.add(add_report, findings)
    feed = place.feed()
    (layer,) = told(feed, "layers")
    assert layer["kind"] == "report"
    assert "Doe^Jäne" in layer["creator"]
    parts = [(part["name"], part["count"]) for part in layer["parts"]]
    assert parts == [("Neoplasm", 2), ("Neoplasm", 1), ("Findings", 1)]
    assert layer["parts"][0]["color"] == layer["parts"][1]["color"] != layer["parts"][2]["color"]
    base = f"layers/{layer['id']}"
    kind, outlines = arrays(ask(feed, f"{base}/0/shapes/0,0,2100,1500").data)
    assert kind == KINDS["polygon"]
    np.testing.assert_allclose(outlines[0], CORNERS["polygon"], atol=0.01)
    (found,) = told(feed, f"{base}/0/at/300,300")
    assert found == {
        "index": 0,
        "name": "First",
        "measurements": [{"name": "Area", "value": 12.5, "unit": "um2"}],
    }
    (found,) = told(feed, f"{base}/1/at/700,800?within=2")
    assert found["index"] == 2
    assert found["measurements"] == [{"name": "Histologic grade", "value": "Grade 2", "unit": ""}]
    assert told(feed, f"{base}/2/at/300,500")[0]["index"] == 3
    assert ask(feed, f"{base}/0/coverage/0/0/0").data
