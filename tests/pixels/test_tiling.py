"""Judge: numpy slicing of the assembled image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.pixels.tiling import plan, to_level

SIDES = st.integers(1, 70)
PAIRS = st.tuples(SIDES, SIDES)


def cut(image: np.ndarray, tile: tuple[int, int], column: int, row: int) -> np.ndarray:
    """A tile with its padding, as a frame holds it."""
    part = image[row * tile[1] : (row + 1) * tile[1], column * tile[0] : (column + 1) * tile[0]]
    full = np.full((tile[1], tile[0]), -7, np.int64)
    full[: part.shape[0], : part.shape[1]] = part
    return full


@given(
    location=st.tuples(st.integers(-90, 90), st.integers(-90, 90)),
    size=st.tuples(st.integers(0, 99), st.integers(0, 99)),
    image_size=PAIRS,
    tile_size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_a_pasted_region_equals_numpy_slicing(location, size, image_size, tile_size):
    width, height = image_size
    image = np.arange(width * height).reshape(height, width)
    padded = np.pad(image, 200, constant_values=-1)
    x, y = location[0] + 200, location[1] + 200
    expected = padded[y : y + size[1], x : x + size[0]]

    region = np.full((size[1], size[0]), -1)
    written = np.zeros_like(region)
    for paste in plan(location, size, image_size, tile_size):
        tile = cut(image, tile_size, paste.column, paste.row)
        region[paste.target] = tile[paste.source]
        written[paste.target] += 1

    np.testing.assert_array_equal(region, expected)
    np.testing.assert_array_equal(written, expected >= 0)


def test_no_tile_is_named_twice_and_all_are_touched():
    pastes = plan((0, 0), (100, 50), (100, 50), (30, 30))
    assert [(p.column, p.row) for p in pastes] == [(c, r) for r in range(2) for c in range(4)]


def test_a_region_far_away_costs_nothing():
    assert plan((10**15, 0), (10**9, 10**9), (2**32, 2**32), (256, 256)) == []
    (only,) = plan((2**31, 2**31), (1, 1), (2**32, 2**32), (256, 256))
    assert (only.column, only.row) == (2**23, 2**23)


def test_numpy_integers_are_welcome_and_floats_are_not():
    assert plan((np.int64(1), np.uint8(2)), (3, 3), (9, 9), (4, 4))
    with pytest.raises(TypeError):
        plan((1.5, 0), (3, 3), (9, 9), (4, 4))


@pytest.mark.parametrize(
    ("size", "image_size", "tile_size"),
    [
        ((-1, 2), (9, 9), (4, 4)),
        ((1, -2), (9, 9), (4, 4)),
        ((1, 2), (0, 9), (4, 4)),
        ((1, 2), (9, 9), (4, 0)),
        ((1, 2), (9, 9), (-4, 4)),
    ],
)
def test_impossible_sizes_are_refused(size, image_size, tile_size):
    with pytest.raises(ValueError, match=r"region cannot|make up"):
        plan((0, 0), size, image_size, tile_size)


@given(st.integers(-(2**40), 2**40), st.integers(1, 512))
def test_a_location_at_a_level_pixel_comes_back_exactly(pixel, downsample):
    assert to_level((pixel * downsample, pixel), float(downsample))[0] == pixel


@given(
    st.integers(-(10**6), 10**6),
    st.integers(-(10**6), 10**6),
    st.floats(1e-3, 1e4, allow_nan=False),
)
def test_to_level_keeps_order_and_is_near(one, other, downsample):
    level_one, level_other = to_level((one, other), downsample)
    assert abs(level_one - one / downsample) <= 0.5 + 1e-6
    if one <= other:
        assert level_one <= level_other


@pytest.mark.parametrize("downsample", [0, -1.0, float("nan"), float("inf")])
def test_to_level_refuses_what_is_no_downsample(downsample):
    with pytest.raises(ValueError, match="positive"):
        to_level((1, 2), downsample)


def test_to_level_refuses_what_is_no_location():
    with pytest.raises(ValueError, match="finite"):
        to_level((float("nan"), 0), 2)
