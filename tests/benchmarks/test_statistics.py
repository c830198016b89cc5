"""Medians, spreads, and ratios pair by pair."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from wsiweb_benchmarks import statistics
from wsiweb_benchmarks.statistics import differences, ratio, summarise

seconds = st.floats(1e-4, 1e3)
by_repeat = st.dictionaries(st.integers(0, 9), seconds, max_size=8)
somewhat = pytest.approx


def test_examples_in_docstrings_run():
    assert doctest.testmod(statistics).failed == 0


def test_there_is_no_summary_of_nothing():
    assert summarise([]) is None
    assert ratio({}, {0: 1.0}) is None
    assert ratio({0: 1.0}, {}) is None
    assert differences({0: 1.0}, {1: 1.0}) is None


def test_one_value_has_no_spread():
    assert summarise([2.5]) == statistics.Summary(2.5, 0.0, 1)
    assert not summarise([2.5]).by_range


@given(st.lists(seconds, min_size=1, max_size=20))
def test_numpy_agrees(values):
    found = summarise(values)
    low, middle, high = np.percentile(values, [25, 50, 75])
    assert found.median == somewhat(middle)
    assert found.count == len(values)
    assert found.by_range == (1 < len(values) < 4)
    expected = (high - low) / 2 if len(values) >= 4 else (max(values) - min(values)) / 2
    assert found.spread == somewhat(expected, abs=1e-12)


@given(st.lists(seconds, min_size=1, max_size=20), st.randoms(), st.floats(0.01, 100))
def test_order_does_not_matter_and_units_do_not_either(values, random, factor):
    mixed = list(values)
    random.shuffle(mixed)
    assert summarise(mixed) == summarise(values)
    scaled = summarise([value * factor for value in values])
    assert scaled.median == somewhat(summarise(values).median * factor)
    assert scaled.spread == somewhat(summarise(values).spread * factor, abs=1e-9)


@given(st.lists(seconds, min_size=5, max_size=20))
def test_one_straggler_moves_a_median_no_further_than_to_its_neighbour(values):
    spoilt = summarise([*sorted(values)[:-1], 1e6])
    assert spoilt.median == somewhat(summarise(values).median)


@given(by_repeat)
def test_a_way_is_as_fast_as_itself(values):
    assume(values)
    found = ratio(values, values)
    assert found.paired
    assert (found.value.median, found.value.spread) == (1.0, 0.0)
    assert differences(values, values).median == 0.0


@given(by_repeat, by_repeat, st.lists(st.floats(0.1, 10), min_size=10, max_size=10))
def test_what_slows_a_whole_repeat_drops_out(values, others, slowness):
    assume(values.keys() & others.keys())
    slowed = [{at: one * slowness[at] for at, one in way.items()} for way in (values, others)]
    assert ratio(*slowed).value.median == somewhat(ratio(values, others).value.median)


@given(by_repeat, by_repeat)
def test_repeats_that_one_of_them_lacks_are_left_out(values, others):
    shared = values.keys() & others.keys()
    assume(shared)
    found = ratio(values, others)
    assert found.paired
    assert found.value.count == len(shared)
    assert found == ratio({at: values[at] for at in shared}, {at: others[at] for at in shared})


@given(st.dictionaries(st.integers(0, 4), seconds, min_size=1), seconds)
def test_without_a_repeat_in_common_medians_are_compared_and_it_is_said(values, other):
    found = ratio(values, {9: other})
    assert not found.paired
    assert found.value.median == somewhat(np.median(list(values.values())) / other)


def test_nothing_is_divided_by_zero():
    assert ratio({0: 1.0}, {0: 0.0}) is None
    assert ratio({0: 1.0, 1: 1.0}, {0: 0.0, 1: 0.5}).value.median == 2.0
