from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from wsiweb import pictures

COLOUR = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)


@pytest.mark.parametrize(
    "array",
    [COLOUR, COLOUR[:, :, :1], COLOUR[:, :, :1].astype(np.uint16) * 1000],
    ids=["colour", "grey", "16 bit"],
)
def test_png_keeps_every_pixel(tmp_path, array):
    pictures.save_picture(array, tmp_path / "a.PNG")
    with Image.open(tmp_path / "a.PNG") as picture:
        np.testing.assert_array_equal(np.asarray(picture).reshape(array.shape), array)


@pytest.mark.parametrize(
    ("array", "name", "words"),
    [
        (COLOUR.astype(float), "a.png", "float64"),
        (COLOUR[:, :, :2], "a.png", "2 samples"),
        (COLOUR[:0], "a.png", "without pixels"),
        (COLOUR, "a.doc", "picture format"),
        (COLOUR, "a", "picture format"),
        (COLOUR[:, :, :1].astype(np.uint16), "a.jpg", "cannot be written"),
    ],
)
def test_what_makes_no_picture_is_told_and_leaves_nothing(tmp_path, array, name, words):
    with pytest.raises(ValueError, match=words):
        pictures.save_picture(array, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_files_are_written_whole_and_readable_by_others(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    pictures.save_bytes(b"new", path)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
