from __future__ import annotations

import pytest

from wsiweb.viewer.asked import Asked, floats, number


def test_a_path_is_taken_apart():
    asked = Asked.of("layers/1.2.3/a%2Fb/shapes/1,2,3,4?most=10")
    assert asked.steps == ("layers", "1.2.3", "a/b", "shapes", "1,2,3,4")
    assert asked.option("most") == "10"
    assert asked.option("least", "none") == "none"
    assert Asked.of("/label/").steps == ("label",)


@pytest.mark.parametrize("path", [None, 7, "x" * 3000])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="short text"):
        Asked.of(path)


def test_an_option_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        Asked.of("tiles?color=srgb&color=source")


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e3", "٣", "9" * 10, " 1", "0x1"])
def test_numbers_are_whole_and_not_huge(text):
    with pytest.raises(ValueError, match="row is a whole number from 0"):
        number(text, "row")


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "1,nan", "inf,1", "a,b", "1;2"])
def test_points_are_two_finite_numbers(text):
    with pytest.raises(ValueError, match="a point is 2 numbers"):
        floats(text, 2, "a point")
