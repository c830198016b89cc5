"""The widget in JupyterLab: a real server, a real kernel, Debian's Chromium."""

from __future__ import annotations

import io
import json
import time
from contextlib import ExitStack

import numpy as np
import pytest
from browser.driving import Watch
from browser.notebooks import Lab, Notebook
from PIL import Image

import wsiweb

SUBSHELLS = "@jupyterlab/apputils-extension:kernels-settings"
WIDGETS = "@jupyter-widgets/jupyterlab-manager:plugin"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture
def lab_with(tmp_path_factory):
    """Start a JupyterLab with settings of its own."""
    with ExitStack() as stack:

        def start(**settings):
            started = Lab(tmp_path_factory.mktemp("lab"), **settings)
            stack.callback(started.close)
            return started

        yield start


@pytest.fixture
def opened(lab, lab_with, browser):
    """Open a notebook, of some cells if it is new; at the end nothing went wrong in its page."""
    pages = []

    def open_notebook(name, *cells, server=lab, errors=()):
        if cells:
            server.write(name, *cells)
        page = browser.new_page(viewport={"width": 1200, "height": 1400})
        pages.append((page, Watch(page), errors))
        return Notebook(server, page, name)

    yield open_notebook
    for page, watch, errors in pages:
        page.close()
        unexpected = [one for one in watch.errors if not any(known in one for known in errors)]
        assert unexpected == []
        assert watch.strangers() == []


@pytest.fixture(scope="module")
def slide(cmu_folder):
    with wsiweb.connect(cmu_folder) as archive:
        yield archive.slides()[0].open()


def opening(folder):
    return (
        "import wsiweb\n"
        f"archive = wsiweb.connect({str(folder)!r})\n"
        "slide = archive.slides()[0].open()"
    )


def seen(notebook, viewer, size=160):
    """Return the pixels in the middle of a viewer."""
    box = viewer.bounding_box()
    clip = {
        "x": round(box["x"] + box["width"] / 2) - size // 2,
        "y": round(box["y"] + box["height"] / 2) - size // 2,
        "width": size,
        "height": size,
    }
    return np.asarray(Image.open(io.BytesIO(notebook.page.screenshot(clip=clip))).convert("RGB"))


def wait_until_seen(notebook, viewer, expected, within=3, patience=20.0):
    """Wait until the middle of a viewer shows these pixels, as far as decoders agree.

    Where the view may begin within a pixel, more is allowed; another place is off by 50 and more.
    """
    deadline = time.monotonic() + patience
    while True:
        shown = seen(notebook, viewer, expected.shape[0]).astype(int)
        off = float(np.abs(shown - expected).mean())
        if off < within or time.monotonic() > deadline:
            break
        notebook.page.wait_for_timeout(100)
    assert off < within, f"the pixels are off by {off:.1f} of 255"


def around(slide, x, y, size=160):
    return slide.read_region((x - size // 2, y - size // 2), 0, (size, size))


def test_a_slide_shows_its_real_pixels(opened, slide, cmu_folder):
    notebook = opened(
        "pixels.ipynb", opening(cmu_folder), "slide", "slide.goto(1200, 1500, downsample=1)"
    )
    notebook.run()
    viewer = notebook.viewer()
    wait_until_seen(notebook, viewer, around(slide, 1200, 1500))
    assert not notebook.page.locator(".wsiweb-still").is_visible()


def test_two_widgets_on_a_page_are_two_and_two_of_one_slide_move_together(
    opened, slide, cmu_folder
):
    notebook = opened(
        "two.ipynb",
        opening(cmu_folder),
        "one = slide.show(height=240); one",
        "other = slide.show(height=240); other",
        "one",
        "one.goto(1200, 1500, downsample=1)",
    )
    notebook.run()
    viewers = [notebook.viewer(number) for number in range(3)]
    expected = around(slide, 1200, 1500)
    wait_until_seen(notebook, viewers[0], expected)
    wait_until_seen(notebook, viewers[2], expected)
    off = np.abs(seen(notebook, viewers[1]).astype(int) - expected).mean()
    assert off > 10, "the other widget has moved as well"


def test_python_knows_where_the_user_looks(opened, slide, cmu_folder):
    notebook = opened(
        "place.ipynb",
        opening(cmu_folder),
        "slide.show()",
        "import time\ntime.sleep(0.5)\nprint(slide.view.mpp, '|', slide.view.region())",
    )
    notebook.wait_for_kernel()
    notebook.run_cell(0)
    notebook.run_cell(1)
    viewer = notebook.viewer()
    viewer.click(position={"x": 400, "y": 240})
    viewer.press("1")
    notebook.page.wait_for_timeout(800)  # it moves there
    notebook.run_cell(2)
    mpp, region = notebook.output(2).split("|")
    assert float(mpp) == pytest.approx(slide.mpp[0], rel=0.01)
    location, level, size = eval(region)
    assert level == 0
    box = viewer.bounding_box()
    assert size == (pytest.approx(box["width"], abs=2), pytest.approx(480, abs=2))
    centre = location[0] + size[0] // 2, location[1] + size[1] // 2
    wait_until_seen(notebook, viewer, around(slide, *centre), within=15)


BUSY = "import os, time\nwhile not os.path.exists({flag!r}):\n    time.sleep(0.05)"


def test_tiles_come_while_a_cell_runs(opened, slide, cmu_folder, tmp_path):
    flag = tmp_path / "flag"
    notebook = opened(
        "busy.ipynb", opening(cmu_folder), "slide.show()", BUSY.format(flag=str(flag))
    )
    notebook.wait_for_kernel()
    notebook.run_cell(0)
    notebook.run_cell(1)
    viewer = notebook.viewer()
    notebook.run_cell(2, wait=False)
    viewer.click(position={"x": 400, "y": 240})
    viewer.press("1")
    wait_until_seen(notebook, viewer, around(slide, 1110, 1484), within=15)
    assert "[*]" in notebook.prompt(2)
    assert not notebook.page.locator(".wsiweb-widget-note").is_visible()
    flag.touch()
    notebook.wait_for_kernel()


def test_without_subshells_the_view_says_that_the_kernel_is_busy(
    opened, slide, cmu_folder, tmp_path, lab_with
):
    flag = tmp_path / "flag"
    lab = lab_with(**{SUBSHELLS: {"commsOverSubshells": "disabled"}})
    notebook = opened(
        "busy.ipynb",
        *(opening(cmu_folder), "slide.show()", BUSY.format(flag=str(flag))),
        server=lab,
    )
    notebook.wait_for_kernel()
    notebook.run_cell(0)
    notebook.run_cell(1)
    viewer = notebook.viewer()
    notebook.run_cell(2, wait=False)
    viewer.click(position={"x": 400, "y": 240})
    viewer.press("1")
    note = notebook.page.locator(".wsiweb-widget-note")
    note.wait_for(state="visible", timeout=10_000)
    assert "The kernel is busy" in note.inner_text()
    began = time.monotonic()
    viewer.press("ArrowRight")
    assert notebook.page.evaluate("1 + 1") == 2
    assert time.monotonic() - began < 2, "the page is frozen"
    viewer.press("ArrowLeft")
    flag.touch()
    note.wait_for(state="hidden", timeout=10_000)
    wait_until_seen(notebook, viewer, around(slide, 1110, 1484), within=15)


def is_a_picture(notebook):
    picture = notebook.page.locator(".wsiweb-still img")
    picture.wait_for(state="visible", timeout=20_000)
    return picture.evaluate("one => one.naturalWidth > 100 && one.naturalHeight > 100")


def test_a_saved_notebook_shows_a_picture_without_its_kernel(opened, lab, cmu_folder):
    notebook = opened("saved.ipynb", opening(cmu_folder) + "\nslide")
    notebook.run()
    notebook.viewer()
    assert not notebook.page.locator(".wsiweb-still").is_visible()
    notebook.save()
    notebook.end_kernel()
    notebook.page.goto("about:blank")
    text = json.dumps(lab.read("saved.ipynb"))
    assert len(text) < 200_000
    again = opened("saved.ipynb", errors=["widget model not found"])
    assert is_a_picture(again)
    again.page.wait_for_timeout(4000)  # JupyterLab looks for the model for a while
    assert not again.page.get_by_text("Error displaying widget").is_visible()
    assert again.page.get_by_text("run the cell again").is_visible()


def test_a_saved_state_shows_a_picture_without_its_kernel(opened, cmu_folder, lab_with):
    lab = lab_with(**{WIDGETS: {"saveState": True}})
    notebook = opened("state.ipynb", opening(cmu_folder) + "\nslide", server=lab)
    notebook.run()
    notebook.viewer()
    notebook.save()
    notebook.end_kernel()
    notebook.page.goto("about:blank")
    assert "widgets" in lab.read("state.ipynb").metadata
    again = opened("state.ipynb", server=lab)
    assert is_a_picture(again)
    note = again.page.locator(".wsiweb-widget-note")
    note.wait_for(state="visible", timeout=20_000)
    assert "run this cell again" in note.inner_text()
    again.run()
    again.viewer()
    assert not again.page.locator(".wsiweb-still").first.is_visible()
