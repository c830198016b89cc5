from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from faulty import Fault, Faulty

import wsiweb
from wsiweb import loop
from wsiweb.frames import Priority, departures
from wsiweb.server import create_app, serve


def _opened(server, **settings):
    return wsiweb.connect(server.url, settings=wsiweb.Settings(**settings)).slides()[0].open()


def _all_tiles(slide):
    columns, rows = slide.levels[0].grid
    return [((x * 256, y * 256), 0, (256, 256)) for y in range(rows) for x in range(columns)]


def test_what_is_looked_at_goes_before_what_is_read_in_bulk(faulty):
    app, server = faulty(Fault("/frames/", delay=0.05))
    slide = _opened(server, frames_per_request=2, connections=3)
    bulk = slide.read_regions(_all_tiles(slide))
    first = next(bulk)
    with ThreadPoolExecutor(1) as threads:
        tile = threads.submit(slide.read_region, (1900, 1300), 0, (100, 100)).result()
    sent = len(app.paths("/frames/"))
    list(bulk)
    assert first.shape == (256, 256, 3)
    assert tile.shape == (100, 100, 3)
    assert sent < len(app.paths("/frames/"))  # the bulk was not through


def test_a_tile_is_there_long_before_a_bulk_that_was_learnt_to_be_asked_for_in_long_lists(faulty):
    app, server = faulty(Fault("/frames/", delay=0.02))
    slide = _opened(server)
    for n in range(12):  # what is learnt here: long lists, few at a time
        slide.read_region((n * 23 % 9 * 256 + 20, n * 7 % 5 * 256), 0, (20, 20))
    slide._frames.forget(slide.levels[0].instance_uids)
    app.faults[:] = [Fault("/frames/", delay=0.6, times=3), Fault("/frames/", delay=0.0)]
    ended = {}

    def bulk():
        list(slide.read_regions(_all_tiles(slide)))
        ended["bulk"] = time.monotonic()

    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(bulk)
        while len(app.paths("/frames/")) < 13 and not reading.done():
            time.sleep(0.002)
        app.faults[:] = [Fault("/frames/", delay=0.0)]
        slide.read_region((500, 500), 1, (20, 20))
        ended["tile"] = time.monotonic()
        reading.result(20)
    assert ended["tile"] < ended["bulk"] - 0.2


def test_a_queued_frame_that_becomes_urgent_moves_up(faulty):
    app, server = faulty(Fault("/frames/", delay=0.05))
    slide = _opened(server, frames_per_request=1, connections=3)
    bulk = slide.read_regions(_all_tiles(slide))
    next(bulk)
    slide.read_region((7 * 256, 5 * 256), 0, (50, 50))  # the last but one of the bulk
    sent = len(app.paths("/frames/"))
    list(bulk)
    asked = [path.rsplit("/", 1)[1] for path in app.paths("/frames/")]
    assert len(asked) == len(set(asked)) == 54
    assert sent < 54


class _Straggling(Faulty):
    """Holds one request for frames back until it is told to go on."""

    def __init__(self, app, which):
        super().__init__(app)
        self.which = which
        self.count = 0
        self.go_on = threading.Event()

    async def __call__(self, scope, receive, send):
        if "/frames/" in scope.get("path", ""):
            self.count += 1
            if self.count == self.which:
                await asyncio.to_thread(self.go_on.wait, 20)
        await super().__call__(scope, receive, send)


def test_a_straggler_is_overtaken(made_folder):
    app = _Straggling(create_app(made_folder), which=20)
    with serve(app=app) as server:
        slide = _opened(server)
        expected = None
        began = time.monotonic()
        try:
            for n in range(54):  # one request each: no walk, and nothing read ahead
                at = n * 23 % 54
                corner = (at % 9 * 256, at // 9 * 256)
                region = slide.read_region(corner, 0, (200, 200))
                expected = region if expected is None else expected
            took = time.monotonic() - began
        finally:
            app.go_on.set()
    assert took < 10
    assert expected is not None


def test_frames_of_a_straggler_come_once(made_folder):
    app = _Straggling(create_app(made_folder), which=15)
    delivered = []
    with serve(app=app) as server:
        slide = _opened(server)
        image = slide.levels[0]
        addresses = [image.frame(n % 9, n // 9) for n in range(54)]

        async def read_one(address):
            await slide._frames.decoded(
                image, [address], lambda address, _: delivered.append(address)
            )

        try:
            for n in range(54):
                loop.run(read_one(addresses[n * 23 % 54]))
        finally:
            app.go_on.set()
    assert sorted(delivered) == sorted(addresses)


def test_what_is_on_its_way_is_bounded_in_bytes(faulty, monkeypatch):
    monkeypatch.setattr(departures, "_MOST_BYTES", 100_000)
    app, server = faulty(Fault("/frames/", delay=0.02))
    slide = _opened(server)
    most = []
    send = departures.Departures._send

    def watched(self, flights, **how):
        send(self, flights, **how)
        most.append(sum(len(batch.flights) for batch in self._under_way))

    monkeypatch.setattr(departures.Departures, "_send", watched)
    region = slide.read_region((0, 0), 0, slide.size)
    assert region.shape[:2] == slide.size[::-1]
    assert max(most) <= 8  # 100 KB are some 5 to 8 frames
    assert len(app.paths("/frames/")) >= 7


def test_bare_pixels_are_bounded_in_bytes_from_the_first_request_on(tmp_path, monkeypatch):
    from wsiweb import synthetic

    synthetic.write_slide(
        tmp_path,
        2048,
        2048,
        seed=1,
        levels=[1],
        photometric="RGB",
        transfer_syntax="1.2.840.10008.1.2.1",
    )
    monkeypatch.setattr(departures, "_MOST_BYTES", 2_000_000)
    most = []
    send = departures.Departures._send

    def watched(self, flights, **how):
        send(self, flights, **how)
        most.append(sum(len(batch.flights) for batch in self._under_way))

    monkeypatch.setattr(departures.Departures, "_send", watched)
    with serve(tmp_path) as server:
        slide = _opened(server)
        assert slide.read_region((0, 0), 0, slide.size).shape == (2048, 2048, 3)
    assert max(most) <= 2_000_000 // (256 * 256 * 3) + 1


def test_a_bulk_read_leaves_a_connection_free(faulty):
    _, server = faulty(Fault("/frames/", delay=0.1))
    slide = _opened(server, connections=4, frames_per_request=1)
    bulk = slide.read_regions(_all_tiles(slide))
    next(bulk)
    assert len(slide._frames._departures._under_way) <= 3
    bulk.close()


def test_slides_of_one_archive_take_turns(tmp_path):
    from wsiweb import synthetic

    for seed in (1, 2):
        synthetic.write_slide(tmp_path, 1200, 900, seed=seed)
    app = Faulty(create_app(tmp_path), Fault("/frames/", delay=0.02))
    with serve(app=app) as server:
        settings = wsiweb.Settings(frames_per_request=2, connections=3)
        one, two = (
            record.open() for record in wsiweb.connect(server.url, settings=settings).slides()
        )
        with ThreadPoolExecutor(2) as threads:
            done = [
                threads.submit(lambda slide: list(slide.read_regions(_all_tiles(slide))), slide)
                for slide in (one, two)
            ]
            assert [len(future.result(30)) for future in done] == [20, 20]


def test_readers_of_every_kind_can_give_up_at_any_moment(faulty):
    _, server = faulty(Fault("/frames/", delay=0.01))
    slide = _opened(server, connections=3)
    rng = np.random.default_rng(5)

    async def storm():
        tasks = []
        for _ in range(150):
            x, y = (int(value) for value in rng.integers(0, 1400, 2))
            if rng.random() < 0.3:
                task = slide.tile_async(0, x // 256, min(5, y // 256))
            else:
                task = slide.read_region_async((x, y), 0, (400, 300))
            tasks.append(asyncio.ensure_future(task))
            if rng.random() < 0.6:
                tasks[int(rng.integers(len(tasks)))].cancel()
            await asyncio.sleep(float(rng.random()) * 0.004)
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(storm())
    odd = [
        one
        for one in results
        if isinstance(one, BaseException) and not isinstance(one, asyncio.CancelledError)
    ]
    assert odd == []
    end = time.monotonic() + 5
    while slide._frames._flights and time.monotonic() < end:
        time.sleep(0.02)
    assert slide._frames._flights == {}
    assert slide._frames._departures.idle


def test_priorities_are_in_their_order():
    assert Priority.VISIBLE < Priority.THUMBNAIL < Priority.AHEAD < Priority.BULK


def test_what_comes_along_is_bounded_in_bytes_too(faulty, monkeypatch):
    _, server = faulty(Fault("/frames/", delay=0.05))
    slide = _opened(server)
    form = slide.levels[0].format
    room = 20
    monkeypatch.setattr(departures, "_MOST_BYTES", room * form.nbytes // departures._PACKED)
    monkeypatch.setattr(departures.Departures, "_weigh", lambda *_: None)
    most = []
    send = departures.Departures._send

    def watched(self, flights, **how):
        send(self, flights, **how)
        most.append(sum(len(batch.flights) for batch in self._under_way))

    monkeypatch.setattr(departures.Departures, "_send", watched)
    for row in range(4):
        for column in range(8):
            slide.read_region((column * 256 + 3, row * 256), 0, (500, 500))
    assert max(most) <= room + 1
