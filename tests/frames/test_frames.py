from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from faulty import Fault

import wsiweb
from wsiweb import loop


def _opened(server, **settings):
    archive = wsiweb.connect(server.url, settings=wsiweb.Settings(**settings))
    return archive.slides()[0].open()


def test_sixteen_threads_that_ask_for_one_frame_make_one_fetch(faulty):
    app, server = faulty(Fault("/frames/", delay=0.2))
    slide = _opened(server)
    gate = threading.Barrier(16)

    def read(_):
        gate.wait()
        return slide.read_region((0, 0), 0, (100, 100))

    with ThreadPoolExecutor(16) as threads:
        regions = list(threads.map(read, range(16)))
    assert len(app.paths("/frames/")) == 1
    assert all((region == regions[0]).all() for region in regions)


def test_overlapping_readers_fetch_each_frame_once(faulty):
    app, server = faulty(Fault("/frames/", delay=0.05))
    slide = _opened(server)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda x: slide.read_region((x * 100, 0), 0, (600, 600)), range(8)))
    asked = [n for path in app.paths("/frames/") for n in path.rsplit("/", 1)[1].split(",")]
    assert len(asked) == len(set(asked))


def test_encoded_and_decoded_readers_share_a_flight(faulty):
    app, server = faulty(Fault("/frames/", delay=0.1))
    slide = _opened(server)

    async def main():
        return await asyncio.gather(
            slide.tile_async(0, 0, 0), slide.read_region_async((0, 0), 0, (256, 256))
        )

    tile, region = asyncio.run(main())
    assert tile.data
    assert region.shape == (256, 256, 3)
    assert len(app.paths("/frames/")) == 1


def test_a_decoded_frame_can_be_had_again_from_its_held_bytes(faulty):
    _app, server = faulty()
    slide = _opened(server, decoded_bytes=0)
    first = slide.read_region((0, 0), 0, (300, 300))
    with wsiweb.trace() as cost:
        again = slide.read_region((0, 0), 0, (300, 300))
    np.testing.assert_array_equal(first, again)
    assert (cost.requests, cost.frames_decoded) == (0, 4)


def test_without_any_cache_everything_still_works(faulty):
    _, server = faulty()
    slide = _opened(server, decoded_bytes=0, encoded_bytes=0)
    assert slide.tile(0, 0, 0).data == slide.tile(0, 0, 0).data
    slide.read_region((0, 0), 0, (600, 600))


def test_what_is_held_stays_within_the_budgets(faulty):
    _, server = faulty()
    slide = _opened(server, decoded_bytes=1_600_000, encoded_bytes=50_000)
    for x, y in np.ndindex(5, 5):
        slide.read_region((x * 256, y * 256), 0, (256, 256))
    frames = slide._frames
    for cache, budget in ((frames._decoded, 1_600_000), (frames._encoded, 50_000)):
        held = [value for value, _ in cache._table.values()]
        sizes = [one.nbytes if isinstance(one, np.ndarray) else len(one.data) for one in held]
        assert cache.held == sum(sizes) <= budget
        assert sizes
        assert all(one.base is None for one in held if isinstance(one, np.ndarray))


def test_a_reader_that_gives_up_cancels_what_only_it_waits_for(faulty):
    _app, server = faulty(Fault("/frames/", delay=0.5))
    slide = _opened(server)

    async def main():
        task = asyncio.create_task(slide.read_region_async((0, 0), 0, (2000, 1400)))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    time.sleep(0.2)
    assert slide._frames._flights == {}
    assert loop.run(_other_tasks()) == 0


async def _other_tasks():
    return len(asyncio.all_tasks()) - 1


def test_a_reader_that_gives_up_does_not_take_others_with_it(faulty):
    _, server = faulty(Fault("/frames/", delay=0.3))
    slide = _opened(server)

    async def main():
        patient = asyncio.create_task(slide.read_region_async((0, 0), 0, (256, 256)))
        hasty = asyncio.create_task(slide.read_region_async((0, 0), 0, (512, 256)))
        await asyncio.sleep(0.1)
        hasty.cancel()
        return await patient

    assert asyncio.run(main()).shape == (256, 256, 3)


def test_a_failed_fetch_is_told_to_all_who_wait_and_tried_anew_later(faulty):
    _app, server = faulty(Fault("/frames/", status=403, times=1, delay=0.2))
    slide = _opened(server)

    def read(_):
        try:
            slide.read_region((0, 0), 0, (100, 100))
        except wsiweb.Unauthorized:
            return "refused"
        return "read"

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(read, range(4))) == ["refused"] * 4
    assert read(None) == "read"


def test_a_damaged_frame_is_an_error_and_is_not_kept(faulty):
    def flip(body):
        at = body.index(b"\xff\xd8\xff")
        return body[:at] + b"\x00" * 600 + body[at + 600 :]

    _, server = faulty(Fault("/frames/", times=1, body=flip))
    slide = _opened(server)
    with pytest.raises(wsiweb.DecodeError, match=r"frame 1 of instance"):
        slide.read_region((0, 0), 0, (100, 100))
    assert slide.read_region((0, 0), 0, (100, 100)).shape == (100, 100, 3)


def test_frames_wanted_by_many_readers_travel_in_batches(faulty):
    app, server = faulty(Fault("/frames/", delay=0.02))
    slide = _opened(server)
    columns, rows = slide.levels[0].grid
    wanted = [((x * 256, y * 256), 0, (9, 9)) for y in range(rows) for x in range(columns)]
    assert len(list(slide.read_regions(wanted))) == len(wanted) == 54
    assert len(app.paths("/frames/")) <= 16


def test_readers_that_give_up_while_queued_leave_no_trace(faulty):
    app, server = faulty(Fault("/frames/", delay=0.1))
    slide = _opened(server, connections=1, frames_per_request=1)

    async def main():
        tasks = [
            asyncio.create_task(slide.read_region_async((x * 256, 0), 0, (9, 9)))
            for x in (0, 5, 1, 7, 2, 4, 3, 6)  # no walk, so that nothing is read ahead
        ]
        await asyncio.sleep(0.15)
        for task in tasks[2:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return await slide.read_region_async((6 * 256, 0), 0, (9, 9))

    assert asyncio.run(main()).shape == (9, 9, 3)
    time.sleep(0.1)
    assert len(app.paths("/frames/")) <= 4
    frames = slide._frames
    assert frames._flights == {}
    assert frames._departures.idle


def test_parts_are_decoded_while_later_parts_still_arrive(made_folder):
    from wsiweb.server import create_app, serve

    app = create_app(made_folder)
    halfway = threading.Event()

    async def slow(scope, receive, send):
        """Send the first half of a body of frames, and the rest when told."""
        if "/frames/" not in scope.get("path", ""):
            await app(scope, receive, send)
            return
        events = []

        async def keep(event):
            events.append(event)

        await app(scope, receive, keep)
        body = b"".join(event.get("body", b"") for event in events[1:])
        await send(events[0])
        cut = len(body) // 2
        await send({"type": "http.response.body", "body": body[:cut], "more_body": True})
        await asyncio.to_thread(halfway.wait)
        await send({"type": "http.response.body", "body": body[cut:]})

    with serve(app=slow) as server, wsiweb.trace() as cost:
        slide = _opened(server)
        with ThreadPoolExecutor(1) as threads:
            region = threads.submit(slide.read_region, (512, 512), 0, (768, 768))
            deadline = time.monotonic() + 5
            while cost.frames_decoded < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            decoded, done = cost.frames_decoded, region.done()
            halfway.set()
            assert region.result(5).shape == (768, 768, 3)
    assert decoded >= 2
    assert not done
