from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from wsiweb.results.identity import Algorithm, Identity, random_uid, uid_for
from wsiweb.wire.uris import is_uid

NOON = datetime.datetime(2026, 3, 4, 12, 0, 5, 6000)  # noqa: DTZ001 - users leave the zone out


def identity(**changes):
    values = {
        "series_uid": "1.2",
        "instance_uid": "1.2.3",
        "series_number": 7,
        "instance_number": 1,
        "name": "tumour",
        "created": NOON,
        "series_created": NOON,
    }
    return Identity(**(values | changes))


@given(st.lists(st.text(), min_size=1, max_size=3))
def test_uids_follow_from_texts_and_have_one_length(parts):
    uid = uid_for(*parts)
    assert is_uid(uid)
    assert len(uid) == len(random_uid()) == 44
    assert uid == uid_for(*parts)
    assert uid != uid_for(*parts, "")


def test_random_uids_differ():
    assert len({random_uid() for _ in range(1000)}) == 1000


def test_dates_are_those_of_the_session_and_not_of_the_clock():
    dataset = Dataset()
    identity(series_created=NOON - datetime.timedelta(days=1)).sign(dataset)
    assert (dataset.ContentDate, dataset.ContentTime) == ("20260304", "120005.006000")
    assert (dataset.SeriesDate, dataset.SeriesTime) == ("20260303", "120005.006000")
    assert dataset.InstanceCreationDate == "20260304"
    assert "TimezoneOffsetFromUTC" not in dataset


def test_a_time_zone_is_written_where_there_is_one():
    zone = datetime.timezone(datetime.timedelta(hours=-3, minutes=-30))
    dataset = Dataset()
    identity(created=NOON.replace(tzinfo=zone), series_created=NOON).sign(dataset)
    assert dataset.TimezoneOffsetFromUTC == "-0330"


def test_the_software_is_the_algorithm_where_there_is_one():
    assert identity().software()[0] == "wsiweb"
    assert identity(algorithm=Algorithm(name="net", version="2")).software() == ("net", "2")


def test_an_algorithm_says_what_it_is():
    told = Algorithm(name="net", version="2", source="lab", parameters={"t": 0.5}).sequence()
    assert (told.name, told.version, told.source) == ("net", "2", "lab")
    assert told.parameters == {"t": "0.5"}
    assert told.family.meaning == "Artificial Intelligence"


@pytest.mark.parametrize(("name", "version"), [("", "1"), ("a" * 65, "1"), ("a", "")])
def test_an_algorithm_without_a_name_or_a_version_is_refused(name, version):
    with pytest.raises(ValueError, match="of an algorithm has 1 to 64 characters"):
        Algorithm(name=name, version=version)
