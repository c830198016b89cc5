"""Archives to browse, and the app over them: the embedded server and Orthanc at once."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest
from browser.driving import watched
from browser.frontend import npm, with_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from browser.driving import Watch
    from playwright.sync_api import Browser, Locator, Page
    from wsiweb_benchmarks.orthanc import Orthanc

    from wsiweb.browse import BrowseServer
    from wsiweb.synthetic import SyntheticSlide

SIZE = (700, 500)  # pixels of slides of which there are many
# Patient, name and accession number of the studies of the embedded server; the last one is in
# Orthanc as well.
STUDIES = (
    ("LAB-0008", "Case^Eight", "A-801"),
    ("LAB-0008", "Case^Eight", "A-802"),
    ("LAB-0009", "Case^Nine", "A-901"),
    ("LAB-0010", "Müller^Jörg", "A-1001"),
    ("EVIL-1", "<i>Little</i>^<img/src/onerror>", "<b>A</b>"),
    ("BOTH-1", "Held^Twice", "B-1"),
)


@dataclass(frozen=True)
class Slides:
    """The slides of the embedded server, and those that are in Orthanc."""

    folder: Path
    made: tuple[SyntheticSlide, ...]
    lone: SyntheticSlide  # in Orthanc only


class Moody:
    """An archive that can be made to refuse what is stored, or to break off in mid-listing."""

    def __init__(self, app) -> None:
        self.app = app
        self.refuses = False
        self.breaks = False

    async def __call__(self, scope, receive, send) -> None:
        """Pass a request on, or not."""
        if scope["type"] == "http":
            later = b"offset=" in scope["query_string"] and b"offset=0" not in scope["query_string"]
            words = b""
            if self.refuses and scope["method"] == "POST":
                words = b"This archive takes nothing today."
            elif self.breaks and later:
                words = b"The archive lost its database."
            if words:
                headers = [(b"content-type", b"text/plain")]
                await send({"type": "http.response.start", "status": 403, "headers": headers})
                await send({"type": "http.response.body", "body": words})
                return
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def browse_bundle(tmp_path_factory) -> Path:
    """The pages, built from the sources as they are."""
    with_packages()
    folder = tmp_path_factory.mktemp("pages")
    npm("run", "build", "--", "--only", "browse", "--out", str(folder))
    return folder


@pytest.fixture(scope="session")
def slides(tmp_path_factory) -> Slides:
    """Studies of several patients, and one that is for Orthanc alone."""
    from wsiweb.synthetic import write_slide

    folder = tmp_path_factory.mktemp("lab")
    made = [
        write_slide(
            folder / str(number),
            *SIZE,
            seed=number,
            patient_id=patient,
            patient_name=name,
            accession_number=accession,
        )
        for number, (patient, name, accession) in enumerate(STUDIES)
    ]
    lone = write_slide(
        tmp_path_factory.mktemp("lone"),
        *SIZE,
        seed=77,
        patient_id="PACS-1",
        patient_name="Only^Orthanc",
        accession_number="P-1",
    )
    return Slides(folder, tuple(made), lone)


@pytest.fixture(scope="session")
def filled_orthanc(tmp_path_factory, slides) -> Iterator[Orthanc]:
    """Orthanc in a process of its own, with two studies."""
    from wsiweb_benchmarks.orthanc import MISSING, installed, running

    if installed() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    home = tmp_path_factory.mktemp("orthanc-to-browse")
    with running(home, user="tester", password="a test's password") as server:
        server.upload(slides.lone.paths[0].parent)
        server.upload(slides.made[-1].paths[0].parent)
        yield server


@pytest.fixture(scope="session")
def app(browse_bundle, slides, filled_orthanc, marked_folder) -> Iterator[BrowseServer]:
    """The app over the embedded server, Orthanc, and a folder whose slide has results."""
    import wsiweb
    from wsiweb import browse
    from wsiweb.server import serve

    login = (filled_orthanc.user, filled_orthanc.password)

    def connect() -> wsiweb.Archive:
        return wsiweb.connect(filled_orthanc.url, auth=login)

    with serve(slides.folder) as lab:
        targets = [lab.url, (filled_orthanc.url, connect), str(marked_folder)]
        with browse.serve(targets, static=browse_bundle) as server:
            yield server


@pytest.fixture
def open_page(page, app) -> Callable[..., Page]:
    """Open an address of the app, as somebody who was let in."""

    def open_(path: str = "/") -> Page:
        page.goto(app.address_of(path))
        return page

    return open_


@pytest.fixture
def open_with(browser: Browser, app) -> Callable[..., AbstractContextManager[tuple[Page, Watch]]]:
    """Open an address in a window with other options, such as a dark or a narrow one."""

    @contextmanager
    def open_(path: str = "/", **options: object) -> Iterator[tuple[Page, Watch]]:
        with watched(browser, **options) as (page, watch):
            page.goto(app.address_of(path))
            yield page, watch

    return open_


def listed(page: Page, number: int | None = None) -> None:
    """Wait until the list is whole, with so many studies."""
    page.locator(".study-link").first.wait_for()
    page.wait_for_function(
        """number => {
            const found = document.querySelectorAll('.study-link').length;
            return !document.querySelector('.spinner') && (number === null || found === number);
        }""",
        arg=number,
    )


def view_url(page: Page, archive: str, slide: SyntheticSlide) -> str:
    """Return the address at which a slide is viewed; the page was let in before."""
    url = urljoin(page.url, "/")
    rows = page.request.get(f"{url}api/archives").json()
    id_ = next(row["id"] for row in rows if archive in row["url"] or archive in row["name"])
    return f"{url}view/{id_}/{slide.study_uid}/{slide.series_uid}"


def settled(page: Page) -> None:
    """Wait until the slide in view stands still, and all of it has been drawn."""
    page.wait_for_function("() => globalThis.wsiweb !== undefined")
    page.evaluate("() => globalThis.wsiweb.viewer.settled()")


def layer_switch(page: Page, name: str) -> Locator:
    """Return the box that shows a layer or hides it."""
    return page.locator(f".wsiweb-layer[aria-label='{name}']").get_by_role("checkbox").first
