from __future__ import annotations

import time

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st

from wsiweb.pixels.geometry import Geometry
from wsiweb.results.planes import Plane
from wsiweb.results.shapes.filling import Filling
from wsiweb.results.shapes.given import shapes_of
from wsiweb.results.shapes.outlines import outlined
from wsiweb.results.shapes.shapes import Holes, Shapes

SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]]
SIZE = (34, 29)


def plane(size, downsample=1.0):
    geometry = Geometry(
        (downsample / 2 * 0.001, downsample / 2 * 0.001, 0.0),
        (1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        (0.001 * downsample, 0.001 * downsample),
    )
    return Plane(size=size, factors=(downsample, downsample), level=None, geometry=geometry)


def filled_by(shapes, matrix, **told):
    """What shapes of any kinds fill of regions of a matrix."""
    given = [shapes] if isinstance(shapes, Shapes) else shapes
    fillings = [Filling(one, matrix, **told) for one in given]

    def region(location, size):
        painted = [one.region(location, size) for one in fillings]
        nothing = np.zeros(size[::-1], bool)
        return np.logical_or.reduce([nothing, *(one for one in painted if one is not None)])

    return region


def naive_mask(rings, size):
    """Whether the centre of each pixel is inside by the even-odd rule, edge by edge."""
    inside = np.zeros((size[1], size[0]), bool)
    for row, column in np.ndindex(inside.shape):
        x, y = column + 0.5, row + 0.5
        crossings = 0
        for ring in rings:
            for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
                if (y0 <= y) != (y1 <= y):
                    crossings += x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x
        inside[row, column] = crossings % 2
    return inside


corner = st.integers(-8, 40).map(lambda value: value / 2)  # halves: centres lie on edges


@given(
    st.lists(st.tuples(corner, corner), min_size=3, max_size=9, unique=True),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_pixels_are_filled_by_the_even_odd_rule_at_their_centres(points, location):
    ring = np.array(points)
    whole = naive_mask([ring], (18, 16))
    read = filled_by(Shapes.of("polygon", ring), plane((18, 16)))
    assert np.array_equal(read((0, 0), (18, 16)), whole)
    x, y = location
    assert np.array_equal(read(location, (9, 7)), whole[y : y + 7, x : x + 9])


def test_holes_and_what_is_surrounded_twice_stay_empty():
    with_hole = shapes_of(shapely.Polygon(SQUARE, [[(2, 2), (8, 2), (8, 8), (2, 8)]]))
    filled = filled_by(with_hole, plane((12, 12)))((0, 0), (12, 12))
    assert filled.sum() == 100 - 36
    assert not filled[2:8, 2:8].any()
    twice = [*SQUARE, [0, 0], [10, 0.0], [10, 10], [0, 9.9]]
    filled = filled_by(Shapes.of("polygon", twice), plane((12, 12)))((0, 0), (12, 12))
    assert filled.sum() < 10


def test_several_shapes_are_joined_at_any_scale():
    given = [shapely.box(0, 0, 8, 8), shapely.box(4, 4, 16, 16)]
    read = filled_by(shapes_of(given), plane((5, 5), downsample=4))
    expected = np.zeros((5, 5), bool)
    expected[:2, :2] = expected[1:4, 1:4] = True
    assert np.array_equal(read((0, 0), (5, 5)), expected)
    coarse = filled_by(shapes_of([shapely.box(0, 0, 2, 2)]), plane((5, 5)), downsample=2)
    assert coarse((0, 0), (5, 5)).sum() == 16


def test_millimetres_are_placed_on_the_plane():
    square = np.array([[0.002, 0.001, 0], [0.004, 0.001, 0], [0.004, 0.003, 0], [0.002, 0.003, 0]])
    filled = filled_by(Shapes.of("polygon", square), plane((6, 6)))((0, 0), (6, 6))
    expected = np.zeros((6, 6), bool)
    expected[1:3, 2:4] = True
    # The corner of the first pixel of this plane is at (0, 0) mm.
    assert np.array_equal(filled, expected)


def test_points_enclose_nothing():
    with pytest.raises(ValueError, match="A point encloses no pixels"):
        filled_by(Shapes.of("point", [[1, 1]]), plane((5, 5)))


# By shapely ----------------------------------------------------------------------------------


@st.composite
def blobs(draw):
    """A polygon, perhaps of several parts and with holes, that may reach beyond the matrix."""
    blob = shapely.Polygon()
    for reach, is_hole in ((14, False), (9, False), (5, True), (3, True)):
        count = draw(st.integers(3, 12))
        angles = np.sort(draw(st.lists(st.floats(0, 6.28), min_size=count, max_size=count)))
        far = draw(st.lists(st.floats(0.3, 1), min_size=count, max_size=count))
        x, y = draw(st.tuples(st.floats(-4, 38), st.floats(-4, 33)))
        ring = np.stack([x + reach * np.cos(angles) * far, y + reach * np.sin(angles) * far], 1)
        part = shapely.Polygon(np.round(ring, 3)).buffer(0)
        blob = blob.difference(part) if is_hole else blob.union(part)
    parts = [one for one in shapely.get_parts(blob) if one.geom_type == "Polygon" and one.area > 0]
    assume(parts)
    return shapely.MultiPolygon(parts)


def centres():
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    return x + 0.5, y + 0.5


def inside_by_shapely(geometries):
    """Which centres are inside, and which are too near to an edge to ask."""
    x, y = centres()
    inside, near = np.zeros(x.shape, bool), np.zeros(x.shape, bool)
    for one in geometries:
        inside |= shapely.contains_xy(one, x, y)
        near |= shapely.distance(one.boundary, shapely.points(x, y)) < 1e-7
    return inside, near


@given(st.lists(blobs(), min_size=1, max_size=4))
def test_shapely_finds_the_same_pixels_inside(geometries):
    """Holes, several parts, polygons on top of each other and beyond the edge."""
    (shapes,) = shapes_of(geometries, multi="split")
    filled = filled_by(shapes, plane(SIZE))((0, 0), SIZE)
    inside, near = inside_by_shapely(geometries)
    assert filled.shape == inside.shape
    np.testing.assert_array_equal(filled[~near], inside[~near])


@given(
    blobs(),
    st.tuples(st.integers(0, 33), st.integers(0, 28)),
    st.tuples(st.integers(1, 34), st.integers(1, 29)),
)
def test_a_region_is_a_part_of_the_whole(geometry, location, size):
    (shapes,) = shapes_of(geometry, multi="split")
    filling = Filling(shapes, plane((80, 80)))
    whole = filling.region((0, 0), (80, 80))
    part = filling.region(location, size)
    x, y = location
    wanted = np.zeros(size[::-1], bool)
    if whole is not None:
        wanted = whole[y : y + size[1], x : x + size[0]]
    assert (part is not None) == wanted.any()
    if part is not None:
        np.testing.assert_array_equal(part, wanted)


@given(blobs(), st.sampled_from([1.0, 2.0, 4.0, 2.5]), st.sampled_from([1.0, 3.0]))
def test_scales_of_shapes_and_of_the_matrix_differ(geometry, ours, theirs):
    (shapes,) = shapes_of(
        shapely.transform(geometry, lambda points: points * ours / theirs), multi="split"
    )
    filled = filled_by(shapes, plane(SIZE, downsample=ours), downsample=theirs)((0, 0), SIZE)
    inside, near = inside_by_shapely([geometry])
    np.testing.assert_array_equal(filled[~near], inside[~near])


@given(st.lists(st.tuples(st.floats(1, 33), st.floats(1, 28)), min_size=2, max_size=12))
def test_no_pixel_is_lost_or_shared_where_polygons_meet(points):
    cells = shapely.get_parts(
        shapely.voronoi_polygons(
            shapely.MultiPoint(np.round(points, 2)), extend_to=shapely.box(0, 0, *SIZE)
        )
    )
    shapes = shapes_of(list(cells))[0]
    counts = sum(
        filled_by(shapes.take([row]), plane(SIZE))((0, 0), SIZE).astype(int)
        for row in range(len(shapes))
    )
    assert (counts == 1).all()


def test_ellipses_are_filled_as_their_outlines():
    ellipse = Shapes.of("ellipse", [[2, 10], [22, 10], [12, 4], [12, 16]])
    filled = filled_by(ellipse, plane(SIZE))((0, 0), SIZE)
    np.testing.assert_array_equal(filled, filled_by(outlined(ellipse), plane(SIZE))((0, 0), SIZE))
    assert filled.sum() == pytest.approx(np.pi * 10 * 6, rel=0.05)


def test_a_hole_beside_its_polygon_is_surrounded_once():
    holes = Holes(coordinates=np.add(SQUARE, [20.0, 0.0]), index=np.array([0]), owner=np.array([0]))
    filling = Filling(Shapes.of("polygon", SQUARE, holes=holes), plane(SIZE))
    whole = filling.region((0, 0), SIZE)
    assert whole.sum() == 200
    np.testing.assert_array_equal(filling.region((18, 0), (16, 29)), whole[:, 18:])


def test_what_lies_elsewhere_is_told_without_painting():
    filling = Filling(Shapes.of("polygon", SQUARE), plane((10**6, 10**6)))
    assert filling.region((500_000, 500_000), (10**5, 10**5)) is None  # 10 GB if it were painted


def test_a_large_outline_takes_seconds():
    angles = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    ring = 20_000 + 17_000 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    hole = 20_000 + (ring - 20_000) / 3
    filling = Filling(shapes_of(shapely.Polygon(ring, [hole]))[0], plane((40_000, 40_000)))
    begun, count = time.perf_counter(), 0
    for y in range(0, 40_000, 5120):  # an eighth of it, from all heights
        for x in range(0, 40_000, 4096):
            pixels = filling.region((x, y), (min(4096, 40_000 - x), 512))
            count += 0 if pixels is None else int(pixels.sum())
    assert time.perf_counter() - begun < 5  # 0.3 s where nothing else runs
    assert count == pytest.approx(shapely.Polygon(ring, [hole]).area / 10, rel=0.05)
