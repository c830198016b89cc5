"""Tiles of segmentations and heat maps, against their own read_region."""

from __future__ import annotations

import numpy as np
import pytest
from results.masks.drawn import labels
from viewer.asking import ask, pixels, told

from wsiweb.errors import NotFound
from wsiweb.results.heatmaps.heatmap import add_heatmap
from wsiweb.results.masks.mask import add_mask

SEGMENTS = ["Neoplasm", "Necrosis", "Inflammation"]


def tiles_of(layer):
    """All tiles that a layer has: level, column, row and the description of the level."""
    for number, level in enumerate(layer["raster"]["levels"]):
        for column in range(-(-level["width"] // level["tileWidth"])):
            for row in range(-(-level["height"] // level["tileHeight"])):
                yield number, column, row, level


def slide_level(slide, level):
    return next(one for one in slide.levels if one.size == (level["width"], level["height"]))


def whole(array, column, row, level):
    """Cut a tile out of a whole level."""
    top, left = row * level["tileHeight"], column * level["tileWidth"]
    return array[top : top + level["tileHeight"], left : left + level["tileWidth"]]


@pytest.mark.parametrize("profile", ["slim", "standard"])
def test_segments_are_those_that_were_written(place, profile):
    size = place.source.pyramid.levels[0].size
    mask = labels(size)
    place.add(add_mask, mask, segments=SEGMENTS, profile=profile)
    feed = place.feed()
    (layer,) = told(feed, "layers")
    assert (layer["kind"], layer["shapes"]) == ("segmentation", False)
    assert [part["name"] for part in layer["parts"]] == SEGMENTS
    assert [part["id"] for part in layer["parts"]] == ["1", "2", "3"]
    assert len({part["color"] for part in layer["parts"]}) == 3
    raster = layer["raster"]
    assert (raster["fractional"], raster["range"], raster["place"]) == (
        False,
        None,
        [0, 0, *size],
    )
    (found,) = place.slide.segmentations()
    for part in layer["parts"]:
        for number, column, row, level in tiles_of(layer):
            tile = ask(feed, f"layers/{layer['id']}/{part['id']}/{number}/{column}/{row}")
            assert tile.media_type == "image/png"
            seen = pixels(tile, None)
            assert seen.shape == (level["tileHeight"], level["tileWidth"])
            index = slide_level(place.slide, level).index
            expected = found.read_region((0, 0), index, (level["width"], level["height"]))
            expected = whole((expected == int(part["id"])) * 255, column, row, level)
            height, width = expected.shape
            np.testing.assert_array_equal(seen[:height, :width], expected)
            assert not seen[height:].any()
            assert not seen[:, width:].any()
            if number == 0:
                np.testing.assert_array_equal(
                    expected, whole((mask == int(part["id"])) * 255, column, row, level)
                )


def test_fractions_are_spread_over_the_grays(place):
    size = place.source.pyramid.levels[1].size
    random = np.random.default_rng(0)
    fractions = random.integers(0, 256, (size[1], size[0], 2)) / 255
    place.add(add_mask, fractions, segments=SEGMENTS[:2], kind="fractional", level=1)
    feed = place.feed()
    (layer,) = told(feed, "layers")
    assert layer["raster"]["fractional"]
    assert layer["raster"]["range"] == [0, 1]
    assert layer["raster"]["levels"][0]["width"] == size[0]  # level 0 would show no more of it
    for number, column, row, level in tiles_of(layer):
        if number == 0:
            tile = ask(feed, f"layers/{layer['id']}/2/0/{column}/{row}")
            expected = whole(np.rint(fractions[:, :, 1] * 255), column, row, level)
            height, width = expected.shape
            np.testing.assert_array_equal(pixels(tile, None)[:height, :width], expected)
    found = told(feed, f"layers/{layer['id']}/2/at/100.5,60.2")
    assert found[0]["index"] == 2
    assert found[0]["measurements"][0]["value"] == pytest.approx(fractions[30, 50, 1], abs=1e-6)


@pytest.mark.parametrize("coarse", [True, False])
def test_maps_are_spread_from_lowest_to_highest_and_clear_where_there_is_nothing(place, coarse):
    edges = (9, 6) if coarse else place.source.pyramid.levels[1].size
    random = np.random.default_rng(0)
    values = (random.random(edges[::-1]) * 40 - 15).astype(np.float32)
    values[: edges[1] // 2, : edges[0] // 3] = np.nan
    where = {"patch": 256} if coarse else {"level": 1}
    quantity = {"quantity": "DCM:Probability", "encoding": "float32"}
    place.add(add_heatmap, values, **where, **quantity)
    feed = place.feed()
    (layer,) = told(feed, "layers")
    assert layer["kind"] == "heatmap"
    low, high = layer["raster"]["range"]
    assert (low, high) == pytest.approx((np.nanmin(values), np.nanmax(values)))
    (found,) = place.slide.heatmaps()
    for number, column, row, level in tiles_of(layer):
        index = slide_level(place.slide, level).index
        expected = found.read_region((0, 0), index, (level["width"], level["height"]))
        expected = whole(expected, column, row, level)
        height, width = expected.shape
        tile = ask(feed, f"layers/{layer['id']}/0/{number}/{column}/{row}")
        seen = pixels(tile, "LA")[:height, :width]
        there = np.isfinite(expected)
        np.testing.assert_array_equal(seen[:, :, 1] > 0, there)
        back = low + seen[:, :, 0] / 255 * (high - low)
        assert np.abs(back - expected)[there].max(initial=0) <= (high - low) / 255 * 0.51
    if coarse:  # no finer level than the coarsest of the slide is needed
        assert len(layer["raster"]["levels"]) == 1


def test_a_map_of_one_value_is_seen(place):
    place.add(add_heatmap, np.full((6, 9), 7.0, np.float32), patch=256, quantity="DCM:Probability",
              encoding="float32")  # fmt: skip
    feed = place.feed()
    (layer,) = told(feed, "layers")
    assert layer["raster"]["range"] == [7, 7]
    assert pixels(ask(feed, f"layers/{layer['id']}/0/0/0/0"), "LA")[0, 0].tolist() == [255, 255]


def test_the_value_at_a_point_is_said(place):
    values = np.arange(54, dtype=np.float32).reshape(6, 9)
    values[0, 0] = np.nan
    unit = ("um", "UCUM", "micrometer")
    quantity = (("T1", "99TEST", "Thickness"), unit)
    place.add(add_heatmap, values, patch=256, quantity=quantity[0], unit=unit, encoding="float32")
    feed = place.feed()
    (layer,) = told(feed, "layers")
    assert layer["raster"]["unit"] == "um"
    at = f"layers/{layer['id']}/0/at"
    assert told(feed, f"{at}/10,10") == []
    assert told(feed, f"{at}/-10,10") == []
    (found,) = told(feed, f"{at}/700.7,300.1")
    assert found["measurements"] == [{"name": "Thickness", "value": 11, "unit": "um"}]
    mask = labels(place.source.pyramid.levels[0].size)
    place.add(add_mask, mask, segments=SEGMENTS)
    feed = place.feed()
    layer = next(one for one in told(feed, "layers") if one["kind"] == "segmentation")
    for x, y in [(0, 0), (17.9, 44.2), (1000.5, 700.5)]:
        names = [told(feed, f"layers/{layer['id']}/{part}/at/{x},{y}") for part in ("1", "2", "3")]
        value = mask[int(y), int(x)]
        expected = [value == number for number in (1, 2, 3)]
        assert [bool(one) for one in names] == expected


def test_wrong_places_are_told(place):
    place.add(add_heatmap, np.ones((6, 9)), patch=256, quantity="DCM:Probability")
    feed = place.feed()
    (layer,) = told(feed, "layers")
    base = f"layers/{layer['id']}"
    for path, error, words in [
        (f"{base}/0/9/0/0", NotFound, "levels 0 to 0"),
        (f"{base}/0/0/99/0", NotFound, "column 99"),
        (f"{base}/7/0/0/0", NotFound, "no part '7'; it has 0"),
        ("layers/1.2.3/0/0/0/0", NotFound, "no layer '1.2.3'"),
        (f"{base}/0/shapes/0,0,1,1", NotFound, "no shapes"),
        (f"{base}/0/coverage/0/0/0", NotFound, "no shapes"),
        (f"{base}/0/at/1", ValueError, "2 numbers"),
        (f"{base}/0/at/1,1?within=-1", ValueError, "distance"),
        (f"{base}/0/0/0", ValueError, "layers/ID/PART/LEVEL/COLUMN/ROW"),
        (f"{base}/0/0/0/x", ValueError, "row is a whole number"),
        (f"{base}/0/0/0/0?color=srgb", ValueError, "takes no options"),
    ]:
        with pytest.raises(error, match=words):
            ask(feed, path)
