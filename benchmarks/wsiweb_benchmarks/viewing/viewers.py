"""The two viewers: where each shows a slide, and how it is told to show it as it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from wsiweb_benchmarks.link import PAGES

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from wsiweb_benchmarks.model import SlideInfo
    from wsiweb_benchmarks.viewing.serving import App

__all__ = ["Ours", "Peer", "Place", "Viewer"]

Place = tuple[int, int, int, int]
"""Left, top, width and height of a viewer on its page, in CSS pixels."""


class Viewer(Protocol):
    """A page with a viewer in it.

    Attributes
    ----------
    tiles : str
        What the addresses of tiles have in them, and no others.
    """

    tiles: str

    def enter(self, context: BrowserContext) -> None:
        """Let a browser in; not a part of what is measured."""
        ...

    def address(self, slide: SlideInfo) -> str:
        """Return where the whole slide is shown."""
        ...

    def go_close(self, page: Page, slide: SlideInfo) -> None:
        """Show the middle of the slide, a pixel of it for each of the screen."""
        ...

    def place(self, page: Page) -> Place:
        """Return where the viewer is on its page."""
        ...


@dataclass
class Ours:
    """The viewer page of `wsiweb browse`."""

    app: App
    tiles = "/tiles/"
    _archive: str = ""

    def enter(self, context: BrowserContext) -> None:
        """Come with the start token, and learn what the app calls its archive."""
        context.request.get(f"{self.app.url}/?token={self.app.token}")
        self._archive = context.request.get(f"{self.app.url}/api/archives").json()[0]["id"]

    def address(self, slide: SlideInfo) -> str:
        """Return the link to the slide."""
        return f"{self.app.url}/view/{self._archive}/{slide.study_uid}/{slide.series_uid}"

    def go_close(self, page: Page, slide: SlideInfo) -> None:
        """Tell the viewer."""
        x, y = (side // 2 for side in slide.levels[0].size)
        page.evaluate(f"wsiweb.viewer.goto({{x: {x}, y: {y}, downsample: 1}}, true)")

    def place(self, page: Page) -> Place:
        """Ask for the canvas."""
        return _place(page, ".openseadragon-canvas")


@dataclass(frozen=True)
class Peer:
    """dicom-microscopy-viewer on a page of the DICOMweb server itself."""

    server: str
    size: Place
    tiles = "/frames/"

    def enter(self, context: BrowserContext) -> None:
        """Nothing to be done: the server lets all in."""

    def address(self, slide: SlideInfo) -> str:
        """Return the page with the slide."""
        place = ",".join(map(str, self.size))
        slide_of = f"study={slide.study_uid}&series={slide.series_uid}"
        return f"{self.server}{PAGES}/index.html?{slide_of}&colour=stored&place={place}"

    def go_close(self, page: Page, slide: SlideInfo) -> None:
        """Tell the viewer, whose levels count from the coarsest; it begins in the middle."""
        del slide
        page.evaluate("viewer.navigate({level: viewer.numLevels - 1})")

    def place(self, page: Page) -> Place:
        """Ask for the element that it was given."""
        return _place(page, "#slide")


def _place(page: Page, selector: str) -> Place:
    box = page.locator(selector).first.bounding_box()
    if box is None:
        raise RuntimeError(f"There is no {selector} on {page.url}.")
    return round(box["x"]), round(box["y"]), round(box["width"]), round(box["height"])
