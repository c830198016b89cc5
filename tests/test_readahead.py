from __future__ import annotations

import asyncio
import os
import threading
import time
from multiprocessing import get_context

import numpy as np
import pytest
from faulty import Fault, Faulty

import wsiweb
from wsiweb import loop
from wsiweb.server import create_app, serve


def _opened(server, **settings):
    return wsiweb.connect(server.url, settings=wsiweb.Settings(**settings)).slides()[0].open()


def _asked(app):
    return [n for path in app.paths("/frames/") for n in path.rsplit("/", 1)[1].split(",")]


def _settle(slide, seconds=5.0):
    end = time.monotonic() + seconds
    while slide._frames._flights and time.monotonic() < end:
        time.sleep(0.01)
    assert not slide._frames._flights


@pytest.mark.parametrize(("delay", "tiles"), [(0.0, 3), (0.1, 9)])
def test_far_away_more_is_fetched_when_a_walk_is_recognised(faulty, delay, tiles):
    app, server = faulty(Fault("/", delay=delay))
    slide = _opened(server)
    for n in range(2):
        slide.read_region((n * 64, 0), 0, (64, 64))
    end = time.monotonic() + 5
    while len(set(_asked(app))) < tiles and time.monotonic() < end:
        time.sleep(0.01)
    _settle(slide)
    assert len(set(_asked(app))) == tiles


def test_a_plain_loop_over_a_grid_waits_for_few_of_its_tiles(faulty, made_server):
    delay = 0.05
    _, server = faulty(Fault("/frames/", delay=delay))
    slide = _opened(server)
    columns, rows = slide.levels[0].grid
    began = time.perf_counter()
    regions = [
        slide.read_region((x * 256, y * 256), 0, (256, 256))
        for y in range(rows)
        for x in range(columns)
    ]
    took = time.perf_counter() - began
    assert took < columns * rows * delay / 4
    judge = _opened(made_server, decoded_bytes=0)
    for n, region in enumerate(regions):
        corner = (n % columns * 256, n // columns * 256)
        np.testing.assert_array_equal(region, judge.read_region(corner, 0, (256, 256)))


def test_no_frame_is_fetched_twice_and_few_for_nothing(faulty):
    app, server = faulty()
    slide = _opened(server)
    for y in range(4):
        for x in range(5):
            slide.read_region((x * 256, y * 256), 0, (256, 256))
    _settle(slide)
    asked = _asked(app)
    assert len(asked) == len(set(asked))
    assert len(asked) <= 54


def test_a_loop_over_tiles_fetches_them_as_they_are_stored(faulty):
    app, server = faulty(Fault("/frames/", delay=0.01))
    slide = _opened(server)
    with wsiweb.trace() as cost:
        for x in range(8):
            assert slide.tile(0, x, 0).data
        _settle(slide)
    assert cost.frames_decoded == 0
    assert len(app.paths("/frames/")) < 8


def test_what_was_under_way_for_a_walk_is_given_up_when_it_breaks_off(faulty):
    _, server = faulty(Fault("/frames/", delay=0.3))
    slide = _opened(server, frames_per_request=1, connections=3)
    slide.read_region((0, 0), 0, (256, 256))
    slide.read_region((256, 0), 0, (256, 256))  # a walk: the next are on their way now
    began = time.perf_counter()
    slide.read_region((1000, 1000), 0, (256, 256))
    slide.read_region((30, 900), 0, (256, 256))
    assert time.perf_counter() - began < 4.0
    _settle(slide)


def test_nothing_is_read_ahead_where_nothing_can_be_held(faulty):
    app, server = faulty()
    slide = _opened(server, decoded_bytes=0)
    for x in range(5):
        slide.read_region((x * 256, 0), 0, (256, 256))
    time.sleep(0.1)
    assert len(_asked(app)) == 5


def test_scattered_reads_fetch_nothing_else(faulty):
    app, server = faulty()
    slide = _opened(server)
    for x, y in ((0, 0), (5, 3), (1, 4), (7, 0), (2, 2), (6, 1)):
        slide.read_region((x * 256, y * 256), 0, (256, 256))
    time.sleep(0.1)
    assert len(_asked(app)) == 6


def test_each_thread_walks_by_itself(faulty):
    app, server = faulty(Fault("/frames/", delay=0.02))
    slide = _opened(server)
    gate = threading.Barrier(3)

    def walk(row):
        gate.wait()
        for x in range(8):
            slide.read_region((x * 256, row * 256), 0, (256, 256))

    threads = [threading.Thread(target=walk, args=(row,)) for row in (0, 2, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(app.paths("/frames/")) <= 18
    asked = _asked(app)
    assert len(asked) == len(set(asked))


def test_threads_that_are_gone_are_forgotten(made_server):
    slide = _opened(made_server)

    def touch():
        slide.read_region((0, 0), 0, (9, 9))

    for _ in range(100):
        thread = threading.Thread(target=touch)
        thread.start()
        thread.join()
    assert len(slide._ahead._walks) <= 64


@pytest.fixture(scope="module")
def small_tiles(tmp_path_factory):
    """A folder with a slide of 16 x 16 tiles, each 64 px wide."""
    from wsiweb import synthetic

    folder = tmp_path_factory.mktemp("small-tiles")
    synthetic.write_slide(folder, 1024, 1024, seed=5, tile_size=64, levels=[1])
    return folder


def _grid(slide):
    return [(x * 64, y * 64) for y in range(16) for x in range(16)]


def test_a_loop_over_a_large_grid_takes_a_tenth_of_its_delays(small_tiles):
    delay = 0.05
    app = Faulty(create_app(small_tiles), Fault("/frames/", delay=delay))
    with serve(app=app) as server:
        slide = _opened(server)
        began = time.perf_counter()
        regions = [slide.read_region(corner, 0, (64, 64)) for corner in _grid(slide)]
        took = time.perf_counter() - began
        assert len(app.paths("/frames/")) <= 16
        whole = slide.read_region((0, 0), 0, slide.size)
    assert took < 256 * delay / 10
    for (x, y), region in zip(_grid(slide), regions, strict=True):
        np.testing.assert_array_equal(region, whole[y : y + 64, x : x + 64])


def test_what_was_still_queued_for_a_walk_is_never_asked_for_when_it_jumps_away(small_tiles):
    app = Faulty(create_app(small_tiles), Fault("/frames/", delay=0.3))
    with serve(app=app) as server:
        slide = _opened(server, frames_per_request=1, connections=3)
        for corner in _grid(slide)[:3]:
            slide.read_region(corner, 0, (64, 64))
        loop.run(asyncio.sleep(0.05))  # what the last step foresaw has been asked for, too
        queued = len(slide._frames._departures._waits_in)
        before = len(_asked(app))
        slide.read_region((7, 901), 0, (30, 30))
        slide.read_region((500, 333), 0, (20, 20))
        _settle(slide)
        of_the_row = [n for n in _asked(app) if int(n) <= 16]
        assert slide._frames._departures.idle
    assert queued >= 3  # there was something to give up
    assert len(of_the_row) <= before + 2  # what a place may have taken up at that moment


def _walk_in_child(slide, queue):
    queue.put([int(slide.read_region((x * 256, 0), 0, (256, 256)).sum()) for x in range(6)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_walk_goes_on_in_a_forked_child(made_server):
    slide = _opened(made_server)
    for x in range(3):
        slide.read_region((x * 256, 0), 0, (256, 256))
    context = get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_walk_in_child, args=(slide, queue))
    child.start()
    sums = queue.get(timeout=20)
    child.join(20)
    assert sums == [int(slide.read_region((x * 256, 0), 0, (256, 256)).sum()) for x in range(6)]
