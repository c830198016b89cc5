from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from wsiweb.results.heatmaps.codings import Coding, check_numbers, range_of

FLOATS = st.floats(-1e6, 1e6, width=32) | st.just(float("nan"))


def decoded(coding, stored):
    values = stored.astype(np.float64) * coding.slope + coding.intercept
    values[stored == coding.dtype.type(coding.nothing)] = np.nan
    return values


@given(arrays.arrays(np.float32, (5, 7), elements=FLOATS))
def test_sixteen_bits_are_off_by_half_a_step_at_most(values):
    low, high = range_of([values])
    if np.isnan(low):
        return
    coding = Coding.covering(low, high, "16-bit")
    back = decoded(coding, coding.encode(values))
    np.testing.assert_array_equal(np.isnan(back), np.isnan(values))
    error = np.abs(back - values.astype(np.float64))
    most = max(high - low, 1e-30) / 131_068 * (1 + 1e-6) + 1e-9 * max(abs(low), abs(high))
    assert np.nanmax(error) <= most


@given(arrays.arrays(np.float32, (5, 7), elements=FLOATS))
def test_float32_is_exact(values):
    low, high = range_of([values])
    if np.isnan(low):
        return
    coding = Coding.covering(low, high, "float32")
    stored = coding.encode(values)
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(decoded(coding, stored), values)
    assert coding.nothing < coding.first <= coding.last


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.bool_])
@pytest.mark.parametrize("encoding", ["16-bit", "float32"])
def test_whole_numbers_come_back_exactly(dtype, encoding):
    values = np.array([[0, 1, 1, 0], [1, 0, 0, 1]]).astype(dtype)
    if dtype != np.bool_:
        values *= 97
    coding = Coding.covering(*range_of([values]), encoding, whole=True)
    np.testing.assert_array_equal(decoded(coding, coding.encode(values)), values)


def test_the_widest_range_of_whole_numbers_that_is_exact():
    values = np.array([[-5, 65_529]])
    coding = Coding.covering(-5, 65_529, "16-bit", whole=True)
    assert coding.slope == 1
    assert coding.encode(values).tolist() == [[1, 65_535]]
    assert Coding.covering(-5, 65_530, "16-bit", whole=True).slope > 1


def test_one_value_alone_is_exact():
    coding = Coding.covering(0.1, 0.1, "16-bit")
    assert decoded(coding, coding.encode(np.array([[0.1, np.nan]])))[0, 0] == pytest.approx(0.1)
    assert coding.first == coding.last == 1


def test_values_outside_the_range_are_refused_and_rounding_is_not():
    coding = Coding.covering(0, 1, "16-bit")
    assert coding.encode(np.array([[1 + 1e-9, -1e-9]])).tolist() == [[65_535, 1]]
    for value in (1.01, -0.01, np.inf, -np.inf):
        with pytest.raises(ValueError, match="value_range"):
            coding.encode(np.array([[0.5, value]]))
    floating = Coding.covering(0.1, 0.7, "float32")
    assert floating.encode(np.array([[0.1, 0.7]])).tolist() == [[np.float32(0.1), np.float32(0.7)]]
    with pytest.raises(ValueError, match="value_range"):
        floating.encode(np.array([[0.7001]]))


@pytest.mark.parametrize(
    "limits", [(1, 0), (0, np.inf), (-np.inf, 0), (np.nan, 1), (0, np.nan), (0, 1e39)]
)
@pytest.mark.parametrize("encoding", ["16-bit", "float32"])
def test_a_range_that_is_none_is_refused(limits, encoding):
    with pytest.raises(ValueError, match="finite numbers"):
        Coding.covering(*limits, encoding)


@pytest.mark.parametrize("values", [np.array([1j]), np.array(["a"]), np.array([None])])
def test_what_is_no_number_is_refused(values):
    with pytest.raises(ValueError, match="real numbers"):
        check_numbers(values.dtype)


@pytest.mark.parametrize("high", [5e-324, 1e-320, 3.3e-319, 1e-310, 1e-304, 1e-300])
@pytest.mark.parametrize("low", [0.0, -5e-324])
def test_ranges_near_the_smallest_number_are_stored(low, high):
    values = np.array([[low, high / 2, high, np.nan]])
    coding = Coding.covering(low, high, "16-bit")
    assert coding.slope > 0
    assert coding.last <= 65_535
    error = np.abs(decoded(coding, coding.encode(values)) - values)
    assert np.nanmax(error) <= coding.slope / 2
    assert coding.slope <= (high - low) / 65_534 + 1e-323


def test_what_float32_has_no_number_for_is_refused_in_words():
    for limits in ((1e-300, 1e-300), (0, 1e-300), (-1e-300, 0)):
        with pytest.raises(ValueError, match=r"float32.*16-bit"):
            Coding.covering(*limits, "float32")
    coding = Coding.covering(0, 1, "float32")
    assert coding.encode(np.array([[1e-300, 1.0]])).tolist() == [[0, 1]]
    coding = Coding.covering(-1e-300, 1e-45, "float32")
    assert coding.encode(np.array([[-1e-300, 1e-45]])).shape == (1, 2)


def test_a_refusal_does_not_say_that_somebody_gave_the_range():
    with pytest.raises(ValueError, match=r"from 0 to 2.*reaches from 0 to 1"):
        Coding.covering(0, 1, "16-bit").encode(np.array([[0, 2.0]]))
