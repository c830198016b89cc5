"""Promises are told from the figures; what cannot be said is not said to be kept."""

from __future__ import annotations

import msgspec
import pytest
from made_up_runs import failure, made_run, measurement, plausible_run
from wsiweb_benchmarks.model import Row, Swept
from wsiweb_benchmarks.report.promises import promises, table
from wsiweb_benchmarks.report.results import Results


def kept(*measurements):
    return {one.what: one.kept for one in promises(Results(made_run(measurements)))}


def one_row(operation, condition, **walls):
    return [
        measurement(operation, condition, way.replace("_", "/").replace("ez", "ez-wsi"), 0, wall)
        for way, wall in walls.items()
    ]


def test_nothing_is_promised_of_other_rows():
    assert promises(Results(made_run([]))) == ()
    assert kept(*one_row("region-1024", "delay-20", wsiweb_fast=1, wsidicom_fast=1)) == {}
    assert kept(*one_row("loop-grid", "delay-50", a_naive=1, b_naive=1)) == {}


@pytest.mark.parametrize(("wall", "expected"), [(0.19, True), (0.21, False)])
def test_random_tiles_beside_wsidicom(wall, expected):
    found = kept(*one_row("random-tiles", "delay-20", wsiweb_fast=wall, wsidicom_fast=1.0))
    assert list(found.values()) == [expected]


def test_a_plain_loop_beside_every_naive_peer():
    row = one_row("loop-grid", "delay-50", wsiweb_naive=1, a_naive=11, b_naive=9, c_fast=1)
    found = kept(*row, failure("loop-grid", "delay-50", "d/naive", "not run: too long"))
    assert [(what.split()[-1], known) for what, known in found.items()] == [
        ("b/naive", False),
        ("d/naive", None),
        ("a/naive", True),
    ]


def test_sparse_frames_beside_the_best_way_of_wsidicom():
    row = one_row("open-sparse", "delay-0", wsiweb_fast=1, wsidicom_fast=16, wsidicom_naive=14)
    ((what, known),) = kept(*row).items()
    assert what.endswith("wsidicom/naive")
    assert known is False


@pytest.mark.parametrize(("trips", "expected"), [(1, True), (3.2, True), (4, False)])
def test_round_trips_are_told_from_delays(trips, expected):
    found = kept(
        *(
            measurement("open", f"delay-{delay}", "wsiweb/fast", 0, 0.01 + trips * delay / 1000)
            for delay in (0, 20, 100)
        )
    )
    assert list(found.values()) == [expected]


@pytest.mark.parametrize(("spare", "expected"), [(60, True), (70, False)])
def test_memory_beyond_the_pixels(spare, expected):
    peak = round(24576 * 24576 * 3 + spare * 1e6)
    one = measurement("level-6144", "delay-0", "wsiweb/fast", 0, 1.0, peak_memory=peak)
    assert list(kept(one).values()) == [expected]


def test_the_table_says_it_in_words():
    found = promises(Results(plausible_run()))
    shown = table(found)
    assert {row[1].text for row in shown.rows} <= {"kept", "broken", "cannot be said"}
    assert len(shown.rows) == len(found) > 5


def swept(condition, *walls):
    """Seconds of what was learnt, and of fixed settings, each alone."""
    row = Row(operation="random-tiles-later", condition=condition, slide="mosaic")
    return tuple(
        Swept(row=row, way="wsiweb/fast", frames_per_request=at, connections=at, walls=(wall,))
        for at, wall in enumerate(walls)
    )


@pytest.mark.parametrize(("learnt", "expected"), [(1.19, True), (1.21, False)])
def test_what_is_learnt_beside_the_best_fixed_settings(learnt, expected):
    run = made_run([], swept=(*swept("delay-0", learnt, 3.0, 1.0, 2.0), *swept("bandwidth", 1.0)))
    ((what, known),) = {one.what: one.kept for one in promises(Results(run))}.items()
    assert "delay-0" in what  # of the other nothing was fixed
    assert known is expected


def test_what_could_not_be_learnt_is_a_broken_promise():
    learnt, *fixed = swept("delay-0", 1.0, 1.0)
    failed = msgspec.structs.replace(learnt, walls=(), error="ended after 20 s")
    (one,) = promises(Results(made_run([], swept=(failed, *fixed))))
    assert (one.kept, one.found) == (False, "ended after 20 s")


@pytest.mark.parametrize(("theirs", "expected"), [(1.01, True), (0.99, False)])
def test_the_embedded_server_beside_orthanc(theirs, expected):
    found = kept(
        *(
            measurement("random-tiles", condition, way, 0, wall, slide="mosaic-small")
            for way in ("reference/transport", "dicomweb-client/naive", "wsidicom/fast")
            for condition, wall in (("delay-0", 0.1), ("orthanc-small", theirs))
        ),
        measurement("random-tiles", "orthanc-small", "reference/transport", 0, 9, slide="mosaic"),
    )
    assert list(found.values()) == [expected, expected]
