"""The pixels on the screen are those of the slide."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import highdicom
import numpy as np
import pytest
from browser.conftest import settle
from PIL import Image
from viewer.profiles import other_profile

if TYPE_CHECKING:
    from collections.abc import Callable

CLIP = {"x": 240, "y": 150, "width": 700, "height": 500}  # clear of all controls
WIDTH, HEIGHT = 1280, 800


def seen(page) -> np.ndarray:
    """Return the pixels of `CLIP`."""
    picture = Image.open(io.BytesIO(page.screenshot(clip=CLIP)))
    return np.asarray(picture.convert("RGB")).astype(int)


def corner(page) -> tuple[int, int]:
    """Return the pixel of level 0 that is first in `CLIP`."""
    at = page.evaluate("() => window.viewer.view")
    return (
        round(at["x"] - WIDTH / 2) + CLIP["x"],
        round(at["y"] - HEIGHT / 2) + CLIP["y"],
    )


@pytest.mark.parametrize("place", [(1110, 1484), (900.5, 1200.25), (1000.3, 1300.7)])
@pytest.mark.parametrize("name", ["cmu", "marked"])
def test_one_to_one_equals_read_region(request, view, name, place):
    """Of a slide whose RGB JPEG browsers show in false colours unless they are told, too."""
    slide = request.getfixturevalue(f"{name}_slide")
    x, y = place
    page = view(name, view={"x": x, "y": y, "downsample": 1}, panel=False)
    shown = seen(page)
    left, top = corner(page)
    size = CLIP["width"], CLIP["height"]
    truth = slide.read_region((left, top), 0, size)[..., :3].astype(int)
    # Both decoders are kin and agree to the bit here; others may round otherwise.
    assert np.abs(shown - truth).max() <= 3
    beside = slide.read_region((left + 1, top), 0, size)[..., :3].astype(int)
    assert np.abs(shown - beside).mean() > 1, "a pixel further it would not be the same"


def test_coarser_levels_lie_where_they_should(view, marked_slide):
    """Each level on the pixels of the screen equals the level itself."""
    page = view(view={"x": 2500, "y": 1800, "downsample": 4}, panel=False)
    shown = seen(page)
    at = page.evaluate("() => window.viewer.view")
    left = round(at["x"] / 4 - WIDTH / 2) + CLIP["x"]
    top = round(at["y"] / 4 - HEIGHT / 2) + CLIP["y"]
    truth = marked_slide.read_region((left * 4, top * 4), 2, (CLIP["width"], CLIP["height"]))
    assert np.abs(shown - truth[..., :3].astype(int)).max() <= 3


def test_a_screen_with_more_pixels_shows_more(browser, viewer_url):
    """With two pixels of the screen for each of CSS, half as far is still one to one."""
    import json
    from urllib.parse import urlencode

    from browser.driving import watched

    with watched(browser, device_scale_factor=2) as (page, watch):
        options = {"view": {"x": 2500, "y": 1800, "downsample": 2}, "overlays": False}
        query = urlencode({"slide": "marked", "options": json.dumps(options)})
        page.goto(f"{viewer_url.rstrip('/')}/?{query}")
        page.wait_for_selector("body[data-ready]")
        settle(page)
        assert watch.asked("/tiles/0/0/0/"), "the finest level is what such a screen can show"


def test_a_very_fine_screen_is_loaded_and_then_asks_no_more(browser, viewer_url):
    """What OpenSeadragon asks for on such a screen is not given up in each frame."""
    import json
    from urllib.parse import urlencode

    from browser.driving import watched

    with watched(browser, device_scale_factor=3) as (page, watch):
        query = urlencode({"slide": "marked", "options": json.dumps({"overlays": False})})
        page.goto(f"{viewer_url.rstrip('/')}/?{query}")
        page.wait_for_selector("body[data-ready]")
        settle(page)
        asked = watch.asked("/tiles/")
        assert len(asked) == len(set(asked))
        page.wait_for_timeout(500)
        assert watch.asked("/tiles/") == asked
        page.keyboard.press("1")
        settle(page)
        at = page.evaluate("() => viewer.view.downsample")
        assert at == pytest.approx(1 / 3), "a pixel of the slide is one of the screen"


def test_a_hasty_hand_at_the_icc_switch_leaves_one_slide_on_the_stage(view):
    page = view(view={"x": 2500, "y": 1800, "downsample": 1})
    stored = seen(page)
    page.evaluate(
        """async () => {
            const turns = ["srgb", "source", "srgb", "source"];
            for (const colour of turns.slice(0, -1)) {
                void viewer.setColour(colour);
                await new Promise((resolve) => setTimeout(resolve, 30));
            }
            await viewer.setColour(turns.at(-1));
        }"""
    )
    settle(page)
    assert page.evaluate("() => viewer.opened.stage.osd.world.getItemCount()") == 1
    assert np.abs(seen(page) - stored).max() == 0


def test_the_icc_switch(view, watch):
    page = view("coloured", view={"x": 1000, "y": 700, "downsample": 1}, panel=True)
    stored = seen(page)
    held = []

    def hold(route) -> None:
        held.append(route)

    finest = re.compile("/tiles/0/0/0/.*color=srgb")
    page.route(finest, hold)
    page.get_by_label("Use the ICC profile").check()
    until(page, lambda: len(held) >= 2)
    assert np.abs(seen(page) - stored).max() == 0, "what is there stays until all of it is there"
    page.unroute(finest)  # lets them go
    judge = highdicom.color.ColorManager(other_profile())
    converted = judge.transform_frame(stored.astype(np.uint8)).astype(int)
    assert np.abs(converted - stored).mean() > 5
    until(page, lambda: np.abs(seen(page) - converted).max() <= 8)
    assert watch.asked("color=srgb")
    assert page.evaluate("() => window.viewer.colour") == "srgb"
    page.get_by_label("Use the ICC profile").uncheck()
    until(page, lambda: np.abs(seen(page) - stored).max() == 0)


def until(page, fulfilled: Callable[[], bool]) -> None:
    """Wait, twenty seconds at most, until something can be seen."""
    for _ in range(100):
        if fulfilled():
            return
        page.wait_for_timeout(200)
    pytest.fail("it did not come to be seen")
