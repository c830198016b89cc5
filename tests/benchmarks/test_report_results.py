"""A run by row and way."""

from __future__ import annotations

from made_up_runs import failure, made_run, measurement
from wsiweb_benchmarks.model import Row
from wsiweb_benchmarks.report.results import TRANSPORT, Results, library_of, short


def test_rows_come_in_the_order_of_the_operations_and_conditions_as_measured():
    run = made_run(
        [
            measurement("region-1024", "delay-20", "a/fast", 0, 1.0),
            measurement("unheard-of", "delay-0", "a/fast", 0, 1.0),
            measurement("open", "delay-0", "a/fast", 0, 1.0),
        ],
        operations={"never": "", "open": "", "region-1024": ""},
    )
    results = Results(run)
    assert results.operations == ("open", "region-1024", "unheard-of")
    assert [(row.condition, row.operation) for row in results.rows] == [
        ("delay-20", "region-1024"),
        ("delay-0", "open"),
        ("delay-0", "unheard-of"),
    ]


def test_ways_that_only_measurements_know_come_last():
    run = made_run([measurement("open", "delay-0", "a/fast", 0, 1.0)], ways=())
    assert Results(run).ways == ("a/fast",)


def test_what_failed_has_no_time_but_was_tried():
    run = made_run([failure("open", "delay-0", "a/fast", "no")])
    (row,) = Results(run).rows
    outcome = Results(run).outcome(row, "a/fast")
    assert not outcome
    assert outcome.wall is outcome.memory is outcome.cpu is None
    assert outcome.counted("requests") is None
    assert Results(run).tried(row, "a/fast")
    assert not Results(run).tried(row, "b/fast")


def test_what_was_not_counted_is_not_zero():
    one = measurement("open", "delay-0", "a/fast", 0, 1.0)
    outcome = Results(made_run([one])).outcome(one.row, "a/fast")
    assert outcome.counted("requests") is None
    assert outcome.server_cpu is None
    assert outcome.memory is None


def test_memory_is_the_peak_beyond_the_base():
    one = measurement("open", "delay-0", "a/fast", 0, 1.0, peak_memory=150, base_memory=100)
    assert Results(made_run([one])).outcome(one.row, "a/fast").memory.median == 50


def test_the_fastest_way_of_a_library_and_the_peers_in_order():
    walls = {"reference/fast": 1.0, TRANSPORT: 0.1, "wsiweb/fast": 2.0, "a/fast": 5.0}
    walls |= {"a/naive": 3.0, "b/fast": 4.0}
    run = made_run(measurement("open", "delay-0", way, 0, wall) for way, wall in walls.items())
    results = Results(run)
    row = Row(operation="open", condition="delay-0", slide="mosaic")
    assert results.reference(row) == "reference/fast"
    assert results.fastest(row, "a") == "a/naive"
    assert results.fastest(row, "z") is None
    assert results.peers(row) == ("a/naive", "b/fast", "a/fast")
    assert results.beyond(row, "a/naive", TRANSPORT).median == 2.9
    assert results.ratio(row, None, "a/fast") is None


def test_the_slide_is_named_only_where_there_are_several():
    one = measurement("open", "delay-0", "a/fast", 0, 1.0)
    other = measurement("open", "delay-0", "a/fast", 0, 1.0, slide="cmu")
    assert Results(made_run([one])).name(one.row) == "open · delay-0"
    assert Results(made_run([one, other])).name(other.row) == "open · delay-0, cmu"


def test_words():
    assert library_of("a/fast") == "a"
    assert short("not offered: it has patches") == "not offered"
    assert short("ValueError: x") == "failed"
