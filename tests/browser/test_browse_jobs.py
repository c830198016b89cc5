"""Jobs in the pages: begun, followed, looked into, tried again, cleared."""

from __future__ import annotations

import pytest
from browser.browsing import Moody, listed

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def two(slides, browse_bundle, tmp_path):
    """The app over a folder and an empty server that can refuse what is stored."""
    from wsiweb import browse
    from wsiweb.server import create_app, serve

    (tmp_path / "there").mkdir()
    there = Moody(create_app(tmp_path / "there", stow=True, rescan=0))
    with (
        serve(app=there) as server,
        browse.serve([str(slides.folder), server.url], static=browse_bundle) as app,
    ):
        yield there, app


def send(page):
    """Send the only study in the list to the only other archive."""
    page.locator("wsi-study wsi-menu button").first.click()
    page.get_by_role("menuitem", name="Send to").click()
    page.get_by_role("dialog").get_by_role("button", name="Send", exact=True).click()


def test_what_failed_is_explained_and_tried_again(two, page):
    there, app = two
    there.refuses = True
    page.goto(app.address_of("/?patient=LAB-0009"))
    listed(page, 1)
    send(page)
    job = page.locator(".dock .job")
    job.get_by_text("Failed", exact=True).wait_for()
    job.get_by_role("button", name="Details").click()
    row = job.locator("tbody tr").first
    row.wait_for()
    assert "403" in row.inner_text() or "takes nothing today" in row.inner_text()
    there.refuses = False
    job.get_by_role("button", name="Retry").click()
    job.get_by_text("Done", exact=True).wait_for()
    assert job.count() == 1
    page.get_by_role("link", name="All jobs").click()
    page.get_by_role("button", name="Clear done").click()
    page.get_by_text("Nothing is being sent, fetched or imported").wait_for()


def test_a_study_is_downloaded_into_a_folder(two, page, tmp_path, slides):
    _, app = two
    page.goto(app.address_of("/?patient=LAB-0010"))
    listed(page, 1)
    page.locator("wsi-study wsi-menu button").first.click()
    page.get_by_role("menuitem", name="Download").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill(str(tmp_path / "fetched"))
    dialog.get_by_role("button", name="Download", exact=True).click()
    page.locator(".dock .job").get_by_text("Done", exact=True).first.wait_for()
    wanted = len(slides.made[3].paths)
    assert len(list((tmp_path / "fetched").rglob("*.dcm"))) == wanted


def test_a_folder_is_imported_and_a_study_removed_after_a_question(two, page, slides):
    _, app = two
    page.goto(app.address)
    listed(page, 6)
    page.get_by_role("button", name="Import a folder").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill(str(slides.lone.paths[0].parent))
    dialog.get_by_role("button", name="Import", exact=True).click()
    page.locator(".dock .job").get_by_text("Done", exact=True).first.wait_for()
    page.get_by_role("button", name="Close the jobs").click()
    listed(page, 7)
    study = page.locator("wsi-study", has_text="P-1")
    study.get_by_role("button").click()
    page.get_by_role("menuitem", name="Remove").click()
    dialog.get_by_text("cannot be undone").wait_for()
    dialog.get_by_role("button", name="Cancel").click()
    assert study.count() == 1
    study.get_by_role("button").click()
    page.get_by_role("menuitem", name="Remove").click()
    dialog.get_by_role("button", name="Remove", exact=True).click()
    study.wait_for(state="detached")
    assert all(path.exists() for path in slides.lone.paths)


def test_only_studies_of_local_archives_can_be_removed(two, page):
    _, app = two
    page.goto(app.address)
    listed(page, 6)
    page.locator("wsi-study wsi-menu button").first.click()
    page.get_by_role("menuitem", name="Open study").wait_for()
    assert page.get_by_role("menuitem", name="Remove").count() == 0


def test_an_archive_is_added_and_taken_off(two, page, watch, marked_folder):
    _, app = two
    page.goto(app.address)
    listed(page, 6)
    page.get_by_role("button", name="Add").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("/no/such/folder")
    dialog.get_by_role("button", name="Add", exact=True).click()
    dialog.get_by_role("alert").filter(has_text="/no/such/folder").wait_for()
    watch.errors.clear()  # Chromium reports the refusal itself
    dialog.get_by_role("textbox").fill(str(marked_folder))
    dialog.get_by_role("button", name="Add", exact=True).click()
    listed(page, 7)
    page.get_by_role("button", name=f"Acts for {marked_folder.name}").click()
    page.get_by_role("menuitem", name="Take off the list").click()
    listed(page, 6)
    assert marked_folder.is_dir()
