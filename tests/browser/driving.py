"""Debian's Chromium, driven by Playwright; every page is watched for what must not happen."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

FLAGS = [
    "--no-sandbox",  # root has none; only our own pages on this machine are opened
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

HERE = ("127.0.0.1", "localhost")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium with a profile of its own, which goes with it."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        message = "Chromium is not here: tests/set-up-tools installs it"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Watch:
    """What a page did besides showing itself.

    Attributes
    ----------
    requests : list of str
        Addresses asked for, in order.
    errors : list of str
        Of the console, and those that nothing caught.
    """

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", self._asked)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def asked(self, part: str) -> list[str]:
        """Return the requests whose address has a part."""
        return [url for url in self.requests if part in url]

    def strangers(self) -> list[str]:
        """Return the requests that left this machine."""
        addresses = [(url, urlsplit(url)) for url in self.requests]
        return [
            url
            for url, parts in addresses
            if parts.scheme not in ("blob", "data") and parts.hostname not in HERE
        ]


@contextmanager
def watched(browser: Browser, **options: object) -> Iterator[tuple[Page, Watch]]:
    """Open a page of its own; fail in the end for a console error or a request to elsewhere."""
    settings = {"viewport": {"width": 1280, "height": 800}, **options}
    context = browser.new_context(**settings)  # type: ignore[arg-type]
    try:
        page = context.new_page()
        page.set_default_timeout(20_000)
        watch = Watch(page)
        yield page, watch
        assert watch.errors == []
        assert watch.strangers() == []
    finally:
        context.close()
