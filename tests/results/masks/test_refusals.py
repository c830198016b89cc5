"""Masks that cannot be meant: told in words, before anything is left on disk."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from results.about import objects_in
from results.masks.drawn import labels, planes
from results.masks.sized import sized

from wsiweb.results.masks.mask import add_mask
from wsiweb.results.masks.segments import Segment

SIZE = (300, 220)
NAMES = ("Neoplasm", "Necrosis", "Inflammation")


@pytest.fixture
def source():
    return sized(SIZE, (1, 2, 4))


@pytest.fixture
def objects(tmp_path, source):
    return objects_in(tmp_path / "objects", source)


@pytest.mark.parametrize(
    ("mask", "more", "error", "words"),
    [
        (labels((220, 300)), {}, ValueError, "220 x 300 pixels.*transposed"),
        (labels((299, 220)), {}, ValueError, "0: 300 x 220, 1: 150 x 110, 2: 75 x 55"),
        (labels(SIZE), {"level": 1}, ValueError, "level 1 has 150 x 110.*give level=0"),
        (labels(SIZE), {"level": 3}, IndexError, "no level 3"),
        (labels(SIZE), {"level": 0, "mpp": 1.0}, ValueError, "not both"),
        (labels(SIZE), {"mpp": 1.0}, ValueError, "At 1.0 um"),
        (labels(SIZE), {"mpp": -1.0, "location": (0, 0)}, ValueError, "positive"),
        (labels((9, 9)), {"location": (0, 0)}, ValueError, "level= or mpp="),
        (labels((9, 9)), {"location": (295, 0), "level": 0}, IndexError, "beyond"),
        (labels((9, 9)), {"location": (-1, 0), "level": 0}, IndexError, "beyond"),
        (iter([(0, 0, labels(SIZE))]), {"location": (0, 0)}, ValueError, "array of a part"),
        (labels(SIZE) * 85, {}, ValueError, "holds 255"),
        ((labels(SIZE, 1) * 255), {"segments": "Neoplasm"}, ValueError, "mask > 0"),
        (labels(SIZE).astype(np.int64) + 1, {}, ValueError, "holds 4 .* 3 segments"),
        (labels(SIZE).astype(np.int64) - 1, {}, ValueError, "holds -1"),
        (np.full(SIZE[::-1], np.nan), {"segments": "Neoplasm"}, ValueError, "holds NaN"),
        (np.full(SIZE[::-1], 1.5), {"segments": "Neoplasm"}, ValueError, "to 1.5"),
        (labels(SIZE) / 3, {}, ValueError, "two axes"),
        (np.zeros(SIZE[::-1], np.uint8), {}, ValueError, "empty"),
        (np.zeros(SIZE[::-1]), {"segments": "Neoplasm"}, ValueError, "empty"),
        (planes(SIZE, 2), {}, ValueError, "2 planes"),
        (planes(SIZE), {"kind": "labelmap", "profile": "standard"}, ValueError, "overlap"),
        (labels(SIZE), {"kind": "labelmap"}, ValueError, "profile"),
        (labels(SIZE), {"kind": "fractional"}, ValueError, "floats"),
        (labels(SIZE), {"segments": ["x"] * 70_000}, ValueError, "70000 were given"),
        (labels(SIZE), {"segments": "Neoplasmus"}, ValueError, "dictionary"),
        (
            labels(SIZE),
            {"segments": [Segment(label="x", type="nil")]},
            ValueError,
            "dictionary",
        ),
        (labels(SIZE), {"tile_size": 0}, ValueError, "tile_size"),
        (labels(SIZE).astype("c8"), {}, ValueError, "complex"),
        ([(9, 0, labels(SIZE))], {"level": 0}, IndexError, "no tile at column 9"),
        ([(0, 0, labels((64, 64)))] * 2, {"tile_size": 64}, ValueError, "written before"),
        (7, {}, ValueError, "A mask is a numpy"),
        ("nowhere.npy", {}, FileNotFoundError, "nowhere"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_leaves_nothing(
    source, objects, mask, more, error, words
):
    with pytest.raises(error, match=words):
        add_mask(source, objects, mask, **{"segments": NAMES, **more})
    assert objects.made == ()
    assert list(objects.folder.rglob("*")) == []


def test_an_error_of_the_function_comes_through(source, objects):
    def function(location, size):
        raise RuntimeError("of the model")

    with pytest.raises(RuntimeError, match="of the model"):
        add_mask(source, objects, function, segments=NAMES)
    assert list(objects.folder.rglob("*")) == []


def test_the_first_error_is_the_one_that_is_told(source, objects):
    mask = labels(SIZE)
    mask[0, 0] = 9
    array = da.from_array(mask, chunks=16)
    with pytest.raises(ValueError, match="holds 9"):
        add_mask(source, objects, array, segments=NAMES, tile_size=16)


@pytest.mark.parametrize(
    "location", [(0.5, 0.5), (0.0, 0), (np.nan, 0), (0, 0, 0), (1,), 5, "ab", (2**50, 0)]
)
def test_a_location_is_two_whole_numbers(source, objects, location):
    with pytest.raises(ValueError, match="location "):
        add_mask(source, objects, labels((9, 9)), segments=NAMES, level=0, location=location)
    assert list(objects.folder.rglob("*")) == []
