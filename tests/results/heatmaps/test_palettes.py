from __future__ import annotations

import numpy as np
import pytest

from wsiweb.results.heatmaps.palettes import PALETTES, painted, palette_table


@pytest.mark.parametrize("name", PALETTES)
def test_named_palettes_have_256_colours_without_jumps(name):
    table = palette_table(name)
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert np.abs(np.diff(table.astype(int), axis=0)).max() <= 4
    assert len(np.unique(table, axis=0)) > 200


def test_viridis_grows_lighter_all_the_way():
    light = palette_table("viridis") @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(light) > -0.5).all()
    assert light[0] < 40
    assert light[-1] > 200


def test_colours_of_ones_own_and_a_whole_table():
    table = palette_table(["white", "#ff0000"])
    assert table[0].tolist() == [255, 255, 255]
    assert table[255].tolist() == [255, 0, 0]
    assert palette_table(table) is table


@pytest.mark.parametrize(
    "palette",
    [
        "plaid",
        ["red"],
        ["red", "nocolour"],
        [],
        ["red"] * 257,
        np.zeros((255, 3), np.uint8),
        np.zeros((256, 3)),
    ],
)
def test_what_is_no_palette_is_refused(palette):
    with pytest.raises(ValueError, match=r"palette|colour"):
        palette_table(palette)


def test_numbers_are_painted_from_the_lowest_to_the_highest():
    table = palette_table("hot")
    picture = painted(np.array([[2.0, np.nan], [6.0, 4.0]], np.float32), table)
    np.testing.assert_array_equal(picture[..., 3], [[255, 0], [255, 255]])
    np.testing.assert_array_equal(picture[0, 0, :3], table[0])
    np.testing.assert_array_equal(picture[1, 0, :3], table[255])
    np.testing.assert_array_equal(picture[1, 1, :3], table[128])
    assert not painted(np.full((2, 3), np.nan), table).any()
