from __future__ import annotations

import contextlib
import time

import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.errors import ProtocolError
from wsiweb.wire import media
from wsiweb.wire.media import Codec, Step

PICTURE = np.add.outer(np.arange(64), np.arange(192)).astype(np.uint8).reshape(64, 64, 3)


def test_the_table_agrees_with_pydicom():
    for uid, syntax in media.TRANSFER_SYNTAXES.items():
        theirs = pydicom.uid.UID(uid)
        if syntax.codec is Codec.JPEG_XL and not theirs.is_transfer_syntax:
            continue  # newer than this pydicom's dictionary
        assert theirs.is_transfer_syntax, uid
        assert theirs.is_encapsulated == syntax.encapsulated, uid
        assert theirs.is_little_endian != syntax.big_endian, uid
        assert theirs.is_deflated == syntax.deflated, uid


ENCODED = {
    Codec.JPEG: imagecodecs.jpeg8_encode(PICTURE),
    Codec.JPEG_LOSSLESS: imagecodecs.jpeg8_encode(PICTURE, lossless=True),
    Codec.JPEG_LS: imagecodecs.jpegls_encode(PICTURE),
    Codec.JPEG_2000: imagecodecs.jpeg2k_encode(PICTURE, codecformat="j2k"),
    Codec.HTJ2K: imagecodecs.htj2k_encode(PICTURE),
    Codec.JPEG_XL: imagecodecs.jpegxl_encode(PICTURE),
    # A count of segments, their offsets, zeros: an RLE header (PS3.5 G.5) and three segments.
    Codec.RLE: b"\x03\0\0\0\x40\0\0\0\x50\0\0\0\x60\0\0\0" + bytes(48) + bytes(64),
}


@pytest.mark.parametrize("codec", ENCODED)
def test_codecs_are_told_from_bytes(codec):
    assert media.sniff(ENCODED[codec]) is codec
    assert media.sniff(memoryview(ENCODED[codec])) is codec


def test_what_was_seen_before_does_not_mislead():
    for _ in range(2):
        for codec, data in ENCODED.items():
            assert media.sniff(data) is codec
        for kind in (Codec.JPEG, Codec.JPEG_LOSSLESS, Codec.JPEG_LS):
            seen = {n: media.sniff(ENCODED[kind][:n]) for n in range(len(ENCODED[kind]), 0, -1)}
            fresh = next(n for n in sorted(seen) if seen[n] is kind)
            assert all(seen[n] is (kind if n >= fresh else None) for n in seen if n > 3)


@given(st.binary(max_size=200))
def test_what_bytes_are_is_never_told_of_others(data):
    jpegs = {Codec.JPEG, Codec.JPEG_LOSSLESS, Codec.JPEG_LS, None}
    assert media.sniff(b"\xff\xd8\xff" + data) in jpegs
    assert media.sniff(b"\xff\x4f\xff\x51" + data) in {Codec.JPEG_2000, Codec.HTJ2K}
    assert media.sniff(b"\xff\x0a" + data) is Codec.JPEG_XL
    assert media.sniff(b"\x10" + data) is None


def test_bare_pixels_show_no_marker():
    assert media.sniff(PICTURE.tobytes()) is None
    assert media.sniff(bytes(1000)) is None
    assert media.sniff(b"\xff" * 1000) is None


@pytest.mark.parametrize(
    ("header", "type_", "parameters"),
    [
        ("image/jpeg", "image/jpeg", {}),
        ("Application/DICOM+JSON; Charset=utf-8", "application/dicom+json", {"charset": "utf-8"}),
        ('a/b; x = "1;2" ; y=z', "a/b", {"x": "1;2", "y": "z"}),
        (r'a/b; x="q\"q"', "a/b", {"x": 'q"q'}),
        ("a/b; x=*", "a/b", {"x": "*"}),
        ("multipart/related; type=image/jpeg; boundary=q", "multipart/related",
         {"type": "image/jpeg", "boundary": "q"}),
        ("a/b; x=1; x=2", "a/b", {"x": "1"}),
    ],
)  # fmt: skip
def test_content_types_as_servers_write_them(header, type_, parameters):
    parsed = media.parse_content_type(header)
    assert (parsed.type, parsed.parameters) == (type_, parameters)


@pytest.mark.parametrize("header", ["", ";", "jpeg", "/", "a/", '"a/b"'])
def test_what_is_no_content_type(header):
    with pytest.raises(ProtocolError):
        media.parse_content_type(header)


def test_accept_is_sorted_by_quality_and_drops_the_refused():
    ranges = media.parse_accept(
        'multipart/related; type="image/jp2"; transfer-syntax=1.2;q=0.2, image/*;q=0.9, '
        "text/html;q=0, */*;q=0.1"
    )
    assert [one.type for one in ranges] == ["image/*", "multipart/related", "*/*"]
    assert ranges[1].part_type == "image/jp2"
    assert ranges[1].transfer_syntax == "1.2"
    assert ranges[0].covers("image/jpeg")
    assert not ranges[0].covers("text/html")


@pytest.mark.parametrize(
    ("header", "taken", "refused"),
    [
        ("*/*, image/jpeg;q=0", {"image/jp2", "text/html"}, {"image/jpeg"}),
        ("image/jpeg;q=0, */*", {"image/jp2", "text/html"}, {"image/jpeg"}),
        ("*/*, image/*;q=0", {"text/html"}, {"image/jpeg", "image/jp2"}),
        ("image/*, image/jpeg;q=0.0", {"image/jp2"}, {"image/jpeg", "text/html"}),
        # What is named more precisely is taken all the same.
        ("*/*;q=0, image/jpeg", {"image/jpeg"}, {"image/jp2"}),
        ("image/*;q=0, image/jpeg", {"image/jpeg"}, {"image/jp2"}),
        ('*/*, multipart/related; type="image/jpeg"; q=0', {"image/jp2"}, {"image/jpeg"}),
    ],
)
def test_what_is_refused_by_name_is_not_covered_by_a_range(header, taken, refused):
    ranges = media.parse_accept(header)
    for kind in taken:
        assert any(one.covers(kind) for one in ranges)
        assert any(one.part_covers(kind) for one in ranges)
    for kind in refused:
        assert not any(one.covers(kind) or one.part_covers(kind) for one in ranges)


def test_a_refused_transfer_syntax_refuses_no_type():
    (one,) = media.parse_accept("*/*, image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.51; q=0")
    assert one.covers("image/jpeg")
    (one,) = media.parse_accept("*/*, multipart/related; q=0")
    assert one.covers("application/octet-stream")
    assert not one.covers("multipart/related")


def test_no_accept_accepts_everything():
    assert media.parse_accept("")[0].covers("image/jpeg")


def test_accept_as_some_clients_write_it():
    (first, second) = media.parse_accept("image/jpeg,, *; q=.2,")
    assert (first.type, second.type, second.quality) == ("image/jpeg", "*/*", 0.2)
    (one,) = media.parse_accept('multipart/related; type="image/jpeg; transfer-syntax=1.2"')
    assert one.part_type == "image/jpeg"
    (one,) = media.parse_accept('a/b; x="1,2;3"; q=nonsense')
    assert (one.parameters, one.quality) == ({"x": "1,2;3"}, 1.0)


@pytest.mark.parametrize("header", ["image", "a/b c/d", "a/b;=1", '"a/b"'])
def test_what_is_no_accept(header):
    with pytest.raises(ProtocolError):
        media.parse_accept(header)


@pytest.mark.parametrize("unit", ["a/b;", "a/b,", 'a/b; x="', "; =", '\\"', " ", "a/b; x = "])
def test_hostile_headers_take_no_long_time(unit):
    began = time.thread_time()
    for read in (media.parse_accept, media.parse_content_type):
        with contextlib.suppress(ProtocolError):
            read('a/b; x="' + unit * 10_000)
        with contextlib.suppress(ProtocolError):
            read(unit * 10_000)
    assert time.thread_time() - began < 2


@pytest.mark.parametrize(
    "data", [b"\xff\xd8" + b"\xff" * 10**7, b"\xff\xd8" + b"\xff\xe0\0\2" * 10**6]
)
def test_endless_jpeg_headers_are_given_up_on(data):
    began = time.thread_time()
    assert media.sniff(data) is None
    assert time.thread_time() - began < 0.5


def test_a_jpeg_with_a_long_profile_is_still_a_jpeg():
    jpeg = ENCODED[Codec.JPEG]
    profile = b"\xff\xe2\xff\xff" + bytes(65_533)
    assert media.sniff(jpeg[:2] + profile * 40 + jpeg[2:]) is Codec.JPEG


def test_media_types_are_told_whatever_their_parameters():
    assert media.parse_content_type("application/json; charset=utf-8").type == media.JSON
    assert media.parse_content_type("application/dicom+json;charset=utf-8").type == media.DICOM_JSON


@given(st.text(max_size=60))
def test_any_content_type_is_understood_or_refused(header):
    try:
        parsed = media.parse_content_type(header)
    except ProtocolError as error:
        words = error.message
        assert words.endswith("is not a media type.")
        return
    assert "/" in parsed.type
    assert parsed.type in header.lower()
    assert all(name == name.lower() for name in parsed.parameters)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), st.text(max_size=12)))
def test_quoted_parameters_come_back(parameters):
    def quoted(value):
        return '"' + value.replace("\\", r"\\").replace('"', r"\"") + '"'

    header = "a/b" + "".join(f"; {name}={quoted(value)}" for name, value in parameters.items())
    assert media.parse_content_type(header).parameters == parameters


@given(st.text(max_size=60))
def test_any_accept_is_understood_or_refused(header):
    try:
        ranges = media.parse_accept(header)
    except ProtocolError as error:
        words = error.message
        assert words.endswith("is not a list of media types.")
        return
    qualities = [one.quality for one in ranges]
    assert qualities == sorted(qualities, reverse=True)
    assert all(0 < quality <= 1 for quality in qualities)
    assert all("/" in one.type and "q" not in one.parameters for one in ranges)


def test_the_ladder_has_one_range_in_each_step_and_none_that_allows_a_lossy_encoding():
    ladder = media.frame_accepts("1.2.840.10008.1.2.4.90")
    assert list(ladder) == [Step.STORED, Step.EXACT, Step.BARE]
    for header in ladder.values():
        (one,) = media.parse_accept(header)
        assert one.part_type == "application/octet-stream" or one.transfer_syntax not in (None, "*")
    (exact,) = media.parse_accept(ladder[Step.EXACT])
    assert (exact.part_type, exact.transfer_syntax) == ("image/jp2", "1.2.840.10008.1.2.4.90")
    for unknown in (None, "1.2.3", "1.2.840.10008.1.2.1"):
        assert list(media.frame_accepts(unknown)) == [Step.STORED, Step.BARE]
