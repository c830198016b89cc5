from __future__ import annotations

import dask.array
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsiweb.results import strips as strips_room
from wsiweb.results.strips import Strips


def joined(strips):
    return np.concatenate(list(strips))


def numbers(height, width, samples=1):
    shape = (height, width) if samples == 1 else (height, width, samples)
    return np.arange(np.prod(shape), dtype=np.int32).reshape(shape)


class Recorded:
    """An array that can only be sliced, and remembers which rows were taken."""

    def __init__(self, array, chunks=None):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.taken = []
        if chunks is not None:
            self.chunks = chunks

    def __getitem__(self, part):
        rows = part[0] if isinstance(part, tuple) else part
        self.taken.append((rows.start, rows.stop))
        return self.array[part]


@settings(max_examples=50)
@given(
    height=st.integers(1, 700),
    width=st.integers(1, 9),
    samples=st.sampled_from([1, 3]),
    most=st.integers(1, 5000),
    chunk=st.none() | st.integers(1, 300),
)
def test_strips_are_the_array_from_top_to_bottom(height, width, samples, most, chunk):
    array = numbers(height, width, samples)
    chunks = None if chunk is None else (chunk, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strips_room, "_MOST", most)
        found = joined(Strips(Recorded(array, chunks), "It", samples=samples))
    np.testing.assert_array_equal(found, array.reshape(height, width, samples))


@pytest.mark.parametrize("chunks", [(100, 4), ((100, 100, 50), (4,))])
def test_each_chunk_is_read_once(chunks):
    array = Recorded(numbers(250, 4), chunks)
    joined(Strips(array, "It"))
    assert array.taken == [(0, 100), (100, 200), (200, 250)]


def test_a_wide_array_is_read_some_chunks_at_a_time():
    array = numbers(40, 5000, 3)
    recorded = Recorded(array, (20, 700, 3))
    found = joined(Strips(recorded, "It", samples=3))
    np.testing.assert_array_equal(found, array)
    assert recorded.taken == [(0, 20)] * 4 + [(20, 40)] * 4


def test_a_chunk_that_is_too_large_is_read_in_even_parts(monkeypatch):
    monkeypatch.setattr(strips_room, "_MOST", 60 * 4 * 4)
    array = Recorded(numbers(200, 4), (100, 4))
    joined(Strips(array, "It"))
    assert array.taken == [(0, 50), (50, 100), (100, 150), (150, 200)]


@given(height=st.integers(1, 600), width=st.integers(1, 5000))
@settings(max_examples=20, deadline=None)
def test_a_function_is_asked_for_each_pixel_once(height, width):
    asked = np.zeros((height, width), int)

    def made(location, size):
        (x, y), (w, h) = location, size
        asked[y : y + h, x : x + w] += 1
        down, across = np.mgrid[y : y + h, x : x + w]
        return np.stack([across % 256, down % 256, across * 0], axis=-1).astype(np.uint8)

    strips = Strips(made, "It", size=(width, height), samples=3, dtype=np.uint8)
    found = joined(strips)
    assert (asked == 1).all()
    np.testing.assert_array_equal(found, made((0, 0), (width, height)))
    assert strips.is_function


def test_nested_lists_are_arrays():
    assert Strips([[1, 2], [3, 4]], "It").size == (2, 2)


def refused(pixels, **told):
    with pytest.raises(ValueError, match="It ") as error:
        joined(Strips(pixels, "It", **told))
    return str(error.value)


def test_refusals_say_what_was_given_and_wanted():
    assert "(3, 4, 5)" in refused(np.zeros((3, 4, 5)))
    assert "(3, 4)" in refused(np.zeros((3, 4)), samples=3)
    assert "(0, 4)" in refused(np.zeros((0, 4)))
    assert "transposed" in refused(np.zeros((3, 4)), size=(3, 4))
    assert "4 x 3" in refused(np.zeros((3, 4)), size=(5, 3))
    assert "str" in refused("heat.npy")
    assert "different lengths" in refused([[1, 2], [3]])
    assert "size" in refused(lambda location, size: None)


@pytest.mark.parametrize("made", [np.zeros((4, 5), np.uint8), np.zeros((5, 4)), None])
def test_a_function_that_returns_something_else_is_refused(made):
    with pytest.raises(ValueError, match="was asked for 4 x 5 pixels"):
        joined(Strips(lambda location, size: made, "It", size=(4, 5), dtype=np.uint8))


def masked(array):
    """An array whose first pixel is masked."""
    mask = np.zeros(array.shape, np.bool_)
    mask[0, 0] = True
    return np.ma.masked_array(array, mask)


@pytest.mark.parametrize("dtype", ["f4", "u1", "i8", "?"])
@pytest.mark.parametrize("chunked", [False, True])
def test_what_numpy_masks_becomes_nan_where_there_may_be_gaps(dtype, chunked):
    array = masked(np.ones((6, 4), dtype))
    strips = Strips(dask.array.from_array(array, chunks=3) if chunked else array, "It", gaps=True)
    found = joined(strips)[..., 0]
    assert found.dtype == strips.dtype
    assert strips.whole == (dtype != "f4")
    assert np.isnan(found[0, 0])
    assert (found.ravel()[1:] == 1).all()


def test_what_numpy_masks_is_refused_where_there_may_be_none():
    array = masked(np.ones((6, 4), np.uint8))
    assert "masked" in refused(array)
    assert "masked" in refused(dask.array.from_array(array, chunks=3))
    made = {"size": (4, 6), "dtype": np.uint8}
    assert "masked" in refused(lambda location, size: array, **made)
    assert (joined(Strips(np.ma.masked_array(np.ones((6, 4))), "It")) == 1).all()


@pytest.mark.parametrize("change", [lambda block: block[:2], lambda block: block * 0.5])
def test_blocks_that_are_not_what_was_declared_are_refused(change):
    array = dask.array.from_array(np.ones((9, 9), np.uint8), chunks=3)
    words = refused(array.map_blocks(change, dtype=np.uint8, meta=np.zeros((0, 0), np.uint8)))
    assert "(3, 9) of uint8" in words


def test_truth_values_are_0_and_1_whatever_their_bytes_are():
    array = np.full((3, 4), 255, np.uint8).view(np.bool_)
    found = joined(Strips(array, "It"))
    assert (found.view(np.uint8) == 1).all()
