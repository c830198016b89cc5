"""The memo of the header that was read last: it must change no verdict."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from wsiweb.pixels import codestream
from wsiweb.pixels.codestream import CodestreamError, read_jpeg


def _jpeg(seed, **how):
    rng = np.random.default_rng(seed)
    pixels = (rng.random((64, 48, 3)) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=85, **how)
    return file.getvalue()


ONE, OTHER = _jpeg(1), _jpeg(2)
RESTARTS = _jpeg(3, restart_marker_blocks=2)
PROGRESSIVE = _jpeg(4, progressive=True)


def _verdict(data):
    try:
        return read_jpeg(data)
    except CodestreamError as error:
        return str(error)


def _fresh(data):
    codestream._known_header = None
    return _verdict(data)


def _with_memo(data, of):
    codestream._known_header = None
    read_jpeg(of)
    return _verdict(data)


def test_frames_that_begin_alike_are_recognised():
    codestream._known_header = None
    stream = read_jpeg(ONE)
    assert read_jpeg(OTHER) is stream
    assert read_jpeg(memoryview(OTHER)) is stream


@pytest.mark.parametrize("of", [ONE, RESTARTS])
@pytest.mark.parametrize(
    "data",
    [
        OTHER,
        OTHER + b"\x00",
        OTHER + b"\x00\xff",
        OTHER + b"more",
        OTHER[:-2],
        OTHER[:-1],
        OTHER[:-2] + b"\xff\xff\xd9",
        OTHER[: len(OTHER) // 2] + b"\xff\xd9" + OTHER[len(OTHER) // 2 :],
        OTHER[: len(OTHER) // 2] + b"\xff\xda\x00\x02" + OTHER[len(OTHER) // 2 :],
        OTHER[: len(OTHER) // 2] + b"\xff\xd3" + OTHER[len(OTHER) // 2 :],
        RESTARTS,
        PROGRESSIVE,
        b"",
        OTHER[:100],
    ],
)
def test_the_memo_changes_no_verdict(data, of):
    assert _with_memo(data, of) == _fresh(data)


def test_a_marker_after_the_scan_is_not_remembered_with_the_header():
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
    trailing = ONE[:-2] + adobe + ONE[-2:]
    assert _with_memo(OTHER, trailing) == _fresh(OTHER)


@given(st.integers(0, len(OTHER)), st.integers(0, len(OTHER) - 1), st.binary(max_size=6))
def test_nor_does_it_for_damage_of_any_kind(length, at, patch):
    damaged = OTHER[:at] + patch + OTHER[at + len(patch) :]
    for data in (OTHER[:length], damaged, damaged[:length]):
        assert _with_memo(data, ONE) == _fresh(data)
