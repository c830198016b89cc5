from __future__ import annotations

import numpy as np
import pytest

from wsiweb.results.heatmaps.palettes import palette_table
from wsiweb.results.masks.segments import Segment
from wsiweb.results.shapes.shapes import Shapes


def of_class(color):
    return Shapes.of("point", [[1, 2]], colors={"Tumor": color}).colors["Tumor"]


def of_segment(color):
    return Segment(label="Tumor", color=color)


@pytest.mark.parametrize("ask", [of_class, of_segment])
@pytest.mark.parametrize(
    "color",
    [
        (3.7, 0, 0),
        (True, 0, 0),
        ("1", "2", "3"),
        (1, 2, 256),
        (0, -1, 0),
        (1, 2),
        (1, 2, 3, 4),
        "reddish",
        "",
        5,
        (np.nan, 0, 0),
    ],
)
def test_what_is_no_colour_is_refused_alike_by_all(ask, color):
    with pytest.raises(ValueError, match=r"The colour of .*'Tumor' is \"#ff8000\".* was given"):
        ask(color)


@pytest.mark.parametrize("color", ["#ff8000", (255, 128, 0), np.array([255, 128, 0], np.uint8)])
def test_a_colour_can_be_said_in_several_ways(color):
    assert of_class(color) == (255, 128, 0)
    of_segment(color)


def test_a_palette_says_which_of_its_colours_is_none():
    with pytest.raises(ValueError, match=r"The colour of a palette is .*'reddish' was given"):
        palette_table(["red", "reddish"])
