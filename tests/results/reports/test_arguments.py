"""Wrong kinds of arguments to reports: said in words of ours, before anything is left on disk."""

from __future__ import annotations

from fractions import Fraction

import highdicom as hd
import numpy as np
import pytest
import shapely
from results.about import objects_in
from results.masks.sized import sized

from wsiweb.results.reports.findings import Evaluation, Finding, Measurement, Region
from wsiweb.results.reports.report import add_report

SQUARE = shapely.box(10, 10, 90, 60)
AREA = ("SCT:Area", 1, "UCUM:SquareMillimeter")
FINDING = Finding(region=SQUARE)


@pytest.fixture
def source():
    return sized((300, 220), (1, 2))


@pytest.fixture
def objects(tmp_path, source):
    return objects_in(tmp_path / "objects", source)


def left(objects):
    return [*objects.made, *objects.folder.rglob("*")]


def refused(source, objects, words, findings, **told):
    with pytest.raises(ValueError, match=words):
        add_report(source, objects, findings, **told)
    assert left(objects) == []


@pytest.mark.parametrize(
    "findings", [None, 5, "abc", b"a", FINDING, Finding, {"a": FINDING}, SQUARE, True]
)
def test_what_is_no_list(source, objects, findings):
    words = r"A report is made of a list of findings: \[Finding\(...\)\]"
    refused(source, objects, words, findings)


@pytest.mark.parametrize("other", [None, "abc", 5, Finding, [FINDING], SQUARE, {"region": SQUARE}])
def test_what_is_no_finding(source, objects, other):
    words = r"made of findings, Finding\(region=...\); number 2 is"
    refused(source, objects, words, [FINDING, other])
    refused(source, objects, words, iter([FINDING, other]))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        *(({"title": value}, "the title of a report") for value in (None, "", 5, [], "nil")),
        *(({"procedure": value}, "the procedure of a report") for value in (None, "", (1, 2))),
        *(
            ({"coordinates": value}, "coordinates is one of 2d, 3d, not")
            for value in ("4d", None, [], ["2d"])
        ),
        *(({"complete": value}, "complete is True or False, not") for value in (None, "no", 1)),
    ],
)
def test_wrong_keywords(source, objects, told, words):
    refused(source, objects, words, [FINDING], **told)


LIST = "What was measured in finding 2 is made of a list"
ANSWERS = "What was judged in finding 2 is made of a list"
TRIPLE = r"What was found in finding 2 is given as a list of \(name, value, unit\)"
COUPLE = r"What was found in finding 2 is given as a list of \(name, value\)"
NUMBER = "A measurement of finding 2 is .*, and should be a finite number"
TERM = "A coded term is a name"


def valued(value):
    return [("SCT:Area", value, "UCUM:SquareMillimeter")]


WRONG = [
    *(("measurements", value, LIST) for value in (None, 5, "abc", b"a", {"SCT:Area": 1})),
    *(("measurements", [value], TRIPLE) for value in (None, 5, "abc", (), ("a",), (*AREA, "x"))),
    ("measurements", AREA, TRIPLE),  # not in a list
    ("measurements", [{"name": "SCT:Area", "value": 1, "unit": "mm"}], TRIPLE),
    ("measurements", [iter(AREA)], TRIPLE),
    *(
        ("measurements", valued(value), NUMBER)
        for value in (np.nan, np.inf, "1", None, True, 1j, 10**400, Fraction(10**400), [1])
    ),
    ("measurements", valued(np.array([1])), NUMBER),
    ("measurements", [(5, 1, "UCUM:SquareMillimeter")], f"{TERM}.*name of a measurement"),
    ("measurements", [("SCT:Area", 1, None)], f"{TERM}.*unit of a measurement"),
    ("measurements", [Measurement("SCT:Area", 1, None)], f"{TERM}.*unit of a measurement"),
    *(("evaluations", value, ANSWERS) for value in (None, 5, "ab", {"a": "b"})),
    *(("evaluations", [value], COUPLE) for value in (None, 5, "ab", ("a",), ("a", "b", "c"))),
    ("evaluations", ("SCT:Area", "SCT:Area"), COUPLE),  # not in a list
    ("evaluations", [Evaluation("SCT:Area", None)], f"{TERM}.*value of an evaluation"),
    *(("sites", value, "sites of finding 2 are made of a list") for value in (None, 5, "Breast")),
    ("sites", [None], f"{TERM}.*site of finding 2"),
    *(("type", value, f"{TERM}.*type of finding 2") for value in (5, [], (None, None, None))),
    *(("category", value, f"{TERM}.*category of finding 2") for value in (5, [], {})),
    *(
        ("label", value, "label of finding 2 has 0 to 64 characters")
        for value in (None, 5, [], b"a", "a\\b", "a\nb", "\ud800", "x" * 65)
    ),
    *(
        ("uid", value, "UID of finding 2 is .*: no UID")
        for value in (None, 5, [], b"1.2", "abc", "1.2.", "1..2", "1.02", "1.2\n", "1." * 40 + "1")
    ),
    *(
        ("region", value, "region of finding 2 is a shapely geometry or an array of points")
        for value in (
            "abc",
            {},
            object(),
            [["1", "2"]],
            [[True, False]],
            [[1, 2], [3]],
            np.zeros((3, 2), complex),
            np.ma.masked_array([[1, 2], [3, 4], [5, 1]], [[True, False]] * 3),
        )
    ),
    *(
        ("region", Region(kind, np.array([[1.0, 2]])), "region of finding 2 is of kind")
        for kind in (5, [], "cube", "unknown")
    ),
    ("region", Region("polygon", None), "points of finding 2 have shape"),
]


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_wrong_things_in_a_finding(source, objects, name, value, words):
    refused(source, objects, words, [FINDING, Finding(**{"region": SQUARE, name: value})])
    about_all = {"measurements": [AREA], name: value}
    refused(source, objects, words, [FINDING, Finding(**about_all)], coordinates="2d")


def test_iterators_are_read_once_and_kept(source, objects):
    finding = Finding(
        measurements=(one for one in [AREA, list(AREA)]),
        evaluations=iter([("SCT:Area", "SCT:Area")]),
        sites=iter(["SCT:Breast"]),
        label=" ",
    )
    (made,) = add_report(source, objects, iter([finding]))
    report = hd.sr.srread(made.path)
    (group,) = report.content.get_image_measurement_groups()
    assert len(group.get_measurements()) == 2
    assert len(group.get_qualitative_evaluations()) == 1
    assert len(group.finding_sites) == 1
    assert group.tracking_identifier == "Finding 1"


@pytest.mark.parametrize("value", [10**13 - 1, 1 - 10**13, -(10**13), -99_999_999_999_999, 2**53])
def test_whole_numbers_keep_their_digits(source, objects, value):
    (made,) = add_report(source, objects, [Finding(measurements=valued(value))])
    (group,) = hd.sr.srread(made.path).content.get_image_measurement_groups()
    assert group.get_measurements()[0].value == value
