"""What the pages say and do when something goes wrong."""

from __future__ import annotations

import pytest
from browser.browsing import Moody, listed
from browser.driving import Watch

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def moody(slides, browse_bundle, monkeypatch):
    """The app over the embedded server alone, which can be made to fail."""
    from wsiweb import browse
    from wsiweb.server import create_app, serve

    monkeypatch.setattr("wsiweb.client.client._PAGE", 2)  # six studies come as three pages
    archive = Moody(create_app(slides.folder))
    with serve(app=archive) as server, browse.serve([server.url], static=browse_bundle) as app:
        yield archive, app


def test_an_archive_that_dies_in_mid_listing_keeps_what_came_and_is_asked_again(moody, page):
    archive, app = moody
    archive.breaks = True
    page.goto(app.address)
    error = page.locator(".archive-error")
    error.wait_for()
    assert "refused" in error.inner_text() or "403" in error.inner_text()
    assert page.locator(".study-link").count() == 2
    archive.breaks = False
    page.get_by_role("button", name="Try again").click()
    listed(page, 6)
    error.wait_for(state="detached")


def test_a_wrong_token_is_refused_with_words(app, browser):
    context = browser.new_context()
    try:
        page = context.new_page()
        watch = Watch(page)
        answer = page.goto(f"{app.url}/?token=guessed")
        assert answer is not None
        assert answer.status == 401
        assert "wsiweb browse" in page.locator("main").inner_text()
        assert [one for one in watch.errors if "401" not in one] == []
        assert page.request.get(f"{app.url}/api/archives").status == 401
    finally:
        context.close()


def test_the_token_leaves_the_address(app, page):
    page.goto(app.address)
    listed(page)
    assert "token" not in page.url


def test_a_page_whose_program_has_ended_says_so_and_keeps_what_it_shows(
    slides, browse_bundle, browser
):
    from wsiweb import browse

    context = browser.new_context()
    try:
        page = context.new_page()
        with browse.serve([str(slides.folder)], static=browse_bundle) as app:
            page.goto(app.address)
            listed(page, 6)
        page.get_by_text("does not answer").wait_for()
        assert page.locator(".study-link").count() == 6
        page.get_by_label("Patient", exact=True).fill("LAB")
        page.get_by_text("The list could not be had").wait_for()
    finally:
        context.close()


def test_an_address_that_leads_nowhere(open_page, page, watch):
    open_page("/studies/1.2.3.4")
    page.get_by_text("This study cannot be shown").wait_for()
    assert "1.2.3.4" in page.locator("main").inner_text()
    watch.errors.clear()  # Chromium reports the answer 404 itself


def test_a_slide_that_is_not_there(open_page, page, watch, slides):
    from browser.browsing import view_url

    open_page("/")
    listed(page)
    page.goto(view_url(page, "dicom-web", slides.lone) + "9")
    page.get_by_text("This slide cannot be shown").wait_for()
    page.get_by_role("button", name="Try again").wait_for()
    watch.errors.clear()


def test_a_read_only_app_offers_nothing_that_changes(slides, browse_bundle, page):
    from wsiweb import browse

    with browse.serve([str(slides.folder)], read_only=True, static=browse_bundle) as app:
        page.goto(app.address)
        listed(page, 6)
        assert page.get_by_role("button", name="Import").count() == 0
        page.locator("wsi-study wsi-menu button").first.click()
        words = page.get_by_role("menuitem").all_inner_texts()
        assert words == ["Open study", "Copy link"]
