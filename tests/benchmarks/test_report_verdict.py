"""The judge is honest: what falls short is said, and said first."""

# ruff: noqa: RUF001 - multiplication signs are what the report writes

from __future__ import annotations

import pytest
from made_up_runs import failure, made_run, measurement, plausible_run
from wsiweb_benchmarks.report.results import Results
from wsiweb_benchmarks.report.verdict import judge, tally


def judged(**walls):
    """Judge one row; keywords are ways with an underscore for the slash, values their seconds."""
    return judge(
        Results(
            made_run(
                measurement("open", "delay-0", way.replace("_", "/"), repeat, wall)
                for way, several in walls.items()
                for repeat, wall in enumerate(several)
            )
        )
    )


def test_a_row_that_holds():
    (one,) = judged(reference_fast=[1, 1], wsiweb_fast=[1.2, 1.25], peer_fast=[1.3, 1.5])
    assert one.faults == ()
    assert one.to_reference.value.median == pytest.approx(1.225)
    assert one.peer == "peer/fast"
    assert tally([one]) == "Of 1 row, 1 hold and 0 fall short."


def test_a_row_far_from_the_reference():
    (one,) = judged(reference_fast=[1, 1], wsiweb_fast=[1.5, 1.5], peer_fast=[2, 2])
    assert one.faults == ("1.50× the reference, more than 1.25×",)
    assert "1 above 1.25× the reference, 0 not below every peer" in tally([one])


def test_a_row_a_hair_beyond_the_limit_shows_the_hair():
    (one,) = judged(reference_fast=[1], wsiweb_fast=[1.2502])
    assert one.faults == ("1.2502× the reference, more than 1.25×",)


def test_a_row_at_the_limit_holds():
    (one,) = judged(reference_fast=[1], wsiweb_fast=[1.25])
    assert one.faults == ()


def test_every_peer_that_is_not_beaten_is_named():
    (one,) = judged(wsiweb_fast=[1, 1], a_fast=[0.5, 0.5], b_naive=[1, 1], c_fast=[2, 2])
    assert one.faults == ("not below a/fast (2.00×)", "not below b/naive (1.00×)")
    assert one.peer == "a/fast"


def test_pairs_are_judged_not_medians():
    # The peer's median is the smaller one, for it ran once more while the machine was idle.
    (one,) = judged(wsiweb_fast=[10, 9, 1], peer_fast=[11, 10, 2, 1, 1])
    assert one.peer_wall.median < one.wall.median
    assert one.faults == ()


def test_a_naive_way_does_not_stand_in_for_the_fast_one():
    (one,) = judged(wsiweb_fast=[1, 1], wsiweb_naive=[0.1, 0.1], peer_fast=[0.5, 0.5])
    assert one.way == "wsiweb/fast"
    assert one.faults == ("not below peer/fast (2.00×)",)
    (alone,) = judged(wsiweb_naive=[1], peer_fast=[2])
    assert alone.faults == ("only wsiweb/naive has a time",)


def test_the_transport_is_no_reference_and_no_peer():
    (one,) = judged(reference_transport=[0.1], wsiweb_fast=[1])
    assert one.to_reference is None
    assert one.peer is None
    assert not one.judged
    assert "nothing to be compared with" in tally([one])


def test_a_failure_is_a_fault_and_comes_first():
    run = made_run(
        [
            measurement("open", "delay-0", "wsiweb/fast", 0, 1.0),
            failure("thumbnail-512", "delay-0", "wsiweb/fast", "DecodeError: no"),
            measurement("region-1024", "delay-0", "wsiweb/fast", 0, 1.0),
            failure("region-1024", "delay-0", "wsiweb/fast", "ended after 90 s"),
        ]
    )
    found = judge(Results(run))
    assert [one.row.operation for one in found] == ["thumbnail-512", "region-1024", "open"]
    assert found[0].faults == ("no time: DecodeError: no",)
    assert found[1].faults == ("failed 1 times: ended after 90 s",)


def test_rows_without_wsiweb_are_not_judged():
    assert judge(Results(made_run([measurement("open", "delay-0", "peer/fast", 0, 1.0)]))) == ()
    assert "took no part" in tally([])


def test_all_that_fall_short_come_before_all_that_hold():
    found = judge(Results(plausible_run(slower={"wsiweb/fast": 1.15})))
    short = [bool(one.faults) for one in found]
    assert True in short
    assert False in short
    assert short == sorted(short, reverse=True)
    assert tally(found).startswith(f"Of {len(found)} rows, {short.count(False)} hold")
