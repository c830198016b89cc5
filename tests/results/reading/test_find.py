"""Which objects of a study are results about a slide, found over a folder and a server."""

from __future__ import annotations

import datetime

import pydicom
import pytest
from faulty import Fault, Faulty
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from results.reading.making import connected, folder_of, make_slide

import wsiweb
from wsiweb import loop
from wsiweb.results.reading.find import _created, find, instant
from wsiweb.server import create_app, serve
from wsiweb.wire.dicomjson import Attributes

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
ANNOTATIONS = "1.2.840.10008.5.1.4.1.1.91.1"
MAP = "1.2.840.10008.5.1.4.1.1.30"
REPORT = "1.2.840.10008.5.1.4.1.1.88.34"
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return make_slide(tmp_path_factory.mktemp("slide"), (200, 150), (1, 2))


def about(slide, class_uid=SEGMENTATION, modality="SEG", **more) -> Dataset:
    """An object without content that says by frame of reference and container what it is about."""
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = class_uid
    one.SOPInstanceUID = generate_uid()
    one.StudyInstanceUID = slide.study_uid
    one.SeriesInstanceUID = generate_uid()
    one.Modality = modality
    one.FrameOfReferenceUID = slide.headers[0].FrameOfReferenceUID
    one.ContainerIdentifier = slide.headers[0].ContainerIdentifier
    for keyword, value in more.items():
        setattr(one, keyword, value)
    return one


def referring_to(series_uid) -> list[Dataset]:
    item = Dataset()
    item.SeriesInstanceUID = series_uid
    return [item]


def found_in(target, slide, kind, **more):
    with connected(target, **more) as archive:
        pyramid = archive.open_slide(slide.study_uid, slide.series_uid)._pyramid
        return loop.run(find(archive._client, pyramid, kind))


def uids(found):
    return {one.instance_uid for one in found}


@pytest.fixture(scope="module")
def objects(slide):
    return {
        "binary": about(slide),
        "label map": about(slide, LABEL_MAP),
        "annotations": about(slide, ANNOTATIONS, "ANN"),
        "map": about(slide, MAP, "OT"),
        "map of modality SM": about(slide, MAP, "SM"),
        "report": about(slide, REPORT, "SR"),
        "key objects": about(slide, KEY_OBJECTS, "SR"),
        "key objects of modality OT": about(slide, KEY_OBJECTS, "OT"),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory, slide, objects):
    return folder_of(tmp_path_factory.mktemp("objects"), slide, *objects.values())


KINDS = {
    "segmentation": {"binary", "label map"},
    "annotations": {"annotations"},
    "heatmap": {"map", "map of modality SM"},
    "report": {"report"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_found(folder, slide, objects, kind):
    wanted = {str(objects[name].SOPInstanceUID) for name in KINDS[kind]}
    assert uids(found_in(folder, slide, kind)) == wanted
    with serve(folder) as server:
        found = found_in(server.url, slide, kind)
        assert uids(found) == wanted
        for one in found:
            assert one.document_url.startswith(f"{server.url}/studies/{slide.study_uid}/series/")
            assert one.document_url.endswith(f"/series/{one.series_uid}/metadata")
            assert one.header.text("SOPInstanceUID") == one.instance_uid


def test_another_kind_is_refused(folder, slide):
    with pytest.raises(ValueError, match="segmentation, annotations, heatmap, report can be found"):
        found_in(folder, slide, "image")


def test_headers_of_other_series_are_not_asked_for(folder, slide, objects):
    app = Faulty(create_app(folder))
    with serve(app=app) as server, connected(server.url) as archive:
        pyramid = archive.open_slide(slide.study_uid, slide.series_uid)._pyramid
        app.log.clear()
        loop.run(find(archive._client, pyramid, "annotations"))
        assert len(app.log) == 2  # the series, and the headers of one of them
        app.log.clear()
        loop.run(find(archive._client, pyramid, "heatmap"))
        asked = app.paths("/metadata")
    assert len(asked) == 2
    assert not any(
        str(objects["key objects of modality OT"].SeriesInstanceUID) in one for one in asked
    )


# What it is about -----------------------------------------------------------------------------


def holding(sequence, series_uid):
    def change(one):
        item = Dataset()
        item.ReferencedSeriesSequence = referring_to(series_uid)
        setattr(one, sequence, [item])

    return change


def elsewhere(one):
    one.FrameOfReferenceUID = generate_uid()


ABOUT_IT = {
    "the same glass": lambda one, slide: None,
    "the series": lambda one, slide: (
        elsewhere(one),
        setattr(one, "ReferencedSeriesSequence", referring_to(slide.series_uid)),
    ),
    "another scan of the same glass": lambda one, slide: setattr(
        one, "ReferencedSeriesSequence", referring_to(generate_uid())
    ),
    **{
        sequence: lambda one, slide, sequence=sequence: (
            elsewhere(one),
            holding(sequence, slide.series_uid)(one),
        )
        for sequence in (
            "CurrentRequestedProcedureEvidenceSequence",
            "PertinentOtherEvidenceSequence",
            "StudiesContainingOtherReferencedInstancesSequence",
        )
    },
}
NOT_ABOUT_IT = {
    "another frame of reference": lambda one, slide: elsewhere(one),
    "another container": lambda one, slide: setattr(one, "ContainerIdentifier", "another"),
    "no frame of reference": lambda one, slide: delattr(one, "FrameOfReferenceUID"),
    "another series": lambda one, slide: (
        elsewhere(one),
        setattr(one, "ReferencedSeriesSequence", referring_to(generate_uid())),
    ),
}


@pytest.mark.parametrize("change", [*ABOUT_IT, *NOT_ABOUT_IT])
def test_what_an_object_is_about(tmp_path, slide, change):
    one = about(slide, REPORT, "SR")
    {**ABOUT_IT, **NOT_ABOUT_IT}[change](one, slide)
    found = found_in(folder_of(tmp_path / "one", slide, one), slide, "report")
    assert len(found) == (change in ABOUT_IT)


def test_a_slide_of_another_study_is_not_looked_at(tmp_path, slide):
    one = about(slide, StudyInstanceUID=generate_uid())
    assert found_in(folder_of(tmp_path / "one", slide, one), slide, "segmentation") == []


def test_a_slide_without_a_frame_of_reference_has_results_that_refer_to_it(tmp_path, slide):
    folder = tmp_path / "one"
    folder.mkdir()
    for path in slide.paths:
        dataset = pydicom.dcmread(path)
        dataset.FrameOfReferenceUID = ""
        dataset.save_as(folder / path.name)
    plain = about(slide, FrameOfReferenceUID="")
    referring = about(slide, ReferencedSeriesSequence=referring_to(slide.series_uid))
    for one in (plain, referring):
        one.save_as(folder / f"{one.SOPInstanceUID}.dcm", enforce_file_format=True)
    assert uids(found_in(folder, slide, "segmentation")) == {str(referring.SOPInstanceUID)}


# What is said of it ---------------------------------------------------------------------------


def test_what_is_said_of_an_object(tmp_path, slide):
    one = about(
        slide,
        SeriesDescription="tumour-v1",
        ContentLabel="TUMOUR",
        ContentDate="20260131",
        ContentTime="070809.25",
        TimezoneOffsetFromUTC="+0130",
        InstanceNumber=4,
    )
    (found,) = found_in(folder_of(tmp_path / "one", slide, one), slide, "segmentation")
    zone = datetime.timezone(datetime.timedelta(hours=1, minutes=30))
    assert found.created == datetime.datetime(2026, 1, 31, 7, 8, 9, 250_000, zone)
    assert (found.name, found.label, found.number) == ("tumour-v1", "TUMOUR", 4)
    assert (found.study_uid, found.series_uid) == (slide.study_uid, str(one.SeriesInstanceUID))
    assert found.class_uid == SEGMENTATION


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"ContentDescription": "all of it", "ContentLabel": "ALL"}, "all of it"),
        ({"SeriesDescription": " ", "ContentLabel": "ALL"}, "ALL"),
        ({}, ""),
    ],
)
def test_its_name_is_what_there_is(tmp_path, slide, said, name):
    folder = folder_of(tmp_path / "one", slide, about(slide, **said))
    (found,) = found_in(folder, slide, "segmentation")
    assert (found.name, found.number, found.created) == (name, 0, None)


def test_the_newest_comes_first_and_what_has_no_date_last(tmp_path, slide):
    series = generate_uid()
    made = [
        about(slide, ContentLabel="OLD", ContentDate="20240105", ContentTime="10"),
        about(slide, ContentLabel="NONE", ContentDate=""),
        about(slide, ContentLabel="EAST", ContentDate="20260301", ContentTime="1000",
              TimezoneOffsetFromUTC="+0500"),
        about(slide, ContentLabel="WEST", ContentDate="20260301", ContentTime="0900"),
        about(slide, ContentLabel="SECOND", ContentDate="20250101", InstanceNumber=2,
              SeriesInstanceUID=series),
        about(slide, ContentLabel="FIRST", ContentDate="20250101", InstanceNumber=1,
              SeriesInstanceUID=series),
    ]  # fmt: skip
    found = found_in(folder_of(tmp_path / "all", slide, *made), slide, "segmentation")
    labels = [one.label for one in found]
    assert labels == ["WEST", "EAST", "SECOND", "FIRST", "OLD", "NONE"]


@given(
    date=st.one_of(st.text(max_size=12), st.from_regex(r"\d{8}", fullmatch=True)),
    time=st.one_of(st.text(max_size=12), st.from_regex(r"\d{2,6}(\.\d{1,6})?", fullmatch=True)),
    zone=st.one_of(st.text(max_size=6), st.from_regex(r"[+-]\d{4}", fullmatch=True)),
)
def test_a_date_is_understood_or_there_is_none(date, time, zone):
    texts = {"00080023": date, "00080033": time, "00080201": zone}
    header = Attributes.of({tag: {"vr": "LO", "Value": [text]} for tag, text in texts.items()})
    created = _created(header)
    if created is not None:
        digits = date.strip().replace(".", "")
        assert (created.year, created.month, created.day) == (
            int(digits[:4]),
            int(digits[4:6]),
            int(digits[6:]),
        )
        instant(created)


# Bad days -------------------------------------------------------------------------------------


def test_a_series_that_is_removed_meanwhile_is_passed_over(folder, slide, objects):
    gone = str(objects["binary"].SeriesInstanceUID)
    gone = Fault(f"series/{gone}", status=404)
    with serve(app=Faulty(create_app(folder), gone)) as server:
        found = found_in(server.url, slide, "segmentation")
    assert uids(found) == {str(objects["label map"].SOPInstanceUID)}


@pytest.mark.parametrize("status", [400, 404, 500, 501])
def test_without_metadata_of_a_series_each_instance_is_asked(folder, slide, objects, status):
    series = str(objects["binary"].SeriesInstanceUID)
    app = Faulty(create_app(folder), Fault(f"series/{series}/metadata", status=status))
    with serve(app=app) as server:
        found = found_in(server.url, slide, "segmentation", settings=wsiweb.Settings(retries=0))
    assert len(found) == 2


def test_an_archive_that_fails_is_not_taken_for_an_empty_one(folder, slide, objects):
    series = str(objects["binary"].SeriesInstanceUID)
    app = Faulty(create_app(folder), Fault(f"series/{series}/metadata", status=503))
    quick = wsiweb.Settings(retries=0)
    with serve(app=app) as server, pytest.raises(wsiweb.Busy):
        found_in(server.url, slide, "segmentation", settings=quick)


def test_an_archive_that_tells_no_classes_is_asked_for_headers(folder, slide, objects):
    def without_classes(body):
        return body.replace(b'"00080016"', b'"00080017"')

    app = Faulty(create_app(folder), Fault("/instances", body=without_classes))
    app.faults[0].where = "/instances?"
    with serve(app=app) as server:
        found = found_in(server.url, slide, "heatmap")
    assert uids(found) == {str(objects[name].SOPInstanceUID) for name in KINDS["heatmap"]}
