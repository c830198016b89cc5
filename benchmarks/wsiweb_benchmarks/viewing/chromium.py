"""Chromium, driven by Playwright: one browser, and a fresh profile for each measurement."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext

__all__ = ["MISSING", "SCREEN", "chromium", "fresh", "program"]

SCREEN = (1280, 800)
MISSING = "Chromium or Playwright is not here; on Debian: apt-get install chromium"
_FLAGS = (
    "--disable-gpu",  # drawn by the processor everywhere alike, WebGL too (SwiftShader)
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def program() -> str | None:
    """Return Debian's Chromium; None when it or Playwright is missing."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return None
    return shutil.which("chromium")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser.

    Raises
    ------
    RuntimeError
        When it is not here.
    """
    path = program()
    if path is None:
        raise RuntimeError(MISSING)
    from playwright.sync_api import sync_playwright

    # root has no sandbox; only pages of this machine are opened
    flags = [*_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def fresh(browser: Browser) -> Iterator[BrowserContext]:
    """Give a profile in which nothing is cached, with one window of `SCREEN` pixels."""
    context = browser.new_context(viewport={"width": SCREEN[0], "height": SCREEN[1]})
    context.set_default_timeout(30_000)
    # Chromium keeps 250 resources by itself, of which a pan has more.
    context.add_init_script("performance.setResourceTimingBufferSize(5000)")
    try:
        yield context
    finally:
        context.close()
