"""Decode damaged codestreams: run as a process of its own, which a decoder may bring down.

``python hostile.py CODEC SEED COUNT`` ends with 0 if each codestream gave a picture or a
`DecodeError`, within a deadline. The codestream that was decoded last stays in ``last.bin`` of
the working directory.
"""

from __future__ import annotations

import faulthandler
import random
import sys
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image

from wsiweb.errors import DecodeError
from wsiweb.pixels.decode import decode
from wsiweb.pixels.image import PixelFormat

DEADLINE = 10.0  # seconds for one small frame, on a busy machine
SIZE = 48


def picture() -> np.ndarray:
    """Something smooth with a rough spot."""
    smooth = np.add.outer(np.arange(SIZE) * 3, np.arange(SIZE) * 2)[..., None] + np.arange(3)
    array = smooth.astype(np.uint8)
    array[8:24, 8:24] ^= np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    return array


def jpeg2000_in_tiles(array: np.ndarray, tile: int) -> bytes:
    """Encode without loss in square tiles, which only Pillow can."""
    file = BytesIO()
    options = {"tile_size": (tile, tile), "num_resolutions": 3, "no_jp2": True, "mct": 1}
    Image.fromarray(array).save(file, "JPEG2000", **options)
    return file.getvalue()


CODECS = {
    "jpeg": lambda array: imagecodecs.jpeg8_encode(array, 85),
    "jpeg lossless": lambda array: imagecodecs.jpeg8_encode(array, lossless=True, predictor=1),
    "jpeg-ls": imagecodecs.jpegls_encode,
    "jpeg 2000": lambda array: imagecodecs.jpeg2k_encode(array, codecformat="J2K", level=40),
    "jpeg 2000 tiled": lambda array: jpeg2000_in_tiles(array, 16),
    "htj2k": lambda array: imagecodecs.htj2k_encode(array, level=0.01, reversible=False),
    "htj2k lossless": lambda array: imagecodecs.htj2k_encode(array, reversible=True),
    "jpeg xl": lambda array: imagecodecs.jpegxl_encode(array, lossless=True, effort=1),
}


def damaged(whole: bytes, chance: random.Random) -> bytes:
    """Change a few bytes, half of the time in the header; sometimes leave some out."""
    data = bytearray(whole)
    furthest = min(len(data), 160) if chance.random() < 0.5 else len(data)
    for _ in range(chance.choice([1, 1, 2, 4])):
        data[chance.randrange(furthest)] = chance.choice([0, 1, 0xFF, chance.randrange(256)])
    if chance.random() < 0.2:
        begin = chance.randrange(len(data))
        del data[begin : chance.randrange(begin, len(data))]
    return bytes(data)


def main(codec: str, seed: int, count: int) -> None:
    """Decode so many damaged codestreams."""
    faulthandler.enable()
    whole, chance = bytes(CODECS[codec](picture())), random.Random(seed)
    form, refused = PixelFormat(SIZE, SIZE), 0
    decode(whole, form)
    last = Path("last.bin")
    for _ in range(count):
        data = damaged(whole, chance)
        last.write_bytes(data)
        faulthandler.dump_traceback_later(DEADLINE, exit=True)
        try:
            array = decode(data, form)
        except DecodeError:
            refused += 1
        else:
            assert (array.shape, array.dtype) == (form.shape, form.dtype)
        faulthandler.cancel_dump_traceback_later()
    sys.stdout.write(f"{refused} refused of {count}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
