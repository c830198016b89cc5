"""How soon the list of studies shows something: its first rows, its first pictures, all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

    from wsiweb_benchmarks.viewing.serving import App

__all__ = ["THUMBNAILS", "Listed", "listed"]

THUMBNAILS = 12

# Looked at before each frame, so a time is that of the frame in which it is seen.
_WATCH = """([thumbnails, studies]) => {
    const seen = { rows: null, thumbnails: null, whole: null };
    window.seen = seen;
    const total = () => {
        const words = document.querySelector(".list-page h1")?.textContent ?? "";
        return Number(words.replace(/\\D/g, ""));
    };
    const look = () => {
        const now = performance.now();
        if (document.querySelector(".study-link")) seen.rows ??= now;
        const pictures = [...document.querySelectorAll("wsi-thumbnail img")];
        const drawn = pictures.filter((one) => one.complete && one.naturalWidth > 0).length;
        if (drawn >= thumbnails) seen.thumbnails ??= now;
        if (total() >= studies) seen.whole ??= now;
        if (Object.values(seen).includes(null)) requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""


class Listed(msgspec.Struct, frozen=True):
    """Seconds from the navigation.

    Attributes
    ----------
    rows, thumbnails, whole : float
        Until the first study is there, the first `THUMBNAILS` pictures, and the number of all
        studies.
    """

    rows: float
    thumbnails: float
    whole: float


def listed(context: BrowserContext, app: App, studies: int, thumbnails: int = THUMBNAILS) -> Listed:
    """Open the list in a browser that was let in.

    Raises
    ------
    playwright.sync_api.TimeoutError
        When not all of it came.
    """
    context.request.get(f"{app.url}/?token={app.token}")
    page = context.new_page()
    page.add_init_script(f"({_WATCH})({[thumbnails, studies]})")
    page.goto(f"{app.url}/", wait_until="commit")
    page.wait_for_function("() => !Object.values(window.seen).includes(null)", polling=100)
    seen = page.evaluate("() => window.seen")
    page.close()
    return Listed(**{name: at / 1000 for name, at in seen.items()})
