"""What today's viewers want of results, read in the sources of Slim and dicom-microscopy-viewer.

No viewer runs here; each of their conditions is held against the objects.
"""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
import shapely

import wsiweb
from wsiweb.results import shapes_of

JPEG_LS = "1.2.840.10008.1.2.4.80"
EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.fixture(scope="module")
def results(made_folder):
    """The headers of the slide's levels, and of all that was made of it, by kind."""
    with wsiweb.connect(made_folder) as archive:
        slide = archive.slides()[0].open()
        session = slide.results("v1", algorithm=("net", "1"))
        labels = np.zeros(slide.levels[0].size[::-1], np.uint8)
        labels[300:900, 300:900] = 1
        labels[600:700, 1000:1900] = 2
        session.add_mask(labels, segments=["Tissue", "Neoplasm"])
        session.add_mask(labels[::2, ::2] / 2, segments="Tissue", kind="fractional")
        session.add_annotations(
            shapes_of([shapely.box(9, 9, 99, 99)] * 3, measurements={"area": [1, 2, np.nan]})
        )
        session.add_heatmap(np.ones((6, 9)) * [range(9)], patch=256, quantity="Probability")
        objects = [(one.kind, pydicom.dcmread(one.path)) for one in session.objects]
        levels = {level.instance_uids[0]: level for level in slide.levels}
    volumes = [
        header
        for header in map(pydicom.dcmread, sorted(made_folder.glob("*.dcm")))
        if header.SOPInstanceUID in levels
    ]
    return volumes, objects


def kind(results, name):
    return [header for found, header in results[1] if found == name]


def binary(results):
    return [one for one in kind(results, "segmentation") if one.SegmentationType == "BINARY"]


def test_all_lie_in_the_frame_of_reference_and_container_of_the_slide(results):
    volume = results[0][0]
    for name, header in results[1]:
        assert header.ContainerIdentifier == volume.ContainerIdentifier, name
        if name != "annotations":  # 2D annotations refer to the image instead
            assert header.FrameOfReferenceUID == volume.FrameOfReferenceUID, name


def test_segmentations_are_stored_in_a_way_that_viewers_decode(results):
    for header in kind(results, "segmentation"):
        wanted = EXPLICIT if header.SegmentationType == "BINARY" else JPEG_LS
        assert header.file_meta.TransferSyntaxUID == wanted
        assert header.SOPClassUID == pydicom.uid.SegmentationStorage  # not yet the label map


def test_one_series_is_one_result_is_one_pyramid(results):
    series = {}
    for header in kind(results, "segmentation"):
        series.setdefault(header.SeriesInstanceUID, []).append(header)
    assert len(series) == 2
    for headers in series.values():
        assert len({one.PyramidUID for one in headers}) == 1
        sizes = [(one.TotalPixelMatrixColumns, one.TotalPixelMatrixRows) for one in headers]
        assert len(set(sizes)) == len(sizes)
        labels = [[item.SegmentLabel for item in one.SegmentSequence] for one in headers]
        assert all(one == labels[0] for one in labels)


def test_levels_of_segmentations_are_levels_of_the_slide(results):
    sizes = {(one.TotalPixelMatrixColumns, one.TotalPixelMatrixRows) for one in results[0]}
    for header in kind(results, "segmentation"):
        assert (header.TotalPixelMatrixColumns, header.TotalPixelMatrixRows) in sizes


def test_sparse_tiles_lie_on_the_grid_and_none_is_empty(results):
    for header in binary(results):
        assert header.DimensionOrganizationType == "TILED_SPARSE"
        assert header.Columns % 8 == 0  # frames are whole bytes
        frames = header.pixel_array.reshape(-1, header.Rows, header.Columns)
        assert len(frames) == header.NumberOfFrames
        assert frames.any(axis=(1, 2)).all()
        for group in header.PerFrameFunctionalGroupsSequence:
            (place,) = group.PlanePositionSlideSequence
            assert (place.ColumnPositionInTotalImagePixelMatrix - 1) % header.Columns == 0
            assert (place.RowPositionInTotalImagePixelMatrix - 1) % header.Rows == 0


def test_the_matrix_is_whole_and_its_corner_is_that_of_the_slide(results):
    volume = results[0][0]
    for header in kind(results, "segmentation"):
        spacing = header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
        assert header.TotalPixelMatrixColumns * spacing[1] == pytest.approx(
            volume.ImagedVolumeWidth, rel=0.01
        )
        assert header.ImageOrientationSlide == volume.ImageOrientationSlide


def test_annotations_have_their_coordinates_as_bulk_data(results):
    (header,) = kind(results, "annotations")
    assert header.AnnotationCoordinateType == "2D"
    assert header.PixelOriginInterpretation == "VOLUME"
    (reference,) = header.ReferencedImageSequence
    assert reference.ReferencedSOPInstanceUID in {one.SOPInstanceUID for one in results[0]}
    (group,) = header.AnnotationGroupSequence
    assert group["PointCoordinatesData"].VR == "OF"
    assert group["LongPrimitivePointIndexList"].VR == "OL"
    assert group.NumberOfAnnotations == 3
    assert group.GraphicType == "POLYGON"


def test_heat_maps_are_not_in_double_precision(results):
    (header,) = kind(results, "heatmap")
    assert header.BitsAllocated == 16
    assert "DoubleFloatPixelData" not in header
    assert "FloatPixelData" not in header
