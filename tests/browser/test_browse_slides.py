"""Studies and slides in the pages of the app: opened, moved, marked, linked to."""

from __future__ import annotations

import re

import pytest
from browser.browsing import layer_switch, listed, settled, view_url

pytestmark = pytest.mark.timeout(240)


def view_of(page):
    return page.evaluate("() => ({ ...globalThis.wsiweb.viewer.view })")


def open_marked(open_page, page):
    """Open the slide with results in the viewer, from the list."""
    open_page("/?modality=SEG")
    listed(page, 1)
    page.locator("a.slide-link").click()
    settled(page)


def test_a_study_shows_its_slides_and_what_was_found_on_them(open_page, page):
    open_page("/?modality=SEG")
    listed(page, 1)
    page.locator(".study-link").click()
    page.get_by_role("heading", name="1 slide").wait_for()
    results = page.get_by_role("region", name="Results")
    results.get_by_text("regions").wait_for()
    assert results.get_by_text("of H&E").count() >= 4
    assert page.locator(".slide-card .badge").all_inner_texts() != []


def test_a_slide_opens_and_is_moved_with_mouse_and_keys(open_page, page, watch):
    open_marked(open_page, page)
    before = view_of(page)
    page.mouse.move(600, 450)
    page.mouse.wheel(0, -600)
    page.wait_for_function(
        "d => globalThis.wsiweb.viewer.view.downsample < 0.9 * d", arg=before["downsample"]
    )
    settled(page)
    closer = view_of(page)
    page.mouse.down()
    page.mouse.move(450, 450, steps=5)
    page.mouse.up()
    settled(page)
    assert view_of(page)["x"] > closer["x"] + 50
    page.keyboard.press("0")
    page.wait_for_function(
        "d => Math.abs(globalThis.wsiweb.viewer.view.downsample / d - 1) < 0.01",
        arg=before["downsample"],
    )
    assert watch.asked("/tiles/")


def test_the_address_follows_the_view_and_leads_back_to_it(open_page, page, open_with, app):
    open_marked(open_page, page)
    page.evaluate("() => globalThis.wsiweb.viewer.goto({x: 1500, y: 1200, downsample: 2}, true)")
    page.wait_for_url(re.compile(r"x=1500&y=1200&d=2$"))
    path = page.url.removeprefix(app.url)
    with open_with(path) as (other, _):
        settled(other)
        assert view_of(other) == pytest.approx({"x": 1500, "y": 1200, "downsample": 2}, rel=1e-3)


def test_the_link_and_the_lines_of_python_can_be_copied(open_page, page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_marked(open_page, page)
    page.get_by_role("button", name="Acts for this slide").click()
    page.get_by_role("menuitem", name="Copy Python").click()
    page.get_by_text("The lines of Python were copied").wait_for()
    assert "wsiweb.connect(" in page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_function(
        "async () => (await navigator.clipboard.readText()).startsWith(location.origin + '/view/')"
    )


def test_a_segmentation_is_hidden_and_its_threshold_moved_without_asking_again(
    open_page, page, watch
):
    open_marked(open_page, page)
    page.evaluate("() => globalThis.wsiweb.viewer.goto({x: 2500, y: 1800, downsample: 4}, true)")
    likely = layer_switch(page, "likely")
    likely.wait_for()
    settled(page)
    stage = page.locator(".wsiweb-slide")
    shown = stage.screenshot()
    likely.uncheck()
    settled(page)
    hidden = stage.screenshot()
    assert hidden != shown
    likely.check()
    settled(page)
    page.wait_for_load_state("networkidle")
    tiles = len(watch.asked("/layers/"))
    page.get_by_role("slider", name=re.compile("[Tt]hreshold")).first.fill("0.9")
    page.wait_for_timeout(300)
    assert stage.screenshot() not in (shown, hidden)
    assert len(watch.asked("/layers/")) == tiles


def test_other_slides_of_the_study_are_at_hand(open_page, page, slides):
    open_page("/")
    page.goto(view_url(page, "dicom-web", slides.lone))
    settled(page)
    page.get_by_role("link", name="Made-up histology").click()
    page.get_by_role("heading", name="1 slide").wait_for()
    page.get_by_text("PACS-1").wait_for()


def test_a_slide_of_orthanc_is_viewed(open_page, page, slides, watch):
    open_page("/?patient=PACS-1")
    listed(page, 1)
    page.locator("a.slide-link").click()
    settled(page)
    assert slides.lone.series_uid in page.url
    assert watch.asked("/tiles/")


def test_metadata_is_looked_through(open_page, page):
    open_page("/?modality=SEG")
    listed(page, 1)
    page.locator(".study-link").click()
    page.get_by_role("button", name="Acts for H&E").click()
    page.get_by_role("menuitem", name="Metadata").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("rowheader", name="PatientID", exact=True).wait_for()
    dialog.get_by_label("Find").fill("totalpixelmatrixcolumns")
    dialog.get_by_role("rowheader", name="TotalPixelMatrixColumns").wait_for()
    assert dialog.get_by_role("rowheader", name="PatientID", exact=True).count() == 0
    page.keyboard.press("Escape")  # empties the field
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Acts for H&E"
