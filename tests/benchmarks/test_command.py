"""The commands: what they write, and what they say when something is wrong."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from wsiweb_benchmarks.__main__ import main

import wsiweb.cli

REPORT = ("benchmarks.md", "benchmarks.html", "benchmarks.json")


def called(*arguments, command=main):
    return CliRunner().invoke(command, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def run_file(work, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "new" / "run.json"
    done = called(
        *("run", "--scale", "small", "--work", work, "-o", out),
        *("--rows", "region-1024|delay-0|*", "--ways", "reference/fast", "--ways", "wsiweb/*"),
    )
    assert done.exit_code == 0, done.output
    return out


def test_run_writes_json_and_report_makes_pages_of_it(run_file, tmp_path):
    assert len(json.loads(run_file.read_text())["measurements"]) == 3
    done = called("report", run_file, "-o", tmp_path / "report")
    assert done.exit_code == 0, done.output
    assert all((tmp_path / "report" / name).is_file() for name in REPORT)


def test_two_runs_are_compared(run_file, tmp_path):
    done = called("compare", run_file, run_file, "-o", tmp_path / "comparison")
    assert done.exit_code == 0, done.output
    assert list((tmp_path / "comparison").iterdir())


def test_sweep_prints_a_table(work):
    done = called(
        *("sweep", "delay-0", "--scale", "small", "--work", work, "--repeats", "1"),
        *("--operation", "random-tiles", "--frames", "1,16", "--connections", "2"),
    )
    assert done.exit_code == 0, done.output
    table = done.stdout.splitlines()[2:]
    assert [line.split()[:2] for line in table] == [["learnt", "learnt"], ["1", "2"], ["16", "2"]]
    assert sum("<- best" in line for line in table) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("run", "--operations", "nothing"), 2, "There is no operation 'nothing'"),
        (("run", "--ways", "nobody/*"), 2, "There is no way 'nobody/*'"),
        (("run", "--scale", "huge"), 2, "huge"),
        (("run", "--operations", "open", "-o", "/proc/no/run.json"), 1, "/proc/no"),
        (("sweep", "nowhere"), 2, "There is no condition 'nowhere'"),
        (("sweep", "delay-0", "--frames", "many"), 2, "is no list of whole numbers"),
        (("report", __file__), 2, "is no run of this benchmark"),
        (("report", "/no/such/file"), 2, "does not exist"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments, status, message):
    done = called(*arguments)
    assert done.exit_code == status
    assert message in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.timeout(120)
def test_bench_measures_a_server_of_the_users_own(made_server, tmp_path):
    done = called(
        *("bench", made_server.url, "--repeats", "1", "--operations", "open,loop-row"),
        *("-o", tmp_path),
        command=wsiweb.cli.main,
    )
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["open", "wsiweb/fast"] in [line[:2] for line in lines]
    assert ["loop-row", "reference/fast"] in [line[:2] for line in lines]
    run = json.loads((tmp_path / "benchmarks.json").read_text())
    assert {one["error"] for one in run["measurements"]} == {""}
    assert run["conditions"] == {"own": f"The server at {made_server.url}."}


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["."], 2, "is no URL"),
        (["ftp://host"], 1, "ftp"),
        (["http://127.0.0.1:9"], 1, "127.0.0.1"),
        (["http://127.0.0.1:9", "--operations", "nothing"], 2, "no operation 'nothing'"),
        (["http://127.0.0.1:9", "-o", "/proc/no"], 1, "/proc/no"),
        (["http://127.0.0.1:9", "--ca", "system"], 2, "--ca FILE"),
    ],
)
def test_bench_says_what_is_wrong(arguments, status, message, tmp_path):
    if "-o" not in arguments:
        arguments = [*arguments, "-o", tmp_path]
    done = called("bench", *arguments, command=wsiweb.cli.main)
    assert done.exit_code == status, done.output
    assert message in done.stderr
    assert "Traceback" not in done.output


def test_bench_never_writes_credentials_down(made_server, tmp_path, monkeypatch):
    monkeypatch.setenv("WSIWEB_TOKEN", "a-secret-token")
    done = called(
        *("bench", made_server.url, "--repeats", "1", "--operations", "open", "-o", tmp_path),
        command=wsiweb.cli.main,
    )
    assert done.exit_code == 0, done.output
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"a-secret-token" not in written + done.output.encode()


def test_a_whole_run_compares_what_is_learnt_with_settings(work, tmp_path):
    out = tmp_path / "run.json"
    done = called(
        *("run", "--rows", "open|delay-0|mosaic", "--ways", "wsiweb/fast", "--settings"),
        *("--scale", "small", "--work", work, "--out", out),
    )
    assert done.exit_code == 0, done.output
    swept = json.loads(out.read_text())["swept"]
    assert len(swept) == 10  # nine pairs, and what is learnt
    assert all(one["walls"] and not one.get("error") for one in swept)
    done = called("report", out, "-o", tmp_path / "report")
    assert done.exit_code == 0, done.output
    assert "What is learnt" in (tmp_path / "report" / "benchmarks.md").read_text()
