from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from results.about import ORIENTATIONS, headers_of, source_of, turned
from results.masks.sized import sized

from wsiweb.results.planes import Plane


@pytest.fixture(scope="module")
def pyramid(made_folder):
    return source_of(made_folder).pyramid


def test_levels_share_their_corner(pyramid):
    base = Plane.at_level(pyramid, 0)
    for number, level in enumerate(pyramid.levels):
        plane = Plane.at_level(pyramid, number)
        assert plane.size == level.size
        corner = plane.geometry.to_slide([0, 0])
        np.testing.assert_allclose(corner, base.geometry.to_slide([0, 0]), atol=1e-12)
        # The first pixel of a level s times coarser lies at index (s - 1) / 2 of level 0.
        centre = base.geometry.to_pixel(plane.geometry.to_slide([0.5, 0.5])) - 0.5
        np.testing.assert_allclose(centre, [(level.downsample - 1) / 2] * 2, atol=1e-6)


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_every_orientation_round_trips(made_folder, orientation):
    paths = sorted(made_folder.glob("*.dcm"))
    pyramid = source_of(turned(headers_of(paths), orientation)).pyramid
    plane = Plane.at_level(pyramid, 1)
    points = np.array([[0, 0], [10.5, 3], [1050, 750]])
    np.testing.assert_allclose(
        plane.geometry.to_pixel(plane.geometry.to_slide(points)), points, atol=1e-9
    )


def test_a_matrix_of_another_scale(pyramid):
    width, height = pyramid.levels[0].size
    mpp = pyramid.mpp[0] * 7.3
    plane = Plane.at_mpp(pyramid, mpp, (round(width / 7.3), round(height / 7.3)))
    assert plane.downsample == pytest.approx(7.3)
    assert plane.level.downsample == 4
    assert plane.geometry.spacing == pytest.approx((mpp / 1000, mpp / 1000))


def test_pixels_that_are_not_square_have_a_factor_for_each_axis():
    pyramid = sized((800, 800), (1, 4, 8), spacing=(0.00025, 0.0005)).pyramid
    plane = Plane.at_mpp(pyramid, 1.0, (200, 400))
    assert plane.factors == pytest.approx((4, 2))
    assert plane.geometry.spacing == pytest.approx((0.001, 0.001))
    coarse = Plane.at_level(pyramid, 2)
    np.testing.assert_array_equal(plane.picks(coarse, 0), np.arange(1, 200, 2))
    np.testing.assert_array_equal(plane.picks(coarse, 1), np.arange(2, 400, 4))


@pytest.mark.parametrize("size", [(1, 1), (205, 289), (291, 205)])
def test_a_matrix_that_does_not_fit_is_refused(pyramid, size):
    with pytest.raises(ValueError, match=r"the slide has 287\.\d x 205\.\d pixels"):
        Plane.at_mpp(pyramid, pyramid.mpp[0] * 7.3, size)


@pytest.mark.parametrize("mpp", [0, -1, float("nan"), float("inf")])
def test_a_scale_that_is_none_is_refused(pyramid, mpp):
    with pytest.raises(ValueError, match="mpp is a positive number"):
        Plane.at_mpp(pyramid, mpp, (1, 1))


@pytest.mark.parametrize("level", [-1, 99])
def test_a_level_that_is_not_there_is_refused(pyramid, level):
    with pytest.raises(IndexError, match=f"There is no level {level}"):
        Plane.at_level(pyramid, level)


def test_a_slide_without_a_place_is_refused(pyramid):
    lost = dataclasses.replace(pyramid.levels[0], geometry=None)
    with pytest.raises(ValueError, match="no result can be placed"):
        Plane.at_level(dataclasses.replace(pyramid, levels=(lost,)), 0)


@given(st.integers(1, 5000), st.floats(1, 64))
def test_the_pixel_under_the_centre_is_picked(length, step):
    shared = {"level": None, "geometry": None}
    fine = Plane(size=(length, length), factors=(1.5, 9.0), **shared)
    coarse_length = max(1, round(length / step))
    factors = 1.5 * step, 9.0 * step
    coarse = Plane(size=(coarse_length, coarse_length), factors=factors, **shared)
    centres = (np.arange(coarse_length) + 0.5) * step
    inside = centres < length
    for axis in (0, 1):
        picks = fine.picks(coarse, axis)
        assert len(picks) == coarse_length
        assert 0 <= picks.min() <= picks.max() < length
        assert (np.abs(picks[inside] + 0.5 - centres[inside]) <= 0.5 + 1e-6).all()
