from __future__ import annotations

import highdicom as hd
import pytest
from pydicom.sr.codedict import codes
from results.about import ALGORITHM

from wsiweb.results.masks.segments import Segment, describe, segments_of


def test_a_name_becomes_a_segment_of_that_type():
    (segment,) = segments_of("Neoplasm")
    assert segment.label == "Neoplasm"
    (described,) = describe([segment], None)
    assert described.SegmentNumber == 1
    assert described.SegmentLabel == "Neoplasm"
    assert described.segmented_property_type == codes.SCT.Neoplasm


@pytest.mark.parametrize(
    "given",
    [
        "SCT:Neoplasm",
        codes.SCT.Neoplasm,
        hd.sr.CodedConcept.from_code(codes.SCT.Neoplasm),
        [("108369006", "SCT", "Neoplasm")],
        ["neoplasm"],
        Segment(label="Neoplasm"),
    ],
)
def test_segments_can_be_said_in_several_ways(given):
    (segment,) = segments_of(given)
    assert segment.label.lower() == "neoplasm"
    (described,) = describe([segment], None)
    assert described.segmented_property_type == codes.SCT.Neoplasm


def test_numbers_follow_the_order():
    described = describe(segments_of(["Necrosis", Segment(label="T", type="Neoplasm")]), None)
    assert [(one.SegmentNumber, one.SegmentLabel) for one in described] == [
        (1, "Necrosis"),
        (2, "T"),
    ]


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("Neoplasm", codes.SCT.MorphologicallyAbnormalStructure),
        ("ConnectiveTissue", codes.SCT.Tissue),
        ("Urine", codes.SCT.BodySubstance),
        ("Nucleus", codes.SCT.Tissue),
    ],
)
def test_the_category_follows_from_the_type(kind, category):
    kind = ("84640000", "SCT", "Nucleus") if kind == "Nucleus" else kind
    (described,) = describe([Segment(label="x", type=kind)], None)
    assert described.segmented_property_category == category


def test_a_category_that_is_told_is_taken():
    (described,) = describe([Segment(label="x", type="Neoplasm", category="Function")], None)
    assert described.segmented_property_category == codes.SCT.Function


def test_what_a_segment_says_is_written():
    segment = Segment(
        label="Tumör",
        type="Neoplasm",
        color="#ff8000",
        description="all of it",
        tracking_id="T1",
        tracking_uid="1.2.3",
    )
    (described,) = describe([segment], ALGORITHM)
    assert described.SegmentDescription == "all of it"
    assert (described.tracking_id, described.tracking_uid) == ("T1", "1.2.3")
    assert described.SegmentAlgorithmType == "AUTOMATIC"
    assert described.SegmentAlgorithmName == ALGORITHM.name
    color = hd.color.CIELabColor.from_dicom_value(described.RecommendedDisplayCIELabValue)
    assert color.to_rgb(clip=True) == pytest.approx((255, 128, 0), abs=2)


def test_without_an_algorithm_a_person_made_it():
    (described,) = describe(segments_of("Neoplasm"), None)
    assert described.SegmentAlgorithmType == "MANUAL"


@pytest.mark.parametrize("color", ["orange", "#fa0", (255, 165, 0)])
def test_colours_can_be_said_in_several_ways(color):
    (described,) = describe([Segment(label="x", type="Neoplasm", color=color)], None)
    assert len(described.RecommendedDisplayCIELabValue) == 3


def test_a_name_in_no_dictionary_is_refused_with_what_is_like_it():
    with pytest.raises(ValueError, match=r"Neoplasm.*Segment\(label='Neoplasmus'"):
        segments_of("Neoplasmus")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "0 were given"),
        (["Neoplasm"] * 2, "Two segments are called 'Neoplasm'"),
        (["Neoplasm"] * 65_536, "65536 were given"),
        ([("1", "2")], "value, scheme, meaning"),
        (None, "segments are names, codes or Segment"),
        (5, "segments are names, codes or Segment"),
        (b"Tissue", "segments are names, codes or Segment"),
        (Segment, "segments are names, codes or Segment"),
        ({"Necrosis", "Neoplasm"}, "number 1 first"),
        ({"Necrosis": 2, "Neoplasm": 1}, "number 1 first"),
        (["Neoplasm", None], "A coded term is a name"),
        (Segment(label="x", type=[]), "A coded term is a name.*type of a segment"),
        (Segment(label="x", type=""), "is not in the dictionary"),
        (Segment(label="x", type=(None, None, None)), "A coded term is a name"),
        (Segment(label="Neoplasm", category=()), "A coded term is a name.*category"),
        (Segment(label="Neoplasm", category="nil"), "category of a segment"),
    ],
)
def test_what_is_no_list_of_segments_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        segments_of(given)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"label": ""}, "label of a segment"),
        ({"label": "x" * 65}, "1 to 64"),
        ({"label": "a\\b"}, "backslash"),
        ({"description": "x" * 1025}, "a text of 1025 was given"),
        ({"description": "a\0b"}, "description of segment 'x' is a text"),
        ({"description": ["x"]}, "description of segment 'x' is a text"),
        ({"label": None}, "label of a segment"),
        ({"tracking_id": None}, "tracking identifier of a segment"),
        ({"tracking_id": "x", "tracking_uid": "x"}, "no UID"),
        ({"tracking_id": "x", "tracking_uid": "1.02"}, "no UID"),
        ({"tracking_id": "x", "tracking_uid": None}, "no UID"),
        ({"tracking_id": "x", "tracking_uid": 5}, "no UID"),
        ({"tracking_id": "x"}, "or neither"),
        ({"tracking_uid": "1.2"}, "or neither"),
        ({"color": "reddish"}, "The colour of segment"),
        ({"color": (1, 2)}, "The colour of segment"),
        ({"color": (1, 2, 256)}, "The colour of segment"),
        ({"color": (0.2, 0.5, 1.0)}, "The colour of segment"),
        ({"color": ("1", "2", "3")}, "The colour of segment"),
        ({"color": (float("inf"), 0, 0)}, "The colour of segment"),
        ({"color": 5}, "The colour of segment"),
    ],
)
def test_what_dicom_cannot_hold_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        Segment(**{"label": "x", **values})
