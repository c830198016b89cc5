"""Single bits and floating point numbers; pydicom, highdicom and numpy are the judges."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels.utils import pack_bits

from wsiweb.errors import DecodeError
from wsiweb.pixels.decode import decode, decode_into
from wsiweb.pixels.image import PixelFormat

EXPLICIT, RLE, J2K = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90"


def bits(rows, columns):
    return PixelFormat(
        rows, columns, samples=1, bits_allocated=1, bits_stored=1, photometric="MONOCHROME2"
    )


def floats(rows, columns, size):
    return PixelFormat(
        rows,
        columns,
        samples=1,
        bits_allocated=size,
        bits_stored=size,
        photometric="MONOCHROME2",
        floating=True,
    )


def mask(rows, columns, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (rows, columns), dtype=np.uint8)


# Single bits ----------------------------------------------------------------------------------

sizes = st.integers(1, 40)


@given(rows=sizes, columns=sizes, seed=st.integers(0, 9), padding=st.integers(0, 1))
@pytest.mark.parametrize("syntax", [EXPLICIT, None, "1.2.840.10008.1.2.4.50"])
def test_packed_bits_become_bytes_as_pydicom_packed_them(syntax, rows, columns, seed, padding):
    wanted = mask(rows, columns, seed)
    packed = pack_bits(wanted.ravel(), pad=False) + bytes(padding)
    form = bits(rows, columns)
    assert form.native_nbytes == -(-rows * columns // 8)
    assert (form.dtype, form.nbytes) == (np.uint8, rows * columns)
    decoded = decode(packed, form, transfer_syntax=syntax)
    np.testing.assert_array_equal(decoded[..., 0], wanted)
    out = np.empty(form.shape, np.uint8)
    decode_into(packed, form, out, transfer_syntax=syntax)
    np.testing.assert_array_equal(out, decoded)


@pytest.mark.parametrize(
    "beginning",
    [b"\xff\xd8\xff\xe0\0\x10JFIF", b"\xff\x4f\xff\x51", b"\xff\x0a", bytes([1] + [0] * 3)],
)
@pytest.mark.parametrize("syntax", [EXPLICIT, None])
def test_a_mask_that_looks_like_a_codestream_is_a_mask(beginning, syntax):
    packed = beginning.ljust(128, b"\x40")
    wanted = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little").reshape(32, 32)
    decoded = decode(packed, bits(32, 32), transfer_syntax=syntax)
    np.testing.assert_array_equal(decoded[..., 0], wanted)


def test_bits_that_a_server_unpacked_are_understood():
    wanted = mask(9, 11)
    np.testing.assert_array_equal(decode(wanted.tobytes(), bits(9, 11))[..., 0], wanted)
    np.testing.assert_array_equal(decode((wanted * 255).tobytes(), bits(9, 11))[..., 0], wanted)


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (101, 103)])
def test_compressed_bits(rows, columns):
    wanted = mask(rows, columns)
    stream = imagecodecs.jpeg2k_encode(wanted, codecformat="J2K", reversible=True, bitspersample=1)
    np.testing.assert_array_equal(
        decode(stream, bits(rows, columns), transfer_syntax=J2K)[..., 0], wanted
    )
    packed = pack_bits(wanted.ravel(), pad=False)
    header = np.zeros(16, "<u4")
    header[:2] = 1, 64
    runs = header.tobytes() + imagecodecs.packbits_encode(packed)
    np.testing.assert_array_equal(
        decode(runs, bits(rows, columns), transfer_syntax=RLE)[..., 0], wanted
    )


@pytest.mark.parametrize("syntax", [EXPLICIT, None])
def test_bits_that_are_missing_or_of_another_frame_are_refused(syntax):
    packed = pack_bits(mask(9, 11).ravel(), pad=False)  # 99 bits in 13 bytes
    with pytest.raises(DecodeError, match="frame 7"):
        decode(packed[:-1], bits(9, 11), transfer_syntax=syntax, what="frame 7")
    with pytest.raises(DecodeError, match="bits of another frame"):
        decode(packed[:-1] + b"\x08", bits(9, 11), transfer_syntax=syntax)


# Floating point numbers -----------------------------------------------------------------------


@given(rows=sizes, columns=sizes, seed=st.integers(0, 9))
@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("syntax", [EXPLICIT, None])
def test_floats_are_read_as_they_are(size, syntax, rows, columns, seed):
    random = np.random.default_rng(seed)
    wanted = random.normal(size=(rows, columns)).astype(f"<f{size // 8}")
    wanted[random.random((rows, columns)) < 0.1] = np.nan
    form = floats(rows, columns, size)
    assert (form.nbytes, form.native_nbytes) == (wanted.nbytes, wanted.nbytes)
    decoded = decode(wanted.tobytes(), form, transfer_syntax=syntax)
    assert decoded.dtype == form.dtype == wanted.dtype
    np.testing.assert_array_equal(decoded[..., 0], wanted)


def test_floats_that_look_like_a_codestream_are_floats():
    data = b"\xff\xd8\xff\xe0\0\x10JFIF".ljust(64, b"\0")
    wanted = np.frombuffer(data, "<f4").reshape(4, 4)
    np.testing.assert_array_equal(decode(data, floats(4, 4, 32))[..., 0], wanted)


def test_floats_cut_short_are_refused():
    with pytest.raises(DecodeError, match="60 bytes came"):
        decode(bytes(60), floats(4, 4, 32))


@pytest.mark.parametrize(
    "form",
    [
        {"bits_allocated": 1, "bits_stored": 1, "samples": 3},
        {"bits_allocated": 1, "bits_stored": 1, "samples": 1, "signed": True},
        {"bits_allocated": 32, "bits_stored": 32, "samples": 3, "floating": True},
        {"bits_allocated": 16, "bits_stored": 16, "samples": 1, "floating": True},
        {"bits_allocated": 32, "bits_stored": 32, "samples": 1},
        {"bits_allocated": 64, "bits_stored": 64, "samples": 1},
        {"bits_allocated": 2, "bits_stored": 2, "samples": 1},
    ],
)
def test_what_is_no_format_is_refused(form):
    with pytest.raises(ValueError, match=r"BitsAllocated is|SamplesPerPixel is"):
        PixelFormat(4, 4, **form)
