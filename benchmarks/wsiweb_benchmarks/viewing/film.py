"""When a view is complete: by what is on the screen, whatever it is drawn with.

The browser sends each picture that it shows, with its time. A view is complete at the first picture
after which none differs from the last one. So a canvas and WebGL are measured alike, nothing is
asked of the viewers, and a tile counts when it is seen, not when it has arrived.
"""

from __future__ import annotations

import base64
import bisect
import contextlib
import io
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from playwright.sync_api import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

__all__ = ["PATIENCE", "Film", "Unsettled", "completed", "quiet"]

QUIET = 1.5  # seconds without a change after which a picture is taken for the last
PATIENCE = 30.0
_TOLERANCE = 4.0  # of 255: JPEG's noise; an absent tile differs by tens
_BLOCK = 8  # pixels: what is compared is the mean of such blocks
_SPOTS = 3.0  # of 255: how much blocks differ where there is something to see
_QUALITY = 80

Box = tuple[int, int, int, int]  # left, top, right, bottom in CSS pixels


class Unsettled(Exception):
    """The picture did not come to rest."""


class Film:
    """The pictures that a page showed.

    Parameters
    ----------
    page : Page
        It is filmed from now on, until it is at `rest`.

    Attributes
    ----------
    pictures : list of (float, bytes)
        Seconds since the epoch, and JPEG.
    """

    def __init__(self, page: Page) -> None:
        self.pictures: list[tuple[float, bytes]] = []
        self._page = page
        self._session = page.context.new_cdp_session(page)
        self._session.on("Page.screencastFrame", self._came)
        self._session.send("Page.startScreencast", {"format": "jpeg", "quality": _QUALITY})

    def _came(self, event: dict[str, Any]) -> None:
        # Only after this are more sent.
        with contextlib.suppress(Error):  # the page may have gone since
            self._session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})
        picture = event["metadata"]["timestamp"], base64.b64decode(event["data"])
        place = bisect.bisect(self.pictures, picture)  # they may come out of turn
        if not place or self.pictures[place - 1][1] != picture[1]:
            self.pictures.insert(place, picture)

    def rest(self, progress: Callable[[], int]) -> None:
        """Wait until nothing has changed for `QUIET` seconds, and stop.

        Parameters
        ----------
        progress : callable
            How much has been loaded. It is not at rest before there is something, nor while that
            grows, nor while nothing is to be seen: an empty page does not change either.

        Raises
        ------
        Unsettled
            When that does not come; when the last picture was not sent, as happens.
        """
        end = time.monotonic() + PATIENCE
        while True:
            quiet(self._page, lambda: (len(self.pictures), progress()), end)
            last = _blocks(self._page.screenshot(type="jpeg", quality=_QUALITY), self._middle)
            if last.std() >= _SPOTS:
                break
        self._session.send("Page.stopScreencast")
        self._session.detach()
        if _differ(_blocks(self.pictures[-1][1], self._middle), last):
            raise Unsettled("The recording of the screen lacks its last picture.")

    @property
    def _middle(self) -> Box:
        size = self._page.viewport_size or {"width": 0, "height": 0}
        left, top = size["width"] // 3, size["height"] // 3
        return left, top, 2 * left, 2 * top


def quiet(page: Page, state: Callable[[], tuple[int, ...]], end: float) -> None:
    """Wait until a state has no zeros, and has not changed for `QUIET` seconds.

    Raises
    ------
    Unsettled
        When that has not come by a time of the monotonic clock.
    """
    last, since = state(), time.monotonic()
    while not all(last) or time.monotonic() - since < QUIET:
        if time.monotonic() > end:
            raise Unsettled(f"The page did not come to rest in {PATIENCE:.0f} s: {last}.")
        page.wait_for_timeout(150)
        now = state()
        if now != last:
            last, since = now, time.monotonic()


def completed(pictures: list[tuple[float, bytes]], box: Box) -> float:
    """Return when the last picture was complete within a box, in seconds since the epoch.

    Raises
    ------
    ValueError
        When there are no pictures.
    """
    if not pictures:
        raise ValueError("There are no pictures, so nothing was shown.")
    last = _blocks(pictures[-1][1], box)
    when = pictures[-1][0]
    for at, data in reversed(pictures[:-1]):
        seen = _blocks(data, box)
        if _differ(seen, last):
            break
        when = at
    return when


def _differ(some: np.ndarray, others: np.ndarray) -> bool:
    return some.shape != others.shape or float(np.abs(some - others).max()) > _TOLERANCE


def _blocks(data: bytes, box: Box) -> np.ndarray:
    """Return the means of the blocks of a box, shape (rows, columns, 3)."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        cut = np.asarray(picture.convert("RGB").crop(box), np.float32)
    rows, columns = cut.shape[0] // _BLOCK, cut.shape[1] // _BLOCK
    cut = cut[: rows * _BLOCK, : columns * _BLOCK]
    return cut.reshape(rows, _BLOCK, columns, _BLOCK, 3).mean(axis=(1, 3))
