"""The viewer in a page of its own: opened, moved by mouse, keys and touch, told of views."""

from __future__ import annotations

import json
import re
from urllib.parse import urlencode

import pytest
from browser.conftest import settle
from browser.driving import watched


def where(page) -> dict[str, float]:
    return page.evaluate("() => window.viewer.view")


def test_the_whole_slide_is_seen_first(view):
    page = view()
    at = where(page)
    assert (at["x"], at["y"]) == pytest.approx((2500, 1800), abs=1)
    assert 5000 / at["downsample"] < 1280 - 296  # beside the panel
    assert page.locator(".wsiweb-readout-times").inner_text().endswith("\N{MULTIPLICATION SIGN}")
    assert page.locator(".wsiweb-viewer").get_attribute("aria-label") == "Slide WSI-3"


def test_it_begins_where_it_is_told_to(view):
    at = where(view(view={"x": 1200, "y": 900, "downsample": 2}))
    assert (at["x"], at["y"], at["downsample"]) == pytest.approx((1200, 900, 2))


def test_dragging_moves_the_slide_by_as_much(view):
    page = view(view={"x": 2000, "y": 1500, "downsample": 2})
    page.mouse.move(500, 400)
    page.mouse.down()
    page.mouse.move(450, 370, steps=5)
    page.wait_for_timeout(200)  # held still, so that it is no flick
    page.mouse.move(400, 340)
    page.wait_for_timeout(200)
    page.mouse.up()
    settle(page)
    at = where(page)
    assert (at["x"], at["y"]) == pytest.approx((2200, 1620), abs=20)


def test_the_wheel_zooms_around_the_pointer(view):
    page = view(view={"x": 2000, "y": 1500, "downsample": 4})
    before = page.evaluate("() => viewer.view.x + (200 - 492) * viewer.view.downsample")
    page.mouse.move(200, 400)
    page.mouse.wheel(0, -400)
    settle(page)
    after = page.evaluate("() => viewer.view.x + (200 - 492) * viewer.view.downsample")
    assert where(page)["downsample"] < 3.9
    assert after == pytest.approx(before, abs=10)


def test_keys(view):
    page = view(view={"x": 2000, "y": 1500, "downsample": 4})
    page.keyboard.press("+")
    settle(page)
    nearer = where(page)["downsample"]
    assert nearer < 4
    page.keyboard.press("ArrowRight")
    settle(page)
    assert where(page)["x"] == pytest.approx(2000 + 0.2 * 984 * nearer, rel=0.01)
    page.keyboard.press("1")
    settle(page)
    assert where(page)["downsample"] == pytest.approx(1)
    page.keyboard.press("0")
    settle(page)
    assert where(page)["x"] == pytest.approx(2500, abs=1)
    page.keyboard.press("-")
    settle(page)
    assert where(page)["downsample"] > 5


def test_going_to_a_place(view):
    page = view()
    page.keyboard.press("g")
    page.get_by_role("textbox", name="Place").fill("nowhere")
    page.keyboard.press("Enter")
    assert page.get_by_text("Two numbers are wanted").is_visible()
    page.get_by_role("textbox", name="Place").fill("1234, 567")
    page.keyboard.press("Enter")
    settle(page)
    # As near as the slide may be moved at this zoom; then nearer.
    page.keyboard.press("1")
    page.evaluate("() => viewer.goto({ x: 1234, y: 567 })")
    settle(page)
    assert (where(page)["x"], where(page)["y"]) == pytest.approx((1234, 567), abs=1)


def test_a_press_on_the_overview_goes_there(view):
    page = view(view={"x": 4000, "y": 3000, "downsample": 1})
    box = page.locator(".wsiweb-navigator").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    settle(page)
    assert (where(page)["x"], where(page)["y"]) == pytest.approx((1250, 900), abs=40)


def test_those_who_listen_are_told_of_views(view):
    page = view()
    page.evaluate("() => { window.told = []; window.end = viewer.onView((v) => told.push(v)); }")
    page.evaluate("() => viewer.goto({ x: 1500, y: 1000, downsample: 1 })")
    settle(page)
    page.wait_for_timeout(300)
    told = page.evaluate("() => window.told")
    assert (told[-1]["x"], told[-1]["downsample"]) == pytest.approx((1500, 1), abs=0.1)
    assert len(told) < 15, "they are told now and then, not in each frame"
    page.evaluate("() => { window.end(); told.length = 0; viewer.goto({ x: 900 }, true); }")
    settle(page)
    page.wait_for_timeout(300)
    assert page.evaluate("() => window.told") == []


def test_tiles_are_asked_for_once_and_no_finer_than_shown(view, watch):
    view()
    tiles = watch.asked("/feed/marked/tiles/")
    assert len(tiles) == len(set(tiles))
    finest = min(int(url.split("/tiles/")[1].split("/")[2]) for url in tiles)
    assert finest == 2, "level 2 is the one for a whole slide of 5000 px on this screen"


def test_tiles_that_left_the_view_are_given_up(view):
    """Of an archive that does not answer, a jump lets go of what was wanted before."""
    page = view()
    given_up: list[str] = []
    page.on("requestfailed", lambda request: given_up.append(request.url))
    slow = re.compile("/tiles/0/0/0/[0-5]/")
    page.route(slow, lambda route: None)  # neither answered nor refused
    with page.expect_request(slow):
        page.evaluate("() => viewer.goto({ x: 700, y: 700, downsample: 1 }, true)")
    assert given_up == []
    page.evaluate("() => viewer.goto({ x: 4300, y: 3000, downsample: 1 }, true)")
    settle(page)
    assert given_up
    page.unroute(slow)
    with page.expect_response(slow) as answer:
        page.evaluate("() => viewer.goto({ x: 700, y: 700, downsample: 1 }, true)")
    assert answer.value.ok, "what was given up is asked for again when it is wanted again"
    settle(page)


def test_touch_pans_and_pinches(browser, viewer_url):
    options = {"has_touch": True, "viewport": {"width": 400, "height": 700}}
    with watched(browser, **options) as (page, _):
        query = {"slide": "marked", "options": json.dumps({"view": {"x": 2000, "downsample": 4}})}
        page.goto(f"{viewer_url.rstrip('/')}/?{urlencode(query)}")
        page.wait_for_selector("body[data-ready]")
        settle(page)
        touch = page.context.new_cdp_session(page)

        def send(kind: str, *points: tuple[int, int]) -> None:
            at = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

        send("touchStart", (200, 300), (200, 400))
        for step in range(1, 11):
            send("touchMove", (200, 300 - 10 * step), (200, 400 + 10 * step))
        send("touchEnd")
        settle(page)
        assert where(page)["downsample"] < 2.5


def test_a_slide_that_cannot_be_opened_says_why(page, watch, viewer_url):
    page.goto(f"{viewer_url.rstrip('/')}/?slide=none")
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "This slide could not be opened" in alert.inner_text()
    assert watch.errors, "the browser itself reports the answer 500"
    watch.errors.clear()


def test_a_viewer_that_is_taken_away_leaves_nothing(view):
    page = view()
    page.evaluate("() => viewer.destroy()")
    assert page.locator("#viewer > *").count() == 0
    page.wait_for_timeout(300)


def test_two_viewers_on_a_page(view):
    page = view(panel=False)
    page.evaluate(
        """async () => {
            const { HttpSource, SlideViewer } = await import("/bundle/viewer.js");
            const main = document.getElementById("viewer");
            main.style.cssText = "display: grid; grid-template-columns: 1fr 1fr";
            window.other = new SlideViewer(main, new HttpSource("/feed/marked"), { panel: false });
            await window.other.ready;
            window.other.goto({ x: 1000, y: 1000, downsample: 1 }, true);
            await window.other.settled();
        }"""
    )
    assert page.evaluate("() => other.view.downsample") == pytest.approx(1)
    assert where(page)["downsample"] > 2
    ids = page.evaluate("() => [...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))
