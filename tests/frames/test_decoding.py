from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from faulty import Fault

import wsiweb
from wsiweb import loop
from wsiweb.frames import decoding
from wsiweb.pixels.decode import scratch


def _opened(server, **settings):
    return wsiweb.connect(server.url, settings=wsiweb.Settings(**settings)).slides()[0].open()


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("shape", [(256, 256, 3), (240, 240, 1), (7, 5, 3)])
def test_a_scratch_array_is_contiguous_and_off_the_steps_of_avx2(shape, dtype):
    array = scratch(shape, np.dtype(dtype))
    assert array.shape == shape
    assert array.flags.c_contiguous
    assert array.ctypes.data % 32 == 16
    array[...] = 1


def test_a_reader_that_joins_while_a_frame_is_decoded_gets_its_pixels(made_server, monkeypatch):
    slide = _opened(made_server)
    decoding_now, go_on = threading.Event(), threading.Event()
    pixels = decoding.Decoder._pixels

    def slow(self, flight, target, *, keep):
        decoding_now.set()
        go_on.wait(10)
        return pixels(self, flight, target, keep=keep)

    monkeypatch.setattr(decoding.Decoder, "_pixels", slow)
    image = slide.levels[0]
    address = image.frame(3, 3)
    got = {}

    def reader(name, keep):
        ended = threading.Event()

        def paste(_, tile):
            got[name] = tile.copy()

        def begin():
            slide._frames.begin(
                image,
                [address],
                paste,
                lambda _: ended.set(),
                target=None,
                keep=[address] if keep else [],
                priority=wsiweb.frames.Priority.VISIBLE,
            )

        loop.call(begin)
        return ended

    first = reader("first", keep=False)
    assert decoding_now.wait(10)
    second = reader("second", keep=False)
    go_on.set()
    assert first.wait(10)
    assert second.wait(10)
    np.testing.assert_array_equal(got["first"], got["second"])
    assert slide._frames._flights == {}


@pytest.mark.parametrize("leaves", ["first", "second", "both"])
def test_readers_may_give_up_while_their_frame_is_decoded(made_server, monkeypatch, leaves):
    slide = _opened(made_server)
    decoding_now, go_on = threading.Event(), threading.Event()
    pixels = decoding.Decoder._pixels

    def slow(self, flight, target, *, keep):
        decoding_now.set()
        go_on.wait(10)
        return pixels(self, flight, target, keep=keep)

    monkeypatch.setattr(decoding.Decoder, "_pixels", slow)
    image = slide.levels[0]
    address = image.frame(2, 1)
    got, readers, ended = {}, {}, {"first": threading.Event(), "second": threading.Event()}

    def begin(name):
        readers[name] = slide._frames.begin(
            image,
            [address],
            lambda _, tile: got.setdefault(name, tile.copy()),
            lambda error: error or ended[name].set(),
            target=None,
            keep=[],
            priority=wsiweb.frames.Priority.VISIBLE,
        )

    async def leave(name):
        slide._frames.leave(readers[name])

    loop.call(begin, "first")
    assert decoding_now.wait(10)
    loop.call(begin, "second")
    for name in ("first", "second"):
        if leaves in (name, "both"):
            loop.run(leave(name))
    go_on.set()
    for name, event in ended.items():
        if leaves not in (name, "both"):
            assert event.wait(10)
            assert name in got
    deadline = time.monotonic() + 5
    while slide._frames._flights and time.monotonic() < deadline:
        time.sleep(0.01)
    assert slide._frames._flights == {}
    assert slide._frames._decoder.backlog == 0
    assert "second" not in got or leaves == "first"


def test_all_who_wait_for_a_damaged_frame_hear_of_it(faulty):
    def flip(body):
        at = body.index(b"\xff\xd8\xff")
        return body[: at + 3] + bytes(600) + body[at + 603 :]

    _, server = faulty(Fault("/frames/", times=1, body=flip, delay=0.2))
    slide = _opened(server)
    gate = threading.Barrier(5)

    def read(n):
        gate.wait()
        try:
            slide.read_region((n, n), 0, (50, 50))
        except wsiweb.DecodeError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(5) as threads:
        words = list(threads.map(read, range(5)))
    assert all("frame 1 of instance" in one for one in words)
    assert slide._frames._flights == {}
    assert slide.read_region((0, 0), 0, (50, 50)).any()


def test_small_reads_are_held_decoded_and_large_ones_are_not(made_server):
    slide = _opened(made_server, decoded_bytes=16 * 256 * 256 * 3)
    slide.read_region((0, 0), 0, (1500, 1500))
    assert len(slide._frames._decoded) == 0
    slide.read_region((1800, 1300), 0, (100, 100))
    assert len(slide._frames._decoded) == 1


def test_what_is_wanted_a_second_time_is_held(made_server):
    slide = _opened(made_server, decoded_bytes=40 * 256 * 256 * 3)
    slide.read_region((0, 0), 0, (1500, 1500))
    assert len(slide._frames._decoded) == 0
    slide.read_region((0, 0), 0, (1500, 1500))
    assert len(slide._frames._decoded) == 36


def test_of_regions_in_turn_only_tiles_that_are_shared_are_held(made_server):
    slide = _opened(made_server)
    list(slide.read_regions([((x * 256, 0), 0, (256, 256)) for x in range(4)]))
    assert len(slide._frames._decoded) == 0
    list(slide.read_regions([((x * 256 + 9, 9), 0, (256, 256)) for x in range(4)]))
    assert len(slide._frames._decoded) > 0


def test_a_region_of_one_whole_tile_is_the_callers_own(made_server):
    slide = _opened(made_server)
    first = slide.read_region((256, 256), 0, (256, 256))
    expected = first.copy()
    first[...] = 0
    np.testing.assert_array_equal(slide.read_region((256, 256), 0, (256, 256)), expected)


MEMORY = """
    import pathlib, sys, wsiweb

    def peak():
        for line in pathlib.Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024

    slide = wsiweb.connect(sys.argv[1]).slides()[0].open()
    slide.read_region((0, 0), 0, (300, 300))
    before = peak()
    region = slide.read_region((0, 0), 0, slide.size)
    print(peak() - before - region.nbytes)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("bare", [False, True])
def test_reading_a_whole_level_takes_the_level_and_little_more(tmp_path, bare):
    from wsiweb import synthetic
    from wsiweb.server import serve

    how = {"transfer_syntax": "1.2.840.10008.1.2.1", "photometric": "RGB"} if bare else {}
    synthetic.write_slide(tmp_path, 6144, 6144, seed=3, levels=[1], **how)
    with serve(tmp_path) as server:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(MEMORY), server.url],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    assert int(done.stdout) < 64 * 2**20
