from __future__ import annotations

import imagecodecs
import jpeg_ls as pyjpegls
import numpy as np
import pytest

from wsiweb.writing.encoders import jpeg_2000, jpeg_ls


@pytest.mark.parametrize("shape", [(32, 32), (240, 256), (240, 240, 3), (1, 7)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("content", ["noise", "slope", "nothing"])
def test_jpeg_ls_is_what_the_reference_reads(shape, dtype, content):
    high = np.iinfo(dtype).max
    noise = np.random.default_rng(1).integers(0, high, shape, dtype=dtype, endpoint=True)
    slope = (np.arange(np.prod(shape)).reshape(shape) // 7 % high).astype(dtype)
    tile = {"noise": noise, "slope": slope, "nothing": np.zeros(shape, dtype)}[content]
    found = jpeg_ls(tile)
    assert found.startswith(b"\xff\xd8\xff\xf7")  # no SPIFF header between the two
    np.testing.assert_array_equal(pyjpegls.decode(np.frombuffer(found, np.uint8)), tile)
    np.testing.assert_array_equal(imagecodecs.jpegls_decode(found).reshape(shape), tile)


@pytest.mark.parametrize("edge", [32, 96, 512])
def test_jpeg_2000_comes_back_exactly(edge):
    tile = np.random.default_rng(1).integers(0, 65_536, (edge, edge)).astype(np.uint16)
    found = jpeg_2000(tile)
    assert found.startswith(b"\xff\x4f\xff\x51")  # a bare codestream, not a file
    np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(found), tile)
