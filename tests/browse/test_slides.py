"""Slides: thumbnails and what the viewer asks for."""

from __future__ import annotations

import http.client
import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from browse.conftest import tiny
from faulty import Fault, Faulty
from PIL import Image

import wsiweb
from wsiweb.server import create_app
from wsiweb.server import serve as dicomweb


@pytest.fixture
def served(slides):
    """The slides behind a server whose answers can be spoilt and are logged."""
    app = Faulty(create_app(slides))
    with dicomweb(app=app) as server:
        yield app, server.url
    app.app.state.store.close()


def picture(said):
    return Image.open(io.BytesIO(said.body))


def first(page):
    row = page.listed()["studies"][0]
    study = page.get(f"/api/studies/{row['study']}").json
    slide = next(one for one in study["slides"] if one["container"] == "S26-1")
    return row, slide, f"/feed/{slide['archives'][0]}/{slide['study']}/{slide['series']}"


# Thumbnails ---------------------------------------------------------------------------------------


def test_thumbnails(browse, slides):
    page = browse(slides)
    row, slide, _ = first(page)
    assert picture(page.get(slide["thumbnail"])).size == (256, 199)
    assert max(picture(page.get(f"{slide['thumbnail']}?size=100")).size) == 100
    assert picture(page.get(row["thumbnail"])).size
    kept = page.get(slide["thumbnail"]).headers["cache-control"]
    assert "private" in kept
    assert "max-age" in kept
    for odd in ("size=0", "size=99999", "size=x"):
        assert page.ask(f"{slide['thumbnail']}?{odd}").status == 400


def test_a_thumbnail_is_made_once_whoever_holds_the_slide(browse, slides, served):
    app, url = served
    page = browse(slides, url)
    _, slide, _ = first(page)
    here, there = slide["archives"]
    said = page.get(slide["thumbnail"])
    asked = len(app.log)
    path = slide["thumbnail"].replace(here, there)
    assert page.get(path).body == said.body
    assert len(app.log) == asked


def test_where_there_is_no_picture_that_is_no_error(browse, home):
    study = tiny(home / "tiny", 1)
    page = browse(home / "tiny")
    row = page.listed()["studies"][0]
    for path in (row["thumbnail"], f"{row['thumbnail']}/{study}.1", f"{row['thumbnail']}/1.2.3"):
        said = page.ask(path)
        assert (said.status, said.body) == (204, b"")
        assert said.headers["cache-control"] == "no-store"
    assert page.ask(f"/api/thumbnails/nobody/{study}").status == 404


def test_a_thumbnail_has_a_deadline(browse, served):
    app, url = served
    page = browse(url)
    _, slide, _ = first(page)
    page.server.app._service.thumbnails._deadline = 0.3
    app.faults.append(Fault("frames", delay=3))
    began = time.monotonic()
    said = page.ask(slide["thumbnail"])
    assert (said.status, said.words) == (504, "It took too long.")
    assert time.monotonic() - began < 2
    app.faults.clear()
    page.server.app._service.thumbnails._deadline = 20
    page.do(f"/api/archives/{slide['archives'][0]}/verify")  # else it is left alone for a while
    assert page.get(slide["thumbnail"]).body


def test_a_few_thumbnails_at_a_time(browse, home, served, slides):
    app, url = served
    page = browse(url)
    row, *_ = first(page)
    at_once = most = 0
    lock = threading.Lock()
    inner = app.app

    async def counting(scope, receive, send):
        nonlocal at_once, most
        if "/frames/" in scope["path"]:
            with lock:
                at_once += 1
                most = max(most, at_once)
            import asyncio

            await asyncio.sleep(0.05)
            await inner(scope, receive, send)
            with lock:
                at_once -= 1
        else:
            await inner(scope, receive, send)

    app.app = counting
    with ThreadPoolExecutor(16) as pool:
        paths = [f"{row['thumbnail']}?size={size}" for size in range(40, 72)]
        assert {said.status for said in pool.map(page.ask, paths)} == {200}
    app.app = inner
    assert most <= 8  # three thumbnails, each of few requests


# The feed -----------------------------------------------------------------------------------------


def test_the_feed_is_that_of_the_slide(browse, slides):
    page = browse(slides)
    _, slide, feed = first(page)
    manifest = page.get(f"{feed}/manifest").json
    assert (manifest["width"], manifest["height"]) == (900, 700)
    tile = page.get(f"{feed}/tiles/0/0/0/1/1")
    assert tile.headers["content-type"] == "image/jpeg"
    assert "private" in tile.headers["cache-control"]
    with wsiweb.connect(slides) as archive:
        stored = archive.open_slide(slide["study"], slide["series"]).tile(0, 1, 1).data
    assert tile.body == stored
    assert page.get(f"{feed}/tiles/0/0/0/1/1?color=srgb").body
    assert page.get(f"{feed}/label").headers["content-type"].startswith("image/")
    assert page.get(f"{feed}/layers").json == []
    assert "open_slide" in page.get(f"{feed}/python").body.decode()
    for path, status in (
        ("tiles/0/0/0/99/0", 404),
        ("tiles/0/0/0/1", 400),
        ("tiles/0/0/0/1/1?color=pink", 400),
        ("nothing", 400),
        ("tags/1.2.3", 404),
    ):
        said = page.ask(f"{feed}/{path}")
        assert said.status in {status, 400, 404}, path
        assert said.words


def test_a_slide_that_is_none(browse, home):
    study = tiny(home / "tiny", 1)
    page = browse(home / "tiny")
    archive = page.listed()["studies"][0]["archives"][0]
    said = page.ask(f"/feed/{archive}/{study}/{study}.1/manifest")
    assert said.status == 422
    assert "1.9.1" in said.words
    assert page.ask(f"/feed/{archive}/{study}/1.2.3/manifest").status == 404
    assert page.ask(f"/feed/nobody/{study}/1.2.3/manifest").status == 404


def test_what_nobody_waits_for_is_not_fetched(browse, served):
    """A browser that goes away, as it does for a tile that has left the view, ends the request."""
    app, url = served
    page = browse(url)
    *_, feed = first(page)
    page.get(f"{feed}/manifest")
    ended = threading.Event()
    inner = app.app

    async def slow(scope, receive, send):
        if "/frames/" not in scope["path"]:
            await inner(scope, receive, send)
            return
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.set()

    app.app = slow
    connection = http.client.HTTPConnection(urlsplit(page.server.url).netloc, timeout=10)
    connection.request("GET", f"{feed}/tiles/0/0/0/1/1", headers={"Cookie": page.cookie})
    time.sleep(0.5)
    assert not ended.is_set()
    connection.close()
    assert ended.wait(5)
    app.app = inner
    assert page.get(f"{feed}/tiles/0/0/0/1/1").body


def test_an_archive_that_fails_in_the_middle_and_comes_back(browse, served):
    app, url = served
    page = browse(url)
    *_, feed = first(page)
    app.faults.append(Fault("metadata", status=403, text="not now"))
    said = page.ask(f"{feed}/manifest")
    assert said.status == 502
    app.faults.clear()
    assert page.get(f"{feed}/manifest").json["width"] == 900
