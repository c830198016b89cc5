from __future__ import annotations

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.wire.dicomjson import Attributes
from wsiweb.wire.records import Series, SlideRecord, Study

TEXT = st.text("abc XYZ^0", max_size=8).map(str.strip)
UID = st.just("1.2.3")
DATES = st.none() | st.dates(datetime.date(1000, 1, 1))
COUNTS = st.none() | st.integers(0, 10**6)


def _records(kind):
    given_ = {}
    for name, note in kind.__annotations__.items():
        if name.endswith("_uid"):
            given_[name] = UID
        elif "date" in note:
            given_[name] = DATES
        elif "int" in note:
            given_[name] = COUNTS
        elif "tuple" in note:
            given_[name] = st.lists(TEXT.filter(bool)).map(tuple)
        elif note == "str":
            given_[name] = TEXT
    return st.builds(kind, **given_)


@given(st.one_of(_records(Study), _records(Series), _records(SlideRecord)))
def test_records_go_both_ways(record):
    assert type(record).from_json(Attributes.of(record.to_json())) == record
    json.dumps(record.to_dict())


def test_a_bad_value_becomes_an_empty_one():
    study = Study.from_json(
        Attributes.of(
            {
                "0020000D": {"vr": "UI", "Value": ["1.2"]},
                "00080020": {"vr": "DA", "Value": ["20261399"]},
                "00201208": {"vr": "IS", "Value": ["many"]},
                "00100020": {"vr": "LO", "Value": [["odd"]]},
            }
        )
    )
    assert study == Study(study_uid="1.2")


def test_old_date_form():
    old = Attributes.of({"00080020": {"vr": "DA", "Value": ["2026.02.14"]}})
    assert Study.from_json(old).date == datetime.date(2026, 2, 14)


def test_a_record_opens_what_it_is_bound_to():
    record = SlideRecord(study_uid="1", series_uid="2")
    with pytest.raises(ValueError, match="open_slide"):
        record.open()
    assert record.bound(lambda one: ("opened", one)).open() == ("opened", record)
    assert record.bound(print) == record
