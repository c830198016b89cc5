"""What results say about their source: which instances of it, and which optical path."""

from __future__ import annotations

import datetime
import functools

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom import sr
from results.about import objects_in
from results.checking import errors_in
from results.masks.sized import sized_headers
from results.paths import in_parts, of_paths, save

import wsiweb
from wsiweb.errors import SlideError
from wsiweb.pixels.headers import read_pyramid
from wsiweb.results.heatmaps.heatmap import add_heatmap
from wsiweb.results.images.image import add_image
from wsiweb.results.masks.mask import add_mask
from wsiweb.results.reports.findings import Finding, Region
from wsiweb.results.reports.report import add_report
from wsiweb.results.shapes.annotations import add_annotations
from wsiweb.results.shapes.shapes import Shapes
from wsiweb.results.source import Source
from wsiweb.wire.dicomjson import Attributes

SIZE = (200, 150)
POINTS = [[10, 20], [30.5, 20], [30, 40]]
MARK = Shapes.of("point", POINTS)
AREA = ("SCT:Area", 0.12, "UCUM:SquareMillimeter")
REGION = Region("polyline", np.array(POINTS))


def slide_of(headers, **choices) -> Source:
    attributes = [Attributes.of(header.to_json_dict()) for header in headers]
    return Source(read_pyramid(attributes), attributes, **choices)


@pytest.fixture
def headers():
    return sized_headers(SIZE, (1, 2))


def mask(source, objects):
    return add_mask(source, objects, np.ones(SIZE[::-1], bool), segments="Tissue")


def image(source, objects):
    return add_image(source, objects, np.ones((*SIZE[::-1], 3), np.uint8))


def heatmap(source, objects):
    values = np.linspace(0, 1, SIZE[0] * SIZE[1]).reshape(SIZE[::-1])
    return add_heatmap(source, objects, values, level=0, quantity="Probability")


def report(source, objects, coordinates="3d"):
    findings = [Finding(region=REGION, measurements=[AREA]), Finding(measurements=[AREA])]
    return add_report(source, objects, findings, coordinates=coordinates)


def shapes(source, objects, coordinates="2d", level=0):
    return add_annotations(source, objects, MARK, coordinates=coordinates, level=level)


KINDS = {
    "mask": mask,
    "heatmap": heatmap,
    "image": image,
    "report": report,
    "flat report": functools.partial(report, coordinates="2d"),
    "annotations": shapes,
    "annotations in mm": functools.partial(shapes, coordinates="3d"),
}


def referred_to(dataset) -> set[str]:
    """All instances that an object refers to, wherever it does."""
    found = set()
    for element in dataset.iterall():
        if element.keyword == "ReferencedSOPInstanceUID":
            found.add(str(element.value))
    return found


# Optical paths ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_paths_in_instances_of_their_own_are_told_by_instance(headers, tmp_path, kind, channel):
    headers = of_paths(headers, ["10", "9", "DAPI"], apart=True)
    source = slide_of(headers, channel=channel)
    name = ("9", "10", "DAPI")[channel]
    assert source.pyramid.levels[0].channels[channel] == name
    made = KINDS[kind](source, objects_in(tmp_path, source))
    for one, size in zip(made, (200, 100), strict=False):
        (holding,) = (
            str(header.SOPInstanceUID)
            for header in headers
            if header.TotalPixelMatrixColumns == size
            and header.OpticalPathSequence[0].OpticalPathIdentifier == name
        )
        assert referred_to(pydicom.dcmread(one.path)) == {holding}
        assert not errors_in(one.path)


@pytest.mark.parametrize("kind", KINDS)
def test_all_paths_are_all_instances(headers, tmp_path, kind):
    headers = of_paths(headers, ["a", "b"], apart=True)
    source = slide_of(headers)
    made = KINDS[kind](source, objects_in(tmp_path, source))
    first, second = (str(one.SOPInstanceUID) for one in headers if one.InstanceNumber == 1)
    # Pixels of annotations are those of one image (PS3.3 C.37.1.2).
    all_of_it = {first} if kind == "annotations" else {first, second}
    assert referred_to(pydicom.dcmread(made[0].path)) == all_of_it


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("coordinates", ["2d", "3d"])
def test_annotations_name_their_path(headers, tmp_path, apart, coordinates):
    headers = of_paths(headers, ["DAPI", "FITC"], apart=apart)
    source = slide_of(headers, channel=1)
    (made,) = shapes(source, objects_in(tmp_path, source), coordinates)
    (group,) = highdicom.ann.annread(made.path).AnnotationGroupSequence
    assert group.AnnotationAppliesToAllOpticalPaths == "NO"
    assert group.ReferencedOpticalPathIdentifier == "FITC"
    source = slide_of(headers)
    (made,) = shapes(source, objects_in(tmp_path / "all", source), coordinates)
    (group,) = highdicom.ann.annread(made.path).AnnotationGroupSequence
    assert group.AnnotationAppliesToAllOpticalPaths == "YES"
    assert "ReferencedOpticalPathIdentifier" not in group


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize(("channel", "name"), [(None, "DAPI"), (0, "DAPI"), (1, "FITC")])
def test_an_image_describes_its_path(headers, tmp_path, apart, channel, name):
    source = slide_of(of_paths(headers, ["DAPI", "FITC"], apart=apart), channel=channel)
    for made in image(source, objects_in(tmp_path, source)):
        header = pydicom.dcmread(made.path, stop_before_pixels=True)
        (path,) = header.OpticalPathSequence
        assert path.OpticalPathIdentifier == name
        assert path.OpticalPathDescription == f"as {name} sees it"
        assert name.encode() in path.ICCProfile
        (shared,) = header.SharedFunctionalGroupsSequence
        assert shared.OpticalPathIdentificationSequence[0].OpticalPathIdentifier == name


@pytest.mark.parametrize("channel", [-1, 2, 2**70])
def test_an_unknown_channel_is_refused(headers, channel):
    with pytest.raises(IndexError, match=rf"no channel {channel}; the slide has 2.*'DAPI', 'FITC'"):
        slide_of(of_paths(headers, ["DAPI", "FITC"], apart=True), channel=channel)


@pytest.mark.parametrize("channel", ["DAPI", 1.0, True])
def test_a_channel_that_is_no_number_is_refused(headers, channel):
    with pytest.raises(ValueError, match="channel is a whole number"):
        slide_of(of_paths(headers, ["DAPI", "FITC"], apart=True), channel=channel)


def test_paths_without_names_cannot_be_told_apart_by_annotations(headers, tmp_path):
    headers = of_paths(headers, ["DAPI", "FITC"], apart=False)
    for header in headers:
        for path in header.OpticalPathSequence:
            del path.OpticalPathIdentifier
    source = slide_of(headers, channel=1)
    objects = objects_in(tmp_path, source)
    with pytest.raises(SlideError, match=r"does not name its paths.*Leave channel= out"):
        shapes(source, objects)
    assert objects.made == ()


def test_the_only_path_needs_no_name(headers, tmp_path):
    for header in headers:
        del header.OpticalPathSequence[0].OpticalPathIdentifier
    source = slide_of(headers, channel=0)
    (made,) = shapes(source, objects_in(tmp_path, source))
    (group,) = highdicom.ann.annread(made.path).AnnotationGroupSequence
    assert group.AnnotationAppliesToAllOpticalPaths == "YES"


# Concatenations -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_concatenation_is_referred_to_as_a_whole(headers, tmp_path, kind):
    headers = in_parts(headers)
    source = slide_of(headers)
    wholes = [level.whole_uids[0] for level in source.pyramid.levels]
    assert len(set(wholes)) == 2
    made = KINDS[kind](source, objects_in(tmp_path, source))
    for one, whole in zip(made, wholes, strict=False):
        dataset = pydicom.dcmread(one.path)
        assert referred_to(dataset) == {whole}
        assert "ConcatenationUID" not in dataset
        assert not errors_in(one.path)


def test_a_path_in_parts_is_referred_to_as_a_whole(headers, tmp_path):
    headers = in_parts(of_paths(headers[:1], ["a", "b"], apart=True))
    source = slide_of(headers, channel=1)
    (made,) = shapes(source, objects_in(tmp_path, source))
    whole = headers[-1].SOPInstanceUIDOfConcatenationSource
    assert referred_to(pydicom.dcmread(made.path)) == {whole}
    assert source.dataset(0).NumberOfFrames == sum(one.NumberOfFrames for one in headers[2:])


# There and back -----------------------------------------------------------------------------


@pytest.fixture
def parted(headers, tmp_path):
    """A folder with a slide of two paths, whose levels are in three parts."""
    parts = in_parts(of_paths(headers, ["DAPI", "FITC"], apart=True), 3)
    for part in parts:
        part.LossyImageCompression = "00"
    folder = tmp_path / "archive"
    save(parts, folder)
    opened = []

    def slide():
        archive = wsiweb.connect(folder)
        opened.append(archive)
        return archive.open_slide(parts[0].StudyInstanceUID, parts[0].SeriesInstanceUID)

    slide.folder = folder
    yield slide
    for archive in opened:
        archive.close()


def test_a_session_tells_its_channel_there_and_back(parted):
    slide = parted()
    assert slide.levels[0].channels == ("DAPI", "FITC")
    for channel in (None, 1):
        session = slide.results("v1", channel=channel)
        assert session.channel == channel
        session.add_annotations(MARK, label=f"of {channel}", level=1)
        session.add_report([Finding(region=REGION)], coordinates="2d")
        session.add_mask(np.eye(*SIZE[::-1], dtype=bool), segments="Tissue")
        session.add_heatmap(np.ones(SIZE[::-1]), level=0, quantity="Probability")
        session.save(parted.folder)
    slide = parted()
    found = {one.groups[0].label: one.groups[0] for one in slide.annotations()}
    assert found["of None"].channels == ("DAPI", "FITC")
    assert found["of 1"].channels == ("FITC",)
    for group in found.values():
        np.testing.assert_allclose(group.coordinates, np.array(POINTS) * 2)
    assert len(slide.reports()) == len(slide.segmentations()) == len(slide.heatmaps()) == 2
    for one in slide.reports():
        np.testing.assert_allclose(one.findings[0].region.points, POINTS)
    for one in slide.segmentations():
        assert (one.read_region((0, 0), 0, SIZE) == np.eye(*SIZE[::-1])).all()
    with pytest.raises(IndexError, match="no channel 2; the slide has 2"):
        slide.results("v1", channel=2)


def test_another_channel_has_another_series(parted):
    when = datetime.datetime(2026, 3, 4, tzinfo=datetime.UTC)

    slide = parted()

    def series(channel):
        session = slide.results("v1", created=when, deterministic=True, channel=channel)
        session.add_mask(np.ones(SIZE[::-1], bool), segments="Tissue")
        return session.objects[0].series_uid

    assert len({series(channel) for channel in (None, 0, 1)}) == 3
    assert series(1) == series(1)


@pytest.mark.parametrize("part", [0, 1, 2, None])
def test_others_may_refer_to_any_part_or_to_the_whole(parted, part):
    """Level 1, by its first, second and last part; and as a whole."""
    level = parted().levels[1]
    uid = level.whole_uids[0] if part is None else level.instance_uids[part]
    session = parted().results("v1")
    (made,) = session.add_annotations(MARK, level=1)
    dataset = pydicom.dcmread(made.path)
    dataset.ReferencedImageSequence[0].ReferencedSOPInstanceUID = uid
    dataset.save_as(parted.folder / "annotations.dcm")
    (made,) = session.add_report([Finding(region=REGION)], coordinates="2d")
    dataset = pydicom.dcmread(made.path)
    for element in dataset.iterall():
        if element.keyword == "ReferencedSOPInstanceUID":
            element.value = uid
    dataset.save_as(parted.folder / "report.dcm")
    slide = parted()
    (annotations,), (found,) = slide.annotations(), slide.reports()
    expected = np.array(POINTS) * 2
    np.testing.assert_allclose(annotations.groups[0].coordinates, expected)
    np.testing.assert_allclose(found.findings[0].region.points, expected)


def test_frames_of_a_whole_are_counted_through_its_parts(parted):
    slide = parted()
    level = slide.levels[0]
    columns = level.grid[0]
    number = 1 + columns + 2  # of the third tile of the second row
    for channel in (0, 1):
        whole = level.whole_uids[3 * channel]
        assert level.place(whole, number) == (2, 1, channel, 0)
        address = level.frame(2, 1, channel)
        assert level.place(*address) == (2, 1, channel, 0)
        assert address.instance_uid in level.instance_uids[3 * channel :][:3]
        count = columns * level.grid[1]
        assert level.place(whole, count) == (columns - 1, level.grid[1] - 1, channel, 0)
        for odd in (0, -1, count + 1):
            with pytest.raises(IndexError):
                level.place(whole, odd)
    with pytest.raises(IndexError, match="no part of this image"):
        level.place("1.2.3", 1)
    assert slide._pyramid.level_of(whole) is level
    assert slide._pyramid.level_of("") is None


# Slides that do not say where they lie --------------------------------------------------------


@pytest.mark.parametrize(
    "keyword", ["FrameOfReferenceUID", "ImageOrientationSlide", "TotalPixelMatrixOriginSequence"]
)
def test_pixels_are_annotated_where_the_place_on_the_glass_is_unknown(headers, tmp_path, keyword):
    for header in headers:
        delattr(header, keyword)
    source = slide_of(headers)
    objects = objects_in(tmp_path, source)
    (made,) = shapes(source, objects, level=1)
    read = highdicom.ann.annread(made.path)
    # The Frame of Reference Module is for millimetres only (PS3.3 A.87).
    assert "FrameOfReferenceUID" not in read
    assert keyword not in source.dataset(1, placed=False)
    (group,) = read.get_annotation_groups()
    np.testing.assert_allclose(np.concatenate(group.get_graphic_data("2D")), POINTS)
    with pytest.raises((SlideError, ValueError), match="lies"):
        shapes(source, objects, "3d")
    with pytest.raises((SlideError, ValueError), match="lies"):
        mask(source, objects)


def test_a_report_has_all_images_of_the_slide_in_its_library(headers, tmp_path):
    source = slide_of(of_paths(headers, ["a", "b"], apart=True))
    (made,) = report(source, objects_in(tmp_path, source))
    document = sr.srread(made.path)
    (evidence,) = document.CurrentRequestedProcedureEvidenceSequence
    (series,) = evidence.ReferencedSeriesSequence
    assert len(series.ReferencedSOPSequence) == 2
    assert "PertinentOtherEvidenceSequence" not in document
