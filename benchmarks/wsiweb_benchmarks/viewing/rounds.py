"""What is measured, in turns: ours, ours from farther away, the peer; and again.

Each round begins with fresh processes and a fresh profile: nothing is held by the app, nothing
cached by the browser. The order is turned from round to round.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from wsiweb_benchmarks import link, slides
from wsiweb_benchmarks.link import Terms
from wsiweb_benchmarks.viewing import chromium, film, listing, panning, serving, studies
from wsiweb_benchmarks.viewing.viewers import Ours, Peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from wsiweb_benchmarks.model import SlideInfo
    from wsiweb_benchmarks.viewing.listing import Listed
    from wsiweb_benchmarks.viewing.panning import Smoothness
    from wsiweb_benchmarks.viewing.viewers import Place, Viewer

__all__ = ["FAR", "NEAR", "PEER", "Measured", "Plan", "measure"]

NEAR = "wsiweb"
FAR = "wsiweb, far"
PEER = "peer"

_ATTEMPTS = 3

_TILES = """(part) => {
    const tiles = performance.getEntriesByType("resource").filter((one) => one.name.includes(part));
    const ends = tiles.map((one) => one.responseEnd);
    return { count: tiles.length, last: Math.max(0, ...ends), origin: performance.timeOrigin };
}"""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be measured.

    Attributes
    ----------
    work : Path
        Where slides and servers' indexes are kept.
    slide : str
        Its name, of `wsiweb_benchmarks.slides`.
    small : bool
        A tiny slide of the same kind.
    studies : int
        In the list; 0 to leave the list out.
    delay : float
        Seconds.
    rounds : int
    strokes : int
        Of each pan.
    peer : Path or None
        The pages of the peer; None without it.
    """

    work: Path
    slide: str = "mosaic"
    small: bool = False
    studies: int = 1000
    delay: float = 0.02
    rounds: int = 5
    strokes: int = panning.STROKES
    peer: Path | None = None


class Viewed(msgspec.Struct, frozen=True):
    """A slide, looked at.

    Attributes
    ----------
    first, again : float
        Seconds from the navigation to the complete picture of the whole slide: of a fresh app and
        browser, and when the same browser comes a second time.
    arrived : float
        Seconds to the last tile of the first view.
    tiles : int
        Of the first view.
    pan : Smoothness
    """

    first: float
    again: float
    arrived: float
    tiles: int
    pan: Smoothness


class Measured(msgspec.Struct, kw_only=True):
    """What came of it: by who it was, one of each round; None for what failed.

    Attributes
    ----------
    slide : SlideInfo
    browser : str
        Its version.
    viewed : dict
        `Viewed` of `NEAR`, `FAR` and `PEER`.
    listed : dict
        `Listed` of `NEAR` and `FAR`; a first time, and by `"... again"` a second one.
    errors : list of str
        What failed, in words.
    """

    slide: SlideInfo
    browser: str = ""
    viewed: dict[str, list[Viewed | None]] = {}
    listed: dict[str, list[Listed | None]] = {}
    errors: list[str] = []


class _Found(NamedTuple):
    """What later measurements are told: where the viewer was, of which the peer gets the first."""

    places: list[Place]
    errors: list[str]


def measure(plan: Plan, say: Callable[[str], object]) -> Measured:
    """Measure all.

    Parameters
    ----------
    plan : Plan
    say : callable
        Told what is done.

    Raises
    ------
    RuntimeError
        When the browser is missing, or a server does not start.
    """
    slide = slides.made(plan.slide, plan.work, small=plan.small)
    found = Measured(slide=slide)
    with chromium.chromium() as browser:
        found.browser = browser.version
        with _served(plan, slide.folder, plan.slide) as server:
            scene = _Found([], found.errors)
            for number in range(plan.rounds):
                for who in _order(plan, number):
                    say(f"round {number + 1}: the slide, {who}")
                    viewed = _viewed(plan, browser, server, slide, who, scene)
                    found.viewed.setdefault(who, []).append(viewed)
        if plan.studies:
            _list(plan, browser, found, say)
    return found


@contextlib.contextmanager
def _served(plan: Plan, folder: str | Path, name: str) -> Iterator[str]:
    from pathlib import Path

    size = "-small" if plan.small else ""
    index = plan.work / "indexes" / f"viewing-{name}{size}.sqlite"
    with link.served(Path(folder), index, Terms(delay=plan.delay), plan.peer) as url:
        yield url


def _order(plan: Plan, number: int) -> list[str]:
    """Ours comes first in the first round: the peer is given the same size."""
    who = [NEAR, FAR] if plan.peer is None else [NEAR, PEER, FAR]
    return who if number % 2 == 0 else who[::-1]


def _terms(plan: Plan, who: str) -> Terms:
    return Terms(delay=plan.delay if who.startswith(FAR) else 0.0)


def _viewed(
    plan: Plan, browser: Browser, server: str, slide: SlideInfo, who: str, found: _Found
) -> Viewed | None:
    """Look at the slide; again from the beginning where the browser did not show all it drew."""
    from playwright.sync_api import Error

    words = ""
    for _ in range(_ATTEMPTS):
        try:
            return _looked_at(plan, browser, server, slide, who, found.places)
        except (Error, film.Unsettled, RuntimeError) as error:
            words = str(error).splitlines()[0]
    found.errors.append(f"{who}: {words}")
    return None


def _looked_at(
    plan: Plan, browser: Browser, server: str, slide: SlideInfo, who: str, places: list[Place]
) -> Viewed:
    with contextlib.ExitStack() as stack:
        viewer: Viewer
        if who == PEER:
            if not places:
                raise RuntimeError("It takes the size of ours, which was never shown.")
            viewer = Peer(server, places[0])
        else:
            viewer = Ours(stack.enter_context(serving.browsing(server, _terms(plan, who))))
        context = stack.enter_context(chromium.fresh(browser))
        viewer.enter(context)
        page = context.new_page()
        first, arrived, tiles = _show(page, viewer, slide)
        places.append(viewer.place(page))
        page.close()
        page = context.new_page()
        again, _, _ = _show(page, viewer, slide)
        viewer.go_close(page, slide)
        end = time.monotonic() + film.PATIENCE
        film.quiet(page, lambda: (_tiles(page, viewer)["count"],), end)
        smooth = panning.pan(page, viewer.place(page), viewer.tiles, plan.strokes)
    return Viewed(first, again, arrived, tiles, smooth)


def _show(page: Page, viewer: Viewer, slide: SlideInfo) -> tuple[float, float, int]:
    """Show the whole slide; return seconds to its picture and its last tile, and their number."""
    reel = film.Film(page)
    page.goto(viewer.address(slide), wait_until="commit")
    reel.rest(lambda: _tiles(page, viewer)["count"])
    tiles = _tiles(page, viewer)
    complete = film.completed(reel.pictures, _middle(viewer.place(page)))
    return complete - tiles["origin"] / 1000, tiles["last"] / 1000, int(tiles["count"])


def _tiles(page: Page, viewer: Viewer) -> dict[str, Any]:
    return page.evaluate(_TILES, viewer.tiles)


def _middle(place: Place) -> film.Box:
    """Return the middle of a viewer, where it has no controls; all tiles reach into it."""
    left, top, width, height = place
    return (
        left + width // 4,
        top + height // 10,
        left + width * 3 // 4,
        top + height * 9 // 10,
    )


def _list(plan: Plan, browser: Browser, found: Measured, say: Callable[[str], object]) -> None:
    from playwright.sync_api import Error

    folder = studies.made_studies(plan.work, plan.studies)
    thumbnails = min(listing.THUMBNAILS, plan.studies * studies.SLIDES)
    with _served(plan, folder, f"studies-{plan.studies}") as server:
        for number in range(plan.rounds):
            for who in [NEAR, FAR] if number % 2 == 0 else [FAR, NEAR]:
                say(f"round {number + 1}: the list, {who}")
                with serving.browsing(server, _terms(plan, who)) as app:
                    for name in (who, f"{who} again"):
                        seen: Listed | None = None
                        try:
                            with chromium.fresh(browser) as context:
                                seen = listing.listed(context, app, plan.studies, thumbnails)
                        except Error as error:
                            found.errors.append(f"{name}: {str(error).splitlines()[0]}")
                        found.listed.setdefault(name, []).append(seen)
