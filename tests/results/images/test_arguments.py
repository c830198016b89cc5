"""Wrong kinds of arguments to images: said in words of ours, before anything is left on disk."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from results.about import objects_in
from results.masks.sized import sized

from wsiweb.results.images.image import add_image

SIZE = (300, 220)
PIXELS = np.zeros((220, 300, 3), np.uint8)
PROFILE = "profile is an ICC profile of RGB, as bytes"


@pytest.fixture
def source():
    return sized(SIZE, (1, 2))


@pytest.fixture
def objects(tmp_path, source):
    return objects_in(tmp_path / "objects", source)


def left(objects):
    return [*objects.made, *objects.folder.rglob("*")]


def unknown():
    array = da.from_array(PIXELS, chunks=100)
    return array[array[:, 0, 0] == 0]


class Odd:
    shape, dtype = 5, "u1"

    def __getitem__(self, key):
        return PIXELS[key]


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        *((value, "is an array .* or a function") for value in (None, 5, "a.png", {1}, iter([]))),
        (dict, "dict is a class"),
        (PIXELS[..., 0], r"has shape \(height, width, 3\)"),
        (PIXELS[None], r"has shape \(height, width, 3\)"),
        (PIXELS[:0], r"has shape \(height, width, 3\)"),
        (PIXELS.transpose(1, 0, 2), "transposed"),
        (PIXELS.astype(float), "pixels of uint8"),
        (PIXELS.astype(object), "pixels of uint8"),
        (PIXELS.astype(str), "pixels of uint8"),
        ([[1], [1, 2]], "rows of different lengths"),
        (unknown(), "compute_chunk_sizes"),
        (Odd(), "says its shape and dtype as these do"),
        (zarr.group(), "is an array .* or a function"),
        (da.from_array(PIXELS).map_blocks(lambda block: block[:9], dtype="u1"), "Mend what makes"),
        (lambda location, size: None, "it returned what is no array of numbers: NoneType"),
        (lambda location, size: [[1], [1, 2]], "rows of different lengths"),
        (lambda location, size: PIXELS[:9], "it returned shape"),
        (lambda location, size: PIXELS.astype(int), "of int64"),
        (lambda: PIXELS, "does not take these"),
    ],
)
def test_what_is_no_image(source, objects, pixels, words):
    with pytest.raises(ValueError, match=words):
        add_image(source, objects, pixels)
    assert left(objects) == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        *(("level", value, "level is a whole number, not") for value in ("0", 0.0, True, None)),
        *(("encoding", value, "encoding is one of lossless, jpeg") for value in (None, [], "png")),
        *(
            ("quality", value, "quality is a whole number, not")
            for value in (90.5, "90", None, True, [])
        ),
        *(("quality", value, "quality is 1 to 100, not") for value in (0, 101, -1)),
        *(("pyramid", value, "pyramid is True or False") for value in ("no", None, 1)),
        *(
            ("tile_size", value, "tile_size is a whole number, not")
            for value in (128.0, "128", (128, 128), True)
        ),
        *(("tile_size", value, "tile_size is 64 to 1024 pixels") for value in (0, 10**30)),
        *(("profile", value, PROFILE) for value in (5, "icc", b"", b"x" * 200, [], True)),
        *(
            ("description", value, "description of an image is a text of up to 1024")
            for value in (None, 5, b"a", ["a"], "x" * 1025, "a\0b", "\ud800")
        ),
    ],
)
def test_wrong_keywords(source, objects, name, value, words):
    for given in (PIXELS, lambda location, size: PIXELS[: size[1], : size[0]]):
        with pytest.raises(ValueError, match=words):
            add_image(source, objects, given, **{name: value})
    assert left(objects) == []


def test_an_error_of_the_function_comes_through(source, objects):
    def function(location, size):
        raise KeyError("of the model")

    with pytest.raises(KeyError, match="of the model"):
        add_image(source, objects, function)
    assert left(objects) == []
