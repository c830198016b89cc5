"""What is measured by default."""

from __future__ import annotations

import pytest
from wsiweb_benchmarks import plan
from wsiweb_benchmarks.conditions import condition_of, conditions
from wsiweb_benchmarks.model import Row
from wsiweb_benchmarks.operations import operation_of
from wsiweb_benchmarks.slides import slides


@pytest.mark.parametrize("small", [False, True])
def test_every_row_names_what_there_is_and_every_condition_has_rows(small):
    rows = plan.default_rows(small=small)
    assert len(set(rows)) == len(rows)
    for row in rows:
        operation_of(row.operation)
        condition_of(row.condition)
        assert row.slide in slides()
    assert {row.condition for row in rows} == set(conditions())
    assert {row.slide for row in rows} == set(slides())


def test_all_operations_are_measured_at_all_delays():
    rows = set(plan.default_rows())
    names = {row.operation for row in rows} - {"open-sparse"}
    for delay in (0, 20, 50, 100):
        for name in names:
            assert Row(operation=name, condition=f"delay-{delay}", slide="mosaic") in rows


def test_patterns_choose():
    rows = plan.chosen(
        plan.default_rows(), operations=["region-*"], conditions=["delay-?"], slides=["mosaic"]
    )
    assert [row.operation for row in rows] == ["region-1024", "region-4096", "region-again"]
    (row,) = plan.chosen(plan.default_rows(), rows=["open|delay-50|*"])
    assert row == Row(operation="open", condition="delay-50", slide="mosaic")


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ({"operations": ["nothing"]}, "no operation 'nothing', only open, "),
        ({"rows": ["open"]}, "no row 'open'"),
        ({"operations": ["open-sparse"], "slides": ["cmu"]}, "leave no row"),
    ],
)
def test_patterns_that_choose_nothing_are_refused(patterns, message):
    with pytest.raises(LookupError, match=message):
        plan.chosen(plan.default_rows(), **patterns)


def test_peers_are_repeated_less_often():
    assert plan.repeats_of("wsiweb/fast", 5) == plan.repeats_of("reference/fast", 5) == 5
    assert plan.repeats_of("wsidicom/fast", 5) == plan.repeats_of("wsiweb/naive", 5) == plan.FAST
    assert plan.repeats_of("wsidicom/naive", 5) == plan.NAIVE
    assert plan.repeats_of("wsidicom/fast", 1) == 1


def test_names_that_there_are_not_are_told():
    for find in (operation_of, condition_of):
        with pytest.raises(LookupError, match="no such thing"):
            find("no such thing")
