from __future__ import annotations

import datetime
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.wire.query import DEFAULT_FIELDS, Query, tag_path

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
    [[("PatientNmae", "1")], [("PatientID.", "1")], [("00100020.x", "1")], [("limit", "x")],
     [("limit", "-1")], [("offset", "1.5")], [("NoSuch", "1")],
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


def test_what_is_wanted_of_a_page_is_built_too():
    query = Query.build("instances", study="1", series="2", all_fields=True, limit=2, offset=4)
    assert query.query_string() == "includefield=all&limit=2&offset=4"
    assert query.resource.path == "studies/1/series/2/instances"
    assert Query.build("studies", fuzzy=True).query_string() == "fuzzymatching=true"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime.date(12, 3, 4), "00120304"),
        (datetime.time(9, 8, 7), "090807"),
        (datetime.datetime(2026, 1, 2, 3, 4, 5), "20260102030405"),  # noqa: DTZ001 - local time
        (
            datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
            "20260102030000+0100",
        ),
        ((None, datetime.date(2026, 1, 2)), "-20260102"),
        ([datetime.date(2026, 1, 2), datetime.date(2026, 1, 3)], "20260102-20260103"),
        (("1.2",), "1.2"),
        ((uid for uid in ("1.2", "1.3", "1.4")), "1.2,1.3,1.4"),
        (7, "7"),
        ("", ""),
    ],
)  # fmt: skip
def test_values_are_written_as_dicom_writes_them(value, text):
    assert Query.build("studies", PatientID=value).filters == (("00100020", text),)


def test_what_orthanc_does_not_decode_is_sent_raw_and_the_rest_encoded():
    query = Query.build("studies", PatientName="Sy?n^*", PatientID="a&b=c+d #ä", StudyID="1,2")
    assert query.query_string() == (
        "00100010=Sy%3Fn^*&00100020=a%26b%3Dc%2Bd%20%23%C3%A4&00200010=1,2"
    )


@pytest.mark.parametrize(
    "wrong",
    [{"limit": -1}, {"offset": -1}, {"limit": 2**40}, {"series": "2"},
     {"study": "1", "series": "2"}, {"level": "metadata", "study": "1"}, {"level": "patients"}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=r".+"):
        Query.build(**{"level": "series", **wrong})


def test_numbers_are_read_whole():
    assert Query.parse("studies", [("limit", "000000000007")]).limit == 7
    with pytest.raises(ValueError, match="limit"):
        Query.parse("studies", [("limit", "0" * 5000)])


def test_parameters_of_every_request_are_no_filters():
    pairs = [("accept", "application/dicom+json"), ("charset", "utf-8"), ("FuzzyMatching", "True")]
    assert Query.parse("studies", pairs) == Query("studies", fuzzy=True)


def test_unknown_parameters_are_ignored_and_said():
    pairs = [
        ("emptyvaluematching", "true"),
        ("MultipleValueMatching".lower(), "true"),
        ("orderby", "-StudyDate"),
        ("_", "1700000000"),
        ("", "x"),
        ("x-token", "1"),
        ("orderby", "StudyTime"),
        ("PatientID", "7"),
    ]
    query = Query.parse("studies", pairs)
    assert query.filters == (("00100020", "7"),)
    assert query.ignored == (
        "emptyvaluematching", "multiplevaluematching", "orderby", "_", "", "x-token",
    )  # fmt: skip
    assert query.query_string() == "00100020=7"


NAMES = st.text(max_size=12) | st.sampled_from(
    ["limit", "offset", "fuzzymatching", "includefield", "PatientID", "00400560.00400551", "Nmae"]
)


@given(st.lists(st.tuples(NAMES, st.text(max_size=12) | st.sampled_from(["3", "all"])), max_size=3))
def test_any_parameters_are_a_query_or_a_value_error(pairs):
    try:
        query = Query.parse("studies", pairs)
    except ValueError as caught:
        words = str(caught)
        assert words.endswith((".", "?"))  # a sentence of ours
        return
    # Each parameter became what it is, and what the query says is understood again.
    assert set(query.ignored) <= {name for name, _ in pairs}
    assert len(query.filters) <= sum(name not in query.ignored for name, _ in pairs)
    again = Query.parse("studies", parse_qsl(query.query_string(), keep_blank_values=True))
    assert again.filters == query.filters
    assert (again.limit, again.offset, again.fuzzy) == (query.limit, query.offset, query.fuzzy)
