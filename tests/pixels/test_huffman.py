"""Pictures whose coded data end early, closed again as a proxy or a careless writer does."""

from __future__ import annotations

import time
from io import BytesIO

import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import generate_frames

from wsiweb.errors import DecodeError
from wsiweb.pixels.decode import decode
from wsiweb.pixels.huffman import is_complete
from wsiweb.pixels.image import PixelFormat

SHAPE = (93, 121, 3)  # no multiple of anything
NOISE = np.clip(np.random.default_rng(0).normal(128, 40, SHAPE), 0, 255).astype(np.uint8)
GREY = np.ascontiguousarray(NOISE[..., 0])


def pillow(**options) -> bytes:
    file = BytesIO()
    Image.fromarray(NOISE).save(file, "JPEG", quality=80, **options)
    return file.getvalue()


def in_scans_of_their_own(data: bytes) -> bytes:
    """Write a grey JPEG's scan for each of three components: sequential, but not interleaved."""
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    size, coded = data[frame + 4 : frame + 9], data[scan + 10 : -2]
    head = b"\xff\xc0\0\x11" + size + b"\3\1\x11\0\2\x11\0\3\x11\0"
    scans = [b"\xff\xda\0\x08\1" + bytes([name]) + b"\0\0\x3f\0" + coded for name in (1, 2, 3)]
    return data[:frame] + head + data[frame + 13 : scan] + b"".join(scans) + b"\xff\xd9"


ENCODED = {
    "4:4:4": imagecodecs.jpeg8_encode(NOISE, 80, subsampling="444"),
    "4:2:2": imagecodecs.jpeg8_encode(NOISE, 80, subsampling="422"),
    "4:2:0": imagecodecs.jpeg8_encode(NOISE, 80, subsampling="420"),
    "rgb": imagecodecs.jpeg8_encode(NOISE, 80, colorspace="RGB", outcolorspace="RGB"),
    "optimised": pillow(optimize=True),
    "restarts": pillow(restart_marker_blocks=5),
    "grey": imagecodecs.jpeg8_encode(GREY, 80),
    "scans": in_scans_of_their_own(imagecodecs.jpeg8_encode(GREY, 80)),
    "12 bits": imagecodecs.jpeg8_encode(GREY.astype(np.uint16) * 16, 80, bitspersample=12),
    "lossless 1": imagecodecs.jpeg8_encode(NOISE, lossless=True, predictor=1),
    "lossless 7": imagecodecs.jpeg8_encode(NOISE, lossless=True, predictor=7),
    "lossless 16 bits": imagecodecs.jpeg8_encode(
        GREY.astype(np.uint16) * 257, lossless=True, bitspersample=16
    ),
}


def form_of(name: str) -> PixelFormat:
    bits = 16 if "bits" in name else 8
    if "bits" in name or name == "grey":
        return PixelFormat(*SHAPE[:2], 1, bits, bits, photometric="MONOCHROME2")
    return PixelFormat(*SHAPE[:2])


def cut(data: bytes, part: float) -> bytes:
    """Leave out the end, but for the end-of-image marker."""
    return data[: int(part * len(data))].rstrip(b"\xff") + b"\xff\xd9"


@pytest.mark.parametrize("name", ENCODED)
def test_what_is_whole_is_found_whole(name):
    assert is_complete(ENCODED[name])
    decode(ENCODED[name], form_of(name))


@pytest.mark.parametrize("name", sorted(set(ENCODED) - {"scans"}))
@pytest.mark.parametrize("part", [0.5, 0.7, 0.9, 0.95])
def test_a_picture_cut_and_closed_again_is_refused(name, part):
    short = cut(ENCODED[name], part)
    assert not is_complete(short)
    with pytest.raises(DecodeError, match=r"cut short"):
        decode(short, form_of(name))


@pytest.mark.parametrize("part", [0.7, 0.9, 0.95])
def test_the_last_of_several_scans_is_counted_too(part):
    assert not is_complete(cut(ENCODED["scans"], part))


def test_a_picture_without_tables_is_left_to_the_decoder():
    data = imagecodecs.jpeg8_encode(np.full((64, 64, 3), 128, np.uint8))
    while (begin := data.find(b"\xff\xc4")) >= 0:
        length = int.from_bytes(data[begin + 2 : begin + 4], "big")
        data = data[:begin] + data[begin + 2 + length :]
    assert (decode(data, PixelFormat(64, 64)) == 128).all()


def test_coded_data_of_a_smaller_picture_are_refused():
    data = imagecodecs.jpeg8_encode(np.full((16, 16, 3), 200, np.uint8))
    place = data.index(b"\xff\xc0") + 5
    data = data[:place] + (160).to_bytes(2, "big") * 2 + data[place + 4 :]
    with pytest.raises(DecodeError, match="before its picture does"):
        decode(data, PixelFormat(160, 160))


@pytest.mark.parametrize("grey", [127, 128, 129])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_picture_that_is_grey_is_not_taken_for_a_cut_one(grey, lossless):
    array = np.full((256, 256, 3), grey, np.uint8)
    np.testing.assert_array_equal(
        decode(imagecodecs.jpeg8_encode(array, lossless=lossless), PixelFormat(256, 256)), array
    )


def test_codes_are_counted_fast_enough_for_the_few_frames_that_end_in_grey():
    data = imagecodecs.jpeg8_encode(np.tile(NOISE, (3, 3, 1))[:256, :256].copy(), 80)
    began = time.thread_time()
    assert is_complete(data)
    assert time.thread_time() - began < 1


def test_every_frame_of_the_slide_is_whole(cmu_folder):
    for path in sorted(cmu_folder.glob("*.dcm")):
        dataset = pydicom.dcmread(path)
        frames = generate_frames(dataset.PixelData, number_of_frames=int(dataset.NumberOfFrames))
        for number, frame in enumerate(frames):
            if number % 20 == 0:
                assert is_complete(frame)
                assert not is_complete(cut(frame.rstrip(b"\0"), 0.8))
