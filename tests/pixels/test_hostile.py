"""Damaged codestreams bring nothing down: tried in child processes, which may crash or hang."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
import pytest

from wsiweb.errors import DecodeError
from wsiweb.pixels.decode import decode
from wsiweb.pixels.image import PixelFormat
from wsiweb.pixels.jpeg2000 import read_jpeg2000

if TYPE_CHECKING:
    from types import ModuleType

PROGRAM = Path(__file__).with_name("hostile.py")


def program() -> ModuleType:
    """Load the program as a module, for its encoders."""
    spec = importlib.util.spec_from_file_location("hostile", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOSTILE = program()


@pytest.mark.parametrize("codec", sorted(HOSTILE.CODECS))
def test_damaged_codestreams_give_a_picture_or_our_error(codec, tmp_path):
    child = subprocess.run(
        [sys.executable, str(PROGRAM), codec, "1", "1500"],
        cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr[-3000:]
    refused = int(child.stdout.split()[0])
    assert 0 < refused < 1500  # neither is everything refused, nor is nothing ever noticed


# Places in the main header of a JPEG 2000 codestream (ISO/IEC 15444-1 table A.9).
SIZES = {"right": 8, "left": 16, "tile width": 24, "tile height": 28, "tile left": 32,
         "tile top": 36}  # fmt: skip


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("tile width", 0),  # divided by: the process ended
        ("tile height", 0),
        ("tile top", 2**24),  # counted up from: never came back
        ("tile left", 1),
        ("tile left", 2**32 - 1),
        ("tile width", 1),  # as many tiles as pixels, and one is there
        ("left", 64),
        ("right", 0),
    ],
)
@pytest.mark.parametrize("codec", ["jpeg 2000", "htj2k"])
def test_tiles_that_cannot_be_are_refused(codec, place, value):
    array = np.zeros((64, 64, 3), np.uint8)
    encode = {
        "jpeg 2000": lambda: imagecodecs.jpeg2k_encode(array, codecformat="J2K"),
        "htj2k": lambda: imagecodecs.htj2k_encode(array),
    }[codec]
    data = bytearray(encode())
    data[SIZES[place] : SIZES[place] + 4] = value.to_bytes(4, "big")
    with pytest.raises(ValueError, match=r"tile|size"):  # before a decoder can crash on it
        read_jpeg2000(data)
    with pytest.raises(DecodeError):
        decode(data, PixelFormat(64, 64))


def tile_parts(data: bytes) -> list[tuple[int, int]]:
    """Where each tile-part begins and ends."""
    at, found = data.index(b"\xff\x90\x00\x0a"), []
    while data[at : at + 2] == b"\xff\x90":
        end = at + int.from_bytes(data[at + 6 : at + 10], "big")
        found.append((at, end))
        at = end
    return found


def test_a_jpeg_2000_without_all_of_its_tiles_is_refused():
    array = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    form = PixelFormat(64, 64)
    data = HOSTILE.jpeg2000_in_tiles(array, 32)
    np.testing.assert_array_equal(decode(data, form), array)
    parts = tile_parts(data)
    assert len(parts) == 4
    for begin, end in parts:
        with pytest.raises(DecodeError, match="3 of 4 tiles"):
            decode(data[:begin] + data[end:], form)
        with pytest.raises(DecodeError, match=r"cut short|no tile"):
            decode(data[: end - 9] + b"\xff\xd9", form)


def test_a_last_tile_without_a_length_is_read():
    array = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    data = bytearray(imagecodecs.jpeg2k_encode(array, codecformat="J2K", reversible=True))
    ((begin, _),) = tile_parts(bytes(data))
    data[begin + 6 : begin + 10] = bytes(4)
    np.testing.assert_array_equal(decode(data, PixelFormat(64, 64)), array)


def test_a_tile_with_parts_missing_is_refused():
    array = np.zeros((64, 64, 3), np.uint8)
    data = bytearray(imagecodecs.jpeg2k_encode(array, codecformat="J2K"))
    ((begin, _),) = tile_parts(bytes(data))
    data[begin + 11] = 3
    with pytest.raises(DecodeError, match="1 of 3 parts"):
        decode(data, PixelFormat(64, 64))


def test_high_throughput_codestreams_are_read_as_by_their_own_codec():
    array = HOSTILE.picture()
    data = imagecodecs.htj2k_encode(array, level=0.01, reversible=False)
    own = imagecodecs.htj2k_decode(data)
    assert not np.array_equal(own, array)
    off = np.abs(decode(data, PixelFormat(*array.shape[:2])).astype(int) - own)
    assert off.max() <= 1  # both compute in floating point
