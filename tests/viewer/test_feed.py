"""The door: who waits, who gives up, what is held, and what is said of wrong paths."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pydicom
import pytest
from faulty import Fault
from viewer.asking import ask, pixels, told

import wsiweb
from wsiweb import loop
from wsiweb.viewer import Feed


def test_it_is_awaited_in_any_loop_and_called_from_any_thread(made_folder, opened):
    feed = Feed(opened(made_folder))
    here = ask(feed, "tiles/0/0/0/1/1").data
    assert loop.run(feed.get("tiles/0/0/0/1/1")).data == here
    assert loop.start(feed.get("tiles/0/0/0/1/1")).result(10).data == here
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(ask(feed, "tiles/0/0/0/1/1").data))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == [here] * 8


@pytest.mark.parametrize("color", ["source", "srgb"])
def test_who_gives_up_does_not_end_what_others_wait_for(faulty, opened, color):
    app, server = faulty(Fault("/frames/", delay=0.4))
    slide = opened(server.url)
    feed = Feed(slide)

    async def main():
        path = f"tiles/0/0/0/1/1?color={color}"
        first, second = (asyncio.create_task(feed.get(path)) for _ in range(2))
        await asyncio.sleep(0.2)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await second

    assert asyncio.run(main()).data
    assert len(app.paths("/frames/")) == 1


def test_tiles_that_are_given_up_before_they_left_are_not_fetched(faulty, opened):
    app, server = faulty(Fault("/frames/", delay=0.3))
    settings = wsiweb.Settings(connections=1, frames_per_request=1)
    feed = Feed(opened(server.url, settings=settings))

    async def main():
        tasks = [
            asyncio.create_task(feed.get(f"tiles/0/0/0/{column}/{row}"))
            for column in range(4)
            for row in range(4)
        ]
        await asyncio.sleep(0.15)  # the first has left
        for task in tasks[1:]:
            task.cancel()
        await tasks[0]
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.5)

    asyncio.run(main())
    assert len(app.paths("/frames/")) <= 2


def test_what_is_looked_at_overtakes_a_large_read(faulty, opened):
    _, server = faulty(Fault("/frames/", delay=0.05))
    settings = wsiweb.Settings(connections=2, frames_per_request=1)
    slide = opened(server.url, settings=settings)
    feed = Feed(slide)
    bulk = slide.read_regions(
        [((x, y), 0, (256, 256)) for y in range(0, 1500, 256) for x in range(0, 2100, 256)],
        ahead=54,
    )
    next(bulk)
    began = time.perf_counter()
    ask(feed, "tiles/0/0/1/2/1")
    assert time.perf_counter() - began < 0.6  # 50 frames of 0.05 s wait, on two connections
    bulk.close()


def test_what_was_encoded_is_held_within_bounds(tmp_path, opened):
    wsiweb.synthetic.write_slide(
        tmp_path, 1000, 800, transfer_syntax="1.2.840.10008.1.2.1", tile_size=128
    )
    budget = 200_000
    feed = Feed(opened(tmp_path), memory=budget)
    for column in range(7):
        for row in range(6):
            ask(feed, f"tiles/0/0/0/{column}/{row}")
            assert feed._cache.held <= budget
    assert feed._cache.held > budget / 2
    last = ask(feed, "tiles/0/0/0/6/5")
    assert ask(feed, "tiles/0/0/0/6/5") is last
    feed.close()
    assert feed._cache.held == 0
    assert ask(feed, "tiles/0/0/0/6/5").data == last.data


def test_pixels_are_for_one_persons_browser_only(made_folder, opened):
    feed = Feed(opened(made_folder))
    for path in ("tiles/0/0/0/0/0", "thumbnail/64", "label", "manifest", "tags", "python"):
        assert ask(feed, path).headers["Cache-Control"].startswith("private")


def test_a_slide_that_is_closed_cannot_be_looked_at(made_folder, opened):
    slide = opened(made_folder)
    slide.close()
    with pytest.raises(ValueError, match="closed"):
        Feed(slide)


def test_an_archive_that_is_away_is_told(made_folder, opened):
    from wsiweb.server import serve

    with serve(made_folder) as server:
        feed = Feed(opened(server.url, settings=wsiweb.Settings(retries=0)))
    with pytest.raises(wsiweb.Unreachable):
        ask(feed, "tiles/0/0/0/0/0")
    with pytest.raises(wsiweb.Unreachable):
        ask(feed, "manifest")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "there is no ''"),
        ("secrets", "there is no 'secrets', only manifest, tiles"),
        ("../manifest", "there is no '..'"),
        ("tags/1/2", "tags/UID"),
        ("python/1", "form python"),
        ("python?x=1", "x and y is 2 numbers"),
        ("python?z=1", "x, y, d"),
    ],
)
def test_wrong_paths_are_told(made_folder, opened, path, words):
    with pytest.raises(ValueError, match=words):
        ask(Feed(opened(made_folder)), path)


# Tags ------------------------------------------------------------------------------------------


def test_tags_are_those_of_the_files(made, reached):
    slide = reached(made.paths[0].parent)
    feed = Feed(slide)
    listed = told(feed, "tags")
    headers = {
        header.SOPInstanceUID: header
        for header in (pydicom.dcmread(path, stop_before_pixels=True) for path in made.paths)
    }
    assert {one["uid"] for one in listed} == set(headers)
    assert listed[0]["title"] == "Level 0: 2100 x 1500 px"
    tree = {one["keyword"]: one for one in told(feed, f"tags/{listed[0]['uid']}")}
    header = headers[listed[0]["uid"]]
    assert tree["PatientName"]["value"] == str(header.PatientName)
    assert tree["Rows"] == {"tag": "00280010", "keyword": "Rows", "vr": "US", "value": "256"}
    assert tree["ImageType"]["value"] == "\\".join(header.ImageType)
    (path,) = tree["OpticalPathSequence"]["items"]
    kinds = {one["keyword"]: one["value"] for one in path}
    assert kinds["OpticalPathIdentifier"] == header.OpticalPathSequence[0].OpticalPathIdentifier
    assert kinds["ICCProfile"].startswith("(")
    missing = {one.keyword for one in header} - set(tree)
    assert not missing


def test_long_sequences_and_values_are_cut(tmp_path, opened):
    made = wsiweb.synthetic.write_slide(
        tmp_path, 2100, 1500, seed=7, tiling="TILED_SPARSE", tile_size=128
    )
    dataset = pydicom.dcmread(made.levels[0])
    dataset.ImageComments = "x" * 5000
    dataset.add_new(0x00091001, "LO", "private")
    dataset.add_new(0x00090010, "LO", "SOMEBODY")
    dataset.save_as(made.levels[0])
    feed = Feed(opened(tmp_path))
    tree = {one["tag"]: one for one in told(feed, f"tags/{dataset.SOPInstanceUID}")}
    frames = tree["52009230"]
    count = len(dataset.PerFrameFunctionalGroupsSequence)
    assert count > 50
    assert frames["value"] == f"{count} items, of which the first 50"
    assert len(frames["items"]) == 50
    assert len(tree["00204000"]["value"]) < 1200
    assert tree["00091001"]["keyword"] == ""


def test_tags_of_other_instances_are_not_given(made_folder, opened):
    with pytest.raises(wsiweb.NotFound, match="none of this slide"):
        ask(Feed(opened(made_folder)), "tags/1.2.3.4")


# Python ----------------------------------------------------------------------------------------


def test_the_lines_run_and_read_what_is_looked_at(made_folder, reached):
    slide = reached(made_folder)
    feed = Feed(slide)
    found = {}
    lines = ask(feed, "python?x=1000.5&y=700&d=2.3").data.decode()
    exec(lines, found)
    assert found["slide"].series_uid == slide.series_uid
    expected = slide.read_region((-24, -324), 1, (1024, 1024))
    np.testing.assert_array_equal(found["image"], expected)
    found["archive"].__exit__(None, None, None)
    whole = {}
    exec(ask(feed, "python").data.decode(), whole)
    assert max(whole["image"].shape) == 1024
    whole["archive"].__exit__(None, None, None)


def test_the_lines_hold_no_secret(made_folder):
    from wsiweb.viewer.python import lines

    with wsiweb.connect(made_folder) as archive:
        slide = archive.slides()[0].open()
        url = "https://kheops.lab/api/link/qoPiTk0PNBHPEGZ4zCRXzk"
        assert "qoPiTk0PNBHPEGZ4zCRXzk" not in lines(slide.pyramid, url)
        assert "kheops.lab" in lines(slide.pyramid, url)


def test_tiles_after_a_fork_are_fetched_anew(made_folder, opened):
    """Data loaders fork; what the parent had under way never ends in the child."""
    feed = Feed(opened(made_folder))
    before = pixels(ask(feed, "tiles/0/0/0/1/1?color=srgb"))
    feed._tiles._shared._works["dead"] = object()
    for survivor in list(loop._survivors):
        if survivor is feed._tiles._shared:
            survivor.renew()
    assert not feed._tiles._shared._works
    np.testing.assert_array_equal(pixels(ask(feed, "tiles/0/0/0/1/1?color=srgb")), before)
