from __future__ import annotations

import numpy as np
import pytest
from viewer.asking import ask, pixels

import wsiweb
from wsiweb import synthetic
from wsiweb.viewer import Feed


def test_a_thumbnail_is_that_of_the_slide(cmu_folder, reached):
    slide = reached(cmu_folder)
    found = ask(Feed(slide), "thumbnail/200")
    seen = pixels(found)
    expected = slide.thumbnail(200)
    assert found.media_type == "image/jpeg"
    assert seen.shape == expected.shape
    assert np.abs(seen.astype(int) - expected).mean() < 4  # JPEG


@pytest.mark.parametrize("name", ["label", "overview"])
def test_label_and_overview_are_shown_rightly(cmu_folder, reached, name):
    slide = reached(cmu_folder)
    seen = pixels(ask(Feed(slide), name))
    np.testing.assert_array_equal(seen, getattr(slide, name))


@pytest.mark.parametrize("name", ["label", "overview"])
def test_those_of_bare_pixels_are_encoded(tmp_path, opened, name):
    synthetic.write_slide(tmp_path, 300, 200, transfer_syntax="1.2.840.10008.1.2.1")
    slide = opened(tmp_path)
    found = ask(Feed(slide), name)
    expected = getattr(slide, name)
    difference = np.abs(pixels(found).astype(int) - expected)
    if name == "label":  # it is to be read
        assert difference.max() == 0
    assert difference.mean() < 4


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("label", wsiweb.NotFound, "no label image"),
        ("overview", wsiweb.NotFound, "no overview image"),
        ("label/1", ValueError, "form label"),
        ("thumbnail", ValueError, "form thumbnail/SIZE"),
        ("thumbnail/0", ValueError, "1 to 4096 pixels"),
        ("thumbnail/5000", ValueError, "1 to 4096 pixels"),
        ("thumbnail/large", ValueError, "whole number"),
    ],
)
def test_what_is_not_there_is_told(tmp_path, opened, path, error, words):
    synthetic.write_slide(tmp_path, 300, 200, label=False, overview=False)
    with pytest.raises(error, match=words):
        ask(Feed(opened(tmp_path)), path)
