"""How smoothly a slide moves under the mouse while tiles arrive.

The mouse draws the slide over glass that was not seen before, at a steady speed: where the mouse is
depends on the clock, so that a slow viewer is drawn as far as a fast one. The page notes the times
of its frames (``requestAnimationFrame``) while the mouse moves.
"""

from __future__ import annotations

import itertools
import time
from statistics import median
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from wsiweb_benchmarks.viewing.viewers import Place

__all__ = ["SPEED", "STROKES", "Smoothness", "pan"]

STROKES = 6
SPEED = 800  # CSS pixels a second: across the screen in a second and a half
_SHARE = 0.75  # of the viewer that a stroke crosses
_HOLD = 0.15  # seconds of rest before the button is let go, which would set it in flight
_SMOOTH = 1000 / 30  # ms

_BEGIN = """() => {
    const noted = [];
    const note = (now) => {
        if (window.noted !== noted) return;
        noted.push(now);
        requestAnimationFrame(note);
    };
    window.noted = noted;
    requestAnimationFrame(note);
}"""
_END = "() => { const noted = window.noted; window.noted = null; return noted; }"
_ARRIVED = """([part, since]) => performance.getEntriesByType("resource")
    .filter((one) => one.name.includes(part) && one.responseEnd >= since)
    .filter((one) => one.responseStatus === 200).length"""


class Smoothness(msgspec.Struct, frozen=True):
    """How a pan went.

    Attributes
    ----------
    fps, overall : float
        Frames a second: by the median time between two, and all of them over all of the time.
    longest : float
        Seconds of the longest time between two.
    slow : float
        Share of the time that was spent in frames of more than 1/30 s.
    tiles : int
        That arrived meanwhile.
    """

    fps: float
    overall: float
    longest: float
    slow: float
    tiles: int


def pan(page: Page, place: Place, tiles: str, strokes: int = STROKES) -> Smoothness:
    """Draw a slide to the upper left, again and again.

    Parameters
    ----------
    page : Page
    place : Place
        Of the viewer on it.
    tiles : str
        What addresses of tiles have in them.
    strokes : int
        How often.

    Raises
    ------
    RuntimeError
        When the page drew no frames.
    """
    since = page.evaluate("() => performance.now()")
    times: list[float] = []
    for _ in range(strokes):
        times += _stroke(page, place)
    if not times:
        raise RuntimeError("The page drew no frames while it was panned.")
    return Smoothness(
        fps=1000 / median(times),
        overall=1000 * len(times) / sum(times),
        longest=max(times) / 1000,
        slow=sum(one for one in times if one > _SMOOTH) / sum(times),
        tiles=page.evaluate(_ARRIVED, [tiles, since]),
    )


def _stroke(page: Page, place: Place) -> list[float]:
    """Draw once; return the milliseconds between the frames."""
    left, top, width, height = place
    far = width * _SHARE, height * _SHARE
    start = left + (width + far[0]) / 2, top + (height + far[1]) / 2
    seconds = max(far) / SPEED
    page.mouse.move(*start)
    page.mouse.down()
    page.evaluate(_BEGIN)
    began = time.monotonic()
    while (share := (time.monotonic() - began) / seconds) < 1:
        page.mouse.move(start[0] - share * far[0], start[1] - share * far[1])
    noted: list[float] = page.evaluate(_END)
    end = start[0] - far[0], start[1] - far[1]
    page.mouse.move(*end)
    page.wait_for_timeout(1000 * _HOLD)
    page.mouse.move(*end)
    page.mouse.up()
    return [later - one for one, later in itertools.pairwise(noted)]
