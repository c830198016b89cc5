"""The reference: as right as it is fast, whatever its settings."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from wsiweb_benchmarks.adapters.reference import ADAPTERS, Reference, _Buffers, _List
from wsiweb_benchmarks.judge import Comparison, Judge
from wsiweb_benchmarks.model import Source
from wsiweb_benchmarks.operations import operation_of
from wsiweb_benchmarks.slides import described

NAMES = ("region-1024", "random-tiles", "loop-row", "loop-grid", "level-6144", "thumbnail-512")


@pytest.fixture(scope="module")
def source(made_folder, made_server):
    return Source(url=made_server.url, slide=described("made", "", made_folder))


@pytest.mark.parametrize("settings", [(1, 1), (3, 2), (1000, 4)])
@pytest.mark.parametrize("name", NAMES)
def test_its_pixels_are_right(source, name, settings):
    asked = dict(zip(("frames_per_request", "connections"), settings, strict=True))
    adapter = Reference(msgspec.structs.replace(source, settings=asked))
    operation = operation_of(name)
    parameters = operation.draw(source.slide)
    comparison = Comparison(operation.truth(Judge(source), parameters), exact=operation.exact)
    adapter.open()
    operation.run(adapter, parameters, comparison.take)
    adapter.close()
    assert comparison.result().right, comparison.result().message


def test_it_decodes_rgb_without_a_marker(cmu_folder):
    from wsiweb.server import serve

    slide = described("cmu", "", cmu_folder)
    with serve(cmu_folder) as server:
        source = Source(url=server.url, slide=slide)
        adapter = Reference(source)
        pixels = adapter.region(0, (100, 200), (700, 600))
        adapter.close()
    assert np.array_equal(pixels, Judge(source).region(0, (100, 200), (700, 600)))


def test_an_error_of_the_server_is_raised(source):
    lost = msgspec.structs.replace(source.slide, study_uid="1.2.3")
    for kind in ADAPTERS:
        adapter = kind(msgspec.structs.replace(source, slide=lost))
        with pytest.raises(RuntimeError, match="HTTP 404"):
            adapter.open()
        with pytest.raises(RuntimeError, match="HTTP 404"):
            list(adapter.tiles(0, [(0, 0)]))
        with pytest.raises(RuntimeError, match="HTTP 404"):
            adapter.region(0, (0, 0), (10, 10))
        adapter.close()


@pytest.mark.parametrize("step", [1, 7, 64, 10_000])
def test_frames_are_cut_out_wherever_the_body_is_split(step):
    from concurrent.futures import Future

    frames = [b"\xff\xd8" + bytes([at]) * 50 * at for at in range(1, 8)]
    body = b"".join(
        b"--edge\r\nContent-Type: application/octet-stream\r\n\r\n" + frame + b"\r\n"
        for frame in frames
    )
    seen = {}

    def submit(data, spans, first):
        for at, (start, end) in enumerate(spans, first):
            seen[at] = data[start:end]
        return Future()

    one = _List("", 10, submit)
    for start in range(0, len(body), step):
        one.feed(body[start : start + step])
    one.feed(b"--edge--\r\n")
    assert [seen[at] for at in range(10, 17)] == frames


def test_a_buffer_that_somebody_holds_is_not_used_again():
    buffers = _Buffers((2, 2, 3))
    held = [buffers.take() for _ in range(3)]
    view = held[0][:1]
    addresses = {array.ctypes.data for array in held}
    assert len(addresses) == 3
    held.clear()
    again = [buffers.take() for _ in range(3)]
    assert view.ctypes.data not in {array.ctypes.data for array in again}
