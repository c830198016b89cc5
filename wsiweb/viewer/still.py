"""A slide as a picture, for where no widget lives: saved notebooks, their exports, printing.

A notebook that is opened without its kernel has no widget any more. So beside each widget stands
a picture of the slide, small enough to be saved. The widget hides it while it lives, by a rule for
its class that goes away with it; that works in whatever order the two appear.
"""

from __future__ import annotations

import asyncio
import base64
from html import escape
from typing import TYPE_CHECKING, Any

from wsiweb import loop
from wsiweb.errors import WsiwebError

if TYPE_CHECKING:
    from wsiweb.viewer.feed import Feed
    from wsiweb.viewer.resource import Resource

__all__ = ["Still", "still_of"]

_EDGE = 512  # pixels of its longest side: some 40 kB
_PATIENCE = 3.0  # seconds; then there is no picture, rather than a cell that hangs
_CAPTION = "A picture of the slide: run the cell again to look around in it."
# JupyterLab says "Error displaying widget" where the widget was, below the picture, and only then
# calls the output itself a widget. The caption says the same in better words.
_STYLE = """
.wsiweb-still { margin: 0; }
.wsiweb-still img { display: block; max-width: 100%; height: auto; }
.wsiweb-still figcaption { font: .8rem system-ui, sans-serif; opacity: .75; padding-top: .3em; }
.jp-OutputArea-child:has(.wsiweb-still)
  + .jp-OutputArea-child:has(> .jp-OutputArea-output.jupyter-widgets) { display: none; }
"""


class Still:
    """A picture of a slide.

    Attributes
    ----------
    media_type : str
        ``"image/jpeg"``, or another that browsers show.
    data : bytes
        The picture.
    """

    def __init__(self, resource: Resource) -> None:
        self.media_type = resource.media_type
        self.data = resource.data

    @property
    def bundle(self) -> dict[str, Any]:
        """The picture as notebooks take it."""
        return {self.media_type: base64.b64encode(self.data).decode()}

    def html(self, words: str, name: str) -> str:
        """Return it as a figure that a widget can hide.

        Parameters
        ----------
        words : str
            What it shows, for those who do not see it.
        name : str
            Of the widget; see the module.
        """
        source = f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"
        return (
            f"<style>{_STYLE}</style>\n"
            f'<figure class="wsiweb-still wsiweb-still-{escape(name)}">'
            f'<img src="{source}" alt="{escape(words)}">'
            f"<figcaption>{_CAPTION}</figcaption></figure>"
        )


def still_of(feed: Feed) -> Still | None:
    """Return a picture of a slide; None when it cannot be had, or not soon enough."""

    async def thumbnail() -> Resource:
        return await asyncio.wait_for(feed.get(f"thumbnail/{_EDGE}"), _PATIENCE)

    try:
        return Still(loop.run(thumbnail()))
    except (WsiwebError, OSError, TimeoutError):
        return None  # without a picture, what else there is to show is still shown
