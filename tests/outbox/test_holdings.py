"""What archives of all kinds list, asked for by a real client over a socket."""

from __future__ import annotations

import gzip
import json
from contextlib import ExitStack

import pytest
from faulty import Fault, Faulty
from outbox.boxes import files, row

import wsiweb
from wsiweb import loop
from wsiweb.outbox.holdings import Holdings
from wsiweb.server import create_app, serve
from wsiweb.server.faults import with_faults

HELD = 60  # objects in the archive: 1.9.1 to 1.9.60
QUICK = wsiweb.Settings(retries=0, patience=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("held")
    files(folder, HELD)
    return folder


@pytest.fixture
def start(folder):
    """Return what starts an archive, and returns what was asked of it and its holdings."""
    with ExitStack() as stack:

        def begin(*faults, spoilt=()):
            app = Faulty(with_faults(create_app(folder), faults), *spoilt)
            server = stack.enter_context(serve(app=app))
            archive = stack.enter_context(wsiweb.connect(server.url, settings=QUICK))
            return app, Holdings(archive._client)

        yield begin


def rows(*numbers, **more):
    return [row(f"1.9.{number}", **more) for number in numbers]


def uids(*numbers):
    return {f"1.9.{number}" for number in numbers}


def among(holdings, items, *, fresh=True):
    return loop.run(holdings.among(items, fresh=fresh))


SOME = (1, 30, HELD, HELD + 1, HELD + 2)

KINDS = [
    (),
    ("no-content",),
    ("page-limit:most=20,default=10",),
    ("page-limit:most=50,default=50",),
    ("unfiltered",),
    ("unfiltered", "page-limit:most=100,default=100"),
    ("picky-search",),
    ("orthanc-1.10",),
    ("google",),
    ("azure",),
    ("dcm4chee",),
    ("dcmjs",),
]


@pytest.mark.filterwarnings("ignore:.*repeats its first")
@pytest.mark.parametrize("faults", KINDS, ids=" ".join)
def test_what_is_held_is_found_and_what_is_not_is_not(start, faults):
    _, holdings = start(*faults)
    assert among(holdings, rows(*range(1, HELD + 1))) == uids(*range(1, HELD + 1))
    assert among(holdings, rows(*SOME)) == uids(1, 30, HELD)
    assert among(holdings, rows(HELD, HELD + 1)) == uids(HELD)
    assert among(holdings, rows(*range(HELD + 1, HELD + 20))) == set()
    assert among(holdings, rows(HELD + 1)) == set()


@pytest.mark.parametrize("faults", KINDS[:5], ids=" ".join)
def test_of_a_study_or_a_series_that_is_new_there_is_nothing(start, faults):
    _, holdings = start(*faults)
    new = range(HELD + 1, HELD + 9)
    assert among(holdings, rows(*new, study_uid="9.9.9")) == set()
    assert among(holdings, rows(*new, series_uid="9.9.9")) == set()
    assert among(holdings, []) == set()


def test_objects_of_several_series_are_asked_for_in_each(start):
    app, holdings = start()
    mixed = [*rows(1, 2), *rows(HELD + 1, HELD + 2, series_uid="9.9.9")]
    assert among(holdings, mixed) == uids(1, 2)
    assert len(app.paths("9.9.9")) == 2


# How often it is asked --------------------------------------------------------------------------


def test_many_objects_are_asked_for_together(start):
    app, holdings = start()
    among(holdings, rows(*range(1, HELD + 1)))
    assert len(app.log) == 1
    long = [row(f"1.9.{10**50 + number}") for number in range(50)]
    among(holdings, long)
    queries = app.paths("00080018")
    assert len(queries) > 2
    assert max(map(len, queries)) < 1500


def test_of_something_new_one_list_is_enough(start):
    app, holdings = start()
    new = rows(*range(HELD + 1, HELD + 40))
    assert among(holdings, new, fresh=False) == set()
    assert len(app.log) == 1


def test_what_a_list_does_not_name_is_believed_where_one_as_long_was_named(start):
    app, holdings = start()
    new = rows(*range(HELD + 1, HELD + 40))
    assert among(holdings, new) == set()
    assert len(app.log) > 1  # the list of the series, too
    among(holdings, rows(*range(1, 11)))
    before = len(app.log)
    assert among(holdings, new[:10]) == set()
    assert len(app.log) == before + 1
    assert among(holdings, new) == set()
    assert len(app.log) > before + 2  # ten UIDs tell nothing of how it takes 39
    among(holdings, rows(*range(1, 41)))
    before = len(app.log)
    assert among(holdings, new) == set()
    assert len(app.log) == before + 1


@pytest.mark.parametrize("faults", KINDS, ids=" ".join)
@pytest.mark.filterwarnings("ignore:.*repeats its first")
def test_what_an_archive_was_seen_to_take_makes_no_difference(start, faults):
    _, holdings = start(*faults)
    for _ in range(3):
        assert among(holdings, rows(*range(1, 11))) == uids(*range(1, 11))
        assert among(holdings, rows(*range(HELD + 1, HELD + 20))) == set()
        assert among(holdings, rows(*range(HELD - 9, HELD + 10))) == uids(
            *range(HELD - 9, HELD + 1)
        )


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 414, 500, 501, 502])
def test_an_archive_that_refuses_lists_of_uids_is_asked_otherwise(start, status):
    app, holdings = start(spoilt=[Fault("/instances", status=status, times=1)])
    assert among(holdings, rows(*range(1, 11))) == uids(*range(1, 11))
    before = len(app.log)
    assert before == 2
    assert among(holdings, rows(*range(1, 11))) == uids(*range(1, 11))
    assert len(app.log) == before + 1


def test_what_a_list_passes_over_is_asked_for_by_its_uid(start):
    """As one that grows while it is paged through may, or one of UIDs that is cut short."""

    def forget(body):
        listed = json.loads(gzip.decompress(body))
        left = [one for one in listed if "1.9.30" not in str(one)]
        return gzip.compress(json.dumps(left).encode())

    app, holdings = start(spoilt=[Fault("/instances", times=1, body=forget)])
    assert among(holdings, rows(*range(11, 61))) == uids(*range(11, 61))
    before = len(app.log)
    assert among(holdings, rows(*range(11, 61))) == uids(*range(11, 61))
    assert len(app.log) == before + 1  # from now on by the list of the series


def test_a_list_is_good_for_a_while_unless_one_has_to_know(start, monkeypatch):
    from wsiweb.outbox import holdings as room

    app, holdings = start()
    among(holdings, rows(*SOME), fresh=False)
    before = len(app.log)
    assert among(holdings, rows(*SOME), fresh=False) == uids(1, 30, HELD)
    assert among(holdings, rows(2), fresh=False) == uids(2)
    assert len(app.log) == before
    assert among(holdings, rows(2), fresh=True) == uids(2)
    assert len(app.log) == before + 1
    monkeypatch.setattr(room, "_YOUNG", 0.0)
    among(holdings, rows(*SOME), fresh=False)
    assert len(app.log) > before + 1


def test_what_was_proven_since_is_in_the_list(start):
    app, holdings = start()
    among(holdings, rows(*SOME), fresh=False)
    holdings.add(rows(HELD + 1))
    assert among(holdings, rows(HELD + 1, HELD + 2), fresh=False) == uids(HELD + 1)
    before = len(app.log)
    holdings.add(rows(HELD + 1, series_uid="9.9.9"))  # of which there is no list
    assert among(holdings, rows(HELD + 2, series_uid="9.9.9"), fresh=False) == set()
    assert len(app.log) == before + 1


# When it does not answer ------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("status", [403, 405, 501])
def test_one_who_may_not_search_knows_nothing(start, status, count):
    _, holdings = start(f"failing:status={status},on=search")
    assert among(holdings, rows(*range(1, count + 1))) is None


@pytest.mark.parametrize("count", [1, 20])
def test_not_found_is_an_answer(start, count):
    """Some say so of a study that they do not have."""
    _, holdings = start("failing:status=404,on=search")
    assert among(holdings, rows(*range(1, count + 1))) == set()


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("busy:retry_after=0,on=search", wsiweb.Busy),
        ("too-many:retry_after=0,on=search", wsiweb.Busy),
        ("failing:status=400,on=search", wsiweb.ArchiveError),
        ("failing:status=401,on=search", wsiweb.Unauthorized),  # a token that expired, perhaps
        ("failing:status=500,on=search", wsiweb.ArchiveError),
        ("failing:status=502,on=search", wsiweb.ArchiveError),
        ("dropped:on=search", wsiweb.Unreachable),
        ("truncated:on=search", wsiweb.ArchiveError),
        ("short-answer:on=search", wsiweb.ProtocolError),
    ],
)
def test_an_archive_that_cannot_say_it_now_is_no_archive_that_never_can(start, fault, error, count):
    _, holdings = start(fault)
    with pytest.raises(error):
        among(holdings, rows(*range(1, count + 1)))


def test_what_was_asked_in_vain_is_not_remembered(start):
    _, holdings = start("failing:status=500,on=search,times=1")
    with pytest.raises(wsiweb.ArchiveError):
        among(holdings, rows(*SOME), fresh=False)
    assert among(holdings, rows(*SOME), fresh=False) == uids(1, 30, HELD)
