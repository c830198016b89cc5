from __future__ import annotations

import asyncio
import signal
import threading
import time

import numpy as np
import pytest
from faulty import Fault

import wsiweb
from wsiweb import loop, stream
from wsiweb.frames import departures


def _opened(server, **settings):
    return wsiweb.connect(server.url, settings=wsiweb.Settings(**settings)).slides()[0].open()


@pytest.fixture
def slide(made_server):
    return _opened(made_server)


def _tiles(slide):
    columns, rows = slide.levels[0].grid
    return [((x * 256, y * 256), 0, (256, 256)) for y in range(rows) for x in range(columns)]


def _idle(slide, seconds=5.0):
    frames = slide._frames
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not frames._flights and frames._departures.idle:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("ahead", [None, 1, 3])
def test_regions_come_in_the_order_asked_and_are_right(slide, ahead):
    whole = slide.read_region((0, 0), 0, slide.size)
    padded = np.full((3000, 3000, 3), 255, np.uint8)
    padded[400 : 400 + whole.shape[0], 400 : 400 + whole.shape[1]] = whole
    rng = np.random.default_rng(3)
    corners = [(int(x), int(y)) for x, y in rng.integers(-300, 1900, (60, 2))]
    wanted = [(corner, 0, (256, 200)) for corner in corners] + _tiles(slide)
    for (x, y), region in zip(
        [corner for corner, _, _ in wanted], slide.read_regions(wanted, ahead=ahead), strict=True
    ):
        height, width = region.shape[:2]
        np.testing.assert_array_equal(region, padded[y + 400 :, x + 400 :][:height, :width])


def test_a_region_that_was_handed_out_is_never_written_to_again(slide):
    regions = list(slide.read_regions(_tiles(slide) * 3, ahead=4))
    assert all(region.flags.writeable for region in regions)
    assert len({region.__array_interface__["data"][0] for region in regions}) == len(regions)
    for first, again in zip(regions, regions[len(regions) // 3 :], strict=False):
        np.testing.assert_array_equal(first, again)
    regions[0][...] = 0
    assert regions[54].any()


def test_a_large_region_is_not_copied_but_right(slide):
    (region,) = slide.read_regions([((0, 0), 0, (1500, 1400))])
    np.testing.assert_array_equal(region, slide.read_region((0, 0), 0, (1500, 1400)))


def test_from_far_away_all_is_asked_for_in_one_wave(faulty):
    app, server = faulty(Fault("metadata", delay=0.1), Fault("/frames/", delay=0.1))
    slide = _opened(server)
    list(slide.read_regions(_tiles(slide) * 4))  # more than are laid out before a first request
    assert len(app.paths("/frames/")) == 4


def test_nothing_waits_for_a_caller_who_takes_time_to_name_regions(faulty):
    app, server = faulty(Fault("metadata", delay=0.1), Fault("/frames/", delay=0.1))
    slide = _opened(server)
    asked = []

    def named():
        for tile in _tiles(slide)[:40]:
            time.sleep(0.02)
            asked.append(len(app.paths("/frames/")))
            yield tile

    assert sum(1 for _ in slide.read_regions(named())) == 40
    assert asked[0] == 0
    assert asked[-1] > 0


def test_what_is_wanted_first_comes_first(faulty, monkeypatch):
    app, server = faulty(Fault("metadata", delay=0.1), Fault("/frames/", delay=0.1))
    slide = _opened(server, connections=1)
    monkeypatch.setattr(departures, "_RUN", 4)
    tiles = _tiles(slide)
    list(slide.read_regions(tiles[20:30] + tiles[:10]))
    (path,) = app.paths("/frames/")
    numbers = [int(number) for number in path.rpartition("/")[2].split(",")]
    wanted = [*range(21, 31), *range(1, 11)]
    runs = [numbers[at : at + 4] for at in range(0, 20, 4)]
    assert runs == [sorted(wanted[at : at + 4]) for at in range(0, 20, 4)]


def test_a_consumer_that_stops_leaves_nothing_under_way(faulty):
    _, server = faulty(Fault("/frames/", delay=0.05))
    slide = _opened(server, frames_per_request=2)
    regions = slide.read_regions(_tiles(slide), ahead=20)
    next(regions)
    regions.close()
    assert _idle(slide)


def test_an_error_in_the_middle_is_raised_there_and_leaves_nothing(faulty):
    _, server = faulty(Fault("/frames/11", status=403))
    slide = _opened(server, frames_per_request=1, retries=0)
    regions = slide.read_regions(_tiles(slide), ahead=4)
    for _ in range(10):
        next(regions)
    with pytest.raises(wsiweb.Unauthorized):
        next(regions)
    assert _idle(slide)


def test_what_is_wanted_is_taken_only_as_far_as_is_read_ahead(slide):
    taken = []

    def wanted():
        for one in _tiles(slide):
            taken.append(one)
            yield one

    regions = slide.read_regions(wanted(), ahead=5)
    next(regions)
    assert len(taken) <= 6


def test_an_error_of_the_caller_s_own_passes_through(slide):
    def wanted():
        yield ((0, 0), 0, (10, 10))
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(slide.read_regions(wanted()))
    assert _idle(slide)


def test_bad_regions_are_refused(slide):
    with pytest.raises(IndexError):
        list(slide.read_regions([((0, 0), 99, (10, 10))]))
    with pytest.raises(ValueError, match="ahead"):
        slide.read_regions([], ahead=0)


def test_memory_for_regions_is_used_over_and_over(slide):
    benches = []
    made = stream._Workbench.__init__

    def remembering(self):
        made(self)
        benches.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream._Workbench, "__init__", remembering)
        for _ in slide.read_regions(_tiles(slide) * 4, ahead=4):
            pass
    (bench,) = benches
    assert len(bench._free) <= 8


def test_many_threads_stream_at_once(slide):
    expected = [region.copy() for region in slide.read_regions(_tiles(slide))]
    wrong = []

    def read():
        for region, right in zip(slide.read_regions(_tiles(slide), ahead=7), expected, strict=True):
            if not (region == right).all():
                wrong.append(region)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def _complaints():
    """Return the list of what the loop has to complain of from now on."""
    complaints = []

    async def listen():
        handler = lambda _, context: complaints.append(context)  # noqa: E731 - asyncio's signature
        asyncio.get_running_loop().set_exception_handler(handler)

    loop.run(listen())
    return complaints


def test_regions_outside_of_the_slide_and_without_extent_are_background(slide):
    wanted = [((-900, -900), 0, (300, 200)), ((0, 0), 0, (0, 0)), ((5, 5), 0, (0, 7))]
    outside, nothing, thin = slide.read_regions(wanted)
    assert (outside == 255).all()
    assert (outside.shape, nothing.shape, thin.shape) == ((200, 300, 3), (0, 0, 3), (7, 0, 3))


@pytest.mark.parametrize("bad", [1, 3, 10])
def test_a_damaged_frame_fails_its_region_and_all_others_are_given_up(faulty, bad):
    def flip(body):
        at = body.index(b"\xff\xd8\xff")
        return body[: at + 3] + bytes(600) + body[at + 603 :]

    _, server = faulty(Fault(f"/frames/{bad}", body=flip, times=1), Fault("/frames/", delay=0.03))
    slide = _opened(server, frames_per_request=1, connections=3)
    complaints = _complaints()
    # The second region has six frames: most are decoded after the damaged one was given up.
    regions = slide.read_regions(
        [((1800, 1300), 0, (9, 9)), ((0, 0), 0, (768, 512)), *_tiles(slide)]
    )
    next(regions)
    time.sleep(0.5)
    with pytest.raises(wsiweb.DecodeError):
        for _ in regions:
            pass
    assert _idle(slide)
    assert complaints == []
    again = list(slide.read_regions([((0, 0), 0, (768, 512))]))
    np.testing.assert_array_equal(again[0], slide.read_region((0, 0), 0, (768, 512)))


def test_of_huge_regions_few_are_under_way(slide, monkeypatch):
    monkeypatch.setattr(stream, "_MOST_BYTES", 3 * 10**6)
    taken = []

    def wanted():
        for n in range(12):
            taken.append(n)
            yield ((n * 10, 0), 0, (1000, 400))  # 1.2 MB each

    for n, region in enumerate(slide.read_regions(wanted())):
        assert region.shape == (400, 1000, 3)
        assert len(taken) <= n + 4
    assert len(taken) == 12


def test_one_region_at_a_time_is_not_read_ahead_of(faulty):
    app, server = faulty()
    slide = _opened(server)
    regions = slide.read_regions(_tiles(slide), ahead=1)
    for n in range(1, 6):
        next(regions)
        time.sleep(0.02)
        assert len(app.paths("/frames/")) <= n
    regions.close()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this platform has no such timer")
def test_an_interrupt_while_waiting_leaves_nothing_under_way(faulty):
    _, server = faulty(Fault("/frames/", delay=1.5))
    slide = _opened(server, frames_per_request=2, connections=2)

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        regions = slide.read_regions(_tiles(slide))
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            next(regions)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert _idle(slide, 1.0)


def test_regions_that_nobody_holds_any_more_are_given_up(faulty):
    _, server = faulty(Fault("/frames/", delay=0.1))
    slide = _opened(server, frames_per_request=1)
    regions = slide.read_regions(_tiles(slide))
    next(regions)
    del regions
    assert _idle(slide, 2.0)
