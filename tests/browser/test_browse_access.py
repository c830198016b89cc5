"""The pages for everybody: without a mouse, for screen readers, dark, narrow."""

from __future__ import annotations

import pytest
from browser.browsing import layer_switch, listed, settled
from browser.frontend import FRONTEND

pytestmark = pytest.mark.timeout(240)

AXE = FRONTEND / "node_modules" / "axe-core" / "axe.min.js"
NARROW = {"width": 390, "height": 780}


def faults(page) -> list[str]:
    """Return what axe-core finds fault with."""
    page.evaluate(AXE.read_text())  # a script tag would be refused by the page's own policy
    found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def show_study(page):
    page.locator(".study-link").first.click()
    page.get_by_role("heading", name="1 slide").wait_for()
    page.locator(".slide-card img").first.wait_for()


def show_slide(page):
    page.locator("a.slide-link").first.click()
    settled(page)
    layer_switch(page, "likely").wait_for()


def show_jobs(page):
    page.get_by_role("button", name="Jobs").click()
    page.get_by_role("link", name="All jobs").click()
    page.get_by_role("heading", name="Jobs", level=1).wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("path", "show"),
    [
        ("/", None),
        ("/?show=table&patient=LAB", None),
        ("/?modality=SEG", show_study),
        ("/?modality=SEG", show_slide),
        ("/", show_jobs),
    ],
    ids=["list", "table", "study", "slide", "jobs"],
)
def test_axe_finds_no_fault(open_with, path, show, scheme):
    with open_with(path, color_scheme=scheme, reduced_motion="reduce") as (page, _):
        listed(page)
        if show is not None:
            show(page)
        assert faults(page) == []


def test_axe_finds_no_fault_with_dialogs(open_with):
    with open_with("/?patient=LAB-0009", reduced_motion="reduce") as (page, _):
        listed(page, 1)
        page.get_by_role("button", name="Add").click()
        page.get_by_role("dialog").wait_for()
        assert faults(page) == []
        page.keyboard.press("Escape")
        page.locator("wsi-study wsi-menu button").first.click()
        assert faults(page) == []
        page.get_by_role("menuitem", name="Download").click()
        page.get_by_role("button", name="Choose").click()
        page.locator(".folders li").first.wait_for()
        assert faults(page) == []


def test_a_slide_is_found_opened_and_moved_with_keys_alone(open_page, page):
    open_page()
    listed(page)
    page.keyboard.press("/")
    page.keyboard.type("LAB-0009")
    listed(page, 1)
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.className") == "study-link"
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="1 slide").wait_for()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "slide-link":
            break
    page.keyboard.press("Enter")
    settled(page)
    before = page.evaluate("globalThis.wsiweb.viewer.view.x")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("x => globalThis.wsiweb.viewer.view.x > x + 5", arg=before)


def test_the_menu_of_a_study_is_used_with_keys(open_page, page):
    open_page("/?patient=LAB-0009")
    listed(page, 1)
    button = page.locator("wsi-study wsi-menu button").first
    button.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Open study"
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Copy link"
    page.keyboard.press("Escape")
    assert button.evaluate("one => one === document.activeElement")


def test_a_narrow_screen_has_all_of_it_without_scrolling_sideways(open_with):
    with open_with("/", viewport=NARROW, has_touch=True) as (page, _):
        listed(page)
        sideways = "document.documentElement.scrollWidth > innerWidth"
        assert not page.evaluate(sideways)
        page.get_by_role("button", name="Archives and filters").click()
        page.get_by_label("Patient", exact=True).fill("SYN")
        listed(page, 1)
        page.get_by_role("button", name="Archives and filters").click()
        page.locator(".study-link").click()
        page.get_by_role("heading", name="1 slide").wait_for()
        assert not page.evaluate(sideways)
        page.locator("a.slide-link").click()
        settled(page)
        assert not page.evaluate(sideways)
        height = page.locator(".stage").bounding_box()["height"]
        assert height > 0.7 * NARROW["height"]
