from __future__ import annotations

import datetime
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.wire.dicomjson import Attributes, tag_of
from wsiweb.wire.records import _ATTRIBUTES, Series, SlideRecord, Study

TEXT = st.text("abc XYZ^0", max_size=8).map(str.strip)
UID = st.just("1.2.3")
DATES = st.none() | st.dates()
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


def test_a_record_travels_to_another_process_without_its_archive():
    record = SlideRecord(study_uid="1", series_uid="2", date=datetime.date(2026, 2, 14))
    copy = pickle.loads(pickle.dumps(record.bound(lambda one: one)))
    assert copy == record
    assert copy.opener is None


def test_plain_values_for_other_programs():
    study = Study(study_uid="1", date=datetime.date(2026, 2, 14), modalities=("SM", "SEG"))
    plain = study.to_dict()
    assert plain["date"] == "2026-02-14"
    assert plain["modalities"] == ["SM", "SEG"]
    assert plain["patient_birth_date"] is None
    slide = SlideRecord(study_uid="1", series_uid="2").bound(print)
    assert "opener" not in slide.to_dict()
    assert "print" not in repr(slide)


def test_padding_is_not_part_of_a_value():
    padded = Attributes.of({"00100020": {"vr": "LO", "Value": ["P1 \0"]}})
    assert Study.from_json(padded).patient_id == "P1"


def test_each_kind_has_its_own_description_and_count():
    attributes = Attributes.of(
        {
            "0020000D": {"vr": "UI", "Value": ["1"]},
            "0020000E": {"vr": "UI", "Value": ["2"]},
            "00081030": {"vr": "LO", "Value": ["study"]},
            "0008103E": {"vr": "LO", "Value": ["series"]},
            "00201208": {"vr": "IS", "Value": [20]},
            "00201209": {"vr": "IS", "Value": [10]},
            "00080020": {"vr": "DA", "Value": ["20260101"]},
            "00400244": {"vr": "DA", "Value": ["20260102"]},
        }
    )
    study, series, slide = (kind.from_json(attributes) for kind in (Study, Series, SlideRecord))
    assert (study.description, study.instance_count, study.date.day) == ("study", 20, 1)
    assert (series.description, series.instance_count, series.date.day) == ("series", 10, 2)
    assert (slide.description, slide.instance_count, slide.date.day) == ("series", 10, 1)
    assert slide.study_description == "study"


@given(
    st.sampled_from([Study, Series, SlideRecord]),
    st.sampled_from(["DA", "IS", "CS", "PN", "UI", "LO"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=4,
    ),
)
def test_any_value_makes_a_record(kind, vr, value):
    tags = [tag_of(keyword) for keyword, _ in _ATTRIBUTES.values()]
    record = kind.from_json(Attributes.of({tag: {"vr": vr, "Value": value} for tag in tags}))
    assert set(json.loads(json.dumps(record.to_dict()))) == set(record.to_dict())
    # What was understood of it stays so on the way there and back.
    assert kind.from_json(Attributes.of(json.loads(json.dumps(record.to_json())))) == record
