from __future__ import annotations

import os
import threading
import time
from multiprocessing import get_context

import numpy as np
import pytest
from faulty import Fault

import wsiweb


def _opened(server, **settings):
    return wsiweb.connect(server.url, settings=wsiweb.Settings(**settings)).slides()[0].open()


def _asked(app):
    return [n for path in app.paths("/frames/") for n in path.rsplit("/", 1)[1].split(",")]


def _settle(slide, seconds=5.0):
    end = time.monotonic() + seconds
    while slide._frames._flights and time.monotonic() < end:
        time.sleep(0.01)
    assert not slide._frames._flights


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
