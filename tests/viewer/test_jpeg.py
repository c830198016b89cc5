"""JPEG frames of all markers, decoded as browsers do, against what this library decodes."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from wsiweb.pixels.codestream import read_jpeg
from wsiweb.pixels.decode import decode
from wsiweb.pixels.image import PixelFormat
from wsiweb.viewer.jpeg import shown_rightly

ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"


def picture():
    y, x = np.mgrid[:64, :80]
    return np.stack([x * 3, y * 3, 255 - x], axis=-1).astype(np.uint8)


def bare(colorspace, subsampling="444"):
    """A JPEG without any marker that tells of colours, components 0, 1, 2."""
    data = imagecodecs.jpeg8_encode(
        picture(), level=95, colorspace="RGB", outcolorspace=colorspace, subsampling=subsampling
    )
    stream = bytearray(data)
    at = 2
    while stream[at + 1] != 0xDA:
        length = 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        if stream[at + 1] in {0xE0, 0xEE}:
            del stream[at : at + length]
            continue
        at += length
    return named(bytes(stream), b"\0\1\2")


def named(data, identifiers):
    """The same JPEG with other component identifiers."""
    stream = bytearray(data)
    at = 2
    while True:
        marker, length = stream[at + 1], int.from_bytes(stream[at + 2 : at + 4], "big")
        if marker == 0xC0:
            stream[at + 10 : at + 19 : 3] = identifiers
        if marker == 0xDA:
            stream[at + 5 : at + 11 : 2] = identifiers
            return bytes(stream)
        at += 2 + length


def marked(data, *segments):
    return data[:2] + b"".join(segments) + data[2:]


FRAMES = {
    "RGB, nothing told": (bare("RGB"), "RGB"),
    "YCbCr, nothing told": (bare("YCbCr"), "YBR_FULL"),
    "YCbCr, halved, called RGB": (bare("YCbCr", "422"), "RGB"),
    "RGB, components 1 2 3": (named(bare("RGB"), b"\1\2\3"), "RGB"),
    "RGB, spelt by its components": (named(bare("RGB"), b"RGB"), "YBR_FULL"),
    "YCbCr, halved, components RGB": (named(bare("YCbCr", "422"), b"RGB"), "YBR_FULL_422"),
    "RGB and JFIF": (marked(bare("RGB"), JFIF), "RGB"),
    "YCbCr and JFIF": (marked(named(bare("YCbCr"), b"\1\2\3"), JFIF), "YBR_FULL"),
    "RGB by Adobe": (marked(bare("RGB"), ADOBE + b"\0"), "YBR_FULL"),
    "YCbCr by Adobe": (marked(bare("YCbCr"), ADOBE + b"\1"), "RGB"),
    "RGB by Adobe, and JFIF": (marked(bare("RGB"), JFIF, ADOBE + b"\0"), "RGB"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_browsers_see_what_the_library_decodes(name):
    data, photometric = FRAMES[name]
    form = PixelFormat(rows=64, columns=80, photometric=photometric)
    colour = read_jpeg(data).colour or ("RGB" if photometric == "RGB" else "YCC")
    mended = shown_rightly(data, colour)
    seen = np.asarray(Image.open(io.BytesIO(mended)))
    np.testing.assert_array_equal(seen, decode(data, form))
    np.testing.assert_array_equal(decode(mended, form), decode(data, form))
    assert np.abs(seen.astype(int) - picture()).mean() < 4  # and not both of them wrong


def test_what_is_right_is_not_touched():
    for name in ("YCbCr, nothing told", "YCbCr and JFIF", "RGB by Adobe"):
        data, _ = FRAMES[name]
        assert shown_rightly(data, "RGB" if name.startswith("RGB") else "YCC") is data
    gray = bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(picture()[:, :, 0])))
    assert shown_rightly(gray, "") is gray


def test_sixteen_bytes_are_added_and_the_rest_is_as_it_was():
    data = bare("RGB")
    mended = shown_rightly(data, "RGB")
    assert mended[:2] + mended[18:] == data
    assert mended[2:18].hex() == "ffee000e41646f626500640000000000"


def test_what_would_make_browsers_change_pixels_goes():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    buffer = io.BytesIO()
    Image.fromarray(picture()).save(buffer, "JPEG", exif=exif, icc_profile=profile)
    mended = shown_rightly(buffer.getvalue(), "YCC")
    image = Image.open(io.BytesIO(mended))
    assert "icc_profile" not in image.info
    assert not image.getexif()
    np.testing.assert_array_equal(np.asarray(image), np.asarray(Image.open(buffer)))
