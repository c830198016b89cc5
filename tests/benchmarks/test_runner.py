"""A run, tiny: every condition, every operation, every library that is installed."""

from __future__ import annotations

import sys
import types
from contextlib import contextmanager

import msgspec
import pytest
from wsiweb_benchmarks import plan, runner
from wsiweb_benchmarks.adapters import MODULES
from wsiweb_benchmarks.conditions import Served, condition_of
from wsiweb_benchmarks.environment import missing, ways
from wsiweb_benchmarks.model import Job, Measurement, Row, Run, Source
from wsiweb_benchmarks.operations import operation_of
from wsiweb_benchmarks.runner import Options, Runner
from wsiweb_benchmarks.slides import made

TINY = {"repeats": 1, "small": True}


@pytest.fixture(scope="module")
def done(work):
    """All that wsiweb and the reference do, where there is no Orthanc to be waited for."""
    rows = [row for row in plan.default_rows(small=True) if "orthanc" not in row.condition]
    return runner.run(rows, lambda key: key.startswith(plan.OURS), Options(work=work, **TINY))


@pytest.mark.timeout(240)
def test_every_row_has_a_time_of_every_way(done):
    for one in done.measurements:
        if one.row.slide != "cmu" or not one.error:
            assert not one.error, f"{one.way}, {one.row}: {one.error}"
            assert one.wall > 0
            assert one.cpu >= 0
            assert 0 < one.first <= one.wall
            assert one.peak_memory >= one.base_memory > 0
            again = one.row.operation == "region-again"
            assert (one.requests >= 1 and one.bytes_sent > 0) or again
    rows = {one.row for one in done.measurements}
    assert {(one.row, one.way) for one in done.measurements} == {
        (row, way.key) for row in rows for way in done.ways
    }


def test_pixels_were_checked(done):
    checks = {key for key, check in done.checks.items() if check.right}
    assert "region-1024|delay-50|mosaic|wsiweb/fast" in checks
    assert "random-tiles|delay-0|mosaic|reference/fast" in checks
    assert not any("transport" in key for key in done.checks)


def test_waiting_takes_the_time_that_it_should(done):
    walls = {
        (one.row.condition, one.way): one.wall
        for one in done.measurements
        if one.row.operation == "region-1024" and one.row.slide == "mosaic"
    }
    for delay in (20, 50, 100):
        for way in done.ways:
            assert walls[f"delay-{delay}", way.key] >= delay / 1000 - 0.002


def test_a_run_is_read_back_as_it_was_written(done):
    assert msgspec.json.decode(msgspec.json.encode(done), type=Run) == done
    assert set(done.versions) == set(MODULES)
    assert done.machine.cores >= 1
    assert done.machine.memory > 2**28


@pytest.mark.timeout(240)
def test_every_peer_that_is_installed_is_right(work):
    rows = plan.chosen(
        plan.default_rows(small=True), rows=["region-1024|delay-0|*", "loop-row|delay-0|*"]
    )
    tried = {way.key for way in ways() if not way.key.startswith(plan.OURS)} - missing()
    done = runner.run(rows, tried.__contains__, Options(work=work, **TINY))
    assert {one.way for one in done.measurements} == tried
    assert [one.error for one in done.measurements if one.error] == []


@pytest.mark.timeout(120)
def test_orthanc_is_measured_or_says_that_it_is_missing(work):
    from wsiweb_benchmarks import orthanc

    rows = plan.chosen(plan.default_rows(small=True), conditions=["orthanc-small"])
    done = runner.run(rows, {"wsiweb/fast"}.__contains__, Options(work=work, **TINY))
    (one,) = done.measurements
    if orthanc.installed():
        assert not one.error
        assert (one.requests, one.connections) == (-1, -1)
    else:
        assert one.error == orthanc.MISSING


# What goes wrong -------------------------------------------------------------------------------


class Nowhere:
    """A condition without a server."""

    name = server = "nowhere"
    about = "Nothing answers."
    delay = 0.0
    time_limit = 60.0
    best = types.MappingProxyType({})

    @contextmanager
    def serve(self, slide, work):
        yield Served(url="http://127.0.0.1:9")


class Missing(Nowhere):
    @contextmanager
    def serve(self, slide, work):
        raise RuntimeError("the server is not installed")
        yield


def ours(key):
    return next(way for way in ways() if way.key == key)


@pytest.mark.parametrize(
    ("condition", "message"), [(Nowhere(), "Unreachable: "), (Missing(), "not installed")]
)
def test_what_fails_is_a_row_with_its_message(work, condition, message):
    running = Runner([ours("wsiweb/fast")], Options(work=work, **TINY), lambda _: None)
    running.measure(condition, "mosaic", ["open", "region-1024"])
    found = running.result().measurements
    assert [one.row.operation for one in found] == ["open", "region-1024"]
    assert all(message in one.error for one in found)


def job(work, **changes):
    slide = made("mosaic", work, small=True)
    told = {
        "row": Row(operation="region-1024", condition="own", slide="mosaic"),
        "way": "reference/fast",
        "source": Source(url="http://127.0.0.1:9", slide=slide),
        "parameters": operation_of("region-1024").draw(slide),
    }
    return Job(**told | changes)


def test_a_job_that_takes_too_long_is_ended(work):
    done = runner.in_process(job(work), 0.01)
    assert done.error == "ended after 0 s"
    assert not runner.in_process(job(work, check=True), 0.01).right


def test_what_was_too_slow_is_not_tried_with_more(work, monkeypatch):
    monkeypatch.setattr(runner, "_SETTLING", 0)
    options = Options(work=work, repeats=1, small=True, time_limit=0.01)
    running = Runner([ours("wsiweb/fast")], options, lambda _: None)
    running.measure(Nowhere(), "mosaic", ["region-1024"])
    running._options = msgspec.structs.replace(options, time_limit=60.0)
    running.measure(Nowhere(), "mosaic", ["random-tiles", "open"])
    said = [one.error for one in running.result().measurements]
    assert said[:2] == ["ended after 0 s", "ended after 0 s"]
    assert "Unreachable" in said[2]


def test_a_job_that_cannot_be_read_is_told(work):
    done = runner.in_process(job(work, way="reference/slow"), 20)
    assert "There is no way 'reference/slow'" in done.error


def test_a_library_that_is_missing_is_a_way_that_says_so(monkeypatch):
    ways.cache_clear()
    monkeypatch.setitem(sys.modules, "wsiweb_benchmarks.adapters.wsidicom_", None)
    try:
        assert missing() == {"wsidicom/fast"}
        assert "cannot be imported" in ours("wsidicom/fast").how
    finally:
        ways.cache_clear()


@pytest.fixture
def expected(work):
    """How long a job is expected to take, and a way to say what others took."""
    running = Runner([], Options(work=work), lambda _: None)

    def told(condition, wall, requests, operation="loop-grid", way="wsidicom/naive"):
        row = Row(operation=operation, condition=condition, slide="mosaic")
        running._measurements.append(
            Measurement(row=row, way=way, repeat=0, wall=wall, requests=requests)
        )

    def foretold(condition, way="wsidicom/naive"):
        row = Row(operation="loop-grid", condition=condition, slide="mosaic")
        return running._expected(condition_of(condition), job(work, row=row, way=way))

    return told, foretold


def test_how_long_it_will_take_is_foretold_from_other_delays(expected):
    told, foretold = expected
    assert foretold("delay-0") == 0
    told("delay-0", 0.5, 256)
    assert foretold("delay-100") == pytest.approx(25.6)
    assert foretold("delay-100", "wsidicom/fast") == 0
    told("delay-20", 6.5, 256)
    assert foretold("delay-100") == pytest.approx(30.5)


def test_how_long_it_will_take_is_foretold_from_other_tiles(expected):
    told, foretold = expected
    told("orthanc-large", 3.0, -1, operation="loop-row")  # 6 tiles; the grid has 36
    assert foretold("orthanc-large") == pytest.approx(18)
    assert foretold("orthanc-large", "wsidicom/fast") == 0


def test_medians_are_told_beside_the_reference():
    row = Row(operation="open", condition="own", slide="s")
    taken = [
        Measurement(row=row, way=way, repeat=0, wall=wall)
        for way, wall in [("reference/fast", 2.0), ("wsiweb/fast", 3.0), ("wsiweb/fast", 9.0)]
    ]
    taken.append(Measurement(row=row, way="wsidicom/fast", repeat=0, error="broken"))
    run = types.SimpleNamespace(measurements=taken)
    lines = {line["way"]: line for line in runner.medians(run)}
    assert lines["wsiweb/fast"]["seconds"] == "6.000"
    assert lines["wsiweb/fast"]["of_reference"] == "3.00 x"
    assert lines["wsidicom/fast"]["message"] == "broken"
