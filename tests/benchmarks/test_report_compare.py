"""Two runs beside each other."""

# ruff: noqa: RUF001 - multiplication signs are what the report writes

from __future__ import annotations

import msgspec
from made_up_runs import MACHINE, failure, made_run, measurement, plausible_run
from wsiweb_benchmarks import report
from wsiweb_benchmarks.report.compare import changes, comparison
from wsiweb_benchmarks.report.document import Paragraph, Table
from wsiweb_benchmarks.report.results import Results


def run_of(walls, **fields):
    return made_run(
        (
            measurement("open", "delay-0", way, repeat, wall)
            for way, several in walls.items()
            for repeat, wall in enumerate(several)
        ),
        **fields,
    )


def verdicts(older, newer):
    return {one.way: one.verdict for one in changes(Results(older), Results(newer))}


def test_beyond_the_spread_it_is_faster_or_slower_else_noise():
    older = run_of({f"{name}/fast": [1.0, 1.1, 1.2] for name in "abcd"})
    newer = run_of(
        {
            "a/fast": [2.0, 2.1, 2.2],
            "b/fast": [0.5, 0.6, 0.7],
            "c/fast": [1.1, 1.2, 1.3],
            "d/fast": [9.0],
        }
    )
    assert verdicts(older, newer) == {
        "a/fast": "slower",
        "b/fast": "faster",
        "c/fast": "within noise",
        "d/fast": "unclear",
    }


def test_what_came_went_failed_and_works():
    one = [measurement("open", "delay-0", way, 0, 1.0) for way in ("gone/fast", "breaks/fast")]
    two = [measurement("open", "delay-0", way, 0, 1.0) for way in ("new/fast", "mended/fast")]
    older = made_run([*one, failure("open", "delay-0", "mended/fast", "no")])
    newer = made_run([*two, failure("open", "delay-0", "breaks/fast", "no")])
    assert verdicts(older, newer) == {
        "gone/fast": "gone",
        "breaks/fast": "fails now",
        "new/fast": "new",
        "mended/fast": "works now",
    }
    broken = made_run([failure("open", "delay-0", "a/fast", "no")])
    assert verdicts(broken, broken) == {"a/fast": "fails"}


def test_a_run_is_the_same_as_itself():
    run = plausible_run(conditions=("delay-0",))
    found = changes(Results(run), Results(run))
    assert {one.verdict for one in found} == {"within noise", "fails"}


def test_the_ratio_is_newer_over_older():
    (one,) = changes(Results(run_of({"a/fast": [2.0]})), Results(run_of({"a/fast": [1.0]})))
    assert one.ratio == 0.5


def test_other_machines_and_versions_are_said_first():
    older = run_of({"a/fast": [1.0]})
    newer = run_of(
        {"a/fast": [1.0]},
        machine=msgspec.structs.replace(MACHINE, processor="Another"),
        versions={"a": "2.0"},
    )
    first, table, *_ = comparison(older, newer).blocks
    assert isinstance(first, Paragraph)
    assert "Processor, a" in first.text
    assert isinstance(table, Table)
    differing = [row[0].text for row in table.rows if row[3].text]
    assert differing == ["Processor", "a"]
    assert "same machine" in comparison(older, older).blocks[0].text


def test_what_became_slower_comes_first_the_worst_at_its_head():
    older = run_of({"a/fast": [1.0] * 5, "b/fast": [1.0] * 5, "c/fast": [1.0] * 5})
    newer = run_of({"a/fast": [2.0] * 5, "b/fast": [3.0] * 5, "c/fast": [0.5] * 5})
    tables = [one for one in comparison(older, newer).blocks if isinstance(one, Table)]
    assert [one.caption for one in tables[1:3]] == ["Slower.", "Faster."]
    assert [row[1].text for row in tables[1].rows] == ["b/fast", "a/fast"]
    assert [cell.text for cell in tables[1].rows[0][2:6]] == [
        "slower",
        "1.00\xa0±0.00",
        "3.00\xa0±0.00",
        "3.00×",
    ]


def test_both_files_are_written(tmp_path):
    older, newer = run_of({"a/fast": [1.0] * 4}), run_of({"a/fast": [2.0] * 4})
    paths = report.compare(older, newer, tmp_path)
    assert [path.name for path in paths] == ["comparison.md", "comparison.html"]
    assert all("slower" in path.read_text() for path in paths)


def test_one_empty_run_is_said():
    empty, full = made_run([]), run_of({"a/fast": [1.0]})
    texts = [one.text for one in comparison(empty, full).blocks if isinstance(one, Paragraph)]
    assert "The older run holds no measurements." in texts
