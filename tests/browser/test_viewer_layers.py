"""Layers in the viewer: shown, hidden, faded, cut and asked about."""

from __future__ import annotations

import io

import numpy as np
import pytest
from browser.conftest import settle
from PIL import Image

MIDDLE = {"x": 200, "y": 200, "width": 500, "height": 400}
HERE = {"x": 2500, "y": 1800, "downsample": 4}


@pytest.fixture
def view(view):
    """As elsewhere, with layers."""
    return lambda slide="marked", **options: view(slide, **{"overlays": True, **options})


def seen(page) -> np.ndarray:
    picture = Image.open(io.BytesIO(page.screenshot(clip=MIDDLE)))
    return np.asarray(picture.convert("RGB")).astype(int)


def only(page, name: str) -> None:
    """Hide all layers but one; the names are those of the results."""
    page.evaluate(
        """(name) => viewer.layers.all.forEach((layer) =>
            viewer.layers.show(layer, layer.description.title === name))""",
        name,
    )
    settle(page)


def card(page, name: str):
    return page.locator(".wsiweb-layer", has=page.get_by_text(name, exact=True)).first


def change(slider, value: int) -> None:
    """Move a slider as a hand does: with events on the way."""
    slider.evaluate(
        "(it, value) => { it.value = value; it.dispatchEvent(new Event('input')); }",
        str(value),
    )


def quiet(page) -> None:
    """Wait for what follows a change of colours."""
    page.wait_for_timeout(400)
    settle(page)


def test_layers_have_the_names_of_their_results_and_terms(view):
    page = view(view=HERE)
    titles = page.locator(".wsiweb-layer-title").all_inner_texts()
    assert sorted(titles) == ["cells", "cells", "likely", "regions", "warm"]
    parts = page.locator(".wsiweb-part-name").all_inner_texts()
    assert {"Neoplasm", "Inflammation", "Necrosis", "nuclei", "few"} <= set(parts)
    assert page.get_by_text("20,000", exact=True).is_visible()


def test_a_segment_is_hidden_and_shown_by_itself(view, watch):
    page = view(view=HERE)
    only(page, "regions")
    both = seen(page)
    asked = len(watch.asked("/layers/"))
    segment = card(page, "regions").get_by_label("Neoplasm", exact=True)
    segment.uncheck()
    quiet(page)
    one = seen(page)
    assert np.abs(one - both).mean() > 3
    card(page, "regions").get_by_label("Inflammation", exact=True).uncheck()
    quiet(page)
    none = seen(page)
    page.keyboard.press("o")
    quiet(page)
    assert np.abs(seen(page) - none).max() == 0, "nothing was left to hide"
    page.keyboard.press("o")
    segment.check()
    card(page, "regions").get_by_label("Inflammation", exact=True).check()
    quiet(page)
    assert np.abs(seen(page) - both).max() <= 1
    assert len(watch.asked("/layers/")) == asked, "what was downloaded is kept"


def test_a_mask_lies_where_it_was_drawn(view):
    """The ring of one segment around the disk of the other, in their colours."""
    page = view(view=HERE, panel=False)
    only(page, "regions")
    change_all = "() => viewer.layers.all.forEach((layer) => viewer.layers.fade(layer, 1))"
    page.evaluate(change_all)
    quiet(page)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    colours = page.evaluate(
        "() => viewer.layers.parts.map((part) => [part.description.name, part.colour])"
    )
    named = {name: tuple(bytes.fromhex(colour[1:])) for name, colour in colours}
    # A pixel of the mask is a pixel of the screen at this zoom: the middle is 640, 400.
    assert picture.getpixel((640, 400)) == named["Neoplasm"]
    assert picture.getpixel((640 + 195, 400)) == named["Neoplasm"]
    assert picture.getpixel((640 + 205, 400)) == named["Inflammation"]
    assert picture.getpixel((640, 400 - 295)) == named["Inflammation"]
    assert picture.getpixel((640, 400 - 305)) not in named.values()


def test_a_threshold_is_seen_without_a_request(view, watch):
    page = view(view=HERE)
    only(page, "likely")
    shaded = seen(page)
    asked = len(watch.requests)
    slider = card(page, "likely").get_by_label("Threshold of likely")
    change(slider, 50)
    quiet(page)
    half = seen(page)
    change(slider, 90)
    quiet(page)
    little = seen(page)
    assert len(watch.requests) == asked
    assert np.abs(half - shaded).mean() > 1
    # The values fall from 1 in the middle to 0 at 450 pixels of level 2, which is what is seen.
    rows, columns = np.mgrid[: half.shape[0], : half.shape[1]]
    near = np.hypot(columns + MIDDLE["x"] - 492, rows + MIDDLE["y"] - 400)
    for cut, share in ((half, 0.5), (little, 0.9)):
        edge = 450 * (1 - share)
        change(slider, 100)
        quiet(page)
        covered = np.abs(cut - seen(page)).max(axis=-1) > 0
        assert covered[(near < edge - 3) & (near > 3)].mean() > 0.95, "values >= the threshold"
        assert not covered[near > edge + 3].any(), "values below it"
    change(slider, 90)
    assert card(page, "likely").get_by_text("≥ 0.9").is_visible()


def test_opacity_and_colour_are_seen_without_a_request(view, watch):
    page = view(view=HERE)
    only(page, "regions")
    before = seen(page)
    asked = len(watch.requests)
    change(card(page, "regions").get_by_label("Opacity of regions"), 100)
    quiet(page)
    opaque = seen(page)
    assert np.abs(opaque - before).mean() > 5
    swatch = card(page, "regions").get_by_label("Colour of Neoplasm")
    swatch.evaluate("(it) => { it.value = '#00ff00'; it.dispatchEvent(new Event('input')); }")
    quiet(page)
    assert tuple(seen(page)[200, 292]) == (0, 255, 0)
    assert len(watch.requests) == asked


def test_a_heat_map_has_a_legend_and_other_colours(view, watch):
    page = view(view=HERE)
    only(page, "warm")
    viridis = seen(page)
    asked = len(watch.requests)
    legend = card(page, "warm").locator(".wsiweb-legend canvas")
    assert legend.get_attribute("aria-label").startswith("Colours from 0 to 1")
    card(page, "warm").get_by_label("Colours of warm").select_option("magma")
    quiet(page)
    assert np.abs(seen(page) - viridis).mean() > 3
    assert len(watch.requests) == asked


# How many pixels of the canvas of the shapes are drawn on.
DRAWN = """() => {
    const canvas = document.querySelector(".wsiweb-vectors");
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    return data.filter((value, index) => index % 4 === 3 && value > 100).length;
}"""


def test_many_annotations_are_tiles_from_afar_and_shapes_nearby(view, watch):
    page = view(view=HERE)
    only(page, "cells")
    quiet(page)
    assert watch.asked("/coverage/")
    page.evaluate("() => viewer.goto({ x: 1000, y: 1000, downsample: 0.5 }, true)")
    page.wait_for_function(f"() => ({DRAWN})() > 1000")
    asked = len(watch.asked("/coverage/"))
    page.keyboard.press("ArrowRight")
    quiet(page)
    assert page.evaluate(DRAWN) > 1000
    assert len(watch.asked("/coverage/")) == asked, "shapes need no tiles"


def test_shapes_are_not_asked_for_again_while_the_view_stays_near(view, watch):
    page = view(view={"x": 1000, "y": 1000, "downsample": 0.5})
    only(page, "cells")
    quiet(page)
    asked = len(watch.asked("/shapes/"))
    page.keyboard.press("ArrowRight")
    quiet(page)
    assert len(watch.asked("/shapes/")) == asked


def test_a_click_tells_what_is_there(view):
    page = view(view={"x": 1000, "y": 1000, "downsample": 1})
    only(page, "cells")
    quiet(page)
    page.mouse.click(492, 400)
    found = page.locator(".wsiweb-found")
    found.wait_for()
    words = found.inner_text()
    assert "nuclei" in words
    assert "no. 1" in words
    page.keyboard.press("o")
    page.mouse.click(300, 300)
    found.wait_for(state="hidden")


def test_what_is_there_is_closed_with_escape_and_goes_with_its_layer(view):
    page = view(view={"x": 1000, "y": 1000, "downsample": 1})
    only(page, "cells")
    found = page.locator(".wsiweb-found")
    page.keyboard.press("i")
    found.get_by_text("no. 1", exact=True).first.wait_for()
    page.keyboard.press("Escape")
    found.wait_for(state="hidden")
    page.keyboard.press("i")
    found.wait_for()
    page.keyboard.press("o")
    found.wait_for(state="hidden")
    page.keyboard.press("i")
    page.get_by_text("No layer that is shown has anything in the middle").wait_for()


def test_a_double_click_zooms_and_asks_nothing(view, watch):
    page = view(view={"x": 1000, "y": 1000, "downsample": 1})
    only(page, "cells")
    page.mouse.dblclick(492, 400)
    page.wait_for_timeout(600)
    settle(page)
    assert page.evaluate("() => viewer.view.downsample") < 0.9
    assert not watch.asked("/at/")


def test_what_is_there_and_cannot_be_had_is_said(view, watch):
    page = view(view=HERE)
    only(page, "warm")
    gone = {"status": 502, "json": {"error": "The archive is gone."}}
    page.route("**/at/**", lambda route: route.fulfill(**gone))
    page.keyboard.press("i")
    words = "What is here could not be had: The archive is gone."
    page.locator(".wsiweb-found").get_by_text(words).wait_for()
    watch.errors.clear()  # the browser's own, for the answer 502


def test_shapes_are_asked_for_once_while_tiles_arrive(view, watch):
    page = view(view={"x": 1000, "y": 1000, "downsample": 0.5}, overlays=False)
    page.route("**/shapes/**", lambda route: None)
    with page.expect_request("**/shapes/**"):
        page.keyboard.press("o")
    page.wait_for_timeout(500)
    asked = len(watch.asked("/shapes/"))
    for x in (1010, 1020, 1030):
        page.evaluate("(x) => viewer.goto({ x }, true)", x)
        page.wait_for_timeout(250)
    assert len(watch.asked("/shapes/")) == asked


def test_a_resting_pointer_tells_a_value(view):
    page = view(view=HERE)
    only(page, "warm")
    page.mouse.move(400, 300)
    page.mouse.move(402, 300)
    found = page.locator(".wsiweb-found")
    found.wait_for()
    assert "Probability" in found.inner_text()
    page.mouse.move(600, 500)
    found.wait_for(state="hidden")


def test_without_overlays_none_is_fetched_until_they_are_wanted(view, watch):
    page = view(view=HERE, overlays=False)
    page.wait_for_timeout(300)
    fetched = [url for url in watch.asked("/layers/") if not url.endswith("/layers")]
    assert fetched == []
    page.get_by_label("Show layers").check()
    quiet(page)
    assert watch.asked("/layers/")


def test_many_annotations_move_smoothly(view):
    """Fifty frames a second on an idle machine; so many at least on one that others use too."""
    page = view(view={"x": 2500, "y": 1800, "downsample": 0.75})
    only(page, "cells")
    quiet(page)
    frames = page.evaluate(
        """async () => {
            let frames = 0;
            let running = true;
            const count = () => { frames += 1; if (running) requestAnimationFrame(count); };
            requestAnimationFrame(count);
            const start = performance.now();
            for (let step = 0; step < 8; step++) {
                viewer.goto({ x: 2500 + (step % 2) * 400 });
                await new Promise((resolve) => setTimeout(resolve, 200));
            }
            running = false;
            return frames / ((performance.now() - start) / 1000);
        }"""
    )
    assert frames > 10
