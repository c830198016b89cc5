"""Slips in what is given with a heat map: told in words, before anything is left on disk."""

from __future__ import annotations

import numpy as np
import pytest
from results.about import objects_in
from results.masks.sized import sized

from wsiweb.results.heatmaps.heatmap import add_heatmap


@pytest.fixture
def source():
    return sized((300, 220), (1, 2, 4))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"value_range": (0,)}, r"value_range is two numbers, .*\(0,\) was given"),
        ({"value_range": "a"}, "value_range is two numbers"),
        ({"value_range": "01"}, "value_range is two numbers"),
        ({"value_range": 5}, "value_range is two numbers"),
        ({"value_range": ("a", "b")}, "value_range is two numbers"),
        ({"value_range": (None, 1)}, "value_range is two numbers"),
        ({"value_range": (np.nan, 1)}, "the lower one first"),
        ({"tile_size": 64.0}, r"tile_size is a whole number, not 64\.0"),
        ({"tile_size": "512"}, "tile_size is a whole number, not '512'"),
        ({"tile_size": True}, "tile_size is a whole number"),
        ({"tile_size": (64, 64)}, "tile_size is a whole number"),
        ({"tile_size": 0}, "multiple of 32"),
        ({"patch": None, "mpp": "a"}, "mpp is a positive number of .*, not 'a'"),
        ({"patch": None, "mpp": True}, "mpp is a positive number of .*, not True"),
        ({"patch": None, "mpp": [1]}, "mpp is a positive number"),
        ({"patch": None, "level": "0"}, "level is a whole number, not '0'"),
        ({"patch": None, "level": 1.0}, r"level is a whole number, not 1\.0"),
        ({"patch": None, "level": True}, "level is a whole number, not True"),
        ({"patch": "x"}, "patch is a positive number of level-0 pixels, not 'x'"),
        ({"patch": True}, "patch is a positive number"),
        ({"patch": -1}, "patch is a positive number"),
        ({"patch": 10**400}, "patch is a positive number"),
        ({"mpp": "a"}, "one of level, mpp and patch.*mpp='a'"),
        ({"label": 5}, "label of a map .*; 5 was given"),
        ({"label": None}, "label of a map .*; None was given"),
        ({"label": "a\\b"}, "label of a map .*backslash"),
        ({"description": 5}, "description of a map .*; 5 was given"),
        ({"encoding": []}, "encoding is one of 16-bit, float32, fractional"),
        ({"palette": 5}, "A palette is a name, some colours"),
        ({"palette": [1, 2]}, "A palette is a name, some colours"),
        ({"palette": [[1], [2, 3]]}, "A palette is a name, some colours"),
        ({"palette": []}, "A palette is a name, some colours"),
        ({"quantity": 5}, "A coded term is .*quantity of a heat map"),
        ({"quantity": None}, "A coded term is .*quantity of a heat map"),
        ({"unit": None}, "A coded term is .*unit of a heat map"),
        ({"values": None}, "A heat map is an array .*, not NoneType"),
        ({"values": 5}, "A heat map is an array .*, not int"),
        ({"values": "map.npy"}, "A heat map is an array .*, not str"),
        ({"values": [[1, 2], [3]]}, "nested list"),
        ({"values": [["a"]]}, "real numbers"),
    ],
)
def test_slips(source, tmp_path, told, words):
    objects = objects_in(tmp_path / "made", source)
    told = {"values": np.ones((5, 6)), "patch": 50, "quantity": "DCM:Probability", **told}
    with pytest.raises(ValueError, match=words):
        add_heatmap(source, objects, told.pop("values"), **told)
    assert objects.made == ()
    assert not [*tmp_path.rglob("*.dcm*")]
