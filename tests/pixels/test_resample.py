from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from wsiweb.pixels import resample

PICTURE = np.random.default_rng(1).integers(0, 255, (90, 120, 3), np.uint8)


def test_the_whole_is_pillows_lanczos():
    ours = resample.resize(PICTURE, (0, 0, 120, 90), (37, 29))
    theirs = Image.fromarray(PICTURE).resize((37, 29), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(ours, np.asarray(theirs))


@settings(max_examples=40, deadline=None)
@given(height=st.integers(2, 70), cut=st.data())
def test_pieces_with_their_margin_fit_without_a_seam(height, cut):
    whole = resample.resize(PICTURE, (0, 0, 120, 90), (50, height))
    at = cut.draw(st.integers(1, height - 1))
    step = 90 / height
    extra = resample.margin(step)
    pieces = []
    for begin, end in ((0, at), (at, height)):
        upper = max(0, int(begin * step) - extra)
        lower = min(90, int(np.ceil(end * step)) + extra)
        box = (0, begin * step - upper, 120, min(end * step - upper, lower - upper))
        pieces.append(resample.resize(PICTURE[upper:lower], box, (50, end - begin)))
    difference = np.concatenate(pieces).astype(int) - whole
    assert np.abs(difference).max() <= 1  # positions are rounded differently: by one at most


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("samples", [1, 3])
def test_every_kind_of_pixel_keeps_its_type_and_range(dtype, samples):
    limits = np.iinfo(dtype) if np.issubdtype(dtype, np.integer) else None
    top = 1000.0 if limits is None else limits.max
    array = np.zeros((40, 40, samples), dtype)
    array[:, 20:] = top
    small = resample.resize(array, (0, 0, 40, 40), (11, 13))
    assert small.shape == (13, 11, samples)
    assert small.dtype == dtype
    # The filter overshoots at a hard edge; whole numbers are cut off there, not wrapped round.
    assert (small[:, :3] < 0.2 * top).all()
    assert (small[:, -3:] > 0.8 * top).all()


def test_enlarging_keeps_flat_areas_flat():
    flat = np.full((8, 8, 3), 77, np.uint8)
    assert (resample.resize(flat, (0, 0, 8, 8), (33, 21)) == 77).all()
