from __future__ import annotations

import asyncio
import faulthandler
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import wsiweb


@pytest.fixture(scope="module")
def archive(made_server):
    with wsiweb.connect(made_server.url) as archive:
        yield archive


@pytest.fixture
def slide(archive):
    return archive.slides()[0].open()


@pytest.fixture(scope="module")
def whole_levels(archive):
    slide = archive.slides()[0].open()
    return [slide.read_region((0, 0), level.index, level.size) for level in slide.levels]


def test_a_slide_says_what_it_is(slide, made):
    assert slide.size == (2100, 1500)
    assert slide.study_uid == made.study_uid
    assert slide.series_uid == made.series_uid
    assert slide.levels[0].downsample == 1
    assert [level.index for level in slide.levels] == list(range(len(slide.levels)))
    assert slide.mpp == pytest.approx(slide.levels[0].mpp)
    assert {"label", "overview"} <= set(slide.associated)
    assert "2100 x 1500 px" in repr(slide)
    assert slide.levels[0].instance_uids[0] in slide.explain()


REGIONS = {
    "location": st.tuples(st.integers(-600, 2700), st.integers(-600, 2100)),
    "size": st.tuples(st.integers(0, 700), st.integers(0, 700)),
    "number": st.integers(0, 1),
}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(**REGIONS)
def test_a_region_is_a_slice_of_the_level_on_white(slide, whole_levels, location, size, number):
    level = slide.levels[number]
    x, y = (int(np.floor(value / level.downsample + 0.5)) for value in location)
    pad = 3000
    whole = whole_levels[number]
    canvas = np.full((whole.shape[0] + 2 * pad, whole.shape[1] + 2 * pad, 3), 255, np.uint8)
    canvas[pad : pad + whole.shape[0], pad : pad + whole.shape[1]] = whole
    expected = canvas[y + pad : y + pad + size[1], x + pad : x + pad + size[0]]
    np.testing.assert_array_equal(slide.read_region(location, number, size), expected)


def test_a_region_is_the_callers_own(slide):
    region = slide.read_region((0, 0), 0, (300, 300))
    region[...] = 0
    assert slide.read_region((0, 0), 0, (300, 300)).any()


def test_the_second_read_asks_for_nothing(slide):
    slide.read_region((100, 100), 0, (500, 500))
    with wsiweb.trace() as cost:
        slide.read_region((100, 100), 0, (500, 500))
    assert cost.requests == 0
    assert cost.frames_decoded == 0
    assert cost.cache_hits == 9


def test_a_tile_is_the_stored_bytes(slide, made):
    path = next(p for p in made.paths if pydicom.dcmread(p).SOPInstanceUID in _base_uid(slide))
    dataset = pydicom.dcmread(path)
    frames = list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=54))
    columns, rows = slide.levels[0].grid
    assert columns * rows == 54
    for row in range(rows):
        for column in range(columns):
            tile = slide.tile(0, column, row)
            assert tile.data.rstrip(b"\0") == frames[row * columns + column].rstrip(b"\0")
            assert tile.media_type == "image/jpeg"
            assert tile.size == slide.levels[0].tile_size


def _base_uid(slide):
    return slide.levels[0].instance_uids


def test_read_at_a_scale(slide, whole_levels):
    scale = slide.mpp[0]
    exact = slide.read((256, 128), (400, 300), mpp=scale)
    np.testing.assert_array_equal(exact, whole_levels[0][128:428, 256:656])
    level = slide.levels[1]
    same = slide.read((0, 0), (200, 100), mpp=scale * level.downsample)
    np.testing.assert_array_equal(same, whole_levels[1][:100, :200])
    half_way = slide.read((200, 200), (300, 200), mpp=scale * 1.5)
    means = whole_levels[0][200:500, 200:650].mean(axis=(0, 1))
    assert half_way.shape == (200, 300, 3)
    np.testing.assert_allclose(half_way.mean(axis=(0, 1)), means, atol=1.0)


def test_read_in_millimetres(slide, whole_levels):
    mm = slide.mpp[0] / 1000
    region = slide.read_region_mm((100 * mm, 50 * mm), (200 * mm, 80 * mm))
    np.testing.assert_array_equal(region, whole_levels[0][50:130, 100:300])
    corner = slide.levels[0].geometry.to_slide((100, 50))
    on_glass = slide.read_region_mm(corner[:2], (200 * mm, 80 * mm), origin="slide")
    np.testing.assert_array_equal(on_glass, region)


def test_a_thumbnail_keeps_the_aspect_and_looks_like_the_slide(slide, whole_levels):
    thumbnail = slide.thumbnail(210)
    assert thumbnail.shape == (150, 210, 3)
    blocks = whole_levels[0].reshape(30, 50, 42, 50, 3).mean(axis=(1, 3))
    averaged = thumbnail.reshape(30, 5, 42, 5, 3).mean(axis=(1, 3))
    assert np.abs(averaged - blocks).mean() < 1
    assert slide.thumbnail((1000, 15)).shape == (15, 21, 3)
    assert slide.thumbnail(10_000).shape == (1500, 2100, 3)


def test_label_and_overview(slide):
    assert slide.label.ndim == 3
    assert slide.overview.shape[2] == 3


def test_read_regions_comes_in_order_and_stops_when_left(slide, whole_levels):
    wanted = [((x, y), 0, (256, 256)) for y in range(0, 1500, 256) for x in range(0, 2100, 256)]
    for ((x, y), _, _), region in zip(wanted, slide.read_regions(iter(wanted)), strict=True):
        part = whole_levels[0][y : y + 256, x : x + 256]
        np.testing.assert_array_equal(region[: part.shape[0], : part.shape[1]], part)
    generator = slide.read_regions(wanted, ahead=4)
    next(generator)
    generator.close()


def test_awaited_readers_give_the_same(slide, whole_levels):
    async def main():
        region, thumbnail, tile, scaled = await asyncio.gather(
            slide.read_region_async((10, 20), 0, (30, 40)),
            slide.thumbnail_async(100),
            slide.tile_async(0, 0, 0),
            slide.read_async((0, 0), (50, 50), mpp=slide.mpp[0] * 3),
        )
        return region, thumbnail, tile, scaled

    region, thumbnail, tile, scaled = asyncio.run(main())
    np.testing.assert_array_equal(region, whole_levels[0][20:60, 10:40])
    assert thumbnail.shape[1] == 100
    assert tile.data
    assert scaled.shape == (50, 50, 3)


def test_many_threads_read_one_slide(slide, whole_levels):
    def read(seed):
        x, y = (seed * 97) % 1800, (seed * 61) % 1200
        region = slide.read_region((x, y), 0, (300, 300))
        np.testing.assert_array_equal(region, whole_levels[0][y : y + 300, x : x + 300])

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(read, range(64)))


def _read_in_worker(slide):
    with wsiweb.trace() as cost:
        region = slide.read_region((300, 200), 0, (200, 200))
    return region, cost.requests, threading.current_thread().name


@pytest.mark.parametrize("start", ["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_slide_travels_to_workers_and_asks_for_no_headers(slide, whole_levels, start):
    with ProcessPoolExecutor(2, mp_context=get_context(start)) as workers:
        for region, requests, _ in workers.map(_read_in_worker, [slide] * 4):
            np.testing.assert_array_equal(region, whole_levels[0][200:400, 300:500])
            assert requests <= 1  # the frames; none for a worker that has read them before


def test_a_pickled_slide_shares_this_process_connection(slide):
    copy = pickle.loads(pickle.dumps(slide))
    slide.read_region((0, 0), 0, (256, 256))
    with wsiweb.trace() as cost:
        copy.read_region((0, 0), 0, (256, 256))
    assert cost.requests == 0


def test_a_closed_slide_says_so(slide):
    with slide:
        slide.thumbnail(50)
    for read in (
        lambda: slide.read_region((0, 0), 0, (1, 1)),
        slide.thumbnail,
        lambda: slide.tile(0, 0, 0),
        lambda: slide.label,
    ):
        with pytest.raises(ValueError, match="closed"):
            read()
    slide.close()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda s: s.read_region((0, 0), 99, (1, 1)), IndexError, "no level 99"),
        (lambda s: s.read_region((0, 0), -1, (1, 1)), IndexError, "no level -1"),
        (lambda s: s.read_region((0, 0), 0, (-1, 1)), ValueError, "negative|-1"),
        (lambda s: s.read_region((0.5, 0), 0, (1, 1)), ValueError, "whole numbers"),
        (lambda s: s.read_region(7, 0, (1, 1)), ValueError, "whole numbers"),
        (lambda s: s.read_region((0, 0), 0, (10**6, 10**6)), ValueError, "GiB"),
        (lambda s: s.read_region((0, 0), 0, (1, 1), channel=5), IndexError, "channel|optical"),
        (lambda s: s.read_region((0, 0), 0, (1, 1), z=5), IndexError, "focal|plane|z"),
        (lambda s: s.tile(0, 99, 0), IndexError, "99"),
        (lambda s: s.read((0, 0), (1, 1), mpp=0), ValueError, "mpp"),
        (lambda s: s.read((0, 0), (1, 1), mpp=float("nan")), ValueError, "mpp"),
        (lambda s: s.read((0, 0), (-1, 1), mpp=1), ValueError, "negative"),
        (lambda s: s.read_region_mm((0, 0), (1, 1), origin="moon"), ValueError, "origin"),
        (lambda s: s.thumbnail(0), ValueError, "at least one pixel"),
        (lambda s: s.read_regions([], ahead=0), ValueError, "ahead"),
    ],
)
def test_misuse_is_told(slide, call, error, words):
    with pytest.raises(error, match=words):
        call(slide)


def _read_all(slide, queue):
    faulthandler.dump_traceback_later(30, exit=True)  # a child that hangs says where
    queue.put(slide.read_region((0, 0), 0, (700, 700)).sum())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("target", ["server", "folder"])
def test_a_fork_in_the_middle_of_a_read_leaves_a_child_that_can_read(faulty, made_folder, target):
    """Data loaders fork with open slides in hand, while other threads read."""
    from faulty import Fault

    _, server = faulty(Fault("/frames/", delay=0.3, times=4))
    with wsiweb.connect(server.url if target == "server" else made_folder) as archive:
        slide = archive.slides()[0].open()
        context = get_context("fork")
        queue = context.Queue()
        with ThreadPoolExecutor(2) as threads:
            mine = threads.submit(slide.read_region, (0, 0), 0, (700, 700))
            children = [context.Process(target=_read_all, args=(slide, queue)) for _ in range(2)]
            for child in children:
                child.start()
            sums = {queue.get(timeout=20) for _ in children}
            assert sums == {mine.result(20).sum()}
        for child in children:
            child.join(20)
            assert child.exitcode == 0
        assert slide.read_region((1000, 700), 0, (600, 600)).any()
