"""Pictures of the pages for the documentation, made when they are asked for:

WSIWEB_PICTURES=1 python -m pytest tests/browser/test_browse_pictures.py
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from browser.browsing import listed, settled
from PIL import Image

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
WIDE = {"width": 1280, "height": 860}
NARROW = {"width": 390, "height": 780}

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        "WSIWEB_PICTURES" not in os.environ, reason="pictures are made when asked for"
    ),
]


def show_study(page):
    page.locator(".study-link").first.click()
    page.get_by_role("heading", name="1 slide").wait_for()


def show_slide(page):
    page.locator("a.slide-link").first.click()
    settled(page)
    page.locator(".wsiweb-layer").first.wait_for()
    for name in ("cells", "warm"):
        for box in page.locator(f".wsiweb-layer[aria-label='{name}']").all():
            box.get_by_role("checkbox").first.uncheck()
    settled(page)


def show_plain_slide(page):
    page.locator("a.slide-link").first.click()
    settled(page)


def show_jobs(page):
    page.locator("wsi-study wsi-menu button").first.click()
    page.get_by_role("menuitem", name="Download").click()
    page.get_by_role("dialog").get_by_role("textbox").fill(os.environ["XDG_DATA_HOME"] + "/slides")
    page.get_by_role("dialog").get_by_role("button", name="Download", exact=True).click()
    page.get_by_role("link", name="All jobs").click()
    page.locator(".job").get_by_text("Done", exact=True).first.wait_for()
    page.locator(".notice").wait_for(state="detached")
    page.get_by_role("button", name="Details").first.click()
    page.locator(".objects tbody tr").first.wait_for()


SHOWN = [
    ("browse-list", "/", None, WIDE, "light"),
    ("browse-list-dark", "/", None, WIDE, "dark"),
    ("browse-list-narrow", "/", None, NARROW, "light"),
    ("browse-table", "/?show=table", None, WIDE, "light"),
    ("browse-study", "/?modality=SEG", show_study, WIDE, "light"),
    ("browse-slide", "/?modality=SEG", show_slide, WIDE, "light"),
    ("browse-slide-dark", "/?modality=SEG", show_slide, WIDE, "dark"),
    ("browse-slide-narrow", "/?patient=LAB-0009", show_plain_slide, NARROW, "light"),
    ("browse-jobs", "/?patient=LAB-0010", show_jobs, WIDE, "light"),
]


@pytest.mark.parametrize(("name", "path", "show", "size", "scheme"), SHOWN)
def test_a_picture(open_with, name, path, show, size, scheme):
    options = {"viewport": size, "color_scheme": scheme, "reduced_motion": "reduce"}
    with open_with(path, **options) as (page, _):
        listed(page)
        if show is not None:
            show(page)
        page.wait_for_load_state("load")
        page.wait_for_function("() => [...document.images].every(one => one.complete)")
        page.wait_for_function(
            "() => [...document.querySelectorAll('.thumbnail.skeleton')]"
            ".every(one => one.getBoundingClientRect().top > innerHeight)"
        )
        PICTURES.mkdir(parents=True, exist_ok=True)
        # 256 colours show all there is to see in a third of the bytes.
        shown = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(256)
        shown.save(PICTURES / f"{name}.png", optimize=True)
