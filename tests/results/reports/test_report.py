from __future__ import annotations

import copy
import re

import highdicom
import numpy as np
import pydicom
import pytest
import shapely
from pydicom.sr.codedict import codes
from results.about import ALGORITHM, ORIENTATIONS, headers_of, objects_in, source_of, turned
from results.checking import errors_in

from wsiweb.results.reports.findings import Finding, Region
from wsiweb.results.reports.report import MOST_FINDINGS, add_report

POLYGON = [(100.25, 200.5), (400, 210), (380.125, 500), (120, 480)]
AREA = ("SCT:Area", 1234.5, "UCUM:SquareMicrometer")
GRADE = (("371469007", "SCT", "Histologic grade"), ("1228848003", "SCT", "Grade 2"))
FINDINGS = [
    Finding(
        region=POLYGON,
        type="SCT:Neoplasm",
        category="SCT:MorphologicallyAbnormalStructure",
        sites=["SCT:Breast"],
        measurements=[AREA, (("C1", "99WSI", "Mitoses"), 7, "UCUM:NoUnits")],
        evaluations=[GRADE],
        label="Größter Herd",
    ),
    Finding(region=shapely.Point(700.5, 800.25), type="SCT:Neoplasm"),
    Finding(region=shapely.LineString(POLYGON), measurements=[AREA]),
    Finding(region=Region("ellipse", np.array([[10, 50], [90, 50], [50, 30], [50, 70]]))),
    Finding(measurements=[("SCT:Area", np.float32(2.5), "UCUM:SquareMillimeter")]),
]


@pytest.fixture(scope="module")
def source(made_folder):
    return source_of(made_folder)


@pytest.fixture
def objects(tmp_path, source):
    return objects_in(tmp_path / "made", source)


def written(source, objects, findings=FINDINGS, **told):
    (made,) = add_report(source, objects, findings, **told)
    assert made.kind == "report"
    return highdicom.sr.srread(made.path)


def points_of(group, source):
    """The region of a group in pixels of level 0, by highdicom's arithmetic."""
    region = group.roi
    if region.value.shape[1] == 2:
        return region.value
    transform = highdicom.spatial.ReferenceToImageTransformer.for_image(
        source.dataset(0), for_total_pixel_matrix=True
    )
    return transform(region.value)[:, :2]


@pytest.mark.parametrize("coordinates", ["2d", "3d"])
def test_highdicom_reads_what_was_written(source, objects, coordinates):
    document = written(source, objects, coordinates=coordinates)
    assert document.SOPClassUID == pydicom.uid.Comprehensive3DSRStorage
    groups = document.content.get_planar_roi_measurement_groups()
    assert len(groups) == 4
    first = groups[0]
    assert first.tracking_identifier == "Größter Herd"
    assert first.finding_type == codes.SCT.Neoplasm
    assert first.finding_category == codes.SCT.MorphologicallyAbnormalStructure
    assert [site.value for site in first.finding_sites] == [codes.SCT.Breast]
    area, mitoses = first.get_measurements()
    assert (area.name, area.value) == (codes.SCT.Area, 1234.5)
    assert area.unit == codes.UCUM.SquareMicrometer
    assert (mitoses.name.meaning, mitoses.value) == ("Mitoses", 7)
    grades = [
        (one.name.value, one.value.value)
        for one in first.get_qualitative_evaluations()
        if one.name.value == "371469007"
    ]
    assert grades == [("371469007", "1228848003")]
    kinds = [group.roi.graphic_type.value for group in groups]
    flat = coordinates == "2d"
    assert kinds == ["POLYLINE" if flat else "POLYGON", "POINT", "POLYLINE", "ELLIPSE"]
    expected = [
        [*POLYGON, POLYGON[0]],
        [(700.5, 800.25)],
        POLYGON,
        [[10, 50], [90, 50], [50, 30], [50, 70]],
    ]
    for group, points in zip(groups, expected, strict=True):
        np.testing.assert_allclose(points_of(group, source), points, atol=5e-3)
    (whole,) = document.content.get_image_measurement_groups()
    assert [one.value for one in whole.get_measurements()] == [2.5]
    image = whole.source_images[0]
    assert image.referenced_sop_instance_uid == source.dataset(0).SOPInstanceUID


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_regions_lie_right_on_slides_that_lie_otherwise(made, tmp_path, orientation):
    source = source_of(turned(headers_of(made.levels), orientation))
    document = written(source, objects_in(tmp_path, source), FINDINGS[:1])
    (group,) = document.content.get_planar_roi_measurement_groups()
    found = points_of(group, source)[:-1]
    np.testing.assert_allclose(found, POLYGON, atol=5e-3)


def test_it_says_who_observed_what(source, objects):
    document = written(source, objects)
    people = document.content.get_observer_contexts(codes.DCM.Person)
    assert [one.observer_identifying_attributes.name for one in people] == ["Doe^Jäne"]
    devices = document.content.get_observer_contexts(codes.DCM.Device)
    assert [one.observer_identifying_attributes.name for one in devices] == [ALGORITHM.name]
    (subject,) = document.content.get_subject_contexts()
    specimen = subject.subject_class_specific_context
    own = source.dataset(0)
    assert specimen.specimen_uid == own.SpecimenDescriptionSequence[0].SpecimenUID
    assert specimen.container_identifier == own.ContainerIdentifier
    evidence = document.get_evidence_series()
    assert evidence == [(own.StudyInstanceUID, own.SeriesInstanceUID)]
    assert document.CompletionFlag == "COMPLETE"
    assert document.PatientID == own.PatientID
    assert document.ContentDate == "20260304"


def test_a_slide_whose_headers_describe_no_specimen(made, tmp_path):
    headers = headers_of(made.levels)
    for header in headers:
        del header.SpecimenDescriptionSequence
    source = source_of(headers)
    document = written(source, objects_in(tmp_path, source, creator=""))
    assert document.content.get_subject_contexts() == []
    assert document.content.get_observer_contexts(codes.DCM.Person) == []
    assert len(document.content.get_observer_contexts(codes.DCM.Device)) == 1


def test_reports_share_a_series(source, objects):
    written(source, objects)
    written(source, objects, title=("126001", "DCM", "Imaging Report"), complete=False)
    first, second = objects.made
    assert first.series_uid == second.series_uid
    assert (first.instance_number, second.instance_number) == (1, 2)
    one, other = (pydicom.dcmread(made.path) for made in objects.made)
    assert other.CompletionFlag == "PARTIAL"
    assert other.ConceptNameCodeSequence[0].CodeMeaning == "Imaging Report"
    tracked = [str(item) for item in (one, other)]
    assert tracked[0] != tracked[1]


def test_a_repeated_session_makes_the_same_report(source, tmp_path):
    made = []
    for name in ("one", "other"):
        objects = objects_in(tmp_path / name, source, deterministic=True)
        add_report(source, objects, FINDINGS)
        made.append(objects.made[0].path.read_bytes())
    assert made[0] == made[1]


def test_each_finding_is_tracked_by_its_own_uid(source, objects):
    own = "1.2.3.4.5"
    findings = [copy.copy(FINDINGS[1]), Finding(region=(5, 5), uid=own), FINDINGS[4]]
    document = written(source, objects, findings)
    content = document.content
    groups = content.get_planar_roi_measurement_groups() + content.get_image_measurement_groups()
    uids = [group.tracking_uid for group in groups]
    assert own in uids
    assert len(set(uids)) == 3
    assert [group.tracking_identifier for group in groups] == [
        f"Finding {number}" for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("coordinates", ["2d", "3d"])
def test_the_checker_finds_no_fault(source, objects, coordinates):
    (made,) = add_report(source, objects, FINDINGS, coordinates=coordinates)
    assert errors_in(made.path) == []


def test_the_real_slide(cmu_folder, tmp_path):
    source = source_of(cmu_folder)
    objects = objects_in(tmp_path, source)
    document = written(source, objects)
    (group, *_) = document.content.get_planar_roi_measurement_groups()
    np.testing.assert_allclose(points_of(group, source)[:-1], POLYGON, atol=5e-3)
    assert errors_in(objects.made[0].path) == []


# Refusals -----------------------------------------------------------------------------------

CIRCLE = [(1000 + 400 * np.cos(turn), 700 + 400 * np.sin(turn)) for turn in np.arange(0, 6.2, 1e-3)]


@pytest.mark.parametrize(
    ("findings", "told", "words"),
    [
        ([], {}, "0 were given"),
        ([Finding(region=(1, 1))] * (MOST_FINDINGS + 1), {}, "add_annotations"),
        ([Finding(region=(1, 1)), Finding(region=(2113, 1))], {}, "finding 2"),
        ([Finding(region=(-0.1, 1))], {}, "from (0, 0) to (2100, 1500)"),
        ([Finding(region=[(0, 0), (np.nan, 1), (1, 1)])], {}, "finite"),
        ([Finding(region=CIRCLE)], {}, "shapely.simplify"),
        ([Finding(label="nothing")], {}, "says nothing"),
        ([Finding(region=(1, 1), label="x" * 65)], {}, "64 characters"),
        ([Finding(region=(1, 1), type="Neoplasmus")], {}, "SCT:Neoplasm"),
        ([Finding(region=(1, 1), sites=["Elbowroom"])], {}, "a site of finding 1"),
        ([Finding(region=(1, 1), measurements=[("SCT:Area", np.nan, "UCUM:NoUnits")])], {}, "nan"),
        ([Finding(region=(1, 1), measurements=[("SCT:Area", "9", "UCUM:NoUnits")])], {}, "'9'"),
        ([Finding(region=(1, 1), measurements=[("SCT:Area", True, "UCUM:NoUnits")])], {}, "True"),
        ([Finding(region=(1, 1), measurements=[("SCT:Area", 9)])], {}, "name, value, unit"),
        ([Finding(region=(1, 1), evaluations=["SCT:Area"])], {}, "name, value"),
        ([Finding(region=(1, 1))], {"coordinates": "4d"}, "4d"),
        ([Finding(region=(1, 1))], {"title": "Novel"}, "the title of a report"),
    ],
)
def test_refusals_say_what_is_wrong_and_leave_nothing(source, tmp_path, findings, told, words):
    objects = objects_in(tmp_path / "made", source)
    with pytest.raises(ValueError, match=re.escape(words)):
        add_report(source, objects, findings, **told)
    assert objects.made == ()
    assert not [*tmp_path.rglob("*.dcm*")]


def test_as_many_points_as_fit_an_element_are_written_whole(source, objects):
    circle = CIRCLE[:5460]
    document = written(source, objects, [Finding(region=circle)])
    (group,) = document.content.get_planar_roi_measurement_groups()
    found = points_of(group, source)
    assert len(found) == 5461
    np.testing.assert_allclose(found[:-1], circle, atol=5e-3)
