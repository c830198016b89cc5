from __future__ import annotations

import time

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.results.shapes.checks import check_form
from wsiweb.results.shapes.coding import quantity_of, type_code
from wsiweb.results.shapes.given import shapes_of
from wsiweb.results.shapes.outlines import outlined, self_crossing, to_shapely
from wsiweb.results.shapes.places import Places, boxes_of
from wsiweb.results.shapes.shapes import Holes, Shapes, vertices_of

SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]]
TRIANGLE = [[20, 20], [30, 20], [30, 30]]
BOW_TIE = [[0, 0], [10, 10], [10, 0], [0, 10]]


class Table:
    """As much of a GeoDataFrame as is asked for."""

    def __init__(self, geometry, **columns):
        self.geometry = geometry
        self.columns = ["geometry", *columns]
        self._columns = columns

    def __getitem__(self, name):
        return self._columns[name]


class Grid:
    """As much of a level as is asked for."""

    def __init__(self, tile_size, grid, downsample=1.0):
        self.tile_size, self.grid, self.downsample = tile_size, grid, downsample


# Flat arrays ---------------------------------------------------------------------------------


def test_flat_arrays_are_taken_as_they_are():
    coordinates = np.array(SQUARE + TRIANGLE, np.float32)
    shapes = Shapes.of("polygon", coordinates, [0, 4])
    assert np.shares_memory(shapes.coordinates, coordinates)
    assert shapes.index.tolist() == [0, 4]
    assert shapes.lengths.tolist() == [4, 3]
    assert len(shapes) == 2


def test_an_index_may_end_where_the_last_shape_ends():
    assert Shapes.of("polygon", SQUARE + TRIANGLE, [0, 4, 7]).index.tolist() == [0, 4]


@pytest.mark.parametrize(
    ("dtype", "largest", "kept"),
    [
        (np.int32, 2**24, np.float32),
        (np.int64, 2**24 + 1, np.float64),
        (np.uint8, 200, np.float32),
        (np.float16, 200, np.float32),
        (np.float64, 0.5, np.float64),
        (">f4", 0.5, np.float32),
    ],
)
def test_whole_numbers_become_floats_that_hold_them(dtype, largest, kept):
    shapes = Shapes.of("point", np.array([[0, largest]], dtype))
    assert shapes.coordinates.dtype == kept
    assert shapes.coordinates.dtype.isnative
    assert shapes.coordinates[0, 1] == largest


def test_the_corner_that_closes_a_polygon_is_dropped():
    closed = [*SQUARE, SQUARE[0], *TRIANGLE, *SQUARE, SQUARE[0], SQUARE[0]]
    shapes = Shapes.of("polygon", closed, [0, 5, 8])
    assert shapes.index.tolist() == [0, 4, 7]
    assert shapes.coordinates.tolist() == SQUARE + TRIANGLE + SQUARE


def test_a_polyline_may_end_where_it_begins():
    assert len(Shapes.of("polyline", [*SQUARE, SQUARE[0]]).coordinates) == 5


def test_centres_are_half_a_pixel_from_corners():
    assert Shapes.of("point", [[0, 3]], origin="center").coordinates.tolist() == [[0.5, 3.5]]
    with pytest.raises(ValueError, match="millimetres"):
        Shapes.of("point", [[0, 3, 0]], origin="center")
    with pytest.raises(ValueError, match='"corner" or "center"'):
        Shapes.of("point", [[0, 3]], origin="middle")


def test_shapes_of_as_many_corners_each_need_no_index():
    shapes = Shapes.of("polygon", np.array([SQUARE, SQUARE]))
    assert shapes.index.tolist() == [0, 4]


@pytest.mark.parametrize(
    ("kind", "coordinates", "index", "words"),
    [
        ("polygon", SQUARE[:2], None, "at least three corners"),
        ("polygon", [SQUARE[0]] * 4, None, "at least three corners"),
        ("polygon", [[0, 0], [1, 1], [0, 0]], None, "repeated at the end does not count"),
        ("polyline", SQUARE[:1], None, "at least two points"),
        ("polygon", SQUARE + TRIANGLE, [0, 6], "number 1"),
        ("ellipse", SQUARE[:3], None, "ends of its long axis"),
        ("rectangle", SQUARE + TRIANGLE, None, "four corners"),
        ("rectangle", SQUARE * 2, [0, 3], "says otherwise"),
        ("polygon", SQUARE, [1], "rises from 0"),
        ("polygon", SQUARE + TRIANGLE, [0, 4, 4], "rises from 0"),
        ("polygon", SQUARE + TRIANGLE, [0, 9], "rises from 0"),
        ("polygon", SQUARE, [0.0], "whole numbers"),
        ("polygon", SQUARE, [[0]], "whole numbers"),
        ("polygon", [], None, "Coordinates have shape"),
        ("point", np.empty((0, 2)), None, "nothing is written for nothing"),
        ("point", [1, 2], None, "Coordinates have shape"),
        ("point", [[1, 2, 3, 4]], None, "Coordinates have shape"),
        ("point", [["a", "b"]], None, "array of numbers"),
        ("point", [[1, 2], [3]], None, "array of numbers"),
        ("point", [[1, 2], [np.nan, 0]], None, "point 1"),
        ("point", [[np.inf, 2], [-np.inf, 0]], None, "2 of 2 points"),
        ("circle", SQUARE, None, "one of point"),
    ],
)
def test_what_is_no_shape_is_refused(kind, coordinates, index, words):
    with pytest.raises(ValueError, match=words):
        Shapes.of(kind, coordinates, index)


def test_columns_fit_the_shapes():
    shapes = Shapes.of(
        "point",
        [[1, 1], [2, 2], [3, 3]],
        classes=["Tumor", None, float("nan")],
        measurements={"Area": [1, 2.5, np.nan]},
        colors={"Tumor": "red", "other": (0, 128, 255)},
    )
    assert shapes.classes == ("Tumor", "")
    assert shapes.class_of.tolist() == [0, 1, 1]
    assert shapes.colors == {"Tumor": (255, 0, 0), "other": (0, 128, 255)}
    assert shapes.measurements["Area"][:2].tolist() == [1, 2.5]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"classes": ["a"]}, "2 shapes and 1 classes"),
        ({"measurements": {"Area": [1]}}, r"shape \(1,\)"),
        ({"measurements": {"Area": 1}}, r"shape \(\)"),
        ({"measurements": {"Area": ["x", "y"]}}, "not made of numbers"),
        ({"colors": {"a": "no such colour"}}, "no such colour"),
        ({"colors": {"a": (1, 2, 300)}}, "300"),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns, words):
    with pytest.raises(ValueError, match=words):
        Shapes.of("point", [[1, 1], [2, 2]], **columns)


@st.composite
def ragged(draw):
    lengths = draw(st.lists(st.integers(3, 7), min_size=1, max_size=12))
    index = np.cumsum([0, *lengths[:-1]])
    coordinates = np.arange(2 * sum(lengths), dtype=np.float64).reshape(-1, 2)
    return Shapes.of("polygon", coordinates, index)


@given(ragged(), st.data())
def test_some_of_the_shapes_are_taken(shapes, data):
    rows = data.draw(st.lists(st.sampled_from(range(len(shapes))), unique=True, min_size=1))
    parts = np.split(shapes.coordinates, shapes.index[1:])
    taken = shapes.take(rows)
    assert np.array_equal(taken.coordinates, np.concatenate([parts[row] for row in rows]))
    assert np.array_equal(taken.lengths, [len(parts[row]) for row in rows])
    blocks = np.concatenate(list(shapes.blocks(np.array(rows))))
    assert np.array_equal(blocks, taken.coordinates)
    start, stop = min(rows), max(rows) + 1
    part, same = shapes.part(start, stop), shapes.take(range(start, stop))
    assert np.array_equal(part.coordinates, same.coordinates)
    assert np.array_equal(part.index, same.index)
    vertices, _ = vertices_of(shapes.index, shapes.lengths, np.array(rows))
    assert np.array_equal(shapes.coordinates[vertices], taken.coordinates)


def test_holes_go_with_their_polygons():
    holes = Holes(
        coordinates=np.arange(18.0).reshape(9, 2),
        index=np.array([0, 3, 6]),
        owner=np.array([0, 0, 2]),
    )
    shapes = Shapes.of("polygon", np.array([SQUARE] * 3), holes=holes)
    taken = shapes.take([2, 0])
    assert taken.holes.owner.tolist() == [0, 1, 1]
    assert taken.holes.coordinates[:3].tolist() == holes.coordinates[6:].tolist()
    assert shapes.take([1]).holes is None


# Geometries, tables, lists -------------------------------------------------------------------


def test_geometries_are_sorted_by_kind():
    found = shapes_of(
        [
            shapely.box(0, 0, 9, 9),
            shapely.Point(1, 2),
            shapely.Polygon(SQUARE),
            shapely.LineString([(0, 0), (1, 1), (2, 0)]),
            shapely.LinearRing(TRIANGLE),
            shapely.Point(3, 4, 5),
        ],
        measurements={"n": range(6)},
        classes=list("abcdef"),
    )
    assert [(one.kind, len(one)) for one in found] == [
        ("polygon", 3),
        ("point", 2),
        ("polyline", 1),
    ]
    assert found[0].measurements["n"].tolist() == [0, 2, 4]
    assert found[0].classes == ("a", "c", "e")
    assert found[0].lengths.tolist() == [4, 4, 3]
    assert found[1].coordinates.tolist() == [[1, 2], [3, 4]]


def test_one_geometry_is_enough():
    (shapes,) = shapes_of(shapely.Point(1, 2), origin="center", classes="Mitosis")
    assert shapes.coordinates.tolist() == [[1.5, 2.5]]
    assert shapes.classes == ("Mitosis",)


def test_holes_of_geometries_are_kept():
    inner = [(2, 2), (4, 2), (4, 4)]
    (shapes,) = shapes_of(
        [
            shapely.Polygon(SQUARE),
            shapely.Polygon(SQUARE, [inner, [(6, 6), (8, 6), (8, 8)]]),
            shapely.LinearRing(TRIANGLE),
        ],
        origin="center",
    )
    assert len(shapes.holes) == 2
    assert shapes.holes.owner.tolist() == [1, 1]
    assert shapes.holes.coordinates[:3].tolist() == [[2.5, 2.5], [4.5, 2.5], [4.5, 4.5]]


def test_geometries_of_several_parts_are_split_when_that_is_wanted():
    several = [
        shapely.Point(0, 0),
        shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)]),
        shapely.GeometryCollection(
            [shapely.MultiLineString([[(0, 0), (1, 1)]]), shapely.Point(5, 5)]
        ),
    ]
    with pytest.raises(ValueError, match=r"2 of 3 geometries.*number 1.*multi=\"split\""):
        shapes_of(several)
    found = shapes_of(several, multi="split", measurements={"n": [1, 2, 3]})
    assert {one.kind: one.measurements["n"].tolist() for one in found} == {
        "point": [1, 3],
        "polygon": [2, 2],
        "polyline": [3],
    }


def test_a_multipoint_is_always_split():
    (shapes,) = shapes_of(shapely.MultiPoint([(0, 0), (1, 1)]))
    assert len(shapes) == 2


def test_tables_give_columns_by_name():
    table = Table(
        np.array([shapely.Point(0, 0), shapely.Point(1, 1)]), kind=["a", "b"], area=[1.0, 2.0]
    )
    (shapes,) = shapes_of(table, classes="kind", measurements=["area"])
    assert shapes.classes == ("a", "b")
    assert shapes.measurements["area"].tolist() == [1, 2]
    assert shapes_of(table, classes="Mitosis")[0].classes == ("Mitosis",)
    with pytest.raises(ValueError, match=r"no column 'size'; it has area, geometry, kind"):
        shapes_of(table, measurements=["size"])


def test_lists_of_arrays_are_polygons_unless_said_otherwise():
    (shapes,) = shapes_of([np.array(SQUARE), np.array(TRIANGLE)])
    assert (shapes.kind, shapes.index.tolist()) == ("polygon", [0, 4])
    (shapes,) = shapes_of([SQUARE, TRIANGLE], kind="polyline")
    assert shapes.kind == "polyline"
    (shapes,) = shapes_of([(1, 2), (3, 4)], kind="point")
    assert len(shapes) == 2


def test_arrays_want_a_kind():
    with pytest.raises(ValueError, match=r"shapes_of\(array, kind="):
        shapes_of(np.zeros((3, 2)))
    assert shapes_of(np.zeros((3, 2)), kind="point")[0].kind == "point"


def test_shapes_are_passed_on():
    one = Shapes.of("point", [[1, 1]])
    assert shapes_of(one) == (one,)
    assert shapes_of([one, one]) == (one, one)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ([], "list of nothing"),
        (5, "int was given"),
        ([1, 2], "list of int"),
        ([np.zeros((3, 2)), np.zeros((3, 3))], "all of them alike"),
        ([shapely.Point(0, 0), None], "number 1"),
        ([shapely.Polygon()], "1 of 1 geometries are empty"),
        (["a", "b"], "list of str"),
    ],
)
def test_what_cannot_be_understood_is_refused(what, words):
    with pytest.raises(ValueError, match=words):
        shapes_of(what)


def test_names_of_measurements_are_for_tables():
    with pytest.raises(ValueError, match="for a table only"):
        shapes_of([shapely.Point(0, 0)], measurements=["area"])
    with pytest.raises(ValueError, match="2 shapes, and classes"):
        shapes_of([shapely.Point(0, 0), shapely.Point(0, 1)], classes=["a"])


def test_shapely_is_asked_for_when_it_is_missing(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "shapely", None)
    with pytest.raises(ModuleNotFoundError, match=r"wsiweb\[shapes\]"):
        to_shapely(Shapes.of("point", [[1, 1]]))


# What they enclose ---------------------------------------------------------------------------


def test_ellipses_have_outlines():
    ellipse = Shapes.of("ellipse", [[10, 50], [90, 50], [50, 30], [50, 70]])
    outline = to_shapely(ellipse)[0]
    assert outline.area == pytest.approx(np.pi * 40 * 20, rel=2e-3)
    assert outline.bounds == pytest.approx((10, 30, 90, 70))
    assert boxes_of(ellipse)[0].tolist() == [10, 30, 90, 70]
    assert outlined(Shapes.of("rectangle", SQUARE)).kind == "polygon"


def test_slanted_ellipses_have_the_box_of_their_outline():
    angle = np.radians(30)
    along, across = (
        np.array([np.cos(angle), np.sin(angle)]),
        np.array([-np.sin(angle), np.cos(angle)]),
    )
    points = [50 - 40 * along, 50 + 40 * along, 50 - 10 * across, 50 + 10 * across]
    ellipse = Shapes.of("ellipse", points)
    assert boxes_of(ellipse)[0] == pytest.approx(to_shapely(ellipse)[0].bounds, abs=0.1)


def test_geometries_come_back():
    given = [
        shapely.Polygon(SQUARE, [[(2, 2), (4, 2), (4, 4)], [(6, 6), (8, 6), (8, 8)]]),
        shapely.Polygon(TRIANGLE),
        shapely.Polygon(SQUARE, [[(1, 1), (2, 1), (2, 2)]]),
    ]
    assert shapely.equals(to_shapely(shapes_of(given)[0]), given).all()
    lines = [shapely.LineString([(0, 0), (1, 1), (2, 0)]), shapely.LineString([(5, 5), (6, 7)])]
    assert shapely.equals(to_shapely(shapes_of(lines)[0]), lines).all()


def test_polygons_that_cross_themselves_are_found():
    touching = [[0, 0], [10, 0], [5, 5], [10, 10], [0, 10], [5, 5]]
    shapes = Shapes.of("polygon", SQUARE + BOW_TIE + touching, [0, 4, 8])
    assert self_crossing(shapes).tolist() == [1, 2]
    assert self_crossing(Shapes.of("polyline", BOW_TIE)).tolist() == []


corner = st.integers(-8, 40).map(lambda value: value / 2)  # halves: centres lie on edges


# Where they are ------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(*[st.integers(0, 99)] * 2, *[st.integers(1, 30)] * 2), min_size=1),
    st.tuples(st.integers(-20, 120), st.integers(-20, 120)),
    st.tuples(st.integers(0, 60), st.integers(0, 60)),
)
def test_windows_find_what_shapely_finds(boxes, location, size):
    given = [shapely.box(x, y, x + width, y + height) for x, y, width, height in boxes]
    (x, y), (width, height) = location, size
    window = shapely.box(x, y, x + width, y + height)
    expected = [row for row, one in enumerate(given) if one.intersects(window)]
    assert Places(shapes_of(given)[0]).window(location, size).tolist() == expected


@pytest.mark.parametrize("size", [(-1, 5), (5, float("nan")), (float("inf"), 1)])
def test_windows_that_are_none_are_refused(size):
    with pytest.raises(ValueError, match="A window has"):
        Places(Shapes.of("point", [[1, 1]])).window((0, 0), size)


def tiles_of(shapes, **grid):
    return Places(shapes).tiles(Grid(**grid))


def test_a_polygon_of_a_tile_is_in_that_tile_alone():
    squares = [shapely.box(8, 8, 16, 16), shapely.box(24, 0, 32, 8)]
    (shapes,) = shapes_of(squares)
    assert tiles_of(shapes, tile_size=(8, 8), grid=(4, 4)) == [(3, 0), (1, 1)]
    assert tiles_of(shapes, tile_size=(4, 4), grid=(4, 4), downsample=2.0) == [(3, 0), (1, 1)]


def test_points_on_edges_are_in_the_tile_to_the_right_or_below():
    points = Shapes.of("point", [[8, 0], [7.9, 8], [32, 32]])
    assert tiles_of(points, tile_size=(8, 8), grid=(4, 4)) == [(1, 0), (0, 1), (3, 3)]
    line = Shapes.of("polyline", [[8, 1], [8, 20]])
    assert tiles_of(line, tile_size=(8, 8), grid=(4, 4)) == [(1, 0), (1, 1), (1, 2)]


def test_what_lies_outside_the_level_is_in_none_of_its_tiles():
    (shapes,) = shapes_of([shapely.box(-9, 0, -1, 5), shapely.box(0, 33, 5, 40)])
    assert tiles_of(shapes, tile_size=(8, 8), grid=(4, 4)) == []


def test_tiles_are_not_those_of_the_box():
    corner_of_a_ring = shapely.Polygon([(0, 0), (40, 0), (40, 4), (4, 4), (4, 40), (0, 40)])
    (shapes,) = shapes_of(corner_of_a_ring)
    expected = {(column, 0) for column in range(5)} | {(0, row) for row in range(5)}
    assert set(tiles_of(shapes, tile_size=(8, 8), grid=(5, 5))) == expected
    hollow = shapely.box(0, 0, 40, 40) - shapely.box(7, 7, 33, 33)
    (shapes,) = shapes_of(hollow)
    assert len(tiles_of(shapes, tile_size=(8, 8), grid=(5, 5))) == 25 - 9


@given(st.lists(st.tuples(corner, corner), min_size=3, max_size=6, unique=True))
def test_tiles_share_area_with_their_polygons(points):
    polygon = shapely.Polygon(points)
    if not polygon.is_valid:
        polygon = shapely.convex_hull(polygon)
    if polygon.geom_type != "Polygon":
        return
    inside = polygon & shapely.box(0, 0, 20, 20)
    if not inside.area:
        return
    (shapes,) = shapes_of(polygon)
    found = set(tiles_of(shapes, tile_size=(5, 5), grid=(4, 4)))
    cells = {
        (column, row): shapely.box(column * 5, row * 5, column * 5 + 5, row * 5 + 5)
        for column in range(4)
        for row in range(4)
    }
    expected = {tile for tile, box in cells.items() if (box & polygon).area > 1e-9}
    assert expected <= found
    touched = {tile for tile, box in cells.items() if box.intersects(polygon)}
    assert found <= touched


# Codes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("Area µm^2", "um2"),
        ("Nucleus: Area (µm²)", "um2"),
        ("Perimeter μm", "um"),
        ("Length um", "um"),
        ("Area px^2", "{pixels}"),
        ("Positive %", "%"),
        ("Circularity", "1"),
        ("Forum", "1"),
    ],
)
def test_units_are_read_from_names(name, unit):
    assert quantity_of(name, {})[1].value == unit


def test_private_codes_follow_from_names():
    first, again, other = (quantity_of(name, {})[0].value for name in ("A", "A", "B"))
    assert first == again != other
    assert len(first) <= 16


@pytest.mark.parametrize("name", ["", "a" * 65, "a\\b", "a\nb"])
def test_names_that_cannot_be_written_are_refused(name):
    with pytest.raises(ValueError, match="1 to 64 characters"):
        quantity_of(name, {})


def test_classes_are_looked_up():
    assert type_code(None, "Necrosis").meaning == "Necrosis"
    assert type_code(None, "My own class").meaning == "Tissue"
    assert type_code({"a": "Neoplasm"}, "a").meaning == "Neoplasm"
    with pytest.raises(ValueError, match="No type is given for class 'b'"):
        type_code({"a": "Neoplasm"}, "b")


# Rectangles and ellipses that are none --------------------------------------------------------

ELLIPSE = [[10, 50], [90, 50], [50, 30], [50, 70]]


@pytest.mark.parametrize(
    ("kind", "points", "words"),
    [
        ("rectangle", [[0, 0], [10, 0], [11, 10], [0, 10]], "right angles"),
        ("rectangle", [[0, 0], [10, 0], [15, 10], [5, 10]], "right angles"),  # slanted
        ("rectangle", [[0, 0], [10, 10], [10, 0], [0, 10]], "right angles"),  # crossed
        ("rectangle", [[0, 0], [10, 0], [10, 0], [0, 0]], "some length"),
        ("ellipse", [[10, 50], [90, 50], [45, 30], [55, 70]], "at a right angle"),
        ("ellipse", [[10, 50], [90, 50], [60, 30], [60, 70]], "share their middle"),
        ("ellipse", [[10, 50], [90, 50], [50, 50], [50, 50]], "some length"),
        ("ellipse", [[0, 0, 0], [2, 0, 0], [1, 1, 0], [1, -1, 1]], "at a right angle"),
    ],
)
def test_rectangles_and_ellipses_that_are_none_are_refused(kind, points, words):
    good = np.array(SQUARE if kind == "rectangle" else ELLIPSE)
    many = (
        np.concatenate([good[:, : len(points[0])]] * 3 + [points])
        if len(points[0]) == 2
        else points
    )
    number = len(many) // 4 - 1
    with pytest.raises(ValueError, match=rf"{words}.*1 of {number + 1} .*number {number} "):
        Shapes.of(kind, many)
    assert len(Shapes.of(kind, many, crooked=True)) == number + 1


@given(
    st.floats(0, 7),
    st.tuples(st.floats(1, 3000), st.floats(1, 3000)),
    st.tuples(st.floats(0, 2e5), st.floats(0, 2e5)),
)
def test_turned_rectangles_and_ellipses_are_taken_in_float32(angle, size, place):
    along = np.array([np.cos(angle), np.sin(angle)]) * size[0]
    across = np.array([-np.sin(angle), np.cos(angle)]) * size[1]
    rectangle = np.array([-along - across, along - across, along + across, -along + across])
    ellipse = np.array([-along, along, -across, across])
    for kind, points in (("rectangle", rectangle), ("ellipse", ellipse)):
        assert len(Shapes.of(kind, (points + place).astype(np.float32))) == 1


def test_a_million_rectangles_are_looked_at_quickly():
    points = np.tile(np.array(SQUARE, np.float32), (1_000_000, 1))
    start = time.perf_counter()
    check_form("rectangle", points)
    assert time.perf_counter() - start < 3  # a third of a second where nothing else runs


# Names and masks ------------------------------------------------------------------------------


def test_spaces_around_names_do_not_count():
    shapes = Shapes.of(
        "point",
        [[1, 1], [2, 2]],
        classes=["a", "a "],
        measurements={"Foo ": [1, 2]},
        colors={" a": "red"},
    )
    assert shapes.classes == ("a",)
    assert list(shapes.measurements) == ["Foo"]
    assert list(shapes.colors) == ["a"]
    assert Shapes.of("point", [[1, 1]], classes=" a ").classes == ("a",)
    with pytest.raises(ValueError, match="Two measurements are called 'Foo'"):
        Shapes.of("point", [[1, 1]], measurements={"Foo": [1], "Foo ": [2]})


def test_what_is_masked_is_no_number():
    column = np.ma.array([1, 2], mask=[False, True])
    for shapes in (
        Shapes.of("point", [[1, 1], [2, 2]], measurements={"n": column}, classes=column),
        *shapes_of(shapely.points([[1, 1], [2, 2]]), measurements={"n": column}, classes=column),
    ):
        assert np.array_equal(shapes.measurements["n"], [1, np.nan], equal_nan=True)
        assert shapes.classes[-1] == ""
        assert len(shapes.classes) == 2


@pytest.mark.parametrize("listed", [True, False])
def test_masked_coordinates_are_refused(listed):
    masked = np.ma.array(SQUARE, mask=np.arange(8).reshape(4, 2) == 3)
    with pytest.raises(ValueError, match="given as coordinates, 1 values are masked"):
        shapes_of([masked] if listed else masked, kind="polygon")
    plain = np.ma.array(SQUARE)
    assert len(shapes_of([plain] if listed else plain, kind="polygon")[0]) == 1


def test_multi_is_a_choice():
    for one in (shapely.Point(1, 1), {"type": "Point", "coordinates": [1, 1]}):
        with pytest.raises(ValueError, match="multi is"):
            shapes_of(one, multi="x")
