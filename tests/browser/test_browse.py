"""The list of studies in Chromium, over the embedded server, a folder and Orthanc at once."""

from __future__ import annotations

import re

import pytest
from browser.browsing import STUDIES, listed

pytestmark = pytest.mark.timeout(240)
EVERYTHING = len(STUDIES) + 2  # that of Orthanc alone, and that with results


def test_studies_of_all_archives_stand_in_one_list_and_a_study_stands_there_once(open_page):
    page = open_page()
    listed(page, EVERYTHING)
    assert page.get_by_role("heading", level=1).inner_text() == f"{EVERYTHING} studies"
    both = page.locator("details.patient", has_text="BOTH-1")
    assert both.count() == 1
    assert both.locator("wsi-study .badge").count() == 2
    assert page.locator("details.patient", has_text="LAB-0008").locator("wsi-study").count() == 2


def test_slides_show_their_pictures_stain_and_power(open_page):
    page = open_page("/?patient=LAB-0009")
    listed(page, 1)
    card = page.locator(".slide-card")
    card.locator("img").wait_for()
    page.wait_for_function("() => document.querySelector('.slide-card img').naturalWidth > 100")
    card.get_by_text("H&E", exact=True).wait_for()
    card.get_by_text("20\N{MULTIPLICATION SIGN}").wait_for()


def test_filters_narrow_the_list_and_stand_in_the_address(open_page, page):
    open_page()
    listed(page, EVERYTHING)
    page.get_by_label("Patient", exact=True).fill("lab-0008")
    listed(page, 2)
    assert page.url.endswith("/?patient=lab-0008")
    page.get_by_role("searchbox", name="Accession number").fill("A-802")
    listed(page, 1)
    assert "accession=A-802" in page.url
    page.reload()
    listed(page, 1)
    assert page.get_by_label("Patient", exact=True).input_value() == "lab-0008"
    page.get_by_role("button", name="Remove the filter Accession: A-802").click()
    listed(page, 2)
    page.go_back()
    listed(page, 1)
    page.get_by_role("button", name="Clear all").click()
    listed(page, EVERYTHING)


def test_names_are_found_as_people_write_them(open_page, page):
    open_page("/?patient=" + "müller")
    listed(page, 1)
    page.get_by_text("Müller, Jörg").wait_for()


def test_a_search_without_answer_says_so(open_page, page):
    open_page("/?patient=NOBODY")
    page.get_by_text("No study answers these filters").wait_for()
    page.get_by_role("button", name="Clear filters").click()
    listed(page, EVERYTHING)


def test_one_archive_alone(open_page, page):
    open_page()
    listed(page, EVERYTHING)
    page.get_by_role("checkbox", name=re.compile("127.0.0.1")).first.uncheck()
    listed(page, 3)  # two in Orthanc, one in the folder
    assert "archive=" in page.url
    page.get_by_role("checkbox", name=re.compile("127.0.0.1")).first.check()
    listed(page, EVERYTHING)
    assert "archive=" not in page.url


def test_a_table_is_sorted_by_its_headings(open_page, page):
    open_page("/?show=table")
    listed(page, EVERYTHING)
    patients = page.locator("tbody .patient-id")
    page.get_by_role("button", name="Patient", exact=True).click()
    page.wait_for_url("**sort=patient**")
    page.wait_for_function(
        "() => document.querySelector('tbody .patient-id').textContent.startsWith('BOTH')"
    )
    assert patients.all_inner_texts() == sorted(patients.all_inner_texts())
    heading = page.get_by_role("columnheader", name=re.compile("Patient"))
    assert heading.get_attribute("aria-sort") == "ascending"
    page.get_by_role("button", name=re.compile("^Patient")).first.click()
    page.wait_for_function(
        "() => document.querySelector('tbody .patient-id').textContent.startsWith('SYN')"
    )
    assert heading.get_attribute("aria-sort") == "descending"


def test_what_comes_from_files_is_text(open_page, page):
    open_page("/?patient=EVIL-1")
    listed(page, 1)
    page.get_by_text("<i>Little</i>, <img/src/onerror>").wait_for()
    assert page.locator("main i, main b, main summary img").count() == 0
    page.locator(".study-link").click()
    page.get_by_text("<b>A</b>").wait_for()
    assert page.locator("main i, main b").count() == 0


def test_the_way_back_leads_to_the_study_that_was_left(open_page, page):
    open_page("/?sort=patient")
    listed(page, EVERYTHING)
    link = page.locator(".study-link").last
    link.scroll_into_view_if_needed()
    page.wait_for_function("() => scrollY > 200")
    before, href = page.evaluate("scrollY"), link.get_attribute("href")
    link.click()
    page.get_by_role("heading", name="1 slide").wait_for()
    page.go_back()
    listed(page)
    page.wait_for_function("y => Math.abs(scrollY - y) < 40", arg=before)
    assert page.evaluate("document.activeElement.getAttribute('href')") == href


def test_the_trail_of_a_study_leads_to_the_list_with_its_filters(open_page, page):
    open_page("/?sort=patient&show=table")
    listed(page, EVERYTHING)
    page.locator(".study-link").first.click()
    page.get_by_role("navigation", name="Trail").get_by_role("link", name="Studies").click()
    listed(page, EVERYTHING)
    assert page.url.endswith("/?sort=patient&show=table")


def test_a_picture_that_failed_is_asked_for_again_when_it_is_seen_again(open_page, page, watch):
    gone = {"status": 504, "json": {"error": "The archive takes too long."}}
    page.route("**/api/thumbnails/**", lambda route: route.fulfill(**gone))
    page.set_viewport_size({"width": 1280, "height": 500})
    open_page()
    listed(page, EVERYTHING)
    page.get_by_text("No picture").first.wait_for()
    page.unroute("**/api/thumbnails/**")
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(300)
    page.evaluate("() => scrollTo(0, 0)")
    page.locator("wsi-thumbnail").first.locator("img").wait_for()
    watch.errors.clear()  # the browser's own, for the answers 504


def test_dragging_out_of_a_field_leaves_the_dialog_open(open_page, page):
    open_page()
    listed(page, EVERYTHING)
    page.get_by_role("button", name="Import a folder").click()
    dialog = page.get_by_role("dialog")
    box = dialog.get_by_role("textbox").first.bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(5, 400)
    page.mouse.up()
    page.wait_for_timeout(200)
    assert dialog.is_visible()
    page.mouse.click(5, 400)
    dialog.wait_for(state="hidden")


def test_no_more_than_three_pictures_are_asked_for_at_once(open_page, page):
    under_way: set[str] = set()
    most = [0]

    def began(request) -> None:
        if "/api/thumbnails/" in request.url:
            under_way.add(request.url)
            most[0] = max(most[0], len(under_way))

    page.on("request", began)
    page.on("requestfinished", lambda request: under_way.discard(request.url))
    page.on("requestfailed", lambda request: under_way.discard(request.url))
    page.set_viewport_size({"width": 1280, "height": 3000})
    open_page()
    listed(page, EVERYTHING)
    page.wait_for_function(
        "n => document.querySelectorAll('.slide-card img').length >= n", arg=EVERYTHING
    )
    assert 0 < most[0] <= 3
