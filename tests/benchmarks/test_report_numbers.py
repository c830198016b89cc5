"""Numbers as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsiweb_benchmarks.report import numbers
from wsiweb_benchmarks.statistics import Ratio, Summary, ratio, summarise


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.0260449, "0.0260"),
        (0.99949, "0.999"),
        (0.99951, "1.00"),
        (9.999, "10.0"),
        (99.96, "100"),
        (1234.5, "1,234"),
        (-0.5, "-0.500"),
    ],
)
def test_three_significant_figures(value, text):
    assert numbers.figures(value) == text


@given(st.floats(1e-9, 1e9))
def test_what_is_shown_is_within_half_of_the_third_figure(value):
    shown = numbers.figures(value)
    assert "e" not in shown
    assert float(shown.replace(",", "")) == pytest.approx(value, rel=0.0051)


def test_a_part_has_the_decimals_of_the_whole():
    assert numbers.figures(-0.0000307, 0.0258) == "0.0000"
    assert numbers.figures(0.12345, 1.5) == "0.12"


def test_a_spread_for_want_of_repeats_is_marked():
    assert numbers.spread(summarise([1.0])) == ""
    assert numbers.spread(summarise([1.0, 1.5])) == "±0.25°"
    assert numbers.spread(summarise([1.0, 1.1, 1.2, 1.3])) == "±0.07"


def test_a_ratio_of_medians_is_marked():
    assert numbers.times(None) == numbers.NOTHING
    assert numbers.times(ratio({0: 3.0}, {1: 2.0})) == f"~1.50{numbers.TIMES}"
    assert numbers.times(Ratio(Summary(1.5, 0.1, 5)), spread_too=True).endswith("±0.10")


def test_counts_and_bytes():
    assert numbers.count(1234.0) == "1,234"
    assert numbers.count(2.5) == "2.5"
    assert numbers.count(None) == numbers.megabytes(None) == numbers.NOTHING
    assert numbers.megabytes(19_812_345) == "19.8"
