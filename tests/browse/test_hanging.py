"""Archives that hang, fail for a moment or hold parts of a study keep no others waiting."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from browse.conftest import tiny
from faulty import Fault, Faulty
from pydicom import dcmread

from wsiweb.server import create_app
from wsiweb.server import serve as dicomweb

LONG = 8.0


@pytest.fixture
def archive():
    """Start an archive that can be spoilt; returns what spoils it, and its URL."""
    running = []

    def start(folder):
        app = Faulty(create_app(folder))
        server = dicomweb(app=app)
        running.append((server, app))
        return app, server.url

    yield start
    for server, app in running:
        server.close()
        app.app.state.store.close()


def ids(page):
    return [one["id"] for one in page.archives().values()]


def until(done, seconds=15):
    end = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


# The study page -----------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
def test_an_archive_that_hangs_does_not_hold_up_the_study_page(
    browse, archive, slides, home, known
):
    tiny(home / "other", 5)
    hung, url = archive(slides if known else home / "other")
    page = browse(slides, url)
    row = next(one for one in page.listed()["studies"] if one["patientId"] == "P1")
    hung.faults.append(Fault("", delay=4 * LONG))
    began = time.monotonic()
    study = page.get(f"/api/studies/{row['study']}").json
    assert time.monotonic() - began < LONG
    assert len(study["slides"]) == 2
    (failed,) = study["failed"]
    assert failed["id"] == ids(page)[1]
    assert "has not answered" in failed["error"]


def test_a_slow_archive_is_waited_for_where_no_other_has_the_study(browse, archive, slides, home):
    tiny(home / "other", 5)
    slow, url = archive(slides)
    study = dcmread(min(slides.rglob("*.dcm")), stop_before_pixels=True).StudyInstanceUID
    page = browse(home / "other", url)
    slow.faults.append(Fault("", delay=3, times=1))
    assert len(page.get(f"/api/studies/{study}").json["slides"]) == 2


# The list -----------------------------------------------------------------------------------------


def test_an_archive_that_hangs_does_not_hold_up_the_slides_of_others(browse, archive, slides, home):
    for number in range(8):
        tiny(home / "hung", number, date="20300101")
    hung, url = archive(home / "hung")
    hung.faults.append(Fault("/series", delay=4 * LONG))
    page = browse(url, slides)
    assert page.listed()["total"] == 9

    def shown():
        (row,) = [one for one in page.studies()["studies"] if one["patientId"] == "P1"]
        return row.get("slides") and all(one["known"] for one in row["slides"])

    began = time.monotonic()
    until(shown)
    assert time.monotonic() - began < LONG


def test_the_list_shows_the_slides_of_all_that_hold_a_study(browse, slides, home):
    for number in "12":
        shutil.copytree(slides / number, home / f"part{number}" / number)
    page = browse(home / "part1", home / "part2", slides)
    page.listed()

    def whole():
        (row,) = page.studies()["studies"]
        found = row.get("slides") or []
        return found if sum(len(one["archives"]) for one in found) == 4 else None

    found = until(whole)
    assert sorted(one["container"] for one in found) == ["S26-1", "S26-2"]
    one, two, both = ids(page)
    held = {slide["container"]: set(slide["archives"]) for slide in found}
    assert held == {"S26-1": {one, both}, "S26-2": {two, both}}


def test_where_the_first_holder_fails_the_next_is_asked(browse, archive, slides):
    app, url = archive(slides)
    page = browse(url, slides)
    row = page.listed()["studies"][0]
    app.faults += [Fault("/series", status=403)]

    def known():
        found = page.studies()["studies"][0].get("slides")
        return found and all(one["known"] and one["stain"] for one in found)

    page.do(f"/api/archives/{ids(page)[1]}/verify")  # so that nothing is known any more
    page.listed()
    until(known)
    assert len(page.get(f"/api/studies/{row['study']}").json["slides"]) == 2


def test_headers_that_could_not_be_had_for_a_moment_are_asked_for_again(browse, archive, slides):
    app, url = archive(slides)
    page = browse(url)
    row = page.listed()["studies"][0]
    app.faults += [Fault("/instances", status=403), Fault("/metadata", status=403)]
    path = f"/api/studies/{row['study']}"
    assert [one["stain"] for one in page.get(path).json["slides"]] == ["", ""]
    app.faults.clear()
    assert all(one["stain"] and one["size"] for one in page.get(path).json["slides"])


def test_what_headers_said_is_forgotten_when_something_has_changed(browse, archive, slides):
    app, url = archive(slides)
    page = browse(url)
    row = page.listed()["studies"][0]
    path = f"/api/studies/{row['study']}"
    assert all(one["known"] for one in page.get(path).json["slides"])
    asked = len(app.paths("/instances?"))
    page.get(path)
    assert len(app.paths("/instances?")) == asked
    page.do(f"/api/archives/{ids(page)[0]}/verify")
    page.get(path)
    assert len(app.paths("/instances?")) > asked


# Thumbnails ---------------------------------------------------------------------------------------


def test_an_archive_that_hangs_does_not_hold_up_thumbnails_of_others(browse, archive, slides):
    hung, url = archive(slides)
    page = browse(url, slides)
    row = page.listed()["studies"][0]
    away, here = ids(page)
    hung.faults.append(Fault("", delay=LONG))
    page.server.app._service.thumbnails._deadline = 3 * LONG
    with ThreadPoolExecutor(6) as pool:
        path = f"/api/thumbnails/{away}/{row['study']}"
        waiting = [pool.submit(page.ask, f"{path}?size={size}") for size in range(50, 56)]
        time.sleep(0.5)
        began = time.monotonic()
        # The very same picture too, that the other one is asked for.
        for size in (50, 100):
            page.get(f"/api/thumbnails/{here}/{row['study']}?size={size}")
        assert time.monotonic() - began < LONG / 2
        hung.faults.clear()
        for one in waiting:
            one.result()


def test_a_thumbnail_that_took_too_long_is_left_alone_for_a_while(browse, archive, slides):
    app, url = archive(slides)
    page = browse(url, slides)
    row = page.listed()["studies"][0]
    slow, quick = ids(page)
    thumbnails = page.server.app._service.thumbnails
    thumbnails._deadline = 0.3
    app.faults.append(Fault("", delay=2))
    path = f"/api/thumbnails/{slow}/{row['study']}"
    assert page.ask(path).status == 504
    asked = len(app.log)
    said = page.ask(path)
    assert (said.status, said.words) == (504, "It took too long.")
    assert len(app.log) == asked
    # What one archive does not answer another one does.
    thumbnails._deadline = 20
    assert page.get(f"/api/thumbnails/{quick}/{row['study']}").body


def test_a_thumbnail_that_comes_back_into_view_is_made(browse, archive, slides):
    """One request goes away, and another comes before the work of the first has ended."""
    app, url = archive(slides)
    page = browse(url)
    row = page.listed()["studies"][0]
    path = f"/api/thumbnails/{ids(page)[0]}/{row['study']}"
    thumbnails = page.server.app._service.thumbnails
    inner, dying, go = thumbnails._picture, threading.Event(), threading.Event()

    async def slow_to_end(*asked):
        try:
            return await inner(*asked)
        finally:
            if not dying.is_set():
                dying.set()
                import asyncio

                while not go.is_set():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    thumbnails._picture = slow_to_end
    app.faults.append(Fault("", delay=1))
    connection = page.connect()
    connection.request("GET", path, headers={"Cookie": page.cookie})
    time.sleep(0.3)
    connection.close()
    assert dying.wait(5)
    app.faults.clear()
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(page.ask, path)
        time.sleep(0.3)
        go.set()
        assert again.result().status == 200


# Slides -------------------------------------------------------------------------------------------


def opening(page, archive, slides):
    """Return the address of a slide that no one has opened yet."""
    row = page.listed()["studies"][0]
    series = dcmread(min(slides.rglob("*.dcm")), stop_before_pixels=True).SeriesInstanceUID
    return f"/feed/{archive}/{row['study']}/{series}/manifest"


def test_a_slide_that_is_being_opened_is_not_cut_off_when_something_changes(
    browse, archive, slides
):
    app, url = archive(slides)
    page = browse(url)
    path = opening(page, ids(page)[0], slides)
    app.faults.append(Fault("/metadata", delay=1.5))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(page.ask, path)
        time.sleep(0.7)
        page.do(f"/api/archives/{ids(page)[0]}/verify")
        said = asked.result()
    assert said.status == 200
    assert said.json["width"]


def test_an_opening_that_others_end_is_told_in_words(browse, archive, slides):
    app, url = archive(slides)
    page = browse(url)
    path = opening(page, ids(page)[0], slides)
    app.faults.append(Fault("/metadata", delay=3))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(page.ask, path)
        time.sleep(0.7)
        opened = page.server.app._service.opened
        (task,) = opened._feeds.values()
        task.get_loop().call_soon_threadsafe(task.cancel)
        said = asked.result()
    assert said.status == 503
    assert "ask again" in said.words


def test_an_opening_that_failed_for_nobody_is_not_told_to_the_next(browse, archive, slides):
    app, url = archive(slides)
    page = browse(url)
    path = opening(page, ids(page)[0], slides)
    app.faults.append(Fault("/metadata", delay=1, status=403))
    connection = page.connect()
    connection.request("GET", path, headers={"Cookie": page.cookie})
    time.sleep(0.5)
    connection.close()
    time.sleep(1.5)
    app.faults.clear()
    assert page.ask(path).status == 200
