"""What a review of the engine broke, each once."""

from __future__ import annotations

import asyncio
import threading
import time
from multiprocessing import get_context

import pytest
from faulty import Fault, Faulty

import wsiweb
from wsiweb import frames as frames_room
from wsiweb import stream
from wsiweb.frames import decoding, departures
from wsiweb.server import create_app, serve


def _opened(server, **settings):
    return wsiweb.connect(server.url, settings=wsiweb.Settings(**settings)).slides()[0].open()


def _lists(app):
    return [path.rsplit("/frames/", 1)[1] for path in app.paths("/frames/")]


def _walk(slide, columns=8, rows=2):
    for y in range(rows):
        for x in range(columns):
            slide.read_region((x * 256, y * 256), 0, (256, 256))


def test_lists_are_never_longer_than_fixed(faulty):
    app, server = faulty(Fault("/frames/", delay=0.02))
    _walk(_opened(server, frames_per_request=1))
    assert all("," not in one for one in _lists(app))


def test_an_archive_of_single_frames_is_not_asked_for_lists_again(made_folder):
    class Single(Faulty):
        async def __call__(self, scope, receive, send):
            asks_for_many = "/frames/" in scope.get("path", "") and "," in scope["path"]
            self.faults = [Fault("/frames/", status=400)] if asks_for_many else []
            await super().__call__(scope, receive, send)

    app = Single(create_app(made_folder))
    with serve(app=app) as server:
        _walk(_opened(server), rows=4)
    assert sum("," in one for one in _lists(app)) <= 4 * 3  # one wave, each of the ladder


@pytest.mark.parametrize("bad", [3, 6, 9])
def test_a_damaged_frame_that_was_only_read_ahead_harms_nobody(faulty, monkeypatch, bad):
    monkeypatch.setattr(departures, "_ALONG", 1)
    hits = []

    def flip(body):
        hits.append(1)
        at = body.rindex(b"\xff\xd8\xff")
        return body[:at] + b"\x00" * 600 + body[at + 600 :]

    _, server = faulty(Fault(f"/frames/{bad}", times=1, body=flip), Fault("/frames/", delay=0.05))
    slide = _opened(server, frames_per_request=1, connections=3, retries=0)
    _walk(slide, columns=2, rows=1)
    end = time.monotonic() + 5
    while slide._frames._flights and time.monotonic() < end:
        time.sleep(0.02)
    slide.read_region((100, 1000), 0, (50, 50))  # the walk breaks off: its readers are left
    slide.read_region((1000, 700), 0, (50, 50))
    assert hits


def test_a_long_loop_over_tiles_remembers_little(tmp_path):
    from wsiweb import synthetic

    synthetic.write_slide(tmp_path, 2048, 2048, seed=3, tile_size=64, levels=[1])
    with serve(tmp_path) as server:
        slide = _opened(server)
        for n in range(1024):
            slide.tile(0, n % 32, n // 32)
        (guided,) = slide._ahead._walks.values()
        assert len(guided.coming) <= 512


def _go_on(regions, queue):
    try:
        next(regions)
    except RuntimeError as error:
        queue.put(str(error))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_regions_begun_before_a_fork_are_refused_in_the_child(faulty):
    _, server = faulty(Fault("/frames/", delay=0.1))
    slide = _opened(server, frames_per_request=1, connections=2)
    regions = slide.read_regions([((x * 256, 0), 0, (256, 256)) for x in range(8)])
    next(regions)
    context = get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_go_on, args=(regions, queue))
    child.start()
    assert "parent process" in queue.get(timeout=20)
    child.join(20)
    assert len(list(regions)) == 7


def test_a_straggler_is_overtaken_when_a_place_falls_free(made_folder):
    class Holding(Faulty):
        count = 0

        async def __call__(self, scope, receive, send):
            if "/frames/" in scope.get("path", ""):
                self.count += 1
                await asyncio.sleep(8 if self.count == 21 else 0.03)
            await super().__call__(scope, receive, send)

    with serve(app=Holding(create_app(made_folder))) as server:
        slide = _opened(server, frames_per_request=1, connections=3)
        began = time.monotonic()
        slide.read_region((0, 0), 0, slide.size)
        assert time.monotonic() - began < 7


def test_a_short_list_does_not_wait_for_a_long_one_of_another_slide(tmp_path):
    from wsiweb import synthetic

    for seed in (1, 2):
        synthetic.write_slide(tmp_path, 2100, 1500, seed=seed, levels=[1])
    app = Faulty(create_app(tmp_path), Fault("/frames/", delay=0.02))
    with serve(app=app) as server:
        settings = wsiweb.Settings(frames_per_request=2, connections=3)
        records = wsiweb.connect(server.url, settings=settings).slides()
        one, two = (record.open() for record in records)
        tiles = [((x * 256, y * 256), 0, (256, 256)) for y in range(6) for x in range(9)]
        long, short = one.read_regions(tiles), two.read_regions(tiles[:2])
        next(long)
        next(short)
        sent = len(app.paths("/frames/"))
        list(long)
        assert sent < 20
        assert len(app.paths("/frames/")) >= 28


def test_what_waits_to_be_decoded_is_bounded(faulty, monkeypatch):
    monkeypatch.setattr(departures, "_MOST_BYTES", 100_000)
    monkeypatch.setattr(frames_room.frames, "_BACKLOG", 100_000)
    pixels, most = decoding.Decoder._pixels, []

    def slow(self, *given, **named):
        most.append(self.backlog)
        time.sleep(0.02)
        return pixels(self, *given, **named)

    monkeypatch.setattr(decoding.Decoder, "_pixels", slow)
    _, server = faulty()
    slide = _opened(server)
    slide.read_region((0, 0), 0, slide.size)
    assert max(most) <= 300_000


def test_a_region_that_cannot_be_allocated_is_an_error_and_no_wait(made_server, monkeypatch):
    slide = _opened(made_server)
    tiles = [((x * 256 + 5, 5), 0, (256, 256)) for x in range(3)]
    for _ in range(2):
        list(slide.read_regions(tiles))  # the shared tiles are held now

    def none(*_):
        raise MemoryError("no more")

    monkeypatch.setattr(stream._Workbench, "take", none)
    errors = []

    def read():
        try:
            list(slide.read_regions(tiles))
        except MemoryError as error:
            errors.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert errors
