"""What the page is told without asking."""

from __future__ import annotations

import asyncio
import time

from browse.conftest import tiny
from faulty import Fault, Faulty

from wsiweb.browse.events import Events
from wsiweb.server import create_app
from wsiweb.server import serve as dicomweb


def test_the_first_event_is_how_archives_are(browse, slides):
    page = browse(slides)
    with page.events() as events:
        assert events.answer.getheader("content-type").startswith("text/event-stream")
        (archive,) = events.until("archives")
        assert archive["state"] == "idle"
        key = page.studies()["key"]
        told = events.until("studies", lambda said: said["complete"])
        assert (told["key"], told["total"]) == (key, 1)
        assert told["archives"][0]["state"] == "ready"


def test_a_listing_ends_when_its_page_asks_for_something_else(browse, home):
    for number in range(450):
        tiny(home / "large", number)
    app = Faulty(create_app(home / "large"), Fault("offset=200", delay=2))
    with dicomweb(app=app) as served:
        page = browse(served.url)
        page.studies(accession="A")
        while not app.paths("offset=200"):
            time.sleep(0.05)
        other = page.listed(accession="A4")
        assert other["total"] > 1
        time.sleep(3)
        assert not app.paths("offset=400")
        assert page.archives()[served.url[7:]]["state"] == "idle"
    app.app.state.store.close()


def test_a_listing_ends_when_its_page_goes_away(browse, home):
    for number in range(450):
        tiny(home / "large", number)
    app = Faulty(create_app(home / "large"), Fault("offset=200", delay=5))
    with dicomweb(app=app) as served:
        page = browse(served.url)
        with page.events() as events:
            events.until("archives")
            page.studies()
            time.sleep(0.5)
            assert page.archives()[served.url[7:]]["state"] == "listing"
        time.sleep(4)  # it might have come back
        assert page.archives()[served.url[7:]]["state"] == "idle"
        time.sleep(2)
        assert not app.paths("offset=400")
    app.app.state.store.close()


def test_another_page_keeps_a_listing_going(browse, home):
    for number in range(450):
        tiny(home / "large", number)
    app = Faulty(create_app(home / "large"), Fault("offset=200", delay=1))
    with dicomweb(app=app) as served:
        page = browse(served.url)
        page.studies(accession="A")
        page.studies(accession="A", page="page2")
        page.studies(accession="A4")
        assert page.listed(accession="A", page="page2")["total"] == 450
        assert len(app.paths("offset=200")) == 1
    app.app.state.store.close()


def test_streams_say_good_bye_when_the_server_ends(home, slides):
    from browse.paging import Page

    from wsiweb.browse import serve

    server = serve([str(slides)])
    page = Page(server)
    with page.events() as events:
        events.until("archives")
        began = time.monotonic()
        server.close()
        assert events.until("bye") == {}
        assert time.monotonic() - began < 3


def test_a_slow_page_gets_the_latest_and_nothing_piles_up():
    async def run():
        events = Events(lambda _: None)
        stream = events.begin("page")
        for number in range(10_000):
            events.tell("studies", {"total": number}, of="key")
            events.tell_more("slides", {str(number % 3): [number]})
        events.close()
        return b"".join([piece async for piece in stream.text()]).decode()

    text = asyncio.run(run())
    assert text.count("event: studies") == 1
    assert '{"total":9999}' in text
    assert '{"0":[9999],"1":[9997],"2":[9998]}' in text
    assert text.endswith("event: bye\ndata: {}\n\n")


def test_an_event_is_one_line_whatever_is_in_it():
    async def run():
        events = Events(lambda _: None)
        stream = events.begin("")
        events.tell("jobs", ["a\nb\r\n\n\u2028event: evil\ndata: 1"])
        events.close()
        return b"".join([piece async for piece in stream.text()]).decode()

    text = asyncio.run(run())
    assert "\nevent: evil" not in text
    assert len([line for line in text.split("\n") if line.startswith("data: ")]) == 2
