"""What stands around the slide: panel, tags, label, copying, themes, narrow screens."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from browser.conftest import settle
from browser.driving import watched


def test_the_scale_bar_is_as_long_as_it_says(view):
    page = view(view={"x": 2500, "y": 1800, "downsample": 1})
    text = page.locator(".wsiweb-scale-text").inner_text()
    width = page.locator(".wsiweb-scale-line").bounding_box()["width"]
    assert text == "50 µm"
    assert width * 0.5 == pytest.approx(50, abs=0.5)  # 0.5 µm for each pixel
    page.keyboard.press("0")
    settle(page)
    assert page.locator(".wsiweb-scale-text").inner_text() != text


def test_coordinates_are_of_the_pointer(view):
    page = view(view={"x": 2500, "y": 1800, "downsample": 2})
    assert "x 2500" in page.locator(".wsiweb-readout-place").inner_text()
    page.mouse.move(492 + 100, 400 - 50)
    assert page.locator(".wsiweb-readout-place").inner_text() == "x 2700  y 1700"
    assert page.locator(".wsiweb-readout-times").inner_text() == "10\N{MULTIPLICATION SIGN}"


def test_coordinates_follow_a_slide_that_moves_under_a_still_mouse(view):
    page = view(view={"x": 2000, "y": 1500, "downsample": 2})
    page.mouse.move(592, 350)
    page.evaluate("() => viewer.goto({ x: 2300, y: 1500, downsample: 1 })")
    settle(page)
    words = page.locator(".wsiweb-readout-place").inner_text()
    assert words == "x 2400  y 1450"


def test_tags_are_listed_and_searched(view):
    page = view()
    page.get_by_role("button", name="Tags").click()
    rows = page.locator(".wsiweb-tags tbody tr:visible")
    rows.first.wait_for()
    every = rows.count()
    page.get_by_label("Search tags and values").fill("synthetic^slide")
    assert rows.count() == 1
    assert "PatientName" in rows.first.inner_text()
    page.get_by_label("Search tags and values").fill("")
    instance = page.get_by_label("Instance")
    assert instance.locator("option").count() >= 6
    instance.select_option(index=5)
    page.wait_for_timeout(300)
    assert rows.count() > every / 2
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0


def test_what_stands_in_tags_is_text(view):
    """An answer that is markup stays the text that it is."""
    page = view()
    page.route(
        "**/tags/*",
        lambda route: route.fulfill(
            json=[{"tag": "00100010", "keyword": "PatientName", "vr": "PN", "value": "<b>x</b>"}]
        ),
    )
    page.get_by_role("button", name="Tags").click()
    cell = page.locator(".wsiweb-tag-value").first
    cell.wait_for()
    assert cell.inner_text() == "<b>x</b>"


def test_the_label_is_enlarged(view):
    page = view()
    page.get_by_role("button", name="Enlarge: Label").click()
    picture = page.get_by_role("dialog").get_by_role("img", name="Label")
    picture.wait_for()
    assert picture.evaluate("(it) => it.naturalWidth") > 50


def test_link_and_python_are_copied(view):
    page = view(view={"x": 1000, "y": 900, "downsample": 2})
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    page.get_by_text("link to this view has been copied").wait_for()
    assert '"x":1000' in page.evaluate("() => navigator.clipboard.readText()")
    page.get_by_role("button", name="Copy Python").click()
    page.get_by_text("Python lines have been copied").wait_for()
    code = page.evaluate("() => navigator.clipboard.readText()")
    compile(code, "copied", "exec")
    assert "wsiweb.connect" in code


def test_without_a_clipboard_the_text_can_be_taken_by_hand(view):
    page = view()
    page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }"
    )
    page.get_by_role("button", name="Copy Python").click()
    area = page.get_by_role("dialog").get_by_label("Python")
    area.wait_for()
    assert "wsiweb.connect" in area.input_value()


def test_help_lists_the_keys(view):
    page = view()
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").get_by_text("Whole slide").is_visible()


def test_the_panel_opens_and_closes_and_the_slide_stays(view):
    page = view(view={"x": 2000, "y": 1500, "downsample": 2})
    before = page.evaluate("() => viewer.view")
    page.keyboard.press("p")
    page.wait_for_timeout(300)
    settle(page)
    assert not page.locator(".wsiweb-panel").is_visible()
    after = page.evaluate("() => viewer.view")
    assert after["downsample"] == pytest.approx(before["downsample"])
    page.get_by_role("button", name="Layers and slide").click()
    assert page.locator(".wsiweb-panel").is_visible()


def test_closing_the_panel_by_its_button_leaves_the_keys_alive(view):
    page = view(view={"x": 2000, "y": 1500, "downsample": 2})
    page.get_by_role("button", name="Close panel").click()
    assert page.get_by_role("button", name="Layers and slide").evaluate(
        "it => it === document.activeElement"
    )
    page.keyboard.press("p")
    assert page.locator(".wsiweb-panel").is_visible()


def test_the_tags_of_the_instance_chosen_last_are_shown(view):
    page = view()
    page.get_by_role("button", name="Tags").click()
    dialog = page.get_by_role("dialog", name="Tags")
    dialog.get_by_text("SOPInstanceUID", exact=True).first.wait_for()
    choice = dialog.get_by_label("Instance")
    first, second = choice.locator("option").evaluate_all("all => all.map((it) => it.value)")[:2]
    held = []

    def hold(route):
        held.append(route)

    page.route(f"**/tags/{second}", hold)
    choice.select_option(second)
    dialog.get_by_text("Loading …").wait_for()
    assert dialog.locator("tbody tr").count() == 0
    choice.select_option(first)
    dialog.get_by_text("SOPInstanceUID", exact=True).first.wait_for()
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)
    assert dialog.get_by_role("cell", name=first, exact=True).count() > 0


def test_a_low_viewer_keeps_its_buttons_off_the_scale_bar(view):
    page = view()
    page.set_viewport_size({"width": 800, "height": 300})
    settle(page)
    foot = page.locator(".wsiweb-scale").bounding_box()["y"]
    boxes = [each.bounding_box() for each in page.locator(".wsiweb-toolbar button").all()]
    assert len(boxes) == 8
    assert all(box["y"] + box["height"] <= foot for box in boxes)


def test_all_controls_have_names_and_can_be_reached_by_keyboard(view):
    page = view()
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a[href]")]
            .filter((each) => each.offsetParent !== null)
            .filter((each) => !(each.getAttribute("aria-label") || each.innerText ||
                each.labels?.length))
            .map((each) => each.outerHTML)"""
    )
    assert unnamed == []
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.getAttribute('aria-label')"))
    assert {"Zoom in", "Whole slide", "Close panel"} <= reached


def test_a_tile_that_fails_is_told_in_words_and_asked_for_again(page, watch, viewer_url):
    gone = {"status": 502, "json": {"error": "The archive is gone."}}
    failed: set[str] = set()

    def fail(route):
        failed.add(route.request.url)
        route.fulfill(**gone)

    page.route("**/tiles/**", fail)
    query = {"slide": "marked", "options": json.dumps({"overlays": False})}
    page.goto(f"{viewer_url.rstrip('/')}/?{urlencode(query)}")
    page.get_by_text("Some of the picture could not be had: The archive is gone.").wait_for()
    page.evaluate("() => void viewer.settled().then(() => (document.body.dataset.settled = 'yes'))")
    page.wait_for_timeout(800)  # all that is in view has failed, and nobody touches it
    assert page.evaluate("() => document.body.dataset.settled") is None
    with page.expect_response(lambda answer: answer.url in failed and answer.ok):
        page.unroute("**/tiles/**")  # the archive is back
    page.wait_for_selector("body[data-settled]")
    watch.errors.clear()  # the browser's own, for the answers 502


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_gets_a_sheet(browser, viewer_url, scheme):
    options = {"viewport": {"width": 390, "height": 780}, "color_scheme": scheme}
    with watched(browser, **options) as (page, _):
        page.goto(f"{viewer_url.rstrip('/')}/?{urlencode({'slide': 'marked'})}")
        page.wait_for_selector("body[data-ready]")
        settle(page)
        panel = page.locator(".wsiweb-panel")
        assert not panel.is_visible(), "the slide comes first"
        page.get_by_role("button", name="Layers and slide").click()
        box = panel.bounding_box()
        assert box["width"] == pytest.approx(390, abs=1)
        assert box["y"] > 780 * 0.4
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
        dark = page.evaluate(
            "() => getComputedStyle(document.querySelector('.wsiweb-panel')).backgroundColor"
        )
        assert (dark == "rgb(255, 255, 255)") == (scheme == "light")
