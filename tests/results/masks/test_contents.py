from __future__ import annotations

import numpy as np
import pytest

from wsiweb.results.masks.contents import Fractions, Labels, Merged, Stack

WHERE = "the 2 x 1 pixels at (0, 0)"


@pytest.mark.parametrize("dtype", ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", ">u2"])
def test_labels_of_any_whole_type_are_taken(dtype):
    pixels = np.array([[0, 1]], dtype)
    settled = Labels(1).settle(pixels, WHERE)
    assert settled.dtype == np.uint8
    assert settled.tolist() == [[0, 1]]


def test_labels_beyond_a_byte_take_two():
    settled = Labels(300).settle(np.array([[0, 300]]), WHERE)
    assert settled.dtype == np.uint16
    assert settled.tolist() == [[0, 300]]


@pytest.mark.parametrize("contents", [Labels(2), Stack(2), Merged(2), Fractions(2)])
def test_background_is_nothing(contents):
    shape = (3, 4, 2)[: 2 if isinstance(contents, Labels) else 3]
    assert contents.settle(np.zeros(shape, np.uint8), WHERE) is None


@pytest.mark.parametrize(
    ("value", "segments", "words"),
    [
        (255, 1, r"holds 255 in the 2 x 1 pixels at \(0, 0\), and 1 segment.*mask > 0"),
        (2**40, 3, "3 segments are described: describe all up to the highest"),
        (-1, 3, "holds -1.*numbered from 1 to 3"),
    ],
)
def test_labels_of_no_segment_are_refused(value, segments, words):
    with pytest.raises(ValueError, match=words):
        Labels(segments).settle(np.array([[0, value]], np.int64), WHERE)


@pytest.mark.parametrize("contents", [Stack(2), Merged(2)])
@pytest.mark.parametrize("value", [2, 255, -1])
def test_planes_of_other_numbers_than_0_and_1_are_refused(contents, value):
    with pytest.raises(ValueError, match=rf"has 0 and 1 in it; it holds {value}.*mask > 0"):
        contents.settle(np.array([[[0, value]]], np.int16), WHERE)


def test_overlap_is_noticed():
    stack = Stack(3)
    stack.settle(np.eye(3, dtype=np.uint8)[np.newaxis], WHERE)
    assert stack.overlap == "NO"
    stack.settle(np.array([[[True, False, True]]]), WHERE)
    assert stack.overlap == "YES"
    stack.settle(np.eye(3, dtype=np.uint8)[np.newaxis], WHERE)
    assert stack.overlap == "YES"


def test_overlap_is_counted_beyond_a_byte():
    stack = Stack(256)
    stack.settle(np.ones((1, 1, 256), np.uint8), WHERE)
    assert stack.overlap == "YES"


def test_planes_are_merged_unless_they_overlap():
    planes = np.array([[[0, 0, 0], [0, 0, 1], [1, 0, 0]]], np.uint8)
    assert Merged(3).settle(planes, WHERE).tolist() == [[0, 3, 1]]
    planes[0, 1, 0] = 1
    with pytest.raises(ValueError, match=r'overlap.*kind="binary"'):
        Merged(3).settle(planes, WHERE)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_fractions_are_rounded_to_steps(dtype):
    given = np.array([[0, 0.2, 0.5, 1]], dtype)
    settled = Fractions(1).settle(given, WHERE)
    assert settled.shape == (1, 4, 1)
    assert settled[..., 0].tolist() == [[0, 51, 128, 255]]


def test_fractions_below_half_a_step_are_nothing():
    assert Fractions(1).settle(np.full((2, 2), 0.0019), WHERE) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "holds NaN.*Say 0"),
        (1.001, "numbers of 0.0 to 1.001"),
        (-0.1, "numbers of -0.1 to 0.0"),
        (np.inf, "inf"),
    ],
)
def test_what_is_no_fraction_is_refused(value, words):
    with pytest.raises(ValueError, match=words):
        Fractions(1).settle(np.array([[0, value]]), WHERE)


def test_overlap_of_fractions_cannot_be_said():
    assert Fractions(1).overlap == "NO"
    assert Fractions(2).overlap == "UNDEFINED"


@pytest.mark.parametrize("contents", [Labels(1), Stack(1), Merged(1), Fractions(1)])
def test_truth_values_are_0_and_1_whatever_their_bytes_are(contents):
    shape = (1, 2) if isinstance(contents, Labels) else (1, 2, 1)
    pixels = np.array([0, 255], np.uint8).view(np.bool_).reshape(shape)
    expected = [0, 255 if isinstance(contents, Fractions) else 1]
    assert contents.settle(pixels, WHERE).ravel().tolist() == expected
