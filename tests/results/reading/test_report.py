from __future__ import annotations

import functools
import json
import pickle

import highdicom
import numpy as np
import pytest
from highdicom import sr
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid
from results.about import ALGORITHM, headers_of, objects_in, source_of

import wsiweb
from wsiweb import loop
from wsiweb.places import frames_at
from wsiweb.results.reading.report import read_reports
from wsiweb.results.reports.findings import Finding, Region
from wsiweb.results.reports.report import add_report
from wsiweb.server import serve

POLYGON = np.array([(100.25, 200.5), (400, 210), (380.125, 500), (120, 480)])
AXES = np.array([[10, 50], [90, 50], [50, 30], [50, 70.0]])
AREA = (("42798000", "SCT", "Area"), 1234.5, ("um2", "UCUM", "square micrometer"))
MITOSES = (("C1", "99WSI", "Mitoses"), 7, ("1", "UCUM", "no units"))
GRADE = (("371469007", "SCT", "Histologic grade"), ("1228848003", "SCT", "Grade 2"))
TUMOUR = ("108369006", "SCT", "Neoplasm")
FINDINGS = [
    Finding(
        region=POLYGON,
        type=TUMOUR,
        category=("49755003", "SCT", "Morphologically Altered Structure"),
        sites=[("76752008", "SCT", "Breast")],
        measurements=[AREA, MITOSES],
        evaluations=[GRADE],
        label="Größter Herd",
        uid="1.2.3.4.5",
    ),
    Finding(region=(700.5, 800.25), type=TUMOUR),
    Finding(region=Region("polyline", POLYGON), measurements=[AREA]),
    Finding(region=Region("ellipse", AXES)),
    Finding(measurements=[MITOSES], evaluations=[GRADE]),
]


@pytest.fixture(scope="module")
def source(made_folder):
    return source_of(made_folder)


@pytest.fixture(params=["folder", "server"])
def read(request, tmp_path, made, source):
    """Write results beside the slide; return how the archive's reports on it are read."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for path in made.paths:
        (folder / path.name).symlink_to(path)
    opened = []

    def reports():
        where = folder
        if request.param == "server":
            server = serve(folder)
            opened.append(server)
            where = server.__enter__().url
        archive = wsiweb.connect(where)
        opened.append(archive)
        slide = archive.open_slide(made.study_uid, made.series_uid)
        connect = functools.partial(frames_at, archive._place)
        return loop.run(read_reports(slide._pyramid, connect))

    reports.objects, reports.folder = objects_in(folder, source), folder
    yield reports
    for one in reversed(opened):
        one.__exit__(None, None, None)


def same(found, given, number):
    """Whether a finding is what was written."""
    assert found.label == (given.label or f"Finding {number}")
    assert found.uid == given.uid or not given.uid
    for name in ("type", "category"):
        assert getattr(found, name) == getattr(given, name)
    for name in ("sites", "measurements", "evaluations"):
        assert list(getattr(found, name)) == list(getattr(given, name))


@pytest.mark.parametrize("coordinates", ["2d", "3d"])
def test_what_was_written_is_read(read, source, coordinates):
    add_report(source, read.objects, FINDINGS, coordinates=coordinates)
    (report,) = read()
    assert report.name == "Tumor-Wahrscheinlichkeit ≥ 0,5"
    assert report.title.meaning == "Imaging Measurement Report"
    assert [(one.kind, one.name) for one in report.observers] == [
        ("person", "Doe^Jäne"),
        ("device", ALGORITHM.name),
    ]
    for number, (found, given) in enumerate(zip(report.findings, FINDINGS, strict=True), start=1):
        same(found, given, number)
    kinds = [one.region and one.region.kind for one in report.findings]
    assert kinds == ["polygon", "point", "polyline", "ellipse", None]
    points = [POLYGON, [(700.5, 800.25)], POLYGON, AXES]
    for found, expected in zip(report.findings, points, strict=False):
        np.testing.assert_allclose(found.region.points, expected, atol=5e-3)


def test_what_was_read_can_be_written_again(read, source, tmp_path):
    add_report(source, read.objects, FINDINGS, coordinates="2d")
    (report,) = read()
    objects = objects_in(tmp_path / "again", source)
    (again,) = add_report(source, objects, report.findings, coordinates="2d")
    groups = [
        highdicom.sr.srread(path).content.get_planar_roi_measurement_groups()
        for path in (read.objects.made[0].path, again.path)
    ]
    for one, other in zip(*groups, strict=True):
        np.testing.assert_array_equal(one.roi.value, other.roi.value)
        assert one.tracking_uid == other.tracking_uid


def test_as_plain_values_and_as_a_file(read, source, tmp_path):
    add_report(source, read.objects, FINDINGS)
    (report,) = read()
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["title"]["meaning"] == "Imaging Measurement Report"
    first, *_, last = plain["findings"]
    assert first["kind"] == "polygon"
    np.testing.assert_allclose(first["points"], POLYGON, atol=5e-3)
    assert first["measurements"][0]["value"] == 1234.5
    assert first["evaluations"][0]["value"]["meaning"] == "Grade 2"
    assert last["kind"] == "slide"
    (path,) = report.save(tmp_path / "saved")
    assert path.read_bytes() == read.objects.made[0].path.read_bytes()
    assert pickle.loads(pickle.dumps(report)).to_dict() == report.to_dict()
    assert "5 findings" in repr(report)


def other_report(header, region, **more):
    """A report as another program might write it."""
    observer = sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(name="Roe^R"),
    )
    group = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(identifier="one", uid=generate_uid()),
        finding_type=codes.SCT.Neoplasm,
        method=codes.SCT.Neoplasm,
        geometric_purpose=codes.DCM.CenterOf if hasattr(codes.DCM, "CenterOf") else None,
        **({"referenced_region": region} if region is not None else {}),
        **more,
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_person_context=observer),
        procedure_reported=codes.DCM.WholeSlideImaging,
        imaging_measurements=[group],
    )
    return sr.Comprehensive3DSR(
        evidence=[header],
        content=content,
        series_instance_uid=generate_uid(),
        series_number=3,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="somebody",
    )


def test_regions_of_other_levels_of_frames_and_circles(read, made, source):
    headers = headers_of(made.levels)
    coarse = sr.SourceImageForRegion.from_source_image(headers[2])
    frame = sr.SourceImageForRegion.from_source_image(headers[1], referenced_frame_numbers=[7])
    columns = source.pyramid.levels[1].grid[0]
    corner = np.array([6 % columns, 6 // columns]) * 256
    square = np.array([[10, 20], [30, 20], [30, 50], [10, 50], [10, 20.0]])
    circle = np.array([[100, 100], [100, 140.0]])
    cases = {
        "coarse": (sr.ImageRegion("POLYLINE", square, coarse), "polygon", square[:-1] * 4),
        "frame": (
            sr.ImageRegion("POLYLINE", square, frame, pixel_origin_interpretation="FRAME"),
            "polygon",
            (square[:-1] + corner) * 2,
        ),
        "circle": (
            sr.ImageRegion("CIRCLE", circle, coarse),
            "ellipse",
            np.array([[100, 140], [100, 60], [60, 100], [140, 100]]) * 4,
        ),
        "elsewhere": (
            sr.ImageRegion3D("POINT", np.array([[1.0, 2.0, 0.0]]), generate_uid()),
            "unknown",
            np.empty((0, 2)),
        ),
    }
    for name, (region, _, _) in cases.items():
        document = other_report(headers[2] if name != "frame" else headers[1], region)
        document.SeriesDescription = name
        document.save_as(read.folder / f"{name}.dcm")
    found = {report.name: report.findings[0] for report in read()}
    assert set(found) == set(cases)
    for name, (_, kind, points) in cases.items():
        assert found[name].region.kind == kind
        np.testing.assert_allclose(found[name].region.points, points)
        assert found[name].evaluations == ()


def test_a_report_that_is_none_has_no_findings(read, made):
    header = headers_of(made.levels)[0]
    region = sr.ImageRegion3D("POINT", np.array([[1.0, 2.0, 0.0]]), header.FrameOfReferenceUID)
    document = other_report(header, region)
    document.ContentSequence = document.ContentSequence[:2]
    document.save_as(read.folder / "empty.dcm")
    (report,) = read()
    assert report.findings == ()
    assert report.to_dict()["findings"] == []
