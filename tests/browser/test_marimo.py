"""The widget in marimo, run as an app by its own server."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from urllib.request import urlopen

import numpy as np
import pytest
from browser.driving import watched
from browser.notebooks import ROOT
from browser.test_jupyter import around, wait_until_seen

import wsiweb

NOTEBOOK = """
import marimo

app = marimo.App()


@app.cell
def _():
    import wsiweb

    archive = wsiweb.connect({folder!r})
    slide = archive.slides()[0].open()
    slide.goto(1200, 1500, downsample=1)
    slide
    return archive, slide


@app.cell
def _(slide):
    slide.show(height=300)
    return


@app.cell
def _(archive):
    archive.slides()
    return


if __name__ == "__main__":
    app.run()
"""


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextlib.contextmanager
def marimo(folder, notebook):
    port = free_port()
    command = [
        *(sys.executable, "-m", "marimo", "run", str(notebook), "--headless"),
        *("--host", "127.0.0.1", "--port", str(port), "--no-token"),
    ]
    environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    environment["MARIMO_SKIP_UPDATE_CHECK"] = "1"
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        environment[name] = str(folder / name)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            url = f"http://127.0.0.1:{port}/"
            deadline = time.monotonic() + 60
            while True:
                try:
                    urlopen(f"{url}health", timeout=2).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline, (folder / "log").read_text()
                    assert process.poll() is None, (folder / "log").read_text()
                    time.sleep(0.2)
            yield url
        finally:
            process.terminate()
            process.wait(20)


class Page:
    """As much of a notebook as comparing pixels wants."""

    def __init__(self, page):
        self.page = page


@pytest.fixture
def url(tmp_path, cmu_folder):
    notebook = tmp_path / "slides.py"
    notebook.write_text(NOTEBOOK.format(folder=str(cmu_folder)))
    with marimo(tmp_path, notebook) as url:
        yield url


def test_marimo_shows_slides_and_tables(url, browser, cmu_folder):
    with watched(browser, viewport={"width": 1000, "height": 1600}) as (page, _):
        page.goto(url)
        viewers = page.locator(".wsiweb-viewer:not([aria-busy])")
        viewers.nth(1).wait_for(state="visible", timeout=60_000)
        with wsiweb.connect(cmu_folder) as archive:
            slide = archive.slides()[0].open()
            wait_until_seen(Page(page), viewers.first, around(slide, 1200, 1500), within=15)
        table = page.locator("table.wsiweb")
        table.wait_for(state="visible")
        assert table.locator("img").evaluate("one => one.naturalWidth") > 20
        whole = np.asarray(bytearray(viewers.nth(1).screenshot()))
        assert whole.size > 20_000, "the second view is empty"
