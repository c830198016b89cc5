"""The tables of the report."""

# ruff: noqa: RUF001 - multiplication signs are what the report writes

from __future__ import annotations

import pytest
from made_up_runs import WAYS, failure, made_run, measurement, plausible_run
from wsiweb_benchmarks.model import Check
from wsiweb_benchmarks.report import tables
from wsiweb_benchmarks.report.results import Results
from wsiweb_benchmarks.report.verdict import judge


def rows_of(table):
    return {row[0].text: row[1:] for row in table.rows}


@pytest.fixture(scope="module")
def results():
    return Results(plausible_run())


def test_all_tables_are_rectangles(results):
    found = [
        tables.verdicts(judge(results), results),
        tables.walls(results, "delay-20", "mosaic"),
        tables.transport(results),
        tables.costs(results, "delay-20", "mosaic"),
        tables.failures(results),
        tables.checked(results),
    ]
    for table in found:
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.head)}


def test_seconds_of_every_way_with_spread_and_ratio(results):
    table = tables.walls(results, "delay-0", "mosaic")
    rows = rows_of(table)
    assert list(rows) == list(WAYS)
    assert table.head[1] == "open, s"
    assert "×" not in rows["reference/fast"][0].note
    assert "×" not in rows["reference/transport"][0].note
    assert rows["wsiweb/fast"][0].note.count("×") == 1
    assert rows["wsidicom/fast"][0].note.startswith("±")
    assert rows["large-image-source-dicom/fast"][0].text == "failed"


def test_the_fastest_library_is_marked_once_in_each_column(results):
    table = tables.walls(results, "delay-50", "mosaic")
    for column in range(1, len(table.head)):
        marked = [row[0].text for row in table.rows if row[column].tone == "good"]
        assert len(marked) == 1
        assert not marked[0].startswith("reference/")


def test_time_is_transport_and_rest():
    walls = {"reference/transport": 1.0, "reference/fast": 1.5, "wsiweb/naive": 1.25}
    run = made_run(
        measurement("open", "delay-0", way, repeat, wall + repeat)
        for way, wall in walls.items()
        for repeat in range(3)
    )
    table = tables.transport(Results(run))
    assert table.head == ("row", "transport, s", "+ reference, s", "+ wsiweb, s")
    assert [cell.text for cell in table.rows[0][2:]] == ["0.50", "0.25"]
    assert tables.transport(Results(made_run([]))) is None


def test_costs_are_those_that_were_counted():
    more = {"requests": 3, "connections": 2, "bytes_sent": 1_500_000, "server_cpu": 0.5}
    run = made_run(
        [
            measurement("open", "own", "wsiweb/fast", 0, 2.0, peak_memory=9_000_000, **more),
            measurement("open", "own", "reference/fast", 0, 2.0),
        ]
    )
    rows = rows_of(tables.costs(Results(run), "own", "mosaic"))
    known = [cell.text for cell in rows["wsiweb/fast"]]
    assert known == ["open", "3", "2", "1.50", "1.60", "0.500", "1.00", "9.00"]
    unknown = [cell.text for cell in rows["reference/fast"]]
    assert unknown == ["open", "–", "–", "–", "1.60", "–", "1.00", "–"]


def test_a_message_is_told_once_with_the_rows_it_was_met_in():
    run = made_run(
        failure(operation, "delay-0", "a/fast", "not offered: no regions")
        for operation in ("open", "region-1024", "region-4096", "level-6144", "loop-row")
    )
    (row,) = tables.failures(Results(run)).rows
    assert row[1].text == "not offered: no regions"
    assert row[2].text.startswith("open · delay-0; region-1024 · delay-0;")
    assert row[2].text.endswith("and 2 more")
    assert tables.failures(Results(made_run([]))) is None


def test_what_was_checked():
    right = {
        "open|delay-0|mosaic|a/fast": Check(right=True),
        "open|delay-0|mosaic|b/fast": Check(right=True, largest=1, differing=0.25),
        "open|delay-20|mosaic|b/fast": Check(right=True),
        "open|delay-0|mosaic|c/fast": Check(right=True, largest=30, differing=0.5),
        "open|delay-0|mosaic|d/fast": Check(right=False, message="ValueError: other shape"),
        "open|delay-0|mosaic|e/fast": Check(right=True),
        "open|delay-20|mosaic|e/fast": Check(right=False, message="other colours"),
    }
    run = made_run([measurement("open", "delay-0", "a/fast", 0, 1.0)], checks=right)
    rows = {way: cells[0] for way, cells in rows_of(tables.checked(Results(run))).items()}
    assert (rows["a/fast"].text, rows["a/fast"].note) == ("equal", "")
    assert (rows["b/fast"].text, rows["b/fast"].note) == ("within 1", "25.0 % differ")
    assert rows["c/fast"].text == "up to 30"
    assert (rows["d/fast"].text, rows["d/fast"].tone) == ("failed", "bad")
    assert (rows["e/fast"].note, rows["e/fast"].tone) == ("not right 1 of 2 times", "bad")
    assert tables.checked(Results(made_run([]))) is None
