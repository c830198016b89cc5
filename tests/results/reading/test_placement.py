"""Where results lie on the slide, against indices that are computed one by one."""

from __future__ import annotations

import asyncio
import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from results.masks.sized import sized

from wsiweb.results.reading import aligned as aligned_room
from wsiweb.results.reading.aligned import aligned
from wsiweb.results.reading.placement import Grid, Placement, best_for

RIGHT_ANGLES = [
    ((1, 0), (0, 1)),
    ((-1, 0), (0, 1)),
    ((1, 0), (0, -1)),
    ((-1, 0), (0, -1)),
    ((0, 1), (1, 0)),
    ((0, -1), (1, 0)),
    ((0, 1), (-1, 0)),
    ((0, -1), (-1, 0)),
]


def read_of(matrix):
    """Read parts of an array as of a stored matrix: zero outside."""

    async def read(location, size):
        padded = np.pad(matrix, 200)
        x, y = location[0] + 200, location[1] + 200
        return padded[y : y + size[1], x : x + size[0]].copy()

    return read


def shown(matrix, placement, grid):
    extent = matrix.shape[1], matrix.shape[0]
    nothing = matrix.dtype.type(0)
    return asyncio.run(aligned(read_of(matrix), extent, placement, grid, nothing))


def by_hand(matrix, placement, grid):
    """Return the pixel under the centre of each pixel, one at a time."""
    (a, b), (c, d) = placement.matrix
    out = np.zeros((grid.size[1], grid.size[0]), matrix.dtype)
    for row in range(grid.size[1]):
        for column in range(grid.size[0]):
            x = grid.corner[0] + (column + 0.5) * grid.step[0]
            y = grid.corner[1] + (row + 0.5) * grid.step[1]
            at = a * x + b * y + placement.offset[0], c * x + d * y + placement.offset[1]
            at = [int(np.floor(value + 1e-6)) for value in at]
            if 0 <= at[0] < matrix.shape[1] and 0 <= at[1] < matrix.shape[0]:
                out[row, column] = matrix[at[1], at[0]]
    return out


def numbered(width, height):
    return np.arange(1, width * height + 1, dtype=np.uint32).reshape(height, width)


grids = st.builds(
    Grid,
    corner=st.tuples(st.floats(-30, 60), st.floats(-30, 60)),
    step=st.tuples(st.floats(0.3, 7), st.floats(0.3, 7)),
    size=st.tuples(st.integers(1, 25), st.integers(1, 25)),
)


@settings(max_examples=150, deadline=None)
@given(
    grid=grids,
    axes=st.sampled_from(RIGHT_ANGLES),
    scale=st.floats(0.2, 3),
    offset=st.tuples(st.floats(-20, 40), st.floats(-20, 40)),
    most=st.sampled_from([1, 20, 300, 2**24]),
)
def test_each_pixel_shows_the_one_under_its_centre(grid, axes, scale, offset, most):
    matrix = numbered(37, 23)
    rows = tuple(tuple(scale * value for value in row) for row in axes)
    placement = Placement(matrix=rows, offset=offset)
    before, aligned_room._MOST = aligned_room._MOST, most
    try:
        found = shown(matrix, placement, grid)
    finally:
        aligned_room._MOST = before
    if placement.exact(grid) is None:  # else it is within a hundredth of a pixel, and so are ties
        np.testing.assert_array_equal(found, by_hand(matrix, placement, grid))


@settings(max_examples=60, deadline=None)
@given(grid=grids, angle=st.floats(0, 6.3), offset=st.tuples(st.floats(-9, 30), st.floats(-9, 30)))
def test_so_it_is_of_a_matrix_at_any_angle(grid, angle, offset):
    matrix = numbered(37, 23)
    sine, cosine = np.sin(angle), np.cos(angle)
    placement = Placement(matrix=((cosine, -sine), (sine, cosine)), offset=offset)
    found, wanted = shown(matrix, placement, grid), by_hand(matrix, placement, grid)
    differing = found != wanted  # by what a thousandth of a pixel makes of an angle that is none
    assert differing.mean() < 0.05


@given(
    fine=st.integers(1, 5),
    factor=st.integers(1, 9),
    first=st.integers(0, 50),
    count=st.integers(1, 60),
)
def test_of_whole_factors_it_is_the_middle_pixel(fine, factor, first, count):
    coarse = fine * factor
    grid = Grid((first * coarse, 0.0), (coarse, coarse), (count, 1))
    placement = Placement.scaled(fine, fine)
    found = placement.source(grid).x[0].tolist()
    wanted = [int((first + number + Fraction(1, 2)) * factor) for number in range(count)]
    assert found == wanted


def test_pixels_on_pixels_are_read_as_they_are():
    placement = Placement.scaled(7.9856, 7.9856)
    grid = Grid((3 * 7.9856, 11 * 7.9856), (7.9856, 7.9856), (1000, 700))
    assert placement.exact(grid) == (3, 11)
    assert placement.exact(Grid((3.5 * 7.9856, 0), grid.step, grid.size)) is None
    assert Placement.scaled(8, 8).exact(grid) is None


def test_a_grid_without_pixels_is_empty():
    assert shown(numbered(5, 5), Placement.scaled(2, 2), Grid((0, 0), (1, 1), (0, 9))).size == 0


@pytest.mark.parametrize(
    ("downsample", "chosen"), [(1, 0), (2, 1), (3, 1), (4.02, 2), (9, 2), (0.5, 0)]
)
def test_the_level_of_such_pixels_is_chosen_or_the_next_finer(downsample, chosen):
    placements = [Placement.scaled(factor, factor) for factor in (1, 2, 4)]
    assert best_for(placements, downsample) == chosen


@pytest.mark.parametrize("size", [(-1, 5), (2**20, 2**20)])
def test_what_cannot_be_a_region_is_refused(size):
    with pytest.raises(ValueError, match=r"cannot be|more than 16 GiB"):
        shown(numbered(5, 5), Placement.scaled(1, 1), Grid((0, 0), (1, 1), size))


def stated(pyramid, level, spacing):
    """Where a matrix of a level's size lies that says of its pixels what it does (x, y), in mm."""
    base = pyramid.levels[0].geometry
    centre = [own / its / 2 for own, its in zip(spacing, base.spacing, strict=True)]
    origin = tuple(base.to_slide(centre).tolist())  # of the first pixel
    geometry = dataclasses.replace(base, origin=origin, spacing=spacing)
    image = dataclasses.replace(pyramid.levels[level], geometry=geometry)
    (across, _), (_, down) = Placement.of(pyramid, image).matrix
    return 1 / across, 1 / down


@pytest.mark.parametrize("micrometres", [3.98, 4.02, 3.9999, 3.97])
def test_a_result_of_its_own_scale_keeps_it(micrometres):
    """Although it has as many pixels as a level whose own are nearly as large."""
    pyramid = sized((801, 801), (1, 8), spacing=(0.0005, 0.0005)).pyramid
    found = stated(pyramid, 1, (micrometres / 1000,) * 2)
    assert found == pytest.approx((micrometres / 0.5,) * 2, rel=1e-9)


def test_so_does_one_of_a_round_scale():
    """Which might be that of the level with few decimals; but it fits the slide as it is."""
    pyramid = sized((801, 801), (1, 8), spacing=(0.0005025, 0.0005025)).pyramid
    found = stated(pyramid, 1, (0.004, 0.004))
    assert found == pytest.approx((0.004 / 0.0005025,) * 2, rel=1e-9)


@pytest.mark.parametrize("decimals", [4, 5, 7])
def test_few_decimals_are_no_other_scale(decimals):
    """What others write about a large slide: 0.00202 mm for pixels of 0.0020216."""
    pyramid = sized((40_000, 30_000), (1, 8), spacing=(0.0002527, 0.0002527)).pyramid
    assert stated(pyramid, 1, (round(0.0020216, decimals),) * 2) == (8, 8)


def test_what_is_copied_from_the_level_is_the_level():
    pyramid = sized((801, 801), (1, 8), spacing=(0.0005, 0.0005)).pyramid
    odd = dataclasses.replace(
        pyramid.levels[1],
        geometry=dataclasses.replace(pyramid.levels[1].geometry, spacing=(0.00398, 0.00398)),
    )
    pyramid = dataclasses.replace(pyramid, levels=(pyramid.levels[0], odd))
    assert stated(pyramid, 1, (0.00398, 0.00398)) == (8, 8)


def test_pixels_need_not_be_square():
    pyramid = sized((800, 800), (1, 4), spacing=(0.00025, 0.0005)).pyramid
    assert stated(pyramid, 1, (0.001, 0.002)) == (4, 4)
    assert stated(pyramid, 1, (0.001, 0.001)) == pytest.approx((4, 2))
