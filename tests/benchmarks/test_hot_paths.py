"""Guards of what runs once per frame, per tile or per header.

In the ordinary run each function is called once, for correctness. To time them:
``pytest tests/benchmarks/test_hot_paths.py --benchmark-enable --benchmark-only``, with
``--benchmark-autosave`` and later ``--benchmark-compare`` to tell two versions apart.
"""

from __future__ import annotations

import json
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from wsiweb.cache import ByteCache
from wsiweb.pixels.decode import decode, decode_into
from wsiweb.pixels.headers import read_pyramid
from wsiweb.pixels.image import PixelFormat
from wsiweb.pixels.perframe import read_columns
from wsiweb.pixels.tiling import plan
from wsiweb.wire import multipart
from wsiweb.wire.dicomjson import Attributes

CHUNK = 64 * 1024  # what a socket gives at a time
FORM = PixelFormat(
    rows=256,
    columns=256,
    samples=3,
    bits_allocated=8,
    bits_stored=8,
    signed=False,
    photometric="YBR_FULL_422",
    planar=0,
)


@pytest.fixture(scope="module")
def frames():
    """32 frames of 20 KB; random, so that every byte may be the beginning of a delimiter."""
    rng = np.random.default_rng(1)
    return [rng.bytes(20_000) for _ in range(32)]


@pytest.fixture(scope="module")
def tile():
    """A tile with the entropy of tissue: some 20 KB as JPEG."""
    rng = np.random.default_rng(2)
    coarse = Image.fromarray(rng.integers(90, 250, (64, 64, 3), dtype=np.uint8))
    file = BytesIO()
    coarse.resize((256, 256)).save(file, "jpeg", quality=76, subsampling="4:2:2")
    return file.getvalue()


def test_parsing_a_list_of_frames(benchmark, frames):
    kind = multipart.content_type("image/jpeg", "b0undary")
    parts = [multipart.Part({"content-type": "image/jpeg"}, frame) for frame in frames]
    body = b"".join(multipart.encode(parts, "b0undary"))
    chunks = [body[start : start + CHUNK] for start in range(0, len(body), CHUNK)]

    def parse():
        reader = multipart.MultipartReader(kind)
        found = [part for chunk in chunks for part in reader.feed(chunk)]
        return found + reader.close()

    assert [part.body for part in benchmark(parse)] == frames


def test_planning_a_region(benchmark):
    pastes = benchmark(plan, (1001, 2003), (4096, 4096), (24_576, 24_576), (256, 256))
    assert len(pastes) == 17 * 17
    assert sum(_area(paste.target) for paste in pastes) == 4096 * 4096


def _area(cut):
    rows, columns = cut
    return (rows.stop - rows.start) * (columns.stop - columns.start)


def test_decoding_a_tile(benchmark, tile):
    assert 15_000 < len(tile) < 25_000
    pixels = benchmark(decode, tile, FORM, transfer_syntax="1.2.840.10008.1.2.4.50")
    assert np.abs(pixels.astype(int) - np.asarray(Image.open(BytesIO(tile)))).max() <= 1


def test_decoding_a_tile_into_a_region(benchmark, tile):
    region = np.zeros((1024, 1024, 3), np.uint8)
    benchmark(decode_into, tile, FORM, region[256:512, 512:768])
    expected = np.asarray(Image.open(BytesIO(tile)))
    assert np.abs(region[256:512, 512:768].astype(int) - expected).max() <= 1
    assert not region[:256].any()


def test_finding_what_is_cached(benchmark):
    cache = ByteCache(2**20, len)
    for number in range(1000):
        cache.put(("1.2.3", number), b"12345678")

    def find():
        return sum(cache.get(("1.2.3", number)) is not None for number in range(0, 2000, 2))

    assert benchmark(find) == 500


def test_caching_beyond_the_budget(benchmark, frames):
    cache = ByteCache(16 * 20_000, len)

    def fill():
        for number, frame in enumerate(frames):
            cache.put(("1.2.3", number), frame)

    benchmark(fill)
    assert (len(cache), cache.held) == (16, 16 * 20_000)


def test_reading_the_headers_of_a_slide(benchmark, made):
    datasets = [dcmread(path, stop_before_pixels=True) for path in made.paths]
    model = [
        header.to_json_dict() | header.file_meta.group_dataset(0x0002).to_json_dict()
        for header in datasets
    ]
    data = json.dumps(model).encode()
    pyramid = benchmark(lambda: read_pyramid(Attributes.decode(data)))
    assert [level.size for level in pyramid.levels][:2] == [(2100, 1500), (1050, 750)]


def test_reading_the_positions_of_10_000_frames(benchmark):
    items = [
        {
            "00209111": {"vr": "SQ", "Value": [{"00209157": {"vr": "UL", "Value": [1, number]}}]},
            "0048021A": {
                "vr": "SQ",
                "Value": [
                    {
                        "0040072A": {"vr": "DS", "Value": [12.5 - 0.128 * (number // 100)]},
                        "0040073A": {"vr": "DS", "Value": [40.25 - 0.128 * (number % 100)]},
                        "0040074A": {"vr": "DS", "Value": [0.0]},
                        "0048021E": {"vr": "SL", "Value": [1 + 256 * (number % 100)]},
                        "0048021F": {"vr": "SL", "Value": [1 + 256 * (number // 100)]},
                    }
                ],
            },
            "00480207": {"vr": "SQ", "Value": [{"00480106": {"vr": "SH", "Value": ["1"]}}]},
        }
        for number in range(10_000)
    ]
    data = json.dumps([{"52009230": {"vr": "SQ", "Value": items}}]).encode()

    def read():
        (header,) = Attributes.decode(data)
        return read_columns(header.raw("PerFrameFunctionalGroupsSequence"))

    columns = benchmark(read)
    assert columns.column.tolist() == [1 + 256 * (number % 100) for number in range(10_000)]
    assert columns.row.tolist() == [1 + 256 * (number // 100) for number in range(10_000)]
