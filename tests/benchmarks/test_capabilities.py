"""capabilities.md says what the probes find, and the probes can tell a lie from the truth."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from wsiweb_benchmarks.capabilities.__main__ import main
from wsiweb_benchmarks.capabilities.storing import Told, verdict

ROOT = Path(__file__).parents[2]
GIVEN = frozenset("abc")
NONE = frozenset()


@pytest.mark.parametrize(
    ("told", "held", "said"),
    [
        (Told(GIVEN, NONE), "abc", "stored"),
        (Told(NONE, NONE), "abc", "stored, no word of each object"),
        (Told(NONE, NONE), "ab", "**1 of 3 lost, said to be stored**"),
        (Told(GIVEN, NONE), "", "**3 of 3 lost, said to be stored**"),
        (Told(frozenset("ab"), frozenset("c")), "ab", "2 of 3 stored, told which"),
        (Told(NONE, frozenset("c")), "ab", "2 of 3 stored, told of those that failed"),
        (Told(NONE, frozenset("c")), "abc", "false alarm: 1 of 3 said to have failed are stored"),
        (Told(frozenset("ab"), frozenset("c"), "E"), "ab", "2 of 3 stored, told which"),
        (Told(frozenset("ab"), frozenset("c"), "E"), "a", "**1 of 3 lost, said to be stored**"),
        (Told(NONE, NONE, "E"), "abc", "false alarm: E, all stored"),
        (Told(NONE, NONE, "E"), "ab", "E, 2 of 3 stored, not said which"),
        (Told(NONE, NONE, "E"), "", "E, none stored"),
    ],
)
def test_a_verdict_compares_what_was_said_with_what_is_there(told, held, said):
    assert verdict(told, GIVEN, frozenset(held)) == said


def test_the_document_is_true():
    done = CliRunner().invoke(main, ["--check", str(ROOT / "capabilities.md")])
    assert done.exit_code == 0, done.output


def test_a_line_that_is_not_true_is_shown(tmp_path):
    path = tmp_path / "capabilities.md"
    path.write_text((ROOT / "capabilities.md").read_text().replace("lost, said", "kept, said"))
    done = CliRunner().invoke(main, ["--check", str(path), "--only", "without a word"])
    assert done.exit_code == 1
    assert "does not say what was found" in done.output
    assert "12 of 12 lost" in done.output


@pytest.mark.parametrize(
    "wrong",
    [["--only", "no such thing"], ["--out", "x.md", "--only", "XML"], ["--check", "none.md"]],
)
def test_a_wrong_call_is_told(wrong):
    done = CliRunner().invoke(main, wrong)
    assert done.exit_code == 2
    assert "Error: " in done.output
