from __future__ import annotations

import imagecodecs
import jpeg_ls
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from wsiweb.results.masks.encoding import Binary, Fractional, LabelMap, form_of, joined_bits
from wsiweb.results.masks.style import Style


def unpacked(frame, shape):
    bits = np.unpackbits(np.frombuffer(frame, np.uint8), bitorder="little")
    return bits[: shape[0] * shape[1]].reshape(shape)


@given(some.integers(1, 70), some.integers(0, 9), some.randoms())
def test_frames_are_joined_without_gaps(pixels, count, random):
    frames = np.array(
        [[random.random() < 0.5 for _ in range(pixels)] for _ in range(count)], np.uint8
    ).reshape(count, pixels)
    packed = [np.packbits(frame, bitorder="little").tobytes() for frame in frames]
    joined = list(joined_bits(packed, pixels))
    assert len(joined) == count
    assert b"".join(joined) == np.packbits(frames, bitorder="little").tobytes()


@given(
    arrays.arrays(
        some.sampled_from([np.uint8, np.uint16]),
        some.tuples(some.integers(16, 33), some.integers(16, 33)),
        elements=some.integers(0, 255),
    )
)
def test_a_label_map_is_what_highdicoms_encoder_makes(tile):
    bits = tile.dtype.itemsize * 8
    ((number, frame),) = LabelMap(bits).frames(tile)
    assert number == 0
    assert frame == jpeg_ls.encode_buffer(tile.tobytes(), *tile.shape, 1, bits)
    decoded = np.frombuffer(jpeg_ls.decode_from_buffer(frame), tile.dtype)
    assert (decoded.reshape(tile.shape) == tile).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_noise_becomes_longer_than_it_was(dtype):
    most = np.iinfo(dtype).max
    tile = np.random.default_rng(0).integers(0, most, (256, 300), dtype, endpoint=True)
    ((_, frame),) = LabelMap(tile.dtype.itemsize * 8).frames(tile)
    assert len(frame) > tile.nbytes
    assert (imagecodecs.jpegls_decode(frame) == tile).all()


def test_labels_become_a_frame_for_each_segment_that_is_there():
    tile = np.array([[0, 2, 2], [300, 0, 2]], np.uint16)
    frames = dict(Binary(range(1, 301)).frames(tile))
    assert set(frames) == {2, 300}
    for number, frame in frames.items():
        assert (unpacked(frame, tile.shape) == (tile == number)).all()


def test_planes_become_a_frame_for_each_that_is_not_empty():
    tile = np.zeros((2, 5, 3), np.uint8)
    tile[0, 1, 0] = tile[0, 1, 2] = tile[1, 4, 2] = 1
    frames = dict(Binary(range(1, 4)).frames(tile))
    assert set(frames) == {1, 3}
    for number, frame in frames.items():
        assert (unpacked(frame, tile.shape[:2]) == tile[..., number - 1]).all()


def test_fractions_become_a_frame_for_each_plane_that_is_not_empty():
    tile = np.zeros((4, 5, 2), np.uint8)
    tile[1, 2, 1] = 255
    ((number, frame),) = Fractional(range(1, 3)).frames(tile)
    assert number == 2
    assert (imagecodecs.jpegls_decode(frame) == tile[..., 1]).all()


@pytest.mark.parametrize("encoding", [LabelMap(8), LabelMap(16), Fractional(range(1, 2))])
def test_an_empty_frame_is_compressed_as_others_are(encoding):
    decoded = imagecodecs.jpegls_decode(encoding.empty((7, 5)))
    assert decoded.shape == (5, 7)
    assert decoded.dtype.itemsize * 8 == encoding.bits
    assert not decoded.any()


def test_an_empty_frame_of_bits_is_whole_bytes():
    assert Binary(range(1, 2)).empty((3, 3)) == bytes(2)


@pytest.mark.parametrize(
    ("dtype", "planes", "style", "name", "bits"),
    [
        ("u1", None, {}, "BINARY", 1),
        ("?", None, {"kind": "binary", "profile": "standard"}, "BINARY", 1),
        ("i8", None, {"profile": "standard"}, "LABELMAP", 8),
        ("u1", 3, {}, "BINARY", 1),
        ("u1", 3, {"profile": "standard"}, "BINARY", 1),
        ("u1", 3, {"profile": "standard", "kind": "labelmap"}, "LABELMAP", 8),
        ("f4", 3, {}, "FRACTIONAL", 8),
        ("f8", 3, {"profile": "standard", "kind": "fractional"}, "FRACTIONAL", 8),
    ],
)
def test_type_and_style_decide_on_the_form(dtype, planes, style, name, bits):
    _, encoding = form_of(np.dtype(dtype), planes, 3, Style(**style))
    assert (encoding.name, encoding.bits) == (name, bits)


def test_many_segments_take_two_bytes():
    assert form_of(np.dtype("u2"), None, 255, Style(profile="standard"))[1].bits == 8
    assert form_of(np.dtype("u2"), None, 256, Style(profile="standard"))[1].bits == 16


@pytest.mark.parametrize(
    ("dtype", "planes", "style", "words"),
    [
        ("c8", None, {}, "complex64"),
        ("O", None, {}, "object"),
        ("u1", 2, {}, "2 planes, and 3 segments"),
        ("u1", None, {"kind": "fractional"}, "floats from 0 to 1"),
        ("f4", 3, {"kind": "binary"}, "mask > 0.5"),
        ("f4", None, {}, "two axes.*astype"),
    ],
)
def test_a_mask_that_does_not_go_with_it_is_refused(dtype, planes, style, words):
    with pytest.raises(ValueError, match=words):
        form_of(np.dtype(dtype), planes, 3, Style(**style))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "binaer"}, "kind is one of auto, binary"),
        ({"profile": "fat"}, "profile is one of"),
        ({"fractional_type": "share"}, "fractional_type is one of"),
        ({"kind": "labelmap"}, 'profile="standard"'),
        ({"tile_size": 8}, "tile_size"),
        ({"tile_size": (512, 70_000)}, "tile_size"),
        ({"tile_size": (512, 20.5)}, "tile_size"),
        ({"tile_size": "512"}, "tile_size"),
        ({"tile_size": 65_535}, "pixels in all"),
        ({"label": "small"}, "capital letters"),
        ({"label": "X" * 17}, "up to 16"),
        ({"description": "x" * 65}, "0 to 64 characters"),
        ({"description": "a\\b"}, "backslash"),
    ],
)
def test_choices_that_there_are_not_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        Style(**values)
