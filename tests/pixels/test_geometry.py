"""Judge: highdicom's transformers, which number pixels by their centres."""

from __future__ import annotations

import math

import numpy as np
import pytest
from highdicom.spatial import PixelToReferenceTransformer, ReferenceToPixelTransformer
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.pixels.geometry import Geometry

MILLIMETRES = st.floats(-80, 80)
SPACINGS = st.floats(1e-4, 0.1)


@st.composite
def orientations(draw):
    """In the slide's plane: the eight upright and flipped ones, or any angle, mirrored or not."""
    angle = draw(st.sampled_from([0, 90, 180, 270]) | st.floats(0, 360))
    mirrored = draw(st.booleans())
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    row = (cosine, sine, 0.0)
    column = (sine, -cosine, 0.0) if mirrored else (-sine, cosine, 0.0)
    return row, column


@st.composite
def geometries(draw):
    row, column = draw(orientations())
    origin = (draw(MILLIMETRES), draw(MILLIMETRES), draw(st.floats(-0.1, 0.1)))
    return Geometry(origin, row, column, (draw(SPACINGS), draw(SPACINGS)))


def dicom_terms(geometry: Geometry) -> dict[str, tuple[float, ...]]:
    return {
        "image_position": geometry.origin,
        "image_orientation": (*geometry.row_direction, *geometry.column_direction),
        "pixel_spacing": (geometry.spacing[1], geometry.spacing[0]),
    }


@given(geometries(), st.lists(st.tuples(*[st.integers(0, 10**6)] * 2), min_size=1, max_size=5))
def test_pixel_centres_lie_where_highdicom_puts_them(geometry, pixels):
    numbers = np.array(pixels)
    judge = PixelToReferenceTransformer(**dicom_terms(geometry))
    np.testing.assert_allclose(geometry.to_slide(numbers + 0.5), judge(numbers), atol=1e-6)


@given(geometries(), st.lists(st.tuples(*[st.integers(-(10**5), 10**5)] * 2), min_size=1))
def test_the_way_back_is_highdicoms(geometry, pixels):
    numbers = np.array(pixels)
    slide = geometry.to_slide(numbers + 0.5)
    terms = dicom_terms(geometry)
    judge = ReferenceToPixelTransformer(**terms, spacing_between_slices=1.0)
    np.testing.assert_array_equal(judge(slide)[:, :2], numbers)
    np.testing.assert_array_equal(np.floor(geometry.to_pixel(slide)), numbers)


@given(geometries(), st.floats(-1e5, 1e5), st.floats(-1e5, 1e5), st.floats(-5, 5))
def test_there_and_back_with_any_height(geometry, x, y, height):
    slide = geometry.to_slide([[[x, y]]])
    assert slide.shape == (1, 1, 3)
    np.testing.assert_allclose(geometry.to_pixel(slide), [[[x, y]]], atol=1e-4)
    np.testing.assert_allclose(geometry.to_pixel(slide[..., :2]), [[[x, y]]], atol=1e-4)
    above = slide + np.array([0, 0, height])
    np.testing.assert_allclose(geometry.to_pixel(above), [[[x, y]]], atol=1e-4)


def test_a_tilted_plane_is_met_at_right_angles():
    tilt = math.radians(10)
    normal = np.array([-math.sin(tilt), 0, math.cos(tilt)])
    tilted = Geometry((1, 2, 0), (math.cos(tilt), 0, math.sin(tilt)), (0, 1, 0), (0.25, 0.5))
    point = tilted.to_slide([7.0, 9.0])
    np.testing.assert_allclose(tilted.to_pixel(point + 3 * normal), [7, 9])


def test_the_corner_is_half_a_pixel_before_the_origin():
    turned = Geometry((25.0, 75.0, 0.0), (0, -1, 0), (-1, 0, 0), (0.002, 0.001))
    np.testing.assert_allclose(turned.to_slide([0, 0]), [25.0005, 75.001, 0])


def test_rounded_cosines_still_invert_exactly():
    rough = Geometry((0, 0, 0), (0.7071, 0.7071, 0), (-0.7071, 0.7071, 0), (0.5, 0.5))
    np.testing.assert_allclose(rough.to_pixel(rough.to_slide([1e5, 3e4])), [1e5, 3e4], atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"spacing": (0.0, 1.0)},
        {"spacing": (1.0, -1.0)},
        {"spacing": (1.0,)},
        {"spacing": (math.nan, 1.0)},
        {"origin": (math.inf, 0.0, 0.0)},
        {"row_direction": (0.0, 0.0, 0.0)},
        {"row_direction": (0.0, 1.0, 0.0)},
        {"column_direction": (0.0, 2.0, 0.0)},
        {"column_direction": (0.0, 1.0)},
    ],
)
def test_what_is_no_geometry_is_refused(change):
    terms = {
        "origin": (0.0, 0.0, 0.0),
        "row_direction": (1.0, 0.0, 0.0),
        "column_direction": (0.0, 1.0, 0.0),
        "spacing": (1.0, 1.0),
    }
    assert Geometry(**terms)
    with pytest.raises(ValueError, match=r"geometry|Spacing|Directions"):
        Geometry(**{**terms, **change})


@pytest.mark.parametrize("points", [1.0, [1.0], [[1.0] * 4], []])
def test_points_of_another_shape_are_refused(points):
    flat = Geometry((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1))
    with pytest.raises(ValueError, match="shape"):
        flat.to_slide(points)
    with pytest.raises(ValueError, match="shape"):
        flat.to_pixel(points)
