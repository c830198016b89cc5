"""Fixtures for what is looked at in a browser."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import numpy as np
import pytest
from browser.browsing import (  # noqa: F401 - fixtures
    app,
    browse_bundle,
    filled_orthanc,
    open_page,
    open_with,
    slides,
)
from browser.driving import chromium, watched
from browser.frontend import npm, with_packages
from browser.viewing import create_app
from viewer.profiles import write_coloured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from browser.driving import Watch
    from playwright.sync_api import Browser, Page

    import wsiweb


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page_and_watch(browser) -> Iterator[tuple[Page, Watch]]:
    with watched(browser) as pair:
        yield pair


@pytest.fixture
def page(page_and_watch) -> Page:
    """A page that fails the test for a console error, and for a request off this machine."""
    return page_and_watch[0]


@pytest.fixture
def watch(page_and_watch) -> Watch:
    """What the page asks for."""
    return page_and_watch[1]


@pytest.fixture(scope="session")
def coloured_slide(tmp_path_factory) -> Iterator[wsiweb.Slide]:
    """A slide whose ICC profile is far from sRGB."""
    import wsiweb

    folder = tmp_path_factory.mktemp("coloured")
    write_coloured(folder, 2000, 1400)
    with wsiweb.connect(folder) as archive, archive.slides()[0].open() as slide:
        yield slide


@pytest.fixture(scope="session")
def viewer_bundle(tmp_path_factory):
    """The viewer alone, built from the sources as they are."""
    with_packages()
    folder = tmp_path_factory.mktemp("bundle")
    npm("run", "build", "--", "--only", "viewer", "--out", str(folder))
    return folder


@pytest.fixture(scope="session")
def marked_folder(tmp_path_factory) -> Path:
    """A made-up slide of 5000 x 3600 pixels with a result of each kind."""
    import wsiweb
    from wsiweb import synthetic

    folder = tmp_path_factory.mktemp("marked")
    synthetic.write_slide(folder, 5000, 3600, seed=3)
    with wsiweb.connect(folder) as archive, archive.slides()[0].open() as slide:
        _mark(slide, folder)
    return folder


@pytest.fixture(scope="session")
def marked_slide(marked_folder) -> Iterator[wsiweb.Slide]:
    """That slide, opened."""
    import wsiweb

    with wsiweb.connect(marked_folder) as archive, archive.slides()[0].open() as slide:
        yield slide


def _mark(slide: wsiweb.Slide, folder) -> None:
    width, height = slide.levels[0].size
    rows, columns = np.mgrid[: height // 4, : width // 4]
    near = np.hypot(rows - height / 8, columns - width / 8)
    session = slide.results("regions", algorithm=("by hand", "1.0"))
    session.add_mask(
        (near < 200) + 2 * ((near >= 200) & (near < 300)),
        segments=["Neoplasm", "Inflammation"],
        level=2,
    )
    session.save(folder / "regions")
    session = slide.results("likely", algorithm=("by hand", "1.0"))
    session.add_mask(
        np.clip(1 - near / 450, 0, 1)[..., None], segments=["Necrosis"], level=2, kind="fractional"
    )
    session.save(folder / "likely")
    session = slide.results("cells", algorithm=("by hand", "1.0"))
    session.add_annotations(_cells(width, height, 20_000), label="nuclei", type="Nucleus")
    session.add_annotations(_cells(width, height, 60), label="few", type="Nucleus")
    session.save(folder / "cells")
    session = slide.results("warm", algorithm=("by hand", "1.0"))
    session.add_heatmap(
        np.linspace(0, 1, 18 * 25).reshape(18, 25), patch=200, quantity="DCM:Probability"
    )
    session.save(folder / "warm")


def _cells(width: int, height: int, count: int) -> list[np.ndarray]:
    """Little hexagons, everywhere; the first one where the tests look for it."""
    random = np.random.default_rng(count)
    middles = random.uniform(20, [width - 20, height - 20], (count, 2))
    middles[0] = 1000, 1000
    angles = np.arange(6) * np.pi / 3
    corners = 8 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return list(middles[:, None] + corners)


@pytest.fixture(scope="session")
def cmu_slide(cmu_folder) -> Iterator[wsiweb.Slide]:
    """The real slide, whose frames are JPEG in RGB without a marker that says so."""
    import wsiweb

    with wsiweb.connect(cmu_folder) as archive, archive.slides()[0].open() as slide:
        yield slide


@pytest.fixture(scope="session")
def viewer_url(request, viewer_bundle, marked_slide, coloured_slide) -> Iterator[str]:
    """Where the page with the viewer is."""
    from wsiweb.server import serve
    from wsiweb.viewer.feed import Feed

    feeds = {"marked": Feed(marked_slide), "coloured": Feed(coloured_slide)}
    # Without the real slide, the tests of it are skipped, which ask for it themselves.
    with contextlib.suppress(pytest.skip.Exception):
        feeds["cmu"] = Feed(request.getfixturevalue("cmu_slide"))
    with serve(app=create_app(viewer_bundle, feeds)) as server:
        yield server.url


@pytest.fixture
def view(page, viewer_url) -> Callable[..., Page]:
    """Open a slide in the viewer, and wait until all of it is there; layers where they matter."""

    def open_(slide: str = "marked", **options: object) -> Page:
        query = urlencode({"slide": slide, "options": json.dumps({"overlays": False, **options})})
        page.goto(f"{viewer_url.rstrip('/')}/?{query}")
        page.wait_for_selector("body[data-ready]")
        settle(page)
        return page

    return open_


def settle(page: Page) -> None:
    """Wait until nothing moves and all tiles in view are there."""
    page.evaluate("() => window.viewer.settled()")
