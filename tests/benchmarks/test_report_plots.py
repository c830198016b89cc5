"""The plots: nothing is lost, nothing covers anything, and they are drawings of the figures."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_runs import WAYS, WORK, failure, made_run, measurement, plausible_run
from wsiweb_benchmarks.report import plots
from wsiweb_benchmarks.report.palette import VARIABLES, of_library
from wsiweb_benchmarks.report.results import TRANSPORT, Results


@pytest.fixture(scope="module")
def drawn():
    return {one.name: one for one in plots.draw(Results(plausible_run()))}


def texts(figure):
    return re.findall(r"<text[^>]*>([^<]*)</text>", figure.svg)


def test_there_is_one_of_each_operation_and_two_more(drawn):
    assert set(drawn) == {*(f"bars-{name}" for name in WORK), "latency", "memory"}
    assert all(one.title and one.caption and one.alternative for one in drawn.values())


def test_bars_name_every_way_and_every_condition(drawn):
    said = texts(drawn["bars-region-4096"])
    for way in WAYS:
        shown = way.replace("-source-dicom", "")
        assert said.count(shown) == (0 if way == TRANSPORT else 2)  # two panels on two lines
    assert {"delay-0", "delay-20", "delay-50", "delay-100"} <= set(said)
    assert said.count("not run") == 4


def test_a_missing_reference_is_said_in_its_panel():
    run = made_run(
        [
            measurement("open", "delay-0", "reference/fast", 0, 1.0),
            measurement("open", "delay-0", "a/fast", 0, 4.0),
            failure("open", "delay-20", "reference/fast", "no"),
            measurement("open", "delay-20", "a/fast", 0, 2.0),
            measurement("open", "delay-20", "b/fast", 0, 6.0),
        ]
    )
    said = texts(next(iter(plots.draw(Results(run)))))
    assert "delay-20 (no reference: to the fastest)" in said
    assert {"4.00× · 4.00 s", "3.00× · 6.00 s", "2.00 s", "failed"} <= set(said)  # noqa: RUF001


def test_a_sweep_has_a_label_for_each_library_in_each_panel(drawn):
    said = texts(drawn["latency"])
    assert said.count("wsiweb") == said.count("reference") == len(WORK)
    assert said.count("large-image") == len(WORK) - 1  # it cannot open anything


def test_without_several_delays_there_is_no_sweep():
    assert plots.latency(Results(plausible_run(conditions=("delay-20", "service")))) is None


def test_without_memory_there_is_no_plot_of_it():
    assert plots.memory(Results(made_run([measurement("open", "own", "a/fast", 0, 1.0)]))) is None


def test_only_colours_that_a_dark_page_can_exchange(drawn):
    known = {light for light, _ in VARIABLES.values()} | {"#000000"}
    for one in drawn.values():
        assert set(re.findall(r"#[0-9a-f]{6}\b", one.svg)) <= known


def test_colours_are_each_their_own():
    lights = [light for light, _ in VARIABLES.values()]
    assert len(set(lights)) == len(lights)
    assert of_library("wsiweb") == VARIABLES["ours"][0]
    assert len({of_library("unknown", place) for place in range(5)}) == 5


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.floats(-4, 2), min_size=1),
    st.floats(0.01, 0.5),
)
@settings(deadline=None)
def test_labels_keep_their_order_and_do_not_touch(places, need):
    found = plots._apart(places, need)
    assert found.keys() == places.keys()
    order = sorted(places, key=lambda name: places[name])
    for low, high in itertools.pairwise(order):
        assert found[high] - found[low] >= need * 0.999
    if len(places) == 1:
        assert found == pytest.approx(places)
