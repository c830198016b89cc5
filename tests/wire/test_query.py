from __future__ import annotations

import datetime
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.wire.dicomjson import Attributes
from wsiweb.wire.query import DEFAULT_FIELDS, Query, matches, tag_path

VALUES = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_characters="+"),
    min_size=1,
    max_size=12,
)


@st.composite
def queries(draw):
    names = draw(
        st.lists(st.sampled_from(["PatientID", "StudyDate", "00400560.00400551"]), unique=True)
    )
    return Query(
        level=draw(st.sampled_from(["studies", "series", "instances"])),
        filters=tuple((tag_path(name), draw(VALUES)) for name in names),
        fields=tuple(
            tag_path(name) for name in draw(st.lists(st.sampled_from(["Rows", "ICCProfile"])))
        ),
        limit=draw(st.none() | st.integers(0, 1000)),
        offset=draw(st.integers(0, 1000)),
        fuzzy=draw(st.booleans()),
    )


@given(queries())
def test_queries_go_both_ways(query):
    pairs = parse_qsl(query.query_string(), keep_blank_values=True)
    assert Query.parse(query.level, pairs) == query


def test_what_is_sent():
    query = Query.build(
        "studies",
        PatientName="Syn^*",
        StudyDate=(datetime.date(2026, 1, 2), None),
        StudyInstanceUID=["1.2", "3.4"],
        AccessionNumber=None,
        fields=["StudyDescription"],
        limit=5,
    )
    assert query.query_string() == (
        "00100010=Syn^*&00080020=20260102-&0020000D=1.2,3.4&includefield=00081030&limit=5"
    )
    assert query.resource.path == "studies"
    assert Query.build("series", study="1.2").resource.path == "studies/1.2/series"


@pytest.mark.parametrize(
    "pairs",
    [[("limit", "x")], [("limit", "-1")], [("offset", "1.5")], [("NoSuch", "1")],
     [("fuzzymatching", "maybe")], [("includefield", "NoSuch")]],
)  # fmt: skip
def test_bad_parameters_are_refused(pairs):
    with pytest.raises(ValueError, match=r".+"):
        Query.parse("studies", pairs)


def test_a_bad_uid_is_refused():
    with pytest.raises(ValueError, match="UID"):
        Query.build("series", study="../x")


def test_includefield_in_all_its_forms():
    query = Query.parse(
        "studies", [("includefield", "PatientID,00081030"), ("includefield", "Rows")]
    )
    assert query.fields == ("00100020", "00081030", "00280010")
    assert Query.parse("studies", [("includefield", "all")]).all_fields


def test_the_default_fields_are_known():
    for fields in DEFAULT_FIELDS.values():
        for field in fields:
            tag_path(field)


SLIDE = Attributes.of(
    {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane^^"}]},
        "00100020": {"vr": "LO", "Value": ["P[1]"]},
        "00080020": {"vr": "DA", "Value": ["20260214"]},
        "00080030": {"vr": "TM", "Value": ["101530.25"]},
        "0008002A": {"vr": "DT", "Value": ["20260214101530.1+0100"]},
        "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
        "00080061": {"vr": "CS", "Value": ["SM", "SEG"]},
        "00200013": {"vr": "IS", "Value": ["7"]},
        "00081030": {"vr": "LO"},
        "00400560": {
            "vr": "SQ",
            "Value": [
                {"00400551": {"vr": "LO", "Value": ["A"]}},
                {"00400551": {"vr": "LO", "Value": ["B"]}},
            ],
        },
    }
)


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("PatientName", "doe^jane", True),
        ("PatientName", "Doe*", True),
        ("PatientName", "*jane*", True),
        ("PatientName", "D?e^Jane", True),
        ("PatientName", "Doe", False),
        ("PatientID", "P[1]", True),
        ("PatientID", "P[1*", True),
        ("PatientID", "P?1?", True),
        ("PatientID", "p[1]", False),
        ("StudyDate", "20260214", True),
        ("StudyDate", "20260101-20261231", True),
        ("StudyDate", "20260214-", True),
        ("StudyDate", "-20260214", True),
        ("StudyDate", "-20260213", False),
        ("StudyDate", "20260215-", False),
        ("StudyTime", "1000-1100", True),
        ("StudyTime", "10-10", True),
        ("StudyTime", "11-12", False),
        ("AcquisitionDateTime", "20260214-20260214", True),
        ("AcquisitionDateTime", "2025-2025", False),
        ("StudyInstanceUID", "9,1.2.3", True),
        ("StudyInstanceUID", "9\\1.2.3", True),
        ("StudyInstanceUID", "1.2", False),
        ("ModalitiesInStudy", "SEG", True),
        ("ModalitiesInStudy", "SR", False),
        ("InstanceNumber", "07", True),
        ("InstanceNumber", "8", False),
        ("StudyDescription", "", True),
        ("StudyDescription", "*", True),
        ("StudyDescription", "x", False),
        ("AccessionNumber", "x", False),
        ("AccessionNumber", "", True),
        ("SpecimenDescriptionSequence.SpecimenIdentifier", "B", True),
        ("SpecimenDescriptionSequence.SpecimenIdentifier", "C", False),
    ],
)
def test_matching(name, value, found):
    assert matches(SLIDE, ((tag_path(name), value),)) is found


def test_all_filters_must_match():
    yes, no = (tag_path("PatientID"), "P*"), (tag_path("PatientID"), "Q*")
    assert matches(SLIDE, (yes,))
    assert not matches(SLIDE, (yes, no))
    assert matches(SLIDE, ())


@given(VALUES)
def test_any_filter_value_is_matched_or_not(value):
    for tag in SLIDE.tags():
        if tag != "00400560":
            matches(SLIDE, ((tag, value),))
